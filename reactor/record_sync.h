/* record_sync.h - which records were written and are not surely on the disk yet.
 *
 * A record that takes the place of an older one says nothing after a power cut until its bytes were synced. So the last
 * generation that is on the disk stays beside it as name.json.old until then. The loop does not sync, since fsync(2)
 * waits for the disk: the listener has it done by a child. (ARCHITECTURE R71) */
#ifndef REACTOR_RECORD_SYNC_H
#define REACTOR_RECORD_SYNC_H

#include <stdbool.h>
#include <stddef.h>

void record_sync_on_ring(void (*fn)(void)); /* the one listener: something is to be synced; called inside a write */

/* At most `max` paths of records (dir/name.json) to be synced, with their directories; how many. They are valid until
 * record_sync_done(); until then another call takes nothing. */
size_t record_sync_take(const char **paths, size_t max);

/* synced: what was taken is on the disk, and its older generations are removed, but for those of records that were
 * written again meanwhile. Otherwise all of it is still to be synced. */
void record_sync_done(bool synced);

bool record_sync_waits(void); /* something is to be synced, and was not taken */

/* For record.c. */
void record_sync_note(const char *path);    /* it was written */
bool record_sync_pending(const char *path); /* it was written, and is not surely on the disk */
void record_sync_forget(const char *path);  /* it is removed */

#endif
