/* grpc_session.h - one HTTP/2 connection on the loop: an fd, an nghttp2 session, and few syscalls between them.
 *
 * One read a callback; what the frames in it caused leaves in one write at the end of the same callback. What is
 * submitted at other times (an operation ended, a timer) leaves at the end of the turn, all of it in one write. nghttp2
 * serializes only as much as the socket takes: the rest waits in the streams, where it can be counted and cancelled. */
#ifndef REACTOR_GRPC_SESSION_H
#define REACTOR_GRPC_SESSION_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>

#include "reactor/buf.h"
#include "reactor/err.h"
#include "reactor/list.h"
#include "reactor/loop.h"

struct grpc_session;

/* Neither runs inside an nghttp2 call, so both may do anything but free the session. */
struct grpc_session_owner {
	/* Frames came in or went out. */
	void (*turn)(struct grpc_session *s);
	/* The connection ended: fd and nghttp2 session are gone, without a word to its streams. May free it. */
	void (*closed)(struct grpc_session *s, const struct err *why);
};

struct grpc_session { /* embedded in its owner; all private but h2 */
	nghttp2_session *h2; /* NULL once closed */
	const struct grpc_session_owner *owner;
	const char *peer;    /* for messages, borrowed */
	int fd;
	bool connecting;     /* connect(2) is under way */
	bool pumping;        /* inside pump(): whoever wants to write only says so */
	bool again;          /* there is more to do than fits this turn */
	bool doomed;         /* closes at the end of the pump */
	size_t queue_max;    /* frames for a peer that does not read, beyond which it is not read; 0: no end */
	struct fd_watch watch;
	struct buf out;      /* serialized, not yet taken by the socket */
	struct link dirty;   /* in the list of sessions that write at the end of the turn */
	struct err why;
};

/* Takes fd and h2. The connection's settings are submitted already. */
void grpc_session_open(struct grpc_session *s, int fd, nghttp2_session *h2, bool connecting);

/* Something was submitted: it leaves soon. Cheap, may be called any number of times and from anywhere. */
void grpc_session_touch(struct grpc_session *s);

/* Closes now, or at the end of the running pump; `closed` runs with this error. The first reason stays. */
void grpc_session_close(struct grpc_session *s, enum err_code code, const char *what);

/* Submissions fail only when nghttp2 is out of memory, which ends the process as everywhere, or was called wrongly. */
void grpc_must(int nghttp2_rv);

#endif
