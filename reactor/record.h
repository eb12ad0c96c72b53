/* record.h - one small JSON file that is replaced whole: a reader finds the old or the new content, also after a kill.
 *
 * A temporary file in the same directory takes the place of the old one. Nothing here waits for the disk: a child syncs
 * records a second after they were written (record_sync.h), and until then the last generation that is on the disk
 * stays as name.json.old. So after a power cut there is the newest record, or one that was synced before it, or, for a
 * record that was new in that second, perhaps only its name. Every record carries {"version": N}. (ARCHITECTURE R71) */
#ifndef REACTOR_RECORD_H
#define REACTOR_RECORD_H

#include "reactor/err.h"
#include "reactor/fields.h"
#include "reactor/json.h"
#include "reactor/map.h"

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

/* Removes the record, its older generation, and a damaged one of that name. A record that is not there is no error. */
void record_remove(const char *dir, const char *name);

/* How a record is lost. */
enum record_loss {
	RECORD_TORN,    /* a power cut left its name alone, and it was removed */
	RECORD_DAMAGED, /* it is name.json.corrupt */
	RECORD_UNREAD,  /* name.json is still there, and nothing is known of its content */
};

/* Calls fn for each record of dir (which is made when missing), in no order, and `lost` (may be NULL) for each name
 * whose record cannot be used. Only its content shows that a record is damaged, never an error of reading it, so:
 *   says nothing, and boot_is_new()   torn by a power cut: its older generation is used, else it is removed, and lost
 *   damaged, or fn returned -1   renamed to name.json.corrupt, and lost: it does not hinder a start
 *   an older name.json.corrupt   lost as well, until the file is removed or there is a name.json again
 *   UNAVAILABLE, also of fn      the file stays, and is lost until the next start
 *   RESOURCE_EXHAUSTED, also of fn   record_each() fails with it: a later start can read the record
 * All of them are logged. Left-over .tmp files are removed. INTERNAL: the directory cannot be made or read.
 * "Says nothing" is a file that is empty or no JSON: only a power cut makes one, as a record is written whole before it
 * gets its name. In a boot in which something of crisp's may live it is damage like any other. (ARCHITECTURE H9, R70)
 */
struct record; /* is gone when fn has returned */
typedef int record_fn(void *arg, const char *name, struct record *record, struct err *e);
typedef void record_lost_fn(void *arg, const char *name, enum record_loss how);
int record_each(const char *dir, int version, record_fn *fn, record_lost_fn *lost, void *arg, struct err *e);

/* The names of lost records, for a record_lost_fn to keep. {0} is empty. */
struct lost_records {
	struct map names; /* the keys are owned */
};
void lost_records_add(struct lost_records *lost, const char *name); /* a name that is there already is no error */
bool lost_records_have(const struct lost_records *lost, const char *name);
size_t lost_records_count(const struct lost_records *lost, const char **first); /* *first: one of them, or NULL */

/* Sets every member of the table in the object, as fields_from_json() does. The text of record_write_fields() is read
 * without jansson: 600 records took 47 ms of CPU with it. INTERNAL, DATA_LOSS. (ARCHITECTURE H60) */
int record_fields(struct record *record, const struct field *table, void *object, struct arena *arena, struct err *e);

/* The member that record_write_fields() got as `more`; asked for before record_fields(). Borrowed until fn returns.
 * NULL: INTERNAL, it is not there or no string; DATA_LOSS. */
const char *record_word(struct record *record, const char *key, struct err *e);

#endif
