/* portfwd.h - one connection to a port of localhost inside a network namespace.
 *
 * The loop thread enters the namespace for two calls of socket(2) and returns (setns: 1 us each way); a socket stays
 * in the namespace in which it was made. 127.0.0.1 is tried first, then ::1. A half-closed connection is kept, until
 * it was silent for 10 min. */
#ifndef PROCS_PORTFWD_H
#define PROCS_PORTFWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reactor/err.h"

struct portfwd; /* owned by its starter until portfwd_close() */

/* No event runs inside portfwd_pause() or portfwd_close(). `over` does not run inside any portfwd_*() call. */
struct portfwd_events {
	void (*data)(void *arg, const void *p, size_t n);
	void (*eof)(void *arg); /* end of file: the port sends nothing more */
	/* n bytes of what was written are out of our memory; also inside portfwd_write() */
	void (*taken)(void *arg, size_t n);
	/* Both halves are closed; without an `eof` before, the connection broke off. e: UNAVAILABLE, nothing listens on
	 * that port. portfwd_close() is still to be called. */
	void (*over)(void *arg, const struct err *e);
};

/* netns: an fd, borrowed for the call; -1: this daemon's own namespace. */
struct portfwd *portfwd_start(int netns, uint16_t port, const struct portfwd_events *events, void *arg);
/* For a pod whose runtime has RUNTIME_FORWARDS: the runtime connects. handler NULL: it is not configured any more. */
struct runtime_handler;
struct portfwd *portfwd_start_inside(const struct runtime_handler *handler, const char *sandbox_id, uint16_t port,
				     const struct portfwd_events *events, void *arg);
void portfwd_write(struct portfwd *forward, const void *bytes, size_t len); /* also before it is connected */
void portfwd_end(struct portfwd *forward);                                  /* nothing more will be written */
void portfwd_pause(struct portfwd *forward, bool paused);                   /* paused: the port is not read */
void portfwd_close(struct portfwd *forward);

#endif
