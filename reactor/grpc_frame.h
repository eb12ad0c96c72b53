/* grpc_frame.h - gRPC's own wire format, above HTTP/2 and below protobuf, for server and client.
 *
 * Spec: gRPC over HTTP/2, Length-Prefixed-Message, Timeout, Percent-Encoded. */
#ifndef REACTOR_GRPC_FRAME_H
#define REACTOR_GRPC_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reactor/buf.h"

enum { GRPC_PREFIX = 5 }; /* a flag byte and the length, big endian */

/* Flag 0: the message follows as it is. */
void grpc_prefix_write(uint8_t at[GRPC_PREFIX], uint32_t len);

/* Takes messages out of a byte stream. A zeroed reader is valid. */
struct grpc_reader {
	struct buf body; /* of the current message */
	uint8_t prefix[GRPC_PREFIX];
	unsigned prefix_len; /* bytes of the prefix that have come; 0: between two messages */
	uint32_t body_len;   /* from the prefix, once it is whole */
};

enum grpc_read {
	GRPC_READ_MORE,       /* all bytes taken, no message complete */
	GRPC_READ_MESSAGE,    /* one is complete: grpc_reader_message(), then grpc_reader_next() */
	GRPC_READ_COMPRESSED, /* flag 1 */
	GRPC_READ_BAD_FLAG,   /* neither 0 nor 1 */
	GRPC_READ_TOO_BIG,    /* the prefix announces more than `max` bytes; no byte of the message was kept */
};

/* Moves *at and *len past the bytes that were taken. After other results than MORE and MESSAGE the stream ends. */
enum grpc_read grpc_reader_feed(struct grpc_reader *reader, const uint8_t **at, size_t *len, uint32_t max);
const uint8_t *grpc_reader_message(const struct grpc_reader *reader); /* body_len bytes; never NULL */
void grpc_reader_next(struct grpc_reader *reader);
bool grpc_reader_is_between(const struct grpc_reader *reader); /* no message has begun */
void grpc_reader_free(struct grpc_reader *reader);

/* A header field's name or value, which has no NUL behind it, is `want`. */
bool grpc_field_is(const uint8_t *text, size_t len, const char *want);

/* Appends text with everything outside printable ASCII, '%' and leading and trailing spaces as %XX. */
void grpc_percent_encode(struct buf *out, const char *text);

/* Writes at most size - 1 bytes and a NUL. Broken escapes stay. Bytes below ' ' become '?', so that an error is one
 * line. */
void grpc_percent_decode(char *out, size_t size, const uint8_t *text, size_t len);

/* "20S" -> 20000. Milliseconds, rounded up; -1: not 1-8 digits and one of H M S m u n. */
int64_t grpc_timeout_parse_ms(const uint8_t *text, size_t len);

enum { GRPC_TIMEOUT_TEXT = 16 };
void grpc_timeout_format(char out[GRPC_TIMEOUT_TEXT], int64_t ms); /* ms > 0; the finest unit that fits, rounded up */

#endif
