/* grpc_session.h - one HTTP/2 connection on the loop: an fd and an nghttp2 session, with few syscalls.
 *
 * One callback makes one read; the answers to the frames of that read leave in one write at the end of the same
 * callback. Frames submitted at other times (an operation ended, a timer fired) leave in one write at the end of the
 * turn. nghttp2 serializes only as much as the socket takes: the rest waits in the streams, where it can be counted and
 * cancelled. (ARCHITECTURE R2, R3) */
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

/* Neither runs inside an nghttp2 call. `turn` may do anything but free the session. */
struct grpc_session_owner {
	/* Frames came in or went out. */
	void (*turn)(struct grpc_session *session);
	/* The connection ended: fd and nghttp2 session are gone; the streams were not told. May free the session. */
	void (*closed)(struct grpc_session *session, const struct err *why);
};

struct grpc_session { /* embedded in its owner; all private but h2 */
	nghttp2_session *h2; /* NULL once closed */
	const struct grpc_session_owner *owner;
	const char *peer;    /* for messages, borrowed */
	int fd;
	bool connecting;     /* connect(2) is under way */
	bool pumping;        /* inside session_pump(): grpc_session_touch() only sets `again` */
	bool again;          /* there is more to do than fits this turn */
	bool doomed;         /* closes at the end of session_pump() */
	size_t queue_max;    /* with more frames queued for the peer than this, nothing is read from it; 0: no limit */
	struct fd_watch watch;
	struct buf out;      /* serialized, not yet taken by the socket */
	struct link dirty;   /* in the list of sessions that write at the end of the turn */
	struct err why;
};

/* Takes fd and h2. The connection's settings are submitted already. */
void grpc_session_open(struct grpc_session *session, int fd, nghttp2_session *h2, bool connecting);

/* To be called after a submission, which then leaves at the end of the turn. Cheap; allowed at any time. */
void grpc_session_touch(struct grpc_session *session);

/* Closes now, or at the end of a running session_pump(); `closed` runs with this error. The first reason stays. */
void grpc_session_close(struct grpc_session *session, enum err_code code, const char *what);

/* Ends the process when a submission failed: nghttp2 is out of memory, or was called wrongly. */
void grpc_must(int nghttp2_rv);

#endif
