/* kept.h - the processes that the keeper watches under an id until crispd forgets them, and how they ended. crispd's
 * end is procs/keeper.h. */
#ifndef PROCS_KEEPER_KEPT_H
#define PROCS_KEEPER_KEPT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "procs/anchor.h"
#include "reactor/imsg.h"

/* Each of them replaces an ended process of the same id, and tells crispd. */
void kept_child(const char *id, pid_t pid);              /* a child of the keeper that is not reaped yet */
void kept_foreign(const char *id, pid_t pid, int pidfd); /* a process with another parent; takes pidfd */
void kept_ended(const char *id, pid_t pid, int status, int64_t at_ns);

/* A process that is reaped already, though not by this keeper. It began at start_ticks or later; the anchor is asked
 * how it ended. */
void kept_gone(const char *id, pid_t pid, uint64_t start_ticks);

bool kept_alive(const char *id);
bool kept_knows(const char *id, pid_t pid, bool *alive); /* false: not this process */
void kept_tell_again(const char *id); /* crispd may not know it, or how it ended */
bool kept_any(void);
void kept_forget(const char *id);
void kept_claimed(const char *id); /* crispd knows of it, or is about to be told; allowed for what is not kept */
void kept_forget_unclaimed(void); /* those of the anchor's table that no crispd has been told of, or named, since */
void kept_from_crispd(struct imsg *message); /* KEEPER_KEPT; its pidfd is taken */
void kept_tell_all(void);

void kept_again(const struct anchor_message *process, int pidfd); /* of the anchor's table; takes pidfd, -1: none */

#endif
