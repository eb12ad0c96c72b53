/* request_check.h - how much a request may hold, told from its bytes, before protobuf-c makes anything of them.
 *
 * Everything that a request lists is worked on in the loop, so that work is bounded here: far above what Kubernetes
 * admits, and low enough that no callback takes over 50 ms of CPU. (ARCHITECTURE H20) */
#ifndef HANDLERS_REQUEST_CHECK_H
#define HANDLERS_REQUEST_CHECK_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "reactor/err.h"

enum {
	REQUEST_ENTRIES_MAX = 65536, /* of all lists of a request together */
	REQUEST_FIELDS_MAX = 262144, /* of all its messages together */
};

/* INVALID_ARGUMENT: the request has more entries or fields than that, a list has more than its own limit, or a message
 * that is no list stands there twice. Bytes that are no such message may pass: protobuf-c refuses them. */
int request_check(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t len, struct err *e);

#endif
