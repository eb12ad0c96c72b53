/* end.c - how a task ends: `wait` and `delete` of ops.c's drawing.
 *
 * Behind a wait comes the shim's Delete, for which the shim moves the last bytes of output and closes its FIFOs. The
 * exit of a container is told before that: its group has the count of OOM kills, and Delete removes the group. The
 * pump of the log waits for the end of the FIFOs anyway. The exit of an exec is told when all its output is in the
 * FIFOs. The exit status is on disk before the Delete, since a Wait behind it knows nothing. A shim that died has left
 * the container's processes: its program's `delete` kills them. (ARCHITECTURE G11) */
#include <signal.h>
#include <string.h>

#include "procs/shim/op.h"
#include "reactor/log.h"
#include "reactor/protobuf.h"

enum { DELETE_TIMEOUT_MS = 30000, KILL_TIMEOUT_MS = 5000, DEATH_TIMEOUT_MS = 10000, SHUTDOWN_TIMEOUT_MS = 5000 };
enum { START_TRIES = 2, TAKE_UP_TIMEOUT_MS = 10000 };

/* ---- wait ---- */

static void on_wait_deleted(struct shim_op *op, const struct err *e, const uint8_t *body, size_t len)
{
	struct shim_task *t = shim_op_task(op);

	(void)body;
	(void)len;
	if (e)
		log_info("shim_delete id=%.12s exec=%.12s error=%s", op->id, op->exec_id, log_quote(e->msg));
	if (!*op->exec_id && t)
		t->deleted = t->deleted || !e || e->code == ERR_NOT_FOUND;
	shim_op_end(op);
}

static void wait_delete(struct shim_op *op)
{
	shim_op_put_ids(op);
	shim_op_call(op, "Delete", DELETE_TIMEOUT_MS, on_wait_deleted);
}

/* The caller has its answer, and the op goes on without one. */
static void wait_done(struct shim_op *op, const struct shim_task *t)
{
	op->result.status = t->status;
	if (t->deleted || t->api)
		return shim_op_end(op);
	shim_op_tell(op);
	wait_delete(op);
}

static void on_waited(struct shim_op *op, const struct err *e, const uint8_t *body, size_t len)
{
	struct shim_task *t = shim_op_task(op);
	uint64_t status;

	if (e)
		return shim_op_wait_failed(op, e);
	status = shim_number(body, len, 1);
	op->result.status = (int)(status & 0xff) << 8;
	if (*op->exec_id || !t)
		return wait_delete(op);
	shim_op_ended(op, status);
	wait_done(op, t);
}

static void wait_ask(struct shim_op *op)
{
	shim_op_put_ids(op);
	shim_op_call(op, "Wait", 0, on_waited);
}

/* ---- wait, of a start that was cut off: it comes to its end first (ARCHITECTURE K63) ---- */

static void wait_started(struct shim_op *op)
{
	struct shim_task *t = shim_op_task(op);
	struct err e;

	shim_link_release(op->id); /* the Start before this one is over, since a shim carries out one at a time */
	if (t) {
		t->sent = SHIM_SENT_START;
		if (shim_task_save(t, &e) < 0)
			log_warn("shim_task id=%.12s error=%s", t->id, log_quote(e.msg));
	}
	wait_ask(op);
}

/* No answer tells whether the program runs: the runc shim calls a task CREATED whose `runc start` was killed behind the
 * one step that lets the program run, and fails the next Start, or lets it hang. So it is waited for after some tries.
 */
static void on_wait_start_answered(struct shim_op *op, const struct err *e, const uint8_t *body, size_t len)
{
	(void)body;
	(void)len;
	if (e && (e->code == ERR_UNAVAILABLE || e->code == ERR_RESOURCE_EXHAUSTED))
		return shim_op_wait_failed(op, e);
	if (e && e->code != ERR_FAILED_PRECONDITION && e->code != ERR_DEADLINE_EXCEEDED && op->tries++ < START_TRIES)
		return shim_op_again(op);
	if (e)
		log_info("shim_start id=%.12s error=%s", op->id, log_quote(e->msg));
	op->tries = 0;
	wait_started(op);
}

static void wait_begin(struct shim_op *op)
{
	const struct shim_task *t = shim_op_task(op);

	if (*op->exec_id || !t)
		return wait_ask(op);
	if (t->ended)
		return wait_done(op, t);
	if (t->api)
		return shim_sandbox_wait(op);
	if (t->sent != SHIM_TAKEN_UP)
		return wait_ask(op);
	shim_op_put_ids(op);
	shim_op_call(op, "Start", TAKE_UP_TIMEOUT_MS, on_wait_start_answered);
}

struct runtime_op *shim_wait(const struct runtime_handler *h, const char *id, runtime_done *done, void *arg)
{
	return shim_op_start(shim_op(h, "wait", id, wait_begin, done, arg));
}

struct runtime_op *shim_exec_wait(const struct runtime_handler *h, const char *id, const char *keep_id,
				  runtime_done *done, void *arg)
{
	struct shim_op *op = shim_op(h, "wait", id, wait_begin, done, arg);
	const char *slash = strrchr(keep_id, '/');

	op->exec_id = arena_strdup(op->arena, slash ? slash + 1 : keep_id);
	return shim_op_start(op);
}

/* ---- delete ---- */

/* A shim that ends may close the connection before its answer. */
static void on_remove_shut(struct shim_op *op, const struct err *e, const uint8_t *body, size_t len)
{
	const struct shim_task *t = shim_op_task(op);

	(void)body;
	(void)len;
	if (t && e && e->code == ERR_DEADLINE_EXCEEDED)
		shim_kill(t);
	else if (t)
		shim_expect_end(t);
	shim_op_forget(op);
}

/* The shim knows the task no more. */
static void remove_finish(struct shim_op *op)
{
	const struct shim_task *t = shim_op_task(op);

	if (!t || !*t->address || !shim_task_is_last(t) || shim_is_dead(t))
		return shim_op_forget(op);
	pb_put_str(&op->out, 1, op->id);
	shim_op_call(op, "Shutdown", SHUTDOWN_TIMEOUT_MS, on_remove_shut);
}

/* UNIMPLEMENTED: the address is that of something else. A shim that does not know a task whose Create was cut off has
 * forgotten it, but its runtime may have left something. (ARCHITECTURE K62) */
static bool remove_needs_program(const struct shim_task *t, const struct err *e)
{
	return e->code == ERR_UNIMPLEMENTED || (e->code == ERR_NOT_FOUND && t->sent == SHIM_SENT_CREATE);
}

static void remove_kill(struct shim_op *op);

/* A task that the shim does not delete may run on, though its Wait told an end: it is killed, once. */
static void on_remove_deleted(struct shim_op *op, const struct err *e, const uint8_t *body, size_t len)
{
	struct shim_task *t;

	(void)body;
	(void)len;
	if (shim_op_lost(op, e))
		return;
	t = shim_op_task(op);
	if (t && e && remove_needs_program(t, e))
		return shim_op_clean(op, e->msg);
	if (t && e && e->code != ERR_NOT_FOUND && op->tries++ == 0)
		return remove_kill(op);
	if (e && e->code != ERR_NOT_FOUND)
		return on_op_last_answer(op, e, NULL, 0);
	if (t)
		t->deleted = true;
	remove_finish(op);
}

static void on_remove_dead(struct shim_op *op, const struct err *e, const uint8_t *body, size_t len)
{
	(void)body;
	(void)len;
	if (shim_op_lost(op, e))
		return;
	shim_op_put_ids(op);
	shim_op_call(op, "Delete", DELETE_TIMEOUT_MS, on_remove_deleted);
}

/* That there is nothing to kill is no error: it was not started, or has ended. */
static void on_remove_killed(struct shim_op *op, const struct err *e, const uint8_t *body, size_t len)
{
	(void)body;
	(void)len;
	if (shim_op_lost(op, e))
		return;
	shim_op_put_ids(op);
	if (e)
		shim_op_call(op, "Delete", DELETE_TIMEOUT_MS, on_remove_deleted);
	else
		shim_op_call(op, "Wait", DEATH_TIMEOUT_MS, on_remove_dead);
}

static void remove_kill(struct shim_op *op)
{
	shim_op_put_ids(op);
	pb_put_u64(&op->out, 3, SIGKILL);
	pb_put_u64(&op->out, 4, true);
	shim_op_call(op, "Kill", KILL_TIMEOUT_MS, on_remove_killed);
}

static void remove_begin(struct shim_op *op)
{
	struct shim_task *t = shim_op_task(op);
	struct shim_answer answer;
	struct err e;

	if (!t)
		return shim_op_end(op);
	if (t->deleted)
		return remove_finish(op);
	if (t->ended && !t->api) {
		shim_op_put_ids(op);
		return shim_op_call(op, "Delete", DELETE_TIMEOUT_MS, on_remove_deleted);
	}
	/* The daemon died after the `start`: its answer is in the file. */
	if (!*t->address && shim_answer_read(t->bundle, &answer, &e) == 0)
		shim_task_set_address(t, answer.address, answer.version);
	if (!*t->address) {
		shim_kill_strays(t->bundle, "its start was cut off");
		return shim_op_clean(op, "its start was cut off");
	}
	if (t->api)
		return shim_sandbox_remove(op);
	remove_kill(op);
}

/* A shim's Delete takes a dead task only, so there is one way for both values of `force`. */
struct runtime_op *shim_remove(const struct runtime_handler *h, const char *id, bool force, runtime_done *done,
			       void *arg)
{
	struct shim_op *op = shim_op(h, "delete", id, remove_begin, done, arg);

	(void)force;
	op->timed = true;
	return shim_op_start(op);
}
