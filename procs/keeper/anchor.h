/* anchor.h - the keeper's end of the channel to its anchor, which has a copy of all that is held and kept. The messages
 * are in procs/anchor.h.
 *
 * Nothing here waits for the anchor. What it has not been told yet stays marked in a table, one entry a name, so a
 * stopped anchor costs no more than what is held. Without an anchor (it was killed) nothing is sent. */
#ifndef PROCS_KEEPER_ANCHOR_H
#define PROCS_KEEPER_ANCHOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "procs/anchor.h"
#include "reactor/err.h"

struct anchor_events {
	/* Of the table; takes fd, which has the same number in the anchor. */
	void (*held)(const char *name, int fd);
	void (*kept)(const struct anchor_message *process, int pidfd);       /* of the table; takes pidfd, -1: none */
	void (*ended)(const struct anchor_message *process); /* KEEP: told by the anchor; at_ns 0: it does not know */
	void (*placed)(const char *name, int number); /* the answer to anchor_where(): of the fd in the anchor */
	void (*gone)(void);                                                  /* the anchor has died */
};

/* Was this process started by an anchor? */
bool anchor_is_parent(void);

/* Reads the table, whose entries come before this returns, and opens the channel. INTERNAL: the table cannot be
 * read. */
int anchor_open(const struct anchor_events *events, struct err *e);

/* Borrows fd until anchor_release(). */
void anchor_hold(const char *name, int fd);
void anchor_release(const char *name);

/* Which number has the fd that anchor_hold() was last called for with that name? `placed` tells, unless the anchor has
 * no room for it, or is of a version that does not know the question. */
void anchor_where(const char *name);

/* Of the anchor; 0: it has died. */
pid_t anchor_pid(void);

/* at_ns 0: the process lives, and pidfd, borrowed for the call, is its own; or it was started at start_ticks, pidfd is
 * -1, and anchor_ask() tells whether the anchor has reaped it. start_ticks 0: read here, if it lives. */
void anchor_keep(const char *id, pid_t pid, int64_t start_ticks, int pidfd, int status, int64_t at_ns);
void anchor_forget(const char *id);

/* A process of that pid, which began at start_ticks or later and is reaped already, is known as id from now on, if the
 * anchor has reaped it. As anchor_ask(). */
bool anchor_find(const char *id, pid_t pid, uint64_t start_ticks);

/* How did that process end? `ended` tells. False: there is no anchor. */
bool anchor_ask(const char *id);

void anchor_tell_state(enum anchor_state state);

#endif
