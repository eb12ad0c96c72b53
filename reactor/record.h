/* record.h - one small JSON file that is replaced whole: a reader finds the old or the new content, also after a kill.
 *
 * A temporary file in the same directory takes the place of the old one. There is no fsync: most records describe
 * processes, mounts and namespaces, which a restart of the machine ends. Files that must survive a power cut are synced
 * by a child (images/). Every record carries {"version": N}. */
#ifndef REACTOR_RECORD_H
#define REACTOR_RECORD_H

#include "reactor/err.h"
#include "reactor/fields.h"
#include "reactor/json.h"

/* Writes the object (borrowed; "version" is set in it) to dir/name.json. INTERNAL: a system call failed. */
int record_write(const char *dir, const char *name, int version, json_t *json, struct err *e);

/* The same for a struct and its table, without a tree of JSON values: a list may have 50,000 entries. more: a member
 * of plain words beside those of the table, or NULL. */
int record_write_fields(const char *dir, const char *name, int version, const struct field *table, const void *object,
			const struct pair *more, struct err *e);

/* A new reference, or NULL with
 *   NOT_FOUND           there is no such file
 *   RESOURCE_EXHAUSTED  this process has no fd or memory to read it now
 *   UNAVAILABLE         the disk does not give it
 *   DATA_LOSS           it is damaged: not a regular file, not JSON, of another version */
json_t *record_read(const char *dir, const char *name, int version, struct err *e);

/* Removes the record, and a damaged one of that name. A record that is not there is no error. */
void record_remove(const char *dir, const char *name);

/* Calls fn for each record of dir (which is made when missing), in no order, and `lost` (may be NULL) for each name
 * whose record cannot be used. An error of reading is not damage, so:
 *   damaged, or fn returned -1   renamed to name.json.corrupt, and lost: it does not hinder a start
 *   an older name.json.corrupt   lost as well, until the file is removed or there is a name.json again
 *   UNAVAILABLE                  the file stays, and is lost until the next start
 *   RESOURCE_EXHAUSTED           record_each() fails with it: a later start can read the record
 * All of them are logged. Left-over .tmp files are removed. INTERNAL: the directory cannot be made or read.
 * (ARCHITECTURE H9) */
typedef int record_fn(void *arg, const char *name, const json_t *json, struct err *e);
typedef void record_lost_fn(void *arg, const char *name);
int record_each(const char *dir, int version, record_fn *fn, record_lost_fn *lost, void *arg, struct err *e);

#endif
