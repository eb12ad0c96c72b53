/* logfile.h - a log file in a directory that others may write: whole batches are appended, links are not followed. */
#ifndef REACTOR_LOGFILE_H
#define REACTOR_LOGFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reactor/arena.h"
#include "reactor/err.h"

/* The path of the log `name` in a log directory: "<dir>//<name>". The two slashes tell logfile_open() where the
 * log directory ends; for the kernel they are one. In the arena. */
char *logfile_join(struct arena *arena, const char *dir, const char *name);
char *logfile_shown(struct arena *arena, const char *path); /* the same with single slashes, for clients */
int logfile_error(const char *path, struct err *e);         /* "open log PATH: ", shown, with the text of errno; -1 */

/* Opens or creates the file of logfile_join() (0640, missing directories 0755) for append. The fd is the caller's.
 *
 * Others may write in the log directory, or in the one above, and put links there. So no symbolic link is followed from
 * the log directory's own name on, and only a regular file is opened; above it (/var/log, for example) the node's owner
 * may have links. INTERNAL. (ARCHITECTURE L20) */
int logfile_open(const char *path, struct err *e);

/* The same in two steps, for lookup.h: the part of the path behind the directory up to which links are followed, and
 * the file below that directory. one_mount: no mount point is crossed, else EXDEV. -1: errno. */
const char *logfile_below(const char *path);
int logfile_open_at(int above, const char *below, bool one_mount);

/* Appends all n bytes or none: after a short or failed write the file is cut back to its old size. A write that takes
 * over 10 ms is counted and logged. INTERNAL. */
int logfile_append(int fd, const void *p, size_t n, struct err *e);
int64_t logfile_size(int fd); /* -1: errno says why */
/* Cuts it to `size` bytes. -1: errno says why. */
int logfile_cut(int fd, int64_t size);

#endif
