/* portfwd.h - one connection to a port of localhost inside a network namespace.
 *
 * The loop thread steps into the namespace for one socket(2) and back (setns 1 us each way): a socket stays in the
 * namespace it was made in. 127.0.0.1 first, then ::1. Half-closes are kept; one that stays half-closed and silent for
 * 10 min is closed. */
#ifndef PROCS_PORTFWD_H
#define PROCS_PORTFWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reactor/err.h"

struct portfwd; /* owned by its starter until portfwd_close() */

/* None runs inside portfwd_pause() or portfwd_close(), `over` inside no call at all. */
struct portfwd_events {
	void (*data)(void *arg, const void *p, size_t n);
	void (*eof)(void *arg);                     /* the port sends nothing more */
	/* n bytes of what was written are out of our memory; also inside portfwd_write() */
	void (*taken)(void *arg, size_t n);
	/* Both halves are closed, or without an `eof` before: it broke off. e: UNAVAILABLE, nobody answers at that
	 * port. portfwd_close() is still to be called. */
	void (*over)(void *arg, const struct err *e);
};

/* netns: a borrowed fd, used in the call only; -1: ours. */
struct portfwd *portfwd_start(int netns, uint16_t port, const struct portfwd_events *events, void *arg);
void portfwd_write(struct portfwd *f, const void *p, size_t n); /* may come before it is connected */
void portfwd_end(struct portfwd *f);                            /* nothing more will be written */
void portfwd_pause(struct portfwd *f, bool paused);             /* reads nothing */
void portfwd_close(struct portfwd *f);

#endif
