/* message.c - see shim.h. google.protobuf.Any is { 1 type_url, 2 value }. */
#include <string.h>

#include "procs/shim/shim.h"
#include "reactor/protobuf.h"

uint64_t shim_number(const uint8_t *body, size_t len, uint32_t field)
{
	struct pb r = pb_from(body, len);
	struct pb_field f;
	uint64_t value = 0;

	while (pb_next(&r, &f))
		if (f.number == field)
			value = f.value;
	return value;
}

void shim_put_any(struct buf *out, uint32_t field, const char *type, const void *value, size_t len)
{
	struct buf any = { 0 };

	pb_put_str(&any, 1, type);
	pb_put_bytes(&any, 2, value, len);
	pb_put_bytes(out, field, any.at, any.len);
	buf_free(&any);
}

/* The options of the runc shim: containerd api/types/runc/options, oci.proto. Other shims read a file, whose path comes
 * in api/types/runtimeoptions/v1, api.proto. */
void shim_put_options(struct buf *out, uint32_t field, const struct shim_handler *h, bool systemd)
{
	const struct runtime_options *o = &h->handler.options;
	struct buf body = { 0 };

	if (h->is_runc) {
		pb_put_str(&body, 6, o->binary);
		pb_put_str(&body, 7, h->root);
		pb_put_u64(&body, 9, systemd);
		shim_put_any(out, field, "containerd.runc.v1.Options", body.at, body.len);
	} else if (o->config_path && *o->config_path) {
		pb_put_str(&body, 2, o->config_path);
		shim_put_any(out, field, "runtimeoptions.v1.Options", body.at, body.len);
	}
	buf_free(&body);
}
