/* cri_call.c - see cri_call.h. */
#include "bench/cri_call.h"

#include <stdbool.h>

#include "reactor/loop.h"

static int64_t timeout_ms = 60000;

void cri_timeout(int64_t ms)
{
	timeout_ms = ms;
}

struct call {
	const struct cri_method *method;
	struct arena *arena; /* of the caller; this struct lives in it too */
	uint8_t *answer;
	size_t answer_len;
	bool answered;
	int64_t begun_ns;
	cri_done *done;
	void *arg;
};

static void on_cri_message(void *arg, const uint8_t *msg, size_t len)
{
	struct call *call = arg;

	call->answered = true;
	call->answer = len ? arena_memdup(call->arena, msg, len) : NULL;
	call->answer_len = len;
}

static void on_cri_done(void *arg, const struct err *e)
{
	struct call *call = arg;
	int64_t took_ns = loop_mono_ns() - call->begun_ns;
	ProtobufCAllocator allocator = { arena_take, arena_leave, call->arena };
	void *response = NULL;
	struct err bad;

	if (!e && call->answered)
		response = protobuf_c_message_unpack(call->method->output, &allocator, call->answer_len, call->answer);
	if (!e && !response) {
		err_set(&bad, ERR_INTERNAL, "%s: the answer is no %s", call->method->path,
			call->method->output->short_name);
		e = &bad;
	}
	call->done(call->arg, e, response, took_ns);
}

void cri_call(struct grpc_client *c, const struct cri_method *m, const void *request, struct arena *arena,
	      cri_done *done, void *arg)
{
	size_t len = protobuf_c_message_get_packed_size(request);
	uint8_t *bytes = arena_zalloc(arena, len + 1);
	struct call *call = arena_zalloc(arena, sizeof(*call));

	protobuf_c_message_pack(request, bytes);
	*call = (struct call){ .method = m, .arena = arena, .begun_ns = loop_mono_ns(), .done = done, .arg = arg };
	grpc_request(c, m->path, bytes, len, timeout_ms, &(struct grpc_handlers){ on_cri_message, on_cri_done, call });
}

struct asking {
	bool answered;
	const void *response;
	int64_t took_ns;
	struct err e;
};

static void on_cri_asked(void *arg, const struct err *e, const void *response, int64_t took_ns)
{
	struct asking *a = arg;

	*a = (struct asking){ .answered = true, .response = response, .took_ns = took_ns };
	if (e)
		a->e = *e;
	loop_stop();
}

const void *cri_ask(struct grpc_client *c, const struct cri_method *m, const void *request, struct arena *arena,
		    int64_t *took_ns, struct err *e)
{
	struct asking *a = arena_zalloc(arena, sizeof(*a));

	cri_call(c, m, request, arena, on_cri_asked, a);
	loop_run();
	if (!a->answered)
		err_set(e, ERR_CANCELLED, "%s: interrupted", m->path);
	else if (!a->response)
		*e = a->e;
	if (took_ns)
		*took_ns = a->took_ns;
	return a->response;
}
