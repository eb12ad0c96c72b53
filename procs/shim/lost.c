/* lost.c - what is done about a shim that is dead or does not answer: CLEAN of the drawing in ops.c. A shim that died
 * has left the container's processes: its program's `delete` kills them. (ARCHITECTURE G12)
 *
 * Waits on: the program's `delete`; a timer, before a question is asked again. */
#include "procs/shim/op.h"
#include "reactor/log.h"

enum { AGAIN_MS = 200, TRIES = 10 };

void shim_op_ended(struct shim_op *op, uint64_t exit_status)
{
	struct shim_task *t = shim_op_task(op);
	struct err e;

	if (!t)
		return;
	t->ended = true;
	t->status = (int32_t)(exit_status & 0xff) << 8;
	if (shim_task_save(t, &e) < 0)
		log_warn("shim_task id=%.12s error=%s", t->id, log_quote(e.msg));
}

/* DeleteResponse: 1 pid, 2 exit_status. Where the program cannot tell, the task was killed. */
static void on_op_cleaned(void *arg, const struct err *e, struct child_result *r)
{
	struct shim_op *op = arg;
	struct shim_task *t = shim_op_task(op);
	uint64_t status = 0;

	op->child = NULL;
	if (e && e->code == ERR_UNAVAILABLE)
		return shim_op_fail(op, e);
	if (e || r->status != 0)
		log_warn("shim_delete id=%.12s error=%s", op->id, log_quote(e ? e->msg : shim_words(r, op->arena)));
	else
		status = shim_number((const uint8_t *)r->out, r->out_len, 2);
	if (t)
		t->deleted = true;
	shim_op_ended(op, status ? status : SHIM_EXIT_KILLED);
	op->begin(op);
}

void shim_op_clean(struct shim_op *op, const char *why)
{
	const struct shim_task *t = shim_op_task(op);

	log_warn("shim_lost id=%.12s sandbox=%.12s why=%s", op->id, t->sandbox, log_quote(why));
	sm_move(&op->sm, OP_CLEAN);
	op->child = shim_delete(t, op->arena, on_op_cleaned, op);
}

static void on_op_again(struct timer *timer)
{
	struct shim_op *op = container_of(timer, struct shim_op, timer);

	op->begin(op);
}

void shim_op_again(struct shim_op *op)
{
	timer_set(&op->timer, AGAIN_MS, on_op_again);
}

void shim_op_wait_failed(struct shim_op *op, const struct err *e)
{
	const struct shim_task *t = shim_op_task(op);

	if (t && shim_is_dead(t)) {
		if (!*op->exec_id)
			return shim_op_clean(op, e->msg);
		err_set(&op->err, ERR_INTERNAL, "the shim died");
		return shim_op_end(op);
	}
	if (t && (e->code == ERR_RESOURCE_EXHAUSTED || (e->code == ERR_UNAVAILABLE && op->tries++ < TRIES)))
		return shim_op_again(op);
	op->err = *e;
	op->err.code = ERR_INTERNAL; /* UNAVAILABLE would say that the keeper is away */
	err_wrap(&op->err, "%s wait", op->handler->handler.name);
	shim_op_end(op);
}

bool shim_op_lost(struct shim_op *op, const struct err *e)
{
	const struct shim_task *t = shim_op_task(op);

	if (!e || !t)
		return false;
	if (e->code == ERR_DEADLINE_EXCEEDED || (e->code == ERR_UNAVAILABLE && !shim_is_dead(t)))
		shim_kill(t);
	else if (e->code != ERR_UNAVAILABLE)
		return false;
	shim_op_clean(op, e->msg);
	return true;
}

void shim_op_forget(struct shim_op *op)
{
	struct shim_task *t = shim_op_task(op);

	if (t)
		shim_task_forget(t);
	shim_op_end(op);
}
