/* stats.c - the usage of a task, or of a sandbox, as its shim tells it: for what is in no group of this node.
 *
 * The answer is a google.protobuf.Any with the metrics of containerd's cgroups: of cgroup v1 or v2, as the shim has it.
 * Spec: containerd/cgroups, cgroup1/stats and cgroup2/stats, metrics.proto. */
#include <string.h>

#include "procs/shim/op.h"
#include "reactor/log.h"
#include "reactor/protobuf.h"

enum { STATS_TIMEOUT_MS = 10000, TYPE_MAX = 128 };

static void on_stats(struct shim_op *op, const struct err *e, const uint8_t *body, size_t len)
{
	if (e)
		return on_op_last_answer(op, e, body, len);
	op->result.out = arena_memdup(op->arena, body, len);
	op->result.out_len = len;
	shim_op_end(op);
}

/* SandboxMetricsResponse: 1 Metric { 3 Any }. The Any is what Stats answers. */
static void on_metrics(struct shim_op *op, const struct err *e, const uint8_t *body, size_t len)
{
	struct pb r = pb_from(body, e ? 0 : len), metric = pb_from("", 0);
	struct buf out = { 0 };
	struct pb_field f;

	while (pb_next(&r, &f))
		if (f.number == 1)
			metric = pb_inside(&f);
	while (pb_next(&metric, &f))
		if (f.number == 3)
			pb_put_bytes(&out, 1, f.bytes, f.len);
	on_stats(op, e, out.at, out.len);
	buf_free(&out);
}

static void stats_begin(struct shim_op *op)
{
	const struct shim_task *t = shim_op_task(op);

	pb_put_str(&op->out, 1, op->id);
	if (t && t->api)
		op->service = SHIM_SANDBOX;
	if (t && t->api)
		shim_op_call(op, "SandboxMetrics", STATS_TIMEOUT_MS, on_metrics);
	else
		shim_op_call(op, "Stats", STATS_TIMEOUT_MS, on_stats);
}

struct runtime_op *shim_stats(const struct runtime_handler *h, const char *id, runtime_done *done, void *arg)
{
	return shim_op_start(shim_op(h, "stats", id, stats_begin, done, arg));
}

/* ---- the answer ---- */

/* 0: it is not there. */
static uint64_t number_in(const struct pb_field *message, uint32_t field)
{
	return shim_number(message->bytes, message->len, field);
}

static void read_v1(const struct pb_field *f, struct runtime_usage *out)
{
	struct pb in = pb_inside(f);
	struct pb_field part;

	if (f->number == 2)
		out->tasks = number_in(f, 1);
	while ((f->number == 3 || f->number == 4) && pb_next(&in, &part)) {
		if (f->number == 3 && part.number == 1)
			out->cpu_ns = number_in(&part, 1);
		else if (f->number == 4 && part.number == 19)
			out->rss_bytes = part.value;
		else if (f->number == 4 && part.number == 30)
			out->inactive_file_bytes = part.value;
		else if (f->number == 4 && part.number == 33)
			out->memory_bytes = number_in(&part, 2);
	}
}

static void read_v2(const struct pb_field *f, struct runtime_usage *out)
{
	if (f->number == 1) {
		out->tasks = number_in(f, 1);
	} else if (f->number == 2) {
		out->cpu_ns = number_in(f, 1) * 1000;
	} else if (f->number == 4) {
		out->rss_bytes = number_in(f, 1);
		out->inactive_file_bytes = number_in(f, 13);
		out->memory_bytes = number_in(f, 32);
	}
}

/* false: the message is broken. */
static bool read_metrics(const struct pb_field *value, bool v2, struct runtime_usage *out)
{
	struct pb in = pb_inside(value);
	struct pb_field f;

	while (pb_next(&in, &f))
		(v2 ? read_v2 : read_v1)(&f, out);
	return !in.bad;
}

static bool ends_in(const char *text, const char *word)
{
	size_t n = strlen(text), m = strlen(word);

	return n >= m && strcmp(text + n - m, word) == 0;
}

/* StatsResponse: 1 Any { 1 type, 2 value }. */
int shim_usage_read(const char *answer, size_t len, struct runtime_usage *out, struct err *e)
{
	struct pb r = pb_from(answer, len), any = pb_from("", 0);
	struct pb_field f, value = { 0 };
	char type[TYPE_MAX] = "";

	*out = (struct runtime_usage){ 0 };
	while (pb_next(&r, &f))
		if (f.number == 1)
			any = pb_inside(&f);
	while (pb_next(&any, &f)) {
		if (f.number == 1 && !pb_copy(&f, type, sizeof(type)))
			return err_set(e, ERR_INTERNAL, "stats: a type of too many characters");
		if (f.number == 2)
			value = f;
	}
	if (!ends_in(type, "cgroups.v1.Metrics") && !ends_in(type, "cgroups.v2.Metrics"))
		return err_set(e, ERR_INTERNAL, "stats of an unknown type %s", log_quote(type));
	if (r.bad || any.bad || !read_metrics(&value, ends_in(type, "v2.Metrics"), out))
		return err_set(e, ERR_INTERNAL, "stats: the message is broken");
	return 0;
}
