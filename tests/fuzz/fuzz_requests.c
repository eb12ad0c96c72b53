/* fuzz_requests.c - any bytes as the request of an RPC, which the first byte selects. An accepted request is
 * packed, unpacked and packed again; both packed forms must be equal. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ProtobufCMethodDescriptor *method(size_t n)
{
	const ProtobufCServiceDescriptor *runtime = &runtime__v1__runtime_service__descriptor;
	const ProtobufCServiceDescriptor *image = &runtime__v1__image_service__descriptor;

	n %= runtime->n_methods + image->n_methods;
	return n < runtime->n_methods ? &runtime->methods[n] : &image->methods[n - runtime->n_methods];
}

static uint8_t *pack(const ProtobufCMessage *m, size_t *n)
{
	uint8_t *bytes;

	*n = protobuf_c_message_get_packed_size(m);
	bytes = malloc(*n + 1);
	assert(bytes && protobuf_c_message_pack(m, bytes) == *n);
	return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const ProtobufCMessageDescriptor *type = method(size ? data[0] : 0)->input;
	ProtobufCMessage *first, *second;
	uint8_t *one, *two;
	size_t n, again;

	if (size < 1 || !(first = protobuf_c_message_unpack(type, NULL, size - 1, data + 1)))
		return 0;
	one = pack(first, &n);
	second = protobuf_c_message_unpack(type, NULL, n, one);
	/* protobuf-c accepts field number 0 in an overlong varint, but packs it in the short form, which it refuses. */
	if (second) {
		two = pack(second, &again);
		assert(n == again && memcmp(one, two, n) == 0);
		free(two);
		protobuf_c_message_free_unpacked(second, NULL);
	}
	free(one);
	protobuf_c_message_free_unpacked(first, NULL);
	return 0;
}
