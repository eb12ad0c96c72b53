/* conduit.h - a connected stream socket as bytes both ways: what is left of an HTTP connection after its upgrade.
 *
 * Out: bytes are queued and written as the peer takes them; who asks conduit_has_room() before it makes more holds at
 * most
 * CONDUIT_HIGH and one piece. In: the socket is read piece by piece, and not at all while paused. */
#ifndef REACTOR_CONDUIT_H
#define REACTOR_CONDUIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CONDUIT_HIGH = 256 * 1024, CONDUIT_LOW = 128 * 1024, CONDUIT_READ = 64 * 1024 };

struct conduit; /* owned by its user until conduit_close() or conduit_finish() */

/* None runs inside a call of ours; conduit_close() and conduit_finish() are allowed in each. */
struct conduit_events {
	void (*data)(void *arg, uint8_t *p, size_t n); /* all of it is taken, and may be changed in place */
	void (*room)(void *arg);                       /* there is room again after there was none */
	void (*gone)(void *arg);                       /* the peer closed, broke off or was idle; nothing follows */
};

/* fd is taken and made non-blocking. early: bytes read from it before, which come as the first data. */
struct conduit *conduit_new(int fd, const void *early, size_t n);
/* once; before that nothing is read */
void conduit_listen(struct conduit *c, const struct conduit_events *events, void *arg);

void conduit_send(struct conduit *c, const void *p, size_t n);
bool conduit_has_room(const struct conduit *c); /* below CONDUIT_HIGH; false is followed by `room` */
/* for long: it hears within 2 s that the peer is gone, and what that had sent is lost */
void conduit_pause(struct conduit *c, bool paused);
void conduit_idle_after(struct conduit *c, int64_t ms); /* `gone` when for so long no byte went either way */

/* Both let go of it: no event follows. */
/* sends what is queued, shuts our half, waits for the peer to close; 10 s without progress end it */
void conduit_finish(struct conduit *c);
void conduit_close(struct conduit *c);

#endif
