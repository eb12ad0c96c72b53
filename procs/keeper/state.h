/* state.h - the state directory, and the locks in it: front.lock of the process that a user or a service manager
 * started, keeper.lock of the keeper. */
#ifndef PROCS_KEEPER_STATE_H
#define PROCS_KEEPER_STATE_H

#include <stdbool.h>
#include <sys/types.h>

#include "reactor/err.h"

#define STATE_FRONT_LOCK "front.lock"
#define STATE_KEEPER_LOCK "keeper.lock"

int state_make(const char *state, struct err *e);

/* Locks a file of the directory for the life of the process, and writes the pid into it. Tries for 1 s: after a kill -9
 * of the earlier owner a child that it had just made may hold the lock a moment longer. UNAVAILABLE names the owner. */
int state_lock(const char *state, const char *file, struct err *e);

/* A pidfd of the process that has the lock; -1: none has. *owner is its pid. */
int state_owner(const char *state, const char *file, pid_t *owner);

/* crispd.lock, which crispd holds: opened and locked for a crispd that is to be made; -1: errno. */
#define STATE_CRISPD_LOCK "crispd.lock"
int state_lock_crispd(const char *state);
void state_write_pid(int lock, pid_t pid); /* a failure is logged */
/* A socket of that name in the directory, which nobody else listens at: the caller has the lock. INVALID_ARGUMENT: the
 * path is too long. */
int state_listen(const char *state, const char *name, struct err *e);

/* Another file is where the file of this program was: an upgrade. */
bool state_is_old_program(void);

bool state_crispd_is_gone(const char *state, pid_t *owner); /* *owner: the pid that the file names; 0: none */

#endif
