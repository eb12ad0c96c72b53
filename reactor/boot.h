/* boot.h - which boot of the machine this is, and whether the files of `root` were last used in it.
 *
 * <root>/boot has the id of the boot in which crispd last came to serve. While it names another boot, no process, mount
 * or namespace of crisp's lives: they ended with the machine, perhaps in a power cut. Only then may a record that says
 * nothing be dropped. (ARCHITECTURE R70) */
#ifndef REACTOR_BOOT_H
#define REACTOR_BOOT_H

#include <stdbool.h>

#include "reactor/err.h"

const char *boot_id(void); /* of this boot; static. "" where /proc does not tell it */

/* Reads <root>/boot; before the records are read. A missing or damaged file says nothing: then this is not known to be
 * another boot. Another error of reading it, or the kernel's id, fails, so that the start is tried again: a boot that
 * is not known would age what runs, or keep what a power cut tore. INTERNAL, RESOURCE_EXHAUSTED. (ARCHITECTURE K60) */
int boot_open(const char *root, struct err *e);

/* The files of `root` are from an earlier boot, and boot_note() was not called yet. */
bool boot_is_new(void);

/* The records are read: writes this boot's id, and waits until it is on the disk (once a boot). From now on
 * boot_is_new() is false. INTERNAL: it cannot be written. */
int boot_note(struct err *e);

#endif
