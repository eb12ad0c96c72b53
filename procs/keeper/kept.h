/* kept.h - the processes that the keeper watches under an id until crispd forgets them, and how they ended. crispd's
 * end is procs/keeper.h. */
#ifndef PROCS_KEEPER_KEPT_H
#define PROCS_KEEPER_KEPT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "reactor/imsg.h"

/* Each of them replaces an ended process of the same id, and tells crispd. */
void kept_child(const char *id, pid_t pid);              /* a child of the keeper that is not reaped yet */
void kept_foreign(const char *id, pid_t pid, int pidfd); /* a process with another parent; takes pidfd */
void kept_ended(const char *id, pid_t pid, int status, int64_t at_ns);

bool kept_alive(const char *id);
void kept_forget(const char *id);
void kept_from_survivor(struct imsg *message); /* KEEPER_KEPT; its pidfd is taken */
void kept_tell_all(void);

#endif
