/* conduit.h - a connected stream socket as bytes both ways: an HTTP connection after its upgrade.
 *
 * Out: bytes are queued and written as the peer takes them. A user that asks conduit_has_room() before each piece
 * has at most CONDUIT_HIGH and one piece in the queue. Answers that the peer causes by what it sends are sent
 * without asking: when the queue holds CONDUIT_STOP bytes, nothing more is read from the peer until the peer has
 * taken all but CONDUIT_LOW bytes of the queue. Over CONDUIT_MAX the connection ends by `gone`.
 * In: the socket is read piece by piece, and not while paused. */
#ifndef REACTOR_CONDUIT_H
#define REACTOR_CONDUIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CONDUIT_LOW = 128 * 1024,
	CONDUIT_HIGH = 256 * 1024,
	CONDUIT_STOP = 1024 * 1024,
	CONDUIT_MAX = 8 * 1024 * 1024,
	CONDUIT_READ = 64 * 1024
};

struct conduit; /* owned by its user until conduit_close() or conduit_finish() */

/* No event runs inside a conduit_*() call; conduit_close() and conduit_finish() are allowed in each event. */
struct conduit_events {
	void (*data)(void *arg, uint8_t *bytes, size_t len); /* the user takes all bytes and may change them in place */
	void (*room)(void *arg);                       /* there is room again after there was none */
	void (*gone)(void *arg);                       /* end of file, error or idle time over; no event follows */
};

/* Takes fd and makes it non-blocking. early: bytes that were read from it before; they come as the first data. */
struct conduit *conduit_new(int fd, const void *early, size_t len);
/* Once for each conduit; nothing is read before. */
void conduit_listen(struct conduit *conduit, const struct conduit_events *events, void *arg);

void conduit_send(struct conduit *conduit, const void *bytes, size_t len);
bool conduit_has_room(const struct conduit *conduit); /* below CONDUIT_HIGH; false is followed by `room` */
/* While paused the socket is polled every 2 s: when the peer has closed, `gone` runs and its unread bytes are lost. */
void conduit_pause(struct conduit *conduit, bool paused);
void conduit_idle_after(struct conduit *conduit, int64_t ms); /* `gone` after that time without a byte in or out */

/* Both end the user's ownership: no event follows.
 * conduit_finish() sends the queued bytes, shuts down the sending half and waits until the peer closes; 10 s without
 * progress end it. */
void conduit_finish(struct conduit *conduit);
void conduit_close(struct conduit *conduit);

#endif
