/* hold.h - the fds that the keeper holds by name, so that they outlive crispd. The anchor has copies, so that they
 * outlive the keeper too. crispd's end is procs/keeper.h.
 *
 * crispd is told a place of each fd: /proc/PID/fd/NUMBER is a path by which an OCI runtime opens it. The place is in
 * the anchor, where it outlives the keeper, as soon as the anchor has told the number. Before that, and without an
 * anchor, it is in the keeper. (ARCHITECTURE K45) */
#ifndef PROCS_KEEPER_HOLD_H
#define PROCS_KEEPER_HOLD_H

#include <stdbool.h>

struct imsg;

void hold(const char *name, int fd); /* takes fd; an older fd of that name is closed. crispd gets HELD */
void hold_from_crispd(struct imsg *message); /* HOLD */
void hold_release(const char *name);
void hold_release_all(const char *prefix);
bool hold_any(const char *prefix);
void hold_tell_all(void); /* a HELD each */

void hold_again(const char *name, int fd); /* takes an fd of the anchor's table */
void hold_release_unclaimed(void); /* those of the anchor's table that no crispd has named since */
void hold_placed(const char *name, int number); /* the number of the fd in the anchor */
void hold_anchor_gone(void);

#endif
