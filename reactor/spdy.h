/* spdy.h - SPDY/3.1 frames from bytes, and bytes from frames. Streams are in spdy_mux.h; nothing here knows sockets.
 *
 * Spec: SPDY Protocol - Draft 3.1, section 2. Header blocks are one zlib stream per direction with the dictionary of
 * 2.6.10.1. */
#ifndef REACTOR_SPDY_H
#define REACTOR_SPDY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reactor/buf.h"
#include "reactor/err.h"
#include "reactor/fields.h"

enum spdy_type {
	SPDY_DATA = 0, /* not a number of the wire, where one bit tells data frames from control frames */
	SPDY_SYN_STREAM = 1, SPDY_SYN_REPLY = 2, SPDY_RST_STREAM = 3, SPDY_SETTINGS = 4,
	SPDY_PING = 6, SPDY_GOAWAY = 7, SPDY_HEADERS = 8, SPDY_WINDOW_UPDATE = 9,
};

enum { SPDY_FIN = 1 }; /* flag of SYN_STREAM, SYN_REPLY, HEADERS and the last piece of DATA */

enum spdy_status {
	SPDY_PROTOCOL_ERROR = 1,
	SPDY_INVALID_STREAM = 2,
	SPDY_REFUSED_STREAM = 3,
	SPDY_CANCEL = 5,
	SPDY_INTERNAL_ERROR = 6,
	SPDY_FLOW_CONTROL_ERROR = 7,
};

enum {
	SPDY_CONTROL_MAX = 64 * 1024, /* of one control frame's body */
	/* Of one frame's headers once inflated. The headers of Kubernetes take under 200 bytes. A read of 64 KiB can
	 * hold 600 deflated blocks, so this bounds what one read costs. */
	SPDY_PLAIN_MAX = 8 * 1024,
	SPDY_HEADERS_MAX = 100,
};

struct spdy_frame {
	enum spdy_type type;
	bool fin;
	uint32_t stream;           /* 0 where the frame has none */
	/* RST_STREAM, GOAWAY: status. PING: its id. WINDOW_UPDATE: delta. SETTINGS: initial window or 0 */
	uint32_t value;
	struct pairs headers;      /* SYN_STREAM, SYN_REPLY, HEADERS: lower-case names, valid during the call */
	const uint8_t *data;       /* DATA: one piece of the frame's payload; fin only with the last */
	size_t len;
};

typedef void spdy_on_frame(void *arg, const struct spdy_frame *frame);

struct spdy_reader;
struct spdy_reader *spdy_reader_new(void);
void spdy_reader_free(struct spdy_reader *reader); /* NULL is fine */

/* Takes all bytes. fn runs for each control frame and for each piece of a DATA frame; unknown control frames are
 * skipped. fn may call spdy_reader_stop(): the remaining bytes are dropped. -1 with INVALID_ARGUMENT: the peer does not
 * speak SPDY/3.1, and its later bytes cannot be understood. */
int spdy_read(struct spdy_reader *reader, const uint8_t *bytes, size_t len, spdy_on_frame *fn, void *arg,
	      struct err *e);
void spdy_reader_stop(struct spdy_reader *reader);

/* ---- writing: frames are appended to out ---- */

struct spdy_writer;
struct spdy_writer *spdy_writer_new(void);
void spdy_writer_free(struct spdy_writer *writer); /* NULL is fine */

/* SYN_STREAM (with no associated stream, priority 0), SYN_REPLY or HEADERS. */
void spdy_put_headers(struct spdy_writer *writer, struct buf *out, enum spdy_type type, uint32_t stream, bool fin,
		      const struct pairs *headers);
void spdy_put_data(struct buf *out, uint32_t stream, bool fin, const void *bytes, size_t len); /* n < 2^24 */
void spdy_put_reset(struct buf *out, uint32_t stream, enum spdy_status status);
void spdy_put_ping(struct buf *out, uint32_t id);
void spdy_put_goaway(struct buf *out, uint32_t last_stream, uint32_t status);
void spdy_put_window_update(struct buf *out, uint32_t stream, uint32_t delta);

#endif
