/* late_listen.h - addresses without which crispd serves too: one that cannot be had at the start is a condition of
 * Status, and is tried again. (ARCHITECTURE R124) */
#ifndef HANDLERS_LATE_LISTEN_H
#define HANDLERS_LATE_LISTEN_H

#include <stdbool.h>

#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/list.h"
#include "reactor/loop.h"

struct late_listen {
	const char *what; /* the key of the configuration */
	int (*listen)(struct err *e);
	/* private */
	struct timer timer;
	struct link link;
	struct err why;
};

/* Calls `listen` now and, after a failure, every 5 s until it succeeds. -1 with INVALID_ARGUMENT: that it gave, and no
 * time will mend. *l is borrowed until late_listen_close(). */
int late_listen_open(struct late_listen *l, struct err *e);
void late_listen_close(void);

/* What is not listened on, with the reasons, in the arena; "": nothing. */
const char *late_listen_missing(struct arena *arena);

#endif
