/* acceptor.h - accepts the connections of a listening socket. Where the process has no fd left it pauses: a connection
 * that waits keeps the socket readable, so that a loop that goes on watching it never sleeps. */
#ifndef REACTOR_ACCEPTOR_H
#define REACTOR_ACCEPTOR_H

#include "reactor/loop.h"

enum { ACCEPTOR_PAUSE_MS = 100 };

struct acceptor {
	int fd; /* borrowed, non-blocking; -1: closed */
	const char *what, *address; /* for the log: "grpc", "unix:///run/x.sock"; borrowed */
	void (*take)(void *arg, int fd); /* owns fd: non-blocking, close-on-exec. acceptor_close() is allowed inside */
	bool (*has_room)(void *arg); /* asked before each accept(2); false: later again. NULL: always */
	void *arg;
	struct fd_watch watch;
	struct timer pause;
};

/* Takes all members but those of the loop from `as`. take() runs in later turns. */
void acceptor_open(struct acceptor *acceptor, const struct acceptor *as);
void acceptor_close(struct acceptor *acceptor); /* fd stays open; closed twice is closed */

#endif
