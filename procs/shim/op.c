/* op.c - one operation of a handler of type shim, from its begin to its end; the drawing is in ops.c.
 *
 * Waits on: what the verb waits on. */
#include <string.h>
#include <unistd.h>

#include "procs/shim/op.h"
#include "reactor/metric.h"
#include "reactor/own.h"
#include "reactor/protobuf.h"

static const struct sm_state op_states[] = {
	[OP_BEGIN] = { "BEGIN", TO(OP_GATE) | TO(OP_CALL) | TO(OP_CLEAN) | TO(OP_DONE) },
	[OP_GATE]  = { "GATE",  TO(OP_BOOT) | TO(OP_CALL) | TO(OP_DONE) },
	[OP_BOOT]  = { "BOOT",  TO(OP_CALL) | TO(OP_DONE) },
	[OP_CALL]  = { "CALL",  TO(OP_CALL) | TO(OP_OPEN) | TO(OP_CLEAN) | TO(OP_DONE) },
	[OP_OPEN]  = { "OPEN",  TO(OP_CLEAN) | TO(OP_DONE) },
	[OP_CLEAN] = { "CLEAN", TO(OP_CALL) | TO(OP_DONE) },
	[OP_DONE]  = { "DONE",  0 },
};

static void op_cancel(struct runtime_op *op);
/* All that is asked of the kind by an operation. */
static const struct runtime_kind cancels = { .type = "shim", .cancel = op_cancel };

struct shim_op *shim_op(const struct runtime_handler *h, const char *verb, const char *id, shim_op_fn *begin,
			runtime_done *done, void *arg)
{
	struct arena *a = arena_new();
	struct shim_op *op = arena_zalloc(a, sizeof(*op));

	op->op.kind = &cancels;
	op->arena = a;
	op->handler = shim_handler_of(h);
	op->id = arena_strdup(a, id);
	op->exec_id = "";
	op->sm = (struct sm){ op_states, verb, op->id, OP_BEGIN };
	op->begin = begin;
	op->done = done;
	op->arg = arg;
	op->fds[0] = op->fds[1] = op->fds[2] = op->writer = -1;
	op->result = (struct child_result){ .pidfd = -1, .out = "", .err = "" };
	op->since_ns = loop_mono_ns();
	return op;
}

static void op_free(struct shim_op *op)
{
	timer_clear(&op->timer);
	work_end(&op->work);
	if (list_linked(&op->link))
		op->leave(op);
	if (op->call)
		shim_call_cancel(op->call);
	if (op->child)
		child_cancel(op->child);
	for (size_t i = 0; i < 3; i++)
		if (op->fds[i] >= 0)
			close(op->fds[i]);
	if (op->writer >= 0)
		close(op->writer);
	buf_free(&op->out);
	arena_free(op->arena);
}

void shim_op_tell(struct shim_op *op)
{
	runtime_done *done = op->done;
	struct err e = op->err;

	op->done = NULL;
	if (done)
		done(op->arg, e.code == ERR_OK ? NULL : &e, &op->result);
}

void shim_op_end(struct shim_op *op)
{
	sm_move(&op->sm, OP_DONE);
	op->work.fault = op->err.code != ERR_OK ? op->err.msg : NULL;
	work_end(&op->work);
	if (op->timed)
		metric_stage(arena_printf(op->arena, "runtime_%s", op->sm.what), &op->since_ns);
	shim_op_tell(op);
	op_free(op);
}

void shim_op_fail(struct shim_op *op, const struct err *e)
{
	op->err = *e;
	err_wrap(&op->err, "%s %s", op->handler->handler.name, op->sm.what);
	shim_op_end(op);
}

void on_op_begin(struct timer *t)
{
	struct shim_op *op = container_of(t, struct shim_op, timer);

	if (op->err.code != ERR_OK)
		return shim_op_end(op);
	op->begin(op);
}

/* Its program is the shim; while the shim is started, the start has a line of its own. */
static void on_op_work(struct work *w)
{
	struct shim_op *op = container_of(w, struct shim_op, work);
	const struct shim_task *t = shim_op_task(op);

	w->pid = t ? t->shim_pid : 0;
}

struct runtime_op *shim_op_start(struct shim_op *op)
{
	op->work = (struct work){ .kind = "shim", .stage = arena_printf(op->arena, "runtime_%s", op->sm.what),
				  .about = arena_printf(op->arena, " container=%.12s", op->id),
				  .program = op->handler->program, .ask = on_op_work };
	if (op->timed)
		work_begin(&op->work);
	timer_set(&op->timer, 0, on_op_begin);
	return &op->op;
}

static void op_cancel(struct runtime_op *op)
{
	struct shim_op *cancelled = container_of(op, struct shim_op, op);

	cancelled->work.fault = "given up";
	op_free(cancelled);
}

struct shim_task *shim_op_task(const struct shim_op *op)
{
	return shim_task_find(op->handler, op->id);
}

static void on_op_answer(void *arg, const struct err *e, const uint8_t *body, size_t len)
{
	struct shim_op *op = arg;

	op->call = NULL;
	op->then(op, e, body, len);
}

/* Fails in the next turn, by `then`, when the task is not known. */
void shim_op_call(struct shim_op *op, const char *method, int64_t timeout_ms, shim_op_then *then)
{
	const struct shim_task *t = shim_op_task(op);
	struct err e;

	if (!t || !*t->address) {
		err_set(&e, ERR_NOT_FOUND, "no shim is known");
		buf_free(&op->out);
		return then(op, &e, NULL, 0);
	}
	sm_move(&op->sm, OP_CALL);
	op->then = then;
	op->call = method ? shim_call(t, op->service, method, &op->out, timeout_ms, on_op_answer, op)
			  : shim_call_nothing(t, on_op_answer, op);
	op->service = SHIM_TASK;
	buf_free(&op->out);
}

void shim_op_put_ids(struct shim_op *op)
{
	pb_put_str(&op->out, 1, op->id);
	pb_put_str(&op->out, 2, op->exec_id);
}

void on_op_last_answer(struct shim_op *op, const struct err *e, const uint8_t *body, size_t len)
{
	(void)body;
	(void)len;
	if (!e)
		return shim_op_end(op);
	op->err = *e;
	op->err.code = e->code == ERR_DEADLINE_EXCEEDED ? e->code : ERR_INTERNAL;
	err_wrap(&op->err, "%s %s", op->handler->handler.name, op->sm.what);
	shim_op_end(op);
}
