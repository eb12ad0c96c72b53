/* test_request_check.c - handlers/request_check.c: what a request may hold, by its bytes. */
#include <string.h>

#include "api.pb-c.h"
#include "handlers/request_check.h"
#include "reactor/buf.h"
#include "tests/tap.h"

enum { ENVS = 6, ARGS = 4, IMAGE = 2, MOUNTS = 7, LINUX = 15 }; /* fields of ContainerConfig */

static struct err fault;

static void put_varint(struct buf *b, uint64_t n)
{
	for (; n > 0x7f; n >>= 7)
		buf_append(b, &(uint8_t){ (uint8_t)(n | 0x80) }, 1);
	buf_append(b, &(uint8_t){ (uint8_t)n }, 1);
}

static void put_bytes(struct buf *b, unsigned field, const void *bytes, size_t len)
{
	put_varint(b, field << 3 | PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED);
	put_varint(b, len);
	buf_append(b, bytes, len);
}

/* Frees the content. */
static bool passes(struct buf *b)
{
	bool good = request_check(&runtime__v1__container_config__descriptor, b->at, b->len, &fault) == 0;

	buf_free(b);
	return good;
}

static bool passes_times(unsigned field, size_t n)
{
	struct buf b = { 0 };

	for (size_t i = 0; i < n; i++)
		put_bytes(&b, field, "", 0);
	return passes(&b);
}

static void lists_have_a_limit_together(void)
{
	struct buf b = { 0 };

	ok(passes_times(ENVS, REQUEST_ENTRIES_MAX));
	ok(!passes_times(ENVS, REQUEST_ENTRIES_MAX + 1));
	ok(fault.code == ERR_INVALID_ARGUMENT);
	is_str(fault.msg, "the request has more than 65536 entries in its lists");
	for (int i = 0; i < REQUEST_ENTRIES_MAX / 2; i++) {
		put_bytes(&b, ENVS, "", 0);
		put_bytes(&b, ARGS, "", 0);
	}
	put_bytes(&b, ARGS, "", 0);
	ok(!passes(&b));
}

static void some_lists_have_their_own(void)
{
	ok(passes_times(MOUNTS, 2048));
	ok(!passes_times(MOUNTS, 2050));
	is_str(fault.msg, "ContainerConfig.mounts: 2050 entries; 2048 are allowed");
}

static void packed_numbers_are_entries(void)
{
	static uint8_t groups[2 * REQUEST_ENTRIES_MAX];
	struct buf security = { 0 }, linux = { 0 }, b = { 0 };

	memset(groups, 1, sizeof(groups));
	put_bytes(&security, 8, groups, REQUEST_ENTRIES_MAX + 1);
	put_bytes(&linux, 2, security.at, security.len);
	put_bytes(&b, LINUX, linux.at, linux.len);
	ok(!passes(&b));
	for (size_t i = 0; i < sizeof(groups); i += 2) /* two bytes a number: half as many */
		groups[i] = 0x81;
	buf_free(&security);
	buf_free(&linux);
	put_bytes(&security, 8, groups, sizeof(groups));
	put_bytes(&linux, 2, security.at, security.len);
	put_bytes(&b, LINUX, linux.at, linux.len);
	ok(passes(&b));
	buf_free(&security);
	buf_free(&linux);
}

static void a_message_stands_once(void)
{
	ok(passes_times(IMAGE, 1));
	ok(!passes_times(IMAGE, 2));
	is_str(fault.msg, "the request has two messages image where one belongs");
}

static void unknown_fields_count(void)
{
	ok(passes_times(99, REQUEST_FIELDS_MAX));
	ok(!passes_times(99, REQUEST_FIELDS_MAX + 1));
	is_str(fault.msg, "the request has more than 262144 fields");
}

/* protobuf-c refuses them. */
static void nonsense_passes(void)
{
	static const char *const bytes[] = { "\xff", "\x32\x05", "\x0f",
					     "\x32\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff" };

	for (size_t i = 0; i < sizeof(bytes) / sizeof(*bytes); i++)
		ok(request_check(&runtime__v1__container_config__descriptor, (const uint8_t *)bytes[i],
				 strlen(bytes[i]), &fault) == 0);
}

/* The names in the table of limits are those of fields: each is looked up, also for an empty message. */
static void try_all_types(const ProtobufCMessageDescriptor *type, int depth)
{
	ok(request_check(type, (const uint8_t *)"", 0, &fault) == 0);
	for (unsigned i = 0; i < type->n_fields; i++)
		if (type->fields[i].type == PROTOBUF_C_TYPE_MESSAGE && depth < 16)
			try_all_types(type->fields[i].descriptor, depth + 1);
}

int main(void)
{
	lists_have_a_limit_together();
	some_lists_have_their_own();
	packed_numbers_are_entries();
	a_message_stands_once();
	unknown_fields_count();
	nonsense_passes();
	try_all_types(&runtime__v1__create_container_request__descriptor, 0);
	return tap_end();
}
