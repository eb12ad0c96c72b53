/* ops.c - handlers of type shim: procs/runtime.h's operations as calls to shims.
 *
 *   run:     GATE ---no other start of this pod's shim---> BOOT ---address---> CALL(Connect, Create, Start) ---> OPEN
 *              +---the pod's shim is known-------------------------------------^
 *   exec:    CALL(Exec, Start) ---> OPEN         OPEN ---stdin has a reader, or there is none---> DONE
 *   wait:    CALL(Wait, Delete) ---> DONE        CALL ---the shim is dead---> CLEAN(`delete`) ---> DONE
 *            of a start that was cut off: CALL(Start again), and then as above
 *   delete:  CALL(Kill, Wait, Delete, Shutdown) ---> DONE      CALL ---dead, or it hangs: killed---> CLEAN ---> ...
 *   others:  CALL ---> DONE
 *
 * Each op begins in the next turn. Waits on: the shim, its program, an other op of the same pod (GATE), a timer.
 * (ARCHITECTURE G9 to G14, G56)
 * The start is in run.c, the end in end.c, CLEAN in lost.c, OPEN in stdio.c, the sandbox of a pod in sandbox.c. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procs/shim/op.h"
#include "reactor/fault.h"
#include "reactor/own.h"
#include "reactor/protobuf.h"

enum {
	START_TIMEOUT_MS = 60000, KILL_TIMEOUT_MS = 10000, UPDATE_TIMEOUT_MS = 10000, SPEC_MAX = 1 << 20,
	SILENT_MS = 5000,
};

/* ---- exec ---- */

static void on_exec_failed(struct shim_op *op, const struct err *e, const uint8_t *body, size_t len)
{
	(void)e;
	(void)body;
	(void)len;
	shim_op_end(op); /* with the error of Start */
}

static void on_exec_started(struct shim_op *op, const struct err *e, const uint8_t *body, size_t len)
{
	if (!e) {
		op->result.pid = (pid_t)shim_number(body, len, 1);
		return shim_op_open(op);
	}
	op->err = *e;
	op->err.code = e->code == ERR_DEADLINE_EXCEEDED ? e->code : ERR_INTERNAL;
	err_wrap(&op->err, "%s exec", op->handler->handler.name);
	shim_op_put_ids(op);
	shim_op_call(op, "Delete", KILL_TIMEOUT_MS, on_exec_failed);
}

static void on_exec_added(struct shim_op *op, const struct err *e, const uint8_t *body, size_t len)
{
	if (e)
		return on_op_last_answer(op, e, body, len);
	shim_op_put_ids(op);
	shim_op_call(op, "Start", START_TIMEOUT_MS, on_exec_started);
}

static int read_process(struct shim_op *op, const char *path, struct buf *out, struct err *e)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? -1 : buf_read(out, fd, SPEC_MAX);

	(void)op;
	return n < 0 ? err_os(e, ERR_INTERNAL, "read %s", path) : 0;
}

static void exec_begin(struct shim_op *op)
{
	struct buf process = { 0 };
	struct err e;
	auto_fd int mark = -1;

	mark = EFFECT(open(op->mark, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
	if (mark < 0) {
		err_os(&e, ERR_INTERNAL, "make %s", op->mark);
		return shim_op_fail(op, &e);
	}
	if (read_process(op, op->bundle, &process, &e) < 0)
		return shim_op_fail(op, &e);
	shim_op_put_ids(op);
	shim_op_put_stdio(op, 3);
	shim_put_any(&op->out, 7, "types.containerd.io/opencontainers/runtime-spec/1/Process", process.at, process.len);
	buf_free(&process);
	shim_op_call(op, "Exec", START_TIMEOUT_MS, on_exec_added);
}

/* keep_id is "exec/<id>", and <id> is the id of the exec for the shim. */
static const char *exec_id_of(struct arena *a, const char *keep_id)
{
	const char *slash = strrchr(keep_id, '/');

	return arena_strdup(a, slash ? slash + 1 : keep_id);
}

struct runtime_op *shim_exec(const struct runtime_handler *h, const struct runtime_exec *x,
			     const struct runtime_stdio *io, runtime_done *done, void *arg)
{
	struct shim_op *op = shim_op(h, "exec", x->id, exec_begin, done, arg);

	op->timed = true;
	op->exec_id = exec_id_of(op->arena, x->keep_id);
	op->bundle = arena_strdup(op->arena, x->process_path);
	op->mark = runtime_exec_mark(op->arena, x->pidfile);
	shim_op_give_stdio(op, io);
	return shim_op_start(op);
}

/* ---- calls of one answer ---- */

/* An exec that was added and is not started yet is taken away. FAILED_PRECONDITION: it began meanwhile. */
static void on_exec_taken_away(struct shim_op *op, const struct err *e, const uint8_t *body, size_t len)
{
	if (e && e->code != ERR_FAILED_PRECONDITION && e->code != ERR_NOT_FOUND)
		return on_op_last_answer(op, e, body, len);
	if (e)
		op->err = *e;
	shim_op_end(op);
}

static void on_exec_killed(struct shim_op *op, const struct err *e, const uint8_t *body, size_t len)
{
	if (e && e->code == ERR_FAILED_PRECONDITION) {
		shim_op_put_ids(op);
		return shim_op_call(op, "Delete", KILL_TIMEOUT_MS, on_exec_taken_away);
	}
	if (!e || e->code != ERR_NOT_FOUND)
		return on_op_last_answer(op, e, body, len);
	op->err = *e;
	shim_op_end(op);
}

/* SIGKILL that finds a shim silent for long ends the shim: then its program cleans up (shim_wait(), shim_remove()). */
static void kill_begin(struct shim_op *op)
{
	const struct shim_task *t = shim_op_task(op);

	if (t && op->number == SIGKILL && shim_silent_ms(t) > SILENT_MS)
		shim_kill(t);
	shim_op_put_ids(op);
	pb_put_u64(&op->out, 3, op->number);
	pb_put_u64(&op->out, 4, op->all);
	shim_op_call(op, "Kill", KILL_TIMEOUT_MS, *op->exec_id ? on_exec_killed : on_op_last_answer);
}

struct runtime_op *shim_signal(const struct runtime_handler *h, const char *id, int sig, bool all, runtime_done *done,
			       void *arg)
{
	struct shim_op *op = shim_op(h, "kill", id, kill_begin, done, arg);

	op->number = (uint32_t)sig;
	op->all = all;
	return shim_op_start(op);
}

/* pidfile is <bundle>/exec-<id>.pid. */
struct runtime_op *shim_exec_kill(const struct runtime_handler *h, const char *id, const char *pidfile,
				  runtime_done *done, void *arg)
{
	struct shim_op *op = shim_op(h, "kill", id, kill_begin, done, arg);
	const char *name = strrchr(pidfile, '/') ? strrchr(pidfile, '/') + 1 : pidfile;
	size_t len = strlen(name);

	op->number = SIGKILL;
	op->all = true;
	if (len < 10 || strncmp(name, "exec-", 5) != 0)
		err_set(&op->err, ERR_INTERNAL, "%s names no exec", pidfile);
	else
		op->exec_id = arena_strndup(op->arena, name + 5, len - 9);
	return shim_op_start(op);
}

static void update_begin(struct shim_op *op)
{
	pb_put_str(&op->out, 1, op->id);
	shim_put_any(&op->out, 2, "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources", op->bundle,
		     strlen(op->bundle));
	shim_op_call(op, "Update", UPDATE_TIMEOUT_MS, on_op_last_answer);
}

struct runtime_op *shim_update(const struct runtime_handler *h, const char *id, const char *cgroup,
			       const char *resources_json, runtime_done *done, void *arg)
{
	struct shim_op *op = shim_op(h, "update", id, update_begin, done, arg);

	(void)cgroup; /* the shim knows it */
	op->bundle = arena_strdup(op->arena, resources_json);
	return shim_op_start(op);
}

static void resize_begin(struct shim_op *op)
{
	shim_op_put_ids(op);
	pb_put_u64(&op->out, 3, op->number >> 16);
	pb_put_u64(&op->out, 4, op->number & 0xffff);
	shim_op_call(op, "ResizePty", UPDATE_TIMEOUT_MS, on_op_last_answer);
}

struct runtime_op *shim_resize(const struct runtime_handler *h, const char *id, const char *keep_id, uint16_t width,
			       uint16_t height, runtime_done *done, void *arg)
{
	struct shim_op *op = shim_op(h, "resize", id, resize_begin, done, arg);

	op->exec_id = exec_id_of(op->arena, keep_id);
	op->number = (uint32_t)width << 16 | height;
	return shim_op_start(op);
}

static void close_stdin_begin(struct shim_op *op)
{
	shim_op_put_ids(op);
	pb_put_u64(&op->out, 3, true);
	shim_op_call(op, "CloseIO", UPDATE_TIMEOUT_MS, on_op_last_answer);
}

struct runtime_op *shim_close_stdin(const struct runtime_handler *h, const char *id, const char *keep_id,
				    runtime_done *done, void *arg)
{
	struct shim_op *op = shim_op(h, "close_stdin", id, close_stdin_begin, done, arg);

	op->exec_id = exec_id_of(op->arena, keep_id);
	return shim_op_start(op);
}

static void frozen_begin(struct shim_op *op)
{
	pb_put_str(&op->out, 1, op->id);
	shim_op_call(op, op->all ? "Pause" : "Resume", UPDATE_TIMEOUT_MS, on_op_last_answer);
}

struct runtime_op *shim_pause(const struct runtime_handler *h, const char *id, runtime_done *done, void *arg)
{
	struct shim_op *op = shim_op(h, "pause", id, frozen_begin, done, arg);

	op->all = true;
	return shim_op_start(op);
}

struct runtime_op *shim_resume(const struct runtime_handler *h, const char *id, runtime_done *done, void *arg)
{
	return shim_op_start(shim_op(h, "resume", id, frozen_begin, done, arg));
}

/* ---- what shims do not do here ---- */

static struct runtime_op *op_refused(const struct runtime_handler *h, const char *verb, const char *id,
				     runtime_done *done, void *arg)
{
	struct shim_op *op = shim_op(h, verb, id, NULL, done, arg);

	err_set(&op->err, ERR_UNIMPLEMENTED, "runtime handler %s: checkpoints are made with handlers of type oci only",
		h->name);
	return shim_op_start(op);
}

struct runtime_op *shim_checkpoint(const struct runtime_handler *h, const char *id, const struct runtime_images *images,
				   runtime_done *done, void *arg)
{
	(void)images;
	return op_refused(h, "checkpoint", id, done, arg);
}

struct runtime_op *shim_restore(const struct runtime_handler *h, const char *id, const char *bundle, const char *cgroup,
				const struct runtime_images *images, const struct runtime_stdio *io,
				runtime_done *done, void *arg)
{
	(void)bundle;
	(void)cgroup;
	(void)images;
	(void)io;
	return op_refused(h, "restore", id, done, arg);
}
