/* request_check.c - see request_check.h. Spec: protobuf's "Encoding": tags, wire types, packed lists. */
#include "handlers/request_check.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "api.pb-c.h"

enum { FIELDS = 64, DEPTH_MAX = 16 };

/* Lists whose entries cost a system call, a look-up or a line of config.json each. The others have only the limit of
 * all together. */
static const struct list_limit {
	const ProtobufCMessageDescriptor *type;
	const char *field;
	uint32_t max;
} list_limits[] = {
	{ &runtime__v1__container_config__descriptor, "mounts", 2048 },
	{ &runtime__v1__container_config__descriptor, "devices", 2048 },
	{ &runtime__v1__container_config__descriptor, "CDI_devices", 1024 },
	{ &runtime__v1__mount__descriptor, "uidMappings", 340 }, /* the kernel's UID_GID_MAP_MAX_EXTENTS */
	{ &runtime__v1__mount__descriptor, "gidMappings", 340 },
	{ &runtime__v1__mount__descriptor, "mount_options", 64 },
	{ &runtime__v1__user_namespace__descriptor, "uids", 340 },
	{ &runtime__v1__user_namespace__descriptor, "gids", 340 },
	{ &runtime__v1__capability__descriptor, "add_capabilities", 1024 },
	{ &runtime__v1__capability__descriptor, "drop_capabilities", 1024 },
	{ &runtime__v1__capability__descriptor, "add_ambient_capabilities", 1024 },
	{ &runtime__v1__linux_container_security_context__descriptor, "masked_paths", 4096 },
	{ &runtime__v1__linux_container_security_context__descriptor, "readonly_paths", 4096 },
	{ &runtime__v1__linux_container_resources__descriptor, "hugepage_limits", 64 },
	{ &runtime__v1__linux_container_resources__descriptor, "unified", 1024 },
	{ &runtime__v1__linux_pod_sandbox_config__descriptor, "sysctls", 1024 },
	{ &runtime__v1__pod_sandbox_config__descriptor, "port_mappings", 16384 },
	{ &runtime__v1__dnsconfig__descriptor, "servers", 1024 },
	{ &runtime__v1__dnsconfig__descriptor, "searches", 1024 },
	{ &runtime__v1__dnsconfig__descriptor, "options", 1024 },
};

struct request_walk {
	size_t entries, fields;
	struct err *e;
};

struct span {
	const uint8_t *at, *end;
};

/* false: it does not end. Bits above 64 are lost, as in protobuf-c. */
static bool take_varint(struct span *s, uint64_t *out)
{
	*out = 0;
	for (unsigned shift = 0; s->at < s->end && shift < 70; shift += 7) {
		uint8_t byte = *s->at++;

		if (shift < 64)
			*out |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return true;
	}
	return false;
}

/* Takes one value of a wire type; *inside are the bytes of one with a length. */
static bool take_value(struct span *s, unsigned wire_type, struct span *inside)
{
	uint64_t n;

	*inside = (struct span){ s->at, s->at };
	switch (wire_type) {
	case PROTOBUF_C_WIRE_TYPE_VARINT: return take_varint(s, &n);
	case PROTOBUF_C_WIRE_TYPE_64BIT: n = 8; break;
	case PROTOBUF_C_WIRE_TYPE_32BIT: n = 4; break;
	case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
		if (!take_varint(s, &n))
			return false;
		break;
	default: return false;
	}
	if (n > (size_t)(s->end - s->at))
		return false;
	*inside = (struct span){ s->at, s->at + n };
	s->at += n;
	return true;
}

/* The entries of a packed list: every number ends with a byte below 0x80. */
static size_t packed_count(const ProtobufCFieldDescriptor *f, struct span s)
{
	size_t n = 0;

	switch (f->type) {
	case PROTOBUF_C_TYPE_SFIXED32:
	case PROTOBUF_C_TYPE_FIXED32:
	case PROTOBUF_C_TYPE_FLOAT: return (size_t)(s.end - s.at) / 4;
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE: return (size_t)(s.end - s.at) / 8;
	default: break;
	}
	for (; s.at < s.end && n <= REQUEST_ENTRIES_MAX; s.at++)
		n += *s.at < 0x80;
	return n;
}

static bool has_length(const ProtobufCFieldDescriptor *f)
{
	return f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_BYTES ||
	       f->type == PROTOBUF_C_TYPE_MESSAGE;
}

static int check_lists(struct request_walk *w, const ProtobufCMessageDescriptor *type, const uint32_t *counts)
{
	for (size_t i = 0; i < sizeof(list_limits) / sizeof(*list_limits); i++) {
		const struct list_limit *l = &list_limits[i];
		const ProtobufCFieldDescriptor *f;

		if (l->type != type)
			continue;
		f = protobuf_c_message_descriptor_get_field_by_name(type, l->field);
		if (counts[f - type->fields] > l->max)
			return err_set(w->e, ERR_INVALID_ARGUMENT, "%s.%s: %u entries; %u are allowed",
				       type->short_name, l->field, counts[f - type->fields], l->max);
	}
	return 0;
}

static int check_message(struct request_walk *w, const ProtobufCMessageDescriptor *type, struct span s, int depth);

static int check_field(struct request_walk *w, const ProtobufCFieldDescriptor *f, struct span inside,
		       unsigned wire_type, uint32_t *count, int depth)
{
	bool list = f->label == PROTOBUF_C_LABEL_REPEATED, packed = wire_type == 2 && !has_length(f);
	size_t n = list && packed ? packed_count(f, inside) : 1;

	*count += (uint32_t)n;
	if (list)
		w->entries += n;
	if (w->entries > REQUEST_ENTRIES_MAX)
		return err_set(w->e, ERR_INVALID_ARGUMENT, "the request has more than %d entries in its lists",
			       REQUEST_ENTRIES_MAX);
	if (f->type != PROTOBUF_C_TYPE_MESSAGE || wire_type != 2)
		return 0;
	/* protobuf-c would merge the two: it copies the lists of both, so n of them cost n * n. Nobody sends that. */
	if (!list && *count > 1)
		return err_set(w->e, ERR_INVALID_ARGUMENT, "the request has two messages %s where one belongs",
			       f->name);
	return check_message(w, f->descriptor, inside, depth + 1);
}

static int check_message(struct request_walk *w, const ProtobufCMessageDescriptor *type, struct span s, int depth)
{
	uint32_t counts[FIELDS];
	struct span inside;
	uint64_t tag;

	assert(type->n_fields <= FIELDS && depth < DEPTH_MAX);
	memset(counts, 0, type->n_fields * sizeof(*counts));
	while (s.at < s.end) {
		const ProtobufCFieldDescriptor *f;

		if (!take_varint(&s, &tag) || !take_value(&s, tag & 7, &inside))
			return 0;
		if (++w->fields > REQUEST_FIELDS_MAX)
			return err_set(w->e, ERR_INVALID_ARGUMENT, "the request has more than %d fields",
				       REQUEST_FIELDS_MAX);
		f = protobuf_c_message_descriptor_get_field(type, (unsigned)(tag >> 3));
		if (f && check_field(w, f, inside, tag & 7, &counts[f - type->fields], depth) < 0)
			return -1;
	}
	return check_lists(w, type, counts);
}

int request_check(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t len, struct err *e)
{
	struct request_walk w = { .e = e };

	return check_message(&w, type, (struct span){ bytes, bytes + len }, 0);
}
