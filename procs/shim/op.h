/* op.h - private to procs/shim/: one operation (op.c), shared by run.c, ops.c (exec, and calls of one answer), end.c
 * (wait and delete), sandbox.c (all of a pod's sandbox), stats.c and handler.c (their table); lost.c and stdio.c are
 * parts of them. */
#ifndef PROCS_SHIM_OP_H
#define PROCS_SHIM_OP_H

#include "procs/shim/shim.h"
#include "reactor/sm.h"
#include "reactor/work.h"

enum shim_op_state { OP_BEGIN, OP_GATE, OP_BOOT, OP_CALL, OP_OPEN, OP_CLEAN, OP_DONE };

struct shim_op;
typedef void shim_op_fn(struct shim_op *op);
typedef void shim_op_then(struct shim_op *op, const struct err *e, const uint8_t *body, size_t len);

struct shim_op {
	struct runtime_op op;
	struct sm sm;
	struct arena *arena;
	const struct shim_handler *handler;
	const char *id, *exec_id; /* exec_id "": the task itself */
	const char *bundle;       /* run: of the task; exec: the file with the process; update: the resources */
	const char *mark;         /* exec: the file that says that it is under way */
	const char *stdio[3];     /* paths of FIFOs, or "" */
	int fds[3];               /* the same, open; -1: none */
	int writer;               /* of stdio[0]; -1: none */
	int64_t open_ns;          /* when OPEN began */
	bool terminal, systemd, all, timed;
	bool unclean;             /* delete of a sandbox: its program has to clean up */
	uint32_t number;          /* a signal, a size */
	int tries;
	const struct runtime_sandbox *sandbox; /* run, of a sandbox that the shim has; else NULL */
	enum shim_service service; /* of the next call */
	shim_op_fn *begin;
	shim_op_then *then;
	struct buf out;           /* the request that is being made */
	struct shim_call *call;
	struct child *child;
	struct timer timer;
	struct link link;         /* run: in the list of those that have no shim yet */
	shim_op_fn *leave;        /* takes it off that list */
	int64_t since_ns;
	struct work work;         /* of one that is timed */
	struct child_result result;
	struct err err;
	runtime_done *done;
	void *arg;
};

/* ---- op.c ---- */

struct shim_op *shim_op(const struct runtime_handler *handler, const char *verb, const char *id, shim_op_fn *begin,
			runtime_done *done, void *arg);
struct runtime_op *shim_op_start(struct shim_op *op); /* err set: it fails in the next turn */
void shim_op_end(struct shim_op *op);                 /* with op->err and op->result */
void shim_op_tell(struct shim_op *op);                /* the same, but the op goes on, and has no caller any more */
void shim_op_fail(struct shim_op *op, const struct err *e);
struct shim_task *shim_op_task(const struct shim_op *op); /* NULL: it is not known any more */
/* Sends op->out; `then` runs once, in this call only when the task has no shim (NOT_FOUND). method NULL: nothing is
 * sent, and `then` hears that the connection is lost. */
void shim_op_call(struct shim_op *op, const char *method, int64_t timeout_ms, shim_op_then *then);
void shim_op_put_ids(struct shim_op *op); /* 1 id, 2 exec_id: so begins each request of the service */
void on_op_begin(struct timer *timer); /* it begins again */
void on_op_last_answer(struct shim_op *op, const struct err *e, const uint8_t *body, size_t len);

/* ---- stdio.c ---- */

/* The FIFOs that the caller has opened; op->err: they are none. */
void shim_op_give_stdio(struct shim_op *op, const struct runtime_stdio *io);
void shim_op_put_stdio(struct shim_op *op, uint32_t first); /* terminal, stdin, stdout, stderr from that field on */
void shim_op_open(struct shim_op *op); /* ends the op when stdin has a reader */

/* ---- lost.c ---- */

/* The shim is dead, or is killed now: its program's `delete` runs, and the op begins again with a task that has ended.
 * Where it could not run, the op fails. */
void shim_op_clean(struct shim_op *op, const char *why);
void shim_op_ended(struct shim_op *op, uint64_t exit_status); /* writes it down */
void shim_op_again(struct shim_op *op); /* it begins again, in a moment */
/* A wait got no answer: cleans up behind a dead shim, asks again (RESOURCE_EXHAUSTED: without an end), or fails. */
void shim_op_wait_failed(struct shim_op *op, const struct err *e);
/* A call of a delete got none. true: the shim is dead or is killed, and the op goes on elsewhere. */
bool shim_op_lost(struct shim_op *op, const struct err *e);
void shim_op_forget(struct shim_op *op); /* ends the op */

/* ---- sandbox.c ---- */

void shim_sandbox_create(struct shim_op *op); /* behind Connect */
void shim_sandbox_wait(struct shim_op *op);
void shim_sandbox_remove(struct shim_op *op); /* of a shim whose address is known */

/* ---- run.c, ops.c, end.c, stats.c: the operations of the kind ---- */

struct runtime_op *shim_run(const struct runtime_handler *handler, const char *id, const char *bundle,
			    const char *cgroup, const struct runtime_stdio *io, runtime_done *done, void *arg);
struct runtime_op *shim_run_sandbox(const struct runtime_handler *handler, const struct runtime_sandbox *sandbox,
				    runtime_done *done, void *arg);
struct runtime_op *shim_exec(const struct runtime_handler *handler, const struct runtime_exec *exec,
			     const struct runtime_stdio *io, runtime_done *done, void *arg);
struct runtime_op *shim_remove(const struct runtime_handler *handler, const char *id, bool force, runtime_done *done,
			       void *arg);
struct runtime_op *shim_update(const struct runtime_handler *handler, const char *id, const char *cgroup,
			       const char *resources_json, runtime_done *done, void *arg);
struct runtime_op *shim_pause(const struct runtime_handler *handler, const char *id, runtime_done *done, void *arg);
struct runtime_op *shim_resume(const struct runtime_handler *handler, const char *id, runtime_done *done, void *arg);
struct runtime_op *shim_checkpoint(const struct runtime_handler *handler, const char *id,
				   const struct runtime_images *images, runtime_done *done, void *arg);
struct runtime_op *shim_restore(const struct runtime_handler *handler, const char *id, const char *bundle,
				const char *cgroup, const struct runtime_images *images,
				const struct runtime_stdio *io, runtime_done *done, void *arg);
struct runtime_op *shim_wait(const struct runtime_handler *handler, const char *id, runtime_done *done, void *arg);
struct runtime_op *shim_exec_wait(const struct runtime_handler *handler, const char *id, const char *keep_id,
				  runtime_done *done, void *arg);
struct runtime_op *shim_signal(const struct runtime_handler *handler, const char *id, int sig, bool all,
			       runtime_done *done, void *arg);
struct runtime_op *shim_exec_kill(const struct runtime_handler *handler, const char *id, const char *pidfile,
				  runtime_done *done, void *arg);
struct runtime_op *shim_sandbox_status(const struct runtime_handler *handler, const char *id, runtime_done *done,
				       void *arg);
struct runtime_op *shim_stats(const struct runtime_handler *handler, const char *id, runtime_done *done, void *arg);
int shim_usage_read(const char *answer, size_t len, struct runtime_usage *out, struct err *e); /* INTERNAL */
struct runtime_op *shim_resize(const struct runtime_handler *handler, const char *id, const char *keep_id,
			       uint16_t width, uint16_t height, runtime_done *done, void *arg);
struct runtime_op *shim_close_stdin(const struct runtime_handler *handler, const char *id, const char *keep_id,
				    runtime_done *done, void *arg);

#endif
