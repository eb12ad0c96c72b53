/* record.h - one small JSON file that is replaced whole: a reader finds the old or the new content, also after a kill.
 *
 * A temporary file in the same directory takes the place of the old one. No fsync: what records describe mostly ends
 * with the machine, and files that must survive a power cut are synced by a child (images/). Every record carries
 * {"version": N}. */
#ifndef REACTOR_RECORD_H
#define REACTOR_RECORD_H

#include "reactor/err.h"
#include "reactor/json.h"

/* Writes the object (borrowed; "version" is set in it) to dir/name.json. INTERNAL: a system call failed. */
int record_write(const char *dir, const char *name, int version, json_t *json, struct err *e);

/* A new reference, or NULL with NOT_FOUND (no such file) or INTERNAL (unreadable, not JSON, another version). */
json_t *record_read(const char *dir, const char *name, int version, struct err *e);

void record_remove(const char *dir, const char *name); /* a record that is not there is no error */

/* Calls fn for each record of dir (which is made when missing), in no order. A record that cannot be read, or for which
 * fn returns -1, is logged and renamed to name.json.corrupt, so that it does not hinder a start. Left-over .tmp files
 * are removed. INTERNAL only when the directory itself cannot be made or read. */
typedef int record_fn(void *arg, const char *name, const json_t *json, struct err *e);
int record_each(const char *dir, int version, record_fn *fn, void *arg, struct err *e);

#endif
