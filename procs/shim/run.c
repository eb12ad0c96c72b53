/* run.c - a start: GATE, BOOT and the calls of `run` in the drawing of ops.c.
 *
 * Waits on: the program's `start`, an other start of the same pod (GATE), the shim. (ARCHITECTURE G9, G10, G51) */
#include <string.h>

#include "procs/bundle.h"
#include "procs/cgroup.h"
#include "procs/pidstat.h"
#include "procs/shim/op.h"
#include "reactor/json.h"
#include "reactor/log.h"
#include "reactor/own.h"
#include "reactor/protobuf.h"

enum { CREATE_TIMEOUT_MS = 120000, START_TIMEOUT_MS = 60000, CONNECT_TIMEOUT_MS = 10000, BOOT_LOOK_MS = 20 };

static struct link runs = { &runs, &runs }; /* of struct shim_op.link: in GATE or BOOT */

/* What waits for the same shim goes on: with its address, or by a start of its own. */
static void run_leave_gate(struct shim_op *op)
{
	const struct shim_task *t = shim_op_task(op);

	list_drop(&op->link);
	list_each(it, &runs) {
		struct shim_op *other = container_of(it, struct shim_op, link);
		const struct shim_task *its = shim_op_task(other);

		if (other->sm.now == OP_GATE && its && t && strcmp(its->sandbox, t->sandbox) == 0)
			timer_set(&other->timer, 0, on_op_begin);
	}
}

static bool run_is_behind(const struct shim_op *op, const struct shim_task *t)
{
	list_each(it, &runs) {
		const struct shim_op *other = container_of(it, struct shim_op, link);
		const struct shim_task *its = shim_op_task(other);

		if (other != op && other->sm.now == OP_BOOT && its && *t->sandbox &&
		    strcmp(its->sandbox, t->sandbox) == 0)
			return true;
	}
	return false;
}

static void on_run_started(struct shim_op *op, const struct err *e, const uint8_t *body, size_t len)
{
	if (!op->sandbox)
		shim_link_release(op->id);
	if (e)
		return on_op_last_answer(op, e, body, len);
	op->result.pid = (pid_t)shim_number(body, len, 1) ?: op->result.pid;
	shim_op_open(op);
}

static void on_run_created(struct shim_op *op, const struct err *e, const uint8_t *body, size_t len)
{
	struct shim_task *t = shim_op_task(op);
	struct err bad;

	if (e)
		return on_op_last_answer(op, e, body, len);
	op->result.pid = (pid_t)shim_number(body, len, 1);
	t->sent = SHIM_SENT_START;
	t->pid = (int32_t)op->result.pid;
	if (shim_task_save(t, &bad) < 0)
		return shim_op_fail(op, &bad);
	if (!op->sandbox)
		shim_link_hold(t);
	shim_op_put_ids(op);
	shim_op_call(op, "Start", START_TIMEOUT_MS, on_run_started);
}

static void run_create(struct shim_op *op)
{
	pb_put_str(&op->out, 1, op->id);
	pb_put_str(&op->out, 2, op->bundle);
	shim_op_put_stdio(op, 4);
	shim_put_options(&op->out, 10, op->handler, op->systemd);
	shim_op_call(op, "Create", op->handler->handler.options.create_timeout_ms ?: CREATE_TIMEOUT_MS, on_run_created);
}

/* The pid is asked for once, to be able to end a shim that hangs. One that does not tell it is used all the same. */
static void on_run_connected(struct shim_op *op, const struct err *e, const uint8_t *body, size_t len)
{
	struct shim_task *t = shim_op_task(op);
	struct pidstat stat;
	struct err bad;
	int64_t pid;

	if (e && (e->code == ERR_UNAVAILABLE || e->code == ERR_DEADLINE_EXCEEDED))
		return on_op_last_answer(op, e, body, len);
	pid = e ? 0 : (int64_t)shim_number(body, len, 1);
	t->shim_pid = 0;
	if (shim_is_process(t, pid) && pidstat_read((pid_t)pid, &stat) &&
	    !shim_process_is_taken(t, (int32_t)pid, stat.start_ticks)) {
		t->shim_pid = (int32_t)pid;
		t->shim_start_ticks = stat.start_ticks;
	} else if (pid) {
		log_warn("shim_pid id=%.12s pid=%lld error=\"it is no process of the shim\"", op->id, (long long)pid);
	}
	t->sent = SHIM_SENT_CREATE;
	if (shim_task_save(t, &bad) < 0)
		return shim_op_fail(op, &bad);
	if (t->api)
		return shim_sandbox_create(op);
	run_create(op);
}

static void run_connect(struct shim_op *op)
{
	pb_put_str(&op->out, 1, op->id);
	shim_op_call(op, "Connect", CONNECT_TIMEOUT_MS, on_run_connected);
}

static const char floods[] = "it prints more than an answer";

/* ARCHITECTURE G51 */
static void on_boot_look(struct timer *timer)
{
	struct shim_op *op = container_of(timer, struct shim_op, timer);
	struct err e;

	if (!shim_start_floods(shim_op_task(op)))
		return timer_set(&op->timer, BOOT_LOOK_MS, on_boot_look);
	child_cancel(take_ptr(&op->child));
	run_leave_gate(op);
	err_set(&e, ERR_INTERNAL, "%s start: %s", op->handler->program, floods);
	shim_op_fail(op, &e);
}

static void on_run_booted(void *arg, const struct err *e, struct child_result *r)
{
	struct shim_op *op = arg;
	struct shim_task *t = shim_op_task(op);
	struct shim_answer answer;
	struct err bad = { 0 };

	op->child = NULL;
	timer_clear(&op->timer);
	if (e)
		bad = *e;
	else if (shim_start_floods(t))
		err_set(&bad, ERR_INTERNAL, "%s start: %s", op->handler->program, floods);
	else if (r->status != 0)
		err_set(&bad, ERR_INTERNAL, "%s start: %s", op->handler->program, shim_words(r, op->arena));
	else if (shim_answer_read(t->bundle, &answer, &bad) == 0) {
		shim_task_set_address(t, answer.address, answer.version);
		shim_task_save(t, &bad);
	} else if (bad.code == ERR_NOT_FOUND) {
		bad.code = ERR_INTERNAL;
	}
	run_leave_gate(op);
	if (bad.code != ERR_OK)
		return shim_op_fail(op, &bad);
	run_connect(op);
}

/* The pod's sandbox is in its shim: another shim would not have it. */
static bool run_lost_sandbox(const struct shim_task *t)
{
	const struct shim_task *pod = shim_task_find(t->handler, t->sandbox);

	return pod && pod != t && pod->api;
}

static void run_gate(struct shim_op *op)
{
	struct shim_task *t = shim_op_task(op);
	const struct shim_task *beside = t ? shim_task_beside(t) : NULL;
	struct err e;

	if (beside) {
		list_drop(&op->link);
		shim_task_set_address(t, beside->address, beside->version);
		t->shim_pid = beside->shim_pid;
		t->shim_start_ticks = beside->shim_start_ticks;
		t->sent = SHIM_SENT_CREATE;
		if (shim_task_save(t, &e) < 0)
			return shim_op_fail(op, &e);
		return run_create(op);
	}
	if (run_is_behind(op, t))
		return; /* run_leave_gate() */
	if (run_lost_sandbox(t)) {
		err_set(&e, ERR_INTERNAL, "the shim that has the sandbox %.12s is dead", t->sandbox);
		return shim_op_fail(op, &e);
	}
	if (shim_log_make(t, &e) < 0)
		return shim_op_fail(op, &e);
	sm_move(&op->sm, OP_BOOT);
	op->child = shim_start(t, op->arena, on_run_booted, op, &e);
	if (!op->child)
		return shim_op_fail(op, &e);
	timer_set(&op->timer, BOOT_LOOK_MS, on_boot_look);
}

/* The pod that the bundle's config.json names: its tasks come to one shim. */
static const char *pod_of(struct shim_op *op, struct err *e)
{
	auto_json json_t *config = bundle_read_config(op->bundle, e);
	const json_t *notes = json_object_get(config, "annotations");
	const char *pod = json_string_value(json_object_get(notes, "io.kubernetes.cri.sandbox-id"));

	return config ? arena_strdup(op->arena, pod ? pod : "") : NULL;
}

static void run_begin(struct shim_op *op)
{
	struct shim_task *t = shim_op_task(op);
	struct err e = { 0 };
	const char *pod;

	if (op->sm.now == OP_GATE)
		return run_gate(op);
	if (shim_usable(&op->handler->handler, &e) < 0) {
		op->err = e;
		return shim_op_end(op);
	}
	pod = pod_of(op, &e);
	if (!pod)
		return shim_op_fail(op, &e);
	if (!t)
		t = shim_task_new(op->handler, op->id, op->bundle, pod);
	t->api = op->sandbox != NULL;
	t->sent = SHIM_SENT_NOTHING;
	if (shim_task_save(t, &e) < 0)
		return shim_op_fail(op, &e);
	sm_move(&op->sm, OP_GATE);
	list_append(&runs, &op->link);
	run_gate(op);
}

struct runtime_op *shim_run(const struct runtime_handler *h, const char *id, const char *bundle, const char *cgroup,
			    const struct runtime_stdio *io, runtime_done *done, void *arg)
{
	struct shim_op *op = shim_op(h, "run", id, run_begin, done, arg);

	op->timed = true;
	op->leave = run_leave_gate;
	op->bundle = arena_strdup(op->arena, bundle);
	op->systemd = cgroup_is_scope(cgroup);
	shim_op_give_stdio(op, io);
	return shim_op_start(op);
}

static const struct runtime_sandbox *sandbox_copy(struct arena *a, const struct runtime_sandbox *s)
{
	struct runtime_sandbox *copy = arena_memdup(a, s, sizeof(*s));

	copy->id = copy->bundle = copy->cgroup = copy->keep_id = NULL; /* the op has them */
	copy->netns_path = arena_strdup(a, s->netns_path ? s->netns_path : "");
	copy->config = s->config_len ? arena_memdup(a, s->config, s->config_len) : NULL;
	return copy;
}

/* A task like others, but the pod's first one: its shim is the pod's. (ARCHITECTURE G60) With the sandbox API it is no
 * task. (ARCHITECTURE G70) */
struct runtime_op *shim_run_sandbox(const struct runtime_handler *h, const struct runtime_sandbox *s,
				    runtime_done *done, void *arg)
{
	struct shim_op *op = shim_op(h, "run", s->id, run_begin, done, arg);

	op->timed = true;
	op->leave = run_leave_gate;
	op->bundle = arena_strdup(op->arena, s->bundle);
	op->systemd = cgroup_is_scope(s->cgroup);
	op->sandbox = h->options.sandbox_api ? sandbox_copy(op->arena, s) : NULL;
	op->stdio[0] = op->stdio[1] = op->stdio[2] = "";
	return shim_op_start(op);
}
