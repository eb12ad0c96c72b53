/* apparmor.h - AppArmor on this host: which profiles the kernel has, and our own default one.
 *
 * Specs: kernel Documentation/admin-guide/LSM/apparmor.rst; apparmor.d(5), apparmor_parser(8). */
#ifndef PROCS_APPARMOR_H
#define PROCS_APPARMOR_H

#include <stdbool.h>

#include "reactor/err.h"

#define APPARMOR_DEFAULT "crisp-default" /* what RuntimeDefault means, and a container without a word about it */

struct apparmor_config { /* borrowed for ever; NULL: as the kernel and Debian have it */
	const char *enabled;  /* "/sys/module/apparmor/parameters/enabled" */
	const char *profiles; /* "/sys/kernel/security/apparmor/profiles" */
	const char *parser;   /* the first of /sbin/apparmor_parser and /usr/sbin/apparmor_parser */
};

/* Loads the default profile, through the parser as a child, where the host has AppArmor and the parser; else there is
 * none, and nothing to do. `done` runs exactly once, never inside the call; a failure is logged here, and
 * apparmor_default() tells. */
void apparmor_open(const struct apparmor_config *cfg, void (*done)(void *arg), void *arg);
void apparmor_close(void); /* `done` never runs */

bool apparmor_enabled(void);             /* the kernel has it, switched on */
bool apparmor_loaded(const char *name);  /* the kernel has this profile now, whoever loaded it */

/* A container without a word about AppArmor gets the default profile; false: this host has no parser to load it
 * with. */
bool apparmor_default(void);

#endif
