/* rpc.c - see rpc.h.
 *
 *   grpc call ---decode---> handler ---rpc_reply / rpc_fail---> encode, answer, free
 *      |                       |
 *      +--client gone----------+--> call = NULL; rpc_on_gone()'s fn in the same turn; the answer is dropped
 *
 * Every failed call is logged here and nowhere below, so that an error has one line in the log. */
#include "handlers/rpc.h"

#include <stdlib.h>
#include <string.h>

#include "handlers/about.h"
#include "handlers/request_check.h"
#include "handlers/why.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/map.h"
#include "reactor/metric.h"
#include "reactor/own.h"
#include "reactor/work.h"

enum { LARGE = 256 << 10 }; /* bytes of a request: one with 50,000 entries is decoded for 10 ms */

struct rpc {
	struct grpc_call *call; /* NULL: the client is gone */
	const struct rpc_method *method;
	struct arena *arena;
	int64_t begun_ns;
	void (*gone)(void *arg);
	void *gone_arg;
	void (*space)(void *arg); /* of a stream */
	void *space_arg;
	const ProtobufCMessage *request; /* NULL: not decoded */
	const char *named; /* its objects as they were at its begin (about.h), in the arena; NULL: nobody follows it */
	const char *made; /* a field of a log line, in the arena: what the call has made; "": nothing yet */
	struct timer turn;
	struct link of_all;
	struct work work;
	struct link waiting; /* in an operation's list */
};

static struct map by_path;
static struct link calls;
static bool serving;

static const char *short_name(const struct rpc *r)
{
	return r->method->descriptor->name;
}

static void rpc_free(struct rpc *r)
{
	if (list_linked(&r->waiting))
		list_drop(&r->waiting);
	list_drop(&r->of_all);
	work_end(&r->work);
	arena_free(r->arena);
	free(r);
}

/* For `crisp why`: each call that changes a pod, and what fails. */
static void rpc_tell(struct rpc *r, int64_t took_ns, const struct err *e)
{
	if (!r->named && (!e || e->code == ERR_NOT_FOUND || e->code == ERR_UNIMPLEMENTED))
		return;
	if (!r->named)
		r->named = about_named(about_request(r->request, r->arena), r->arena);
	why_rpc_ended(short_name(r), arena_printf(r->arena, "%s%s", r->named, r->made), took_ns, e);
}

static void rpc_count(struct rpc *r, const struct err *e)
{
	int64_t took_ns = loop_mono_ns() - r->begun_ns;

	metric_add(METRIC_rpc_total, short_name(r), 1);
	metric_observe_ns(METRIC_rpc_seconds, short_name(r), took_ns);
	rpc_tell(r, took_ns, e);
	if (!e) {
		log_debug("rpc method=%s took_us=%lld", short_name(r), (long long)took_ns / 1000);
		return;
	}
	metric_add2(METRIC_rpc_failed_total, short_name(r), err_name(e->code), 1);
	/* Clients poll for objects that were removed: NOT_FOUND is no news for an operator. */
	log_line(e->code == ERR_NOT_FOUND || e->code == ERR_UNIMPLEMENTED ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARN,
		 "rpc_failed method=%s code=%s took_us=%lld%s%s error=%s", short_name(r), err_name(e->code),
		 (long long)took_ns / 1000, about_request(r->request, r->arena), r->made, log_quote(e->msg));
}

void rpc_reply_packed(struct rpc *r, const uint8_t *bytes, size_t n)
{
	rpc_count(r, NULL);
	if (r->call)
		grpc_reply(r->call, bytes, n);
	rpc_free(r);
}

void rpc_reply(struct rpc *r, const void *message)
{
	uint8_t *at;

	assert(((const ProtobufCMessage *)message)->descriptor == r->method->descriptor->output);
	rpc_count(r, NULL);
	if (r->call) {
		/* Packed in place: the output of an ExecSync may have 16 MiB, and copying it takes milliseconds. */
		at = grpc_reply_room(r->call, protobuf_c_message_get_packed_size(message));
		if (at)
			protobuf_c_message_pack(message, at);
		grpc_reply_filled(r->call);
	}
	rpc_free(r);
}

void rpc_fail(struct rpc *r, const struct err *e)
{
	rpc_count(r, e);
	if (r->call)
		grpc_fail(r->call, e);
	rpc_free(r);
}

/* ---- streams ---- */

void rpc_send_packed(struct rpc *r, const uint8_t *bytes, size_t n)
{
	if (r->call)
		grpc_send(r->call, bytes, n);
}

size_t rpc_queued(const struct rpc *r)
{
	return r->call ? grpc_queued(r->call) : 0;
}

static void on_rpc_space(void *arg)
{
	struct rpc *r = arg;

	r->space(r->space_arg);
}

void rpc_on_space(struct rpc *r, void (*fn)(void *arg), void *arg)
{
	r->space = fn;
	r->space_arg = arg;
	if (r->call)
		grpc_on_space(r->call, on_rpc_space);
}

void rpc_finish(struct rpc *r)
{
	rpc_count(r, NULL);
	if (r->call)
		grpc_finish(r->call);
	rpc_free(r);
}

const ProtobufCMessageDescriptor *rpc_output(const struct rpc *r)
{
	return r->method->descriptor->output;
}

/* ---- a client that leaves ---- */

static void on_rpc_client_gone(void *arg)
{
	struct rpc *r = arg;

	r->call = NULL;
	log_debug("rpc_client_gone method=%s", short_name(r));
	if (r->gone)
		r->gone(r->gone_arg);
}

void rpc_on_gone(struct rpc *r, void (*fn)(void *arg), void *arg)
{
	r->gone = fn;
	r->gone_arg = arg;
}

struct arena *rpc_arena(struct rpc *r)
{
	return r->arena;
}

void rpc_made(struct rpc *r, const char *key, const char *id)
{
	r->made = arena_printf(r->arena, " %s=%.12s", key, id);
	r->work.about = NULL;
}

struct link *rpc_link(struct rpc *r)
{
	return &r->waiting;
}

void rpc_reply_all(struct link *waiters, const void *message)
{
	while (!list_empty(waiters))
		rpc_reply(container_of(list_first(waiters), struct rpc, waiting), message);
}

void rpc_fail_all(struct link *waiters, const struct err *e)
{
	while (!list_empty(waiters))
		rpc_fail(container_of(list_first(waiters), struct rpc, waiting), e);
}

void rpc_each(void (*fn)(void *arg, const char *method, int64_t age_ns), void *arg)
{
	int64_t now_ns = loop_mono_ns();

	list_each(l, &calls) {
		struct rpc *r = container_of(l, struct rpc, of_all);

		fn(arg, short_name(r), now_ns - r->begun_ns);
	}
}

/* Their length is what their client asked for, or depends on how much there is to do. */
static bool rpc_is_patient(const struct rpc *r)
{
	static const char *const methods[] = { "StopContainer", "ExecSync", "PullImage", "CheckpointContainer",
					       "CheckLayers", "ImportImages", "ExportImages" };

	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++)
		if (strcmp(short_name(r), methods[i]) == 0)
			return true;
	return false;
}

/* What is under way for it now. Each answer stays in the arena, so one that says the same is not kept. */
static void on_rpc_work(struct work *w)
{
	struct rpc *r = container_of(w, struct rpc, work);
	struct arena *a = arena_new();
	const struct about_now *now;

	w->patient = rpc_is_patient(r);
	if (!w->about)
		w->about = arena_printf(r->arena, " method=%s%s%s", short_name(r), about_request(r->request, r->arena),
					r->made);
	now = about_now(w->about, a);
	w->pid = now ? now->pid : 0;
	if (now && (!w->stage || strcmp(w->stage, now->stage) != 0))
		w->stage = arena_strdup(r->arena, now->stage);
	if (now && (!w->program || strcmp(w->program, now->program) != 0))
		w->program = arena_strdup(r->arena, now->program);
	if (!now)
		w->stage = w->program = NULL;
	arena_free(a);
}

void rpc_endless(struct rpc *r)
{
	work_end(&r->work);
}

static struct rpc *rpc_new(struct grpc_call *call, const struct rpc_method *m)
{
	struct rpc *r = new_zero(struct rpc);

	r->call = call;
	r->method = m;
	r->arena = arena_new();
	r->made = "";
	r->begun_ns = loop_mono_ns();
	list_append(&calls, &r->of_all);
	r->work = (struct work){ .kind = "rpc", .ask = on_rpc_work };
	work_begin(&r->work);
	grpc_on_gone(call, on_rpc_client_gone, r);
	return r;
}

static void on_rpc_turn(struct timer *t)
{
	struct rpc *r = container_of(t, struct rpc, turn);

	if (r->call)
		r->method->fn(r, r->request);
	else
		rpc_free(r);
}

/* What a large request takes is not all done in one turn: here are the checks and the decoding. */
static void on_rpc_call(void *arg, struct grpc_call *call, const char *path, const uint8_t *msg, size_t len)
{
	const struct rpc_method *m = rpc_method(path);
	ProtobufCAllocator allocator;
	ProtobufCMessage *request;
	struct rpc *r;
	struct err e;

	(void)arg;
	if (!m) {
		err_set(&e, ERR_UNIMPLEMENTED, "unknown method %.200s: this server implements runtime.v1", path);
		return grpc_fail(call, &e);
	}
	r = rpc_new(call, m);
	if (!m->fn) {
		err_set(&e, ERR_UNIMPLEMENTED, "%s is not implemented", short_name(r));
		return rpc_fail(r, &e);
	}
	if (!serving && !m->always_served) {
		err_set(&e, ERR_UNAVAILABLE, "starting: the records of the last run are being read");
		return rpc_fail(r, &e);
	}
	if (request_check(m->descriptor->input, msg, len, &e) < 0)
		return rpc_fail(r, &e);
	allocator = (ProtobufCAllocator){ arena_take, arena_leave, r->arena };
	request = protobuf_c_message_unpack(m->descriptor->input, &allocator, len, msg);
	if (!request) {
		err_set(&e, ERR_INVALID_ARGUMENT, "malformed request: %zu bytes are not a valid %s", len,
			m->descriptor->input->short_name);
		return rpc_fail(r, &e);
	}
	r->request = request;
	/* A removal takes the names away. */
	if (why_follows(short_name(r)))
		r->named = about_named(about_request(request, r->arena), r->arena);
	if (len < LARGE)
		return m->fn(r, request);
	timer_set(&r->turn, 0, on_rpc_turn);
}

grpc_fn *rpc_open(struct rpc_method *methods, size_t n)
{
	list_init(&calls);
	for (struct rpc_method *m = methods; m < methods + n; m++) {
		m->descriptor = protobuf_c_service_descriptor_get_method_by_name(m->service, strrchr(m->path, '/') + 1);
		assert(m->descriptor);
		map_put(&by_path, m->path, m);
	}
	return on_rpc_call;
}

const struct rpc_method *rpc_method(const char *path)
{
	return map_get(&by_path, path);
}

void rpc_serve(void)
{
	serving = true;
}
