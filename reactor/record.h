/* record.h - one small JSON file that is either the old one or the new one, never half of each.
 *
 * tmp + rename in the same directory; no fsync (a power cut ends every container anyway, and what must survive one is
 * synced by a child: images). Every record carries {"version": N}. */
#ifndef REACTOR_RECORD_H
#define REACTOR_RECORD_H

#include "reactor/err.h"
#include "reactor/json.h"

/* Writes j (borrowed; "version" is set in it) to dir/name.json. INTERNAL when the disk refuses. */
int record_write(const char *dir, const char *name, int version, json_t *json, struct err *e);

/* A new reference, or NULL with NOT_FOUND (no such file) or INTERNAL (unreadable, not JSON, another version). */
json_t *record_read(const char *dir, const char *name, int version, struct err *e);

void record_remove(const char *dir, const char *name); /* gone already is fine */

/* Calls fn for each record of dir (which is made when missing), in no order. One that cannot be read, or for which fn
 * returns -1, is renamed to name.json.corrupt and logged: never a reason not to start. Left-over .tmp files go.
 * INTERNAL only when the directory itself cannot be read. */
typedef int record_fn(void *arg, const char *name, const json_t *json, struct err *e);
int record_each(const char *dir, int version, record_fn *fn, void *arg, struct err *e);

#endif
