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
 * (ARCHITECTURE G9 to G14, G56) */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/bundle.h"
#include "procs/cgroup.h"
#include "procs/pidstat.h"
#include "procs/shim/op.h"
#include "reactor/fault.h"
#include "reactor/json.h"
#include "reactor/log.h"
#include "reactor/own.h"
#include "reactor/protobuf.h"

enum {
	CREATE_TIMEOUT_MS = 120000, START_TIMEOUT_MS = 60000, CONNECT_TIMEOUT_MS = 10000, KILL_TIMEOUT_MS = 10000,
	UPDATE_TIMEOUT_MS = 10000, SPEC_MAX = 1 << 20, SILENT_MS = 5000,
	BOOT_LOOK_MS = 20, OPEN_LOOK_MS = 1, OPEN_MAX_NS = 1000000000,
};

static struct link runs = { &runs, &runs }; /* of struct shim_op.link: in GATE or BOOT */

/* ---- stdio ---- */

/* The FIFOs that the caller has opened are told by their names; the copies keep them open until the shim has them. */
static void give_stdio(struct shim_op *op, const struct runtime_stdio *io)
{
	const int from[3] = { io->in, io->out, io->err };
	char proc[40], path[1024];
	struct stat st;

	op->terminal = io->terminal;
	for (size_t i = 0; i < 3; i++) {
		ssize_t n;

		op->stdio[i] = "";
		if (from[i] < 0)
			continue;
		snprintf(proc, sizeof(proc), "/proc/self/fd/%d", from[i]);
		n = readlink(proc, path, sizeof(path));
		if (n <= 0 || n == sizeof(path) || path[0] != '/' || fstat(from[i], &st) < 0 ||
		    !S_ISFIFO(st.st_mode)) {
			err_set(&op->err, ERR_INTERNAL, "stdio of a task is no FIFO with a name");
			return;
		}
		op->stdio[i] = arena_strndup(op->arena, path, (size_t)n);
		op->fds[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 3);
		if (op->fds[i] < 0) {
			err_os(&op->err, ERR_RESOURCE_EXHAUSTED, "duplicate a file descriptor");
			return;
		}
	}
	op->writer = *op->stdio[0] ? open(op->stdio[0], O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW) : -1;
	if (op->writer < 0 && *op->stdio[0])
		err_os(&op->err, ERR_RESOURCE_EXHAUSTED, "open %s", op->stdio[0]);
}

static void put_stdio(struct shim_op *op, uint32_t first)
{
	pb_put_u64(&op->out, first, op->terminal);
	for (uint32_t i = 0; i < (op->terminal ? 2 : 3); i++)
		pb_put_str(&op->out, first + 1 + i, op->stdio[i]);
}

static void on_open_look(struct timer *timer);

/* A write end says POLLERR while its pipe has no reader. */
static void open_look(struct shim_op *op)
{
	struct pollfd end = { .fd = op->writer };

	if (op->writer < 0 || poll(&end, 1, 0) == 0)
		return shim_op_end(op);
	if (loop_mono_ns() - op->open_ns > OPEN_MAX_NS) {
		log_warn("shim_stdin id=%.12s error=\"the shim has not opened it\"", op->id);
		return shim_op_end(op);
	}
	timer_set(&op->timer, OPEN_LOOK_MS, on_open_look);
}

static void on_open_look(struct timer *timer)
{
	open_look(container_of(timer, struct shim_op, timer));
}

/* A shim may answer Start before it opens stdin. With our ends closed then, bytes would be lost, and it would wait for
 * a writer without an end. (ARCHITECTURE G56) */
static void op_open(struct shim_op *op)
{
	sm_move(&op->sm, OP_OPEN);
	op->open_ns = loop_mono_ns();
	if (op->fds[0] >= 0)
		close(take_fd(&op->fds[0]));
	open_look(op);
}

/* ---- run ---- */

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
	if (e)
		return on_op_last_answer(op, e, body, len);
	op->result.pid = (pid_t)shim_number(body, len, 1) ?: op->result.pid;
	op_open(op);
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
	shim_op_put_ids(op);
	shim_op_call(op, "Start", START_TIMEOUT_MS, on_run_started);
}

static void run_create(struct shim_op *op)
{
	pb_put_str(&op->out, 1, op->id);
	pb_put_str(&op->out, 2, op->bundle);
	put_stdio(op, 4);
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
	if (shim_is_process(t, pid) && pidstat_read((pid_t)pid, &stat)) {
		t->shim_pid = (int32_t)pid;
		t->shim_start_ticks = stat.start_ticks;
	} else if (pid) {
		log_warn("shim_pid id=%.12s pid=%lld error=\"it is no process of the shim\"", op->id, (long long)pid);
	}
	t->sent = SHIM_SENT_CREATE;
	if (shim_task_save(t, &bad) < 0)
		return shim_op_fail(op, &bad);
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
	give_stdio(op, io);
	return shim_op_start(op);
}

/* A task like others, but the pod's first one: its shim is the pod's. (ARCHITECTURE G60) */
struct runtime_op *shim_run_sandbox(const struct runtime_handler *h, const struct runtime_sandbox *s,
				    runtime_done *done, void *arg)
{
	static const struct runtime_stdio none = { .in = -1, .out = -1, .err = -1 };

	return shim_run(h, s->id, s->bundle, s->cgroup, &none, done, arg);
}

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
		return op_open(op);
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
	put_stdio(op, 3);
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
	give_stdio(op, io);
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
