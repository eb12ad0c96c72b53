/* grpc_call.h - one stream of a server's connection: the request that comes in, the answer that goes out.
 *
 * Private to grpc.c, which owns connections and feeds the calls with frames, and grpc_call.c, which owns the calls. */
#ifndef REACTOR_GRPC_CALL_H
#define REACTOR_GRPC_CALL_H

#include "reactor/grpc.h"
#include "reactor/grpc_frame.h"
#include "reactor/grpc_session.h"
#include "reactor/sm.h"

struct grpc_conn {
	struct grpc_session session;
	struct grpc_server *server; /* borrowed */
	struct link link;   /* in the server's list */
	struct link calls;  /* of struct grpc_call.link: every open stream */
	struct link ready;  /* of struct grpc_call.turn: requests that are complete, in order */
	struct link spaced; /* of struct grpc_call.turn: calls whose on_space is due */
	size_t in_bytes;    /* of the requests that are kept */
	size_t out_bytes;   /* of complete answers that nghttp2 has not taken; server streams have grpc_queued() */
};

struct grpc_call {
	struct sm sm;
	struct grpc_conn *conn;  /* NULL: the stream is closed */
	struct link link, turn;
	int32_t stream;
	bool held;               /* grpc_fn has the call: it has neither answered nor been told by on_gone */
	char *path;
	struct {
		bool post, grpc, bad_timeout, encoded; /* what the header fields said */
	} head;
	int64_t deadline_ns;     /* loop_mono_ns() clock; 0: none */
	struct timer timer;      /* the deadline; in LOST: the late on_gone */
	struct grpc_reader in;
	size_t in_bytes;         /* this call's share of conn->in_bytes */
	bool has_message;        /* in RECEIVE: the reader holds the whole request message */
	bool started;            /* the response headers were submitted */
	bool deferred;           /* nghttp2 waits for nghttp2_session_resume_data() */
	struct buf out;          /* framed messages not yet taken by nghttp2 */
	enum err_code status;    /* of the trailers */
	char *message;           /* grpc-message, encoded; NULL: none */
	void (*gone)(void *arg);
	void (*space)(void *arg);
	void *arg;
};

struct grpc_call *grpc_call_new(struct grpc_conn *conn, int32_t stream);
void grpc_call_header(struct grpc_call *call, const uint8_t *name, size_t name_len, const uint8_t *value, size_t len);
void grpc_call_headers_end(struct grpc_call *call); /* all header fields are there */
void grpc_call_data(struct grpc_call *call, const uint8_t *bytes, size_t len);
void grpc_call_request_end(struct grpc_call *call); /* END_STREAM came: the call is ready or was refused */
void grpc_call_dispatch(struct grpc_call *call, grpc_fn *fn, void *arg); /* takes it off conn->ready */
void grpc_call_spaced(struct grpc_call *call);      /* takes it off conn->spaced and runs on_space */
void grpc_call_closed(struct grpc_call *call);      /* the stream ended, the pointer is dead */
void grpc_calls_closed(struct grpc_conn *conn);  /* all streams ended at once */

#endif
