/* protobuf.h - fields of protobuf messages, written and read one by one, without generated code: for messages of a few
 * fields, and for bytes of programs that are not trusted, since reading takes no memory.
 *
 * Spec: protobuf.dev, "Encoding". Groups, which proto3 has not, are malformed here. */
#ifndef REACTOR_PROTOBUF_H
#define REACTOR_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reactor/arena.h"
#include "reactor/buf.h"

/* Writing. As proto3 has it, 0, false and "" (and NULL) are left out. */
/* Also of int32 and int64 (as the two's complement of 64 bits), bool and enum. */
void pb_put_u64(struct buf *out, uint32_t field, uint64_t value);
void pb_put_str(struct buf *out, uint32_t field, const char *text);
/* Is written when it is empty too: an element of a repeated field, or a message. */
void pb_put_bytes(struct buf *out, uint32_t field, const void *bytes, size_t len);

/* Reading. A zeroed reader has nothing to read. */
struct pb {
	const uint8_t *at, *end;
	bool bad; /* malformed: pb_next() has ended early */
};

struct pb_field {
	uint32_t number;
	uint64_t value;       /* of a varint and of a fixed number; 0 for bytes */
	const uint8_t *bytes; /* of strings, bytes, messages, packed numbers; else NULL */
	size_t len;
};

struct pb pb_from(const void *bytes, size_t len);
/* The next field; false at the end, and when the rest is malformed. */
bool pb_next(struct pb *reader, struct pb_field *field);
struct pb pb_inside(const struct pb_field *field); /* a message in a field; empty when the field has no bytes */
/* A text of at most `max` bytes, a longer one is cut, up to its first NUL; "" when the field has no bytes. */
char *pb_text(const struct pb_field *field, struct arena *arena, size_t max);
/* The same into a buffer of `size` bytes. false: it was cut. */
bool pb_copy(const struct pb_field *field, char *out, size_t size);

#endif
