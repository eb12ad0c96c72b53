/* ops.c - the operations of runtime.h for the kind "native": config.json is compiled into a plan, and crisp-zygote
 * makes the process.
 *
 *   FILTER ---program there---> PROCESS ---it runs---> DONE
 *     |                           |
 *     +---none can be made--------+---failed---> DONE with an error
 *
 * Waits on: crisp-seccomp, for a profile that is used for the first time (FILTER); the keeper (PROCESS); one turn of
 * the loop (DONE from FILTER). A native container has no state of its own beside its cgroup and the keeper's record:
 * nothing of it is known to this kind when no process of it is kept. So a start that was cut off can be made again:
 * what may be left of it dies with its cgroup. (ARCHITECTURE N4) */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "procs/bundle.h"
#include "procs/cgroup.h"
#include "procs/native.h"
#include "procs/native/native.h"
#include "procs/process.h"
#include "procs/runtime_kind.h"
#include "procs/seccomp_bpf.h"
#include "reactor/child.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/metric.h"
#include "reactor/own.h"
#include "reactor/sm.h"
#include "reactor/work.h"

enum { RUN_TIMEOUT_MS = 120000, EXEC_TIMEOUT_MS = 60000, UPDATE_TIMEOUT_MS = 30000 };
enum { PROCESS_MAX = 4 << 20, READ_BYTES = 16384 };

enum op_state { FILTER, PROCESS, DONE };
static const struct sm_state op_states[] = {
	[FILTER]  = { "FILTER",  TO(PROCESS) | TO(DONE) },
	[PROCESS] = { "PROCESS", TO(DONE) },
	[DONE]    = { "DONE",    0 },
};

struct native_op {
	struct runtime_op op;
	struct sm sm;
	struct arena *arena;
	const char *handler, *bundle, *cgroup;
	json_t *config;    /* owned; NULL: not needed, since the container's plan is kept */
	json_t *words;     /* owned; of an exec: its own members of `process`; else NULL */
	pid_t first;       /* of an exec: the container's first process */
	struct process_spec spec; /* its fds are owned */
	struct seccomp_wait filter;
	struct process *process;
	struct timer timer; /* the timeout; of DONE: the next turn */
	int64_t since_ns;
	struct work work;
	struct err err;
	runtime_done *done;
	void *arg;
};

static struct arena *names;
static const char *zygote; /* NULL: there is none */
static bool asked;         /* the keeper knows of the zygote */

void native_open(struct arena *arena, const char *path)
{
	names = arena;
	zygote = path;
	asked = false;
}

static const struct runtime_handler *native_make(const struct runtime_handler *h, struct err *e)
{
	struct runtime_handler *made = arena_zalloc(names, sizeof(*made));

	if (!zygote) {
		err_set(e, ERR_INVALID_ARGUMENT, "runtime handler %s: there is no crisp-zygote", h->name);
		return NULL;
	}
	made->name = arena_strdup(names, h->name);
	made->type = arena_strdup(names, h->type);
	made->path = "";
	made->fallback = arena_strdup(names, h->fallback);
	fields_copy(runtime_options_fields, &made->options, &h->options, names);
	if (!asked)
		process_zygote(zygote);
	asked = true;
	return made;
}

/* ---- the end ---- */

static void op_free(struct native_op *op)
{
	const int fds[] = { op->spec.plan,    op->spec.words, op->spec.group, op->spec.pidfd,
			    op->spec.console, op->spec.in,    op->spec.out,   op->spec.err };

	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	timer_clear(&op->timer);
	work_end(&op->work);
	json_decref(op->config);
	json_decref(op->words);
	arena_free(op->arena);
}

static void op_report(struct native_op *op, bool failed, pid_t pid, int *pidfd)
{
	struct child_result r = { .status = failed ? -1 : 0, .pid = pid, .pidfd = *pidfd, .out = "", .err = "" };
	runtime_done *done = op->done;
	void *arg = op->arg;
	struct err e = op->err;

	sm_move(&op->sm, DONE);
	op->work.fault = failed ? e.msg : NULL;
	op_free(op);
	done(arg, failed ? &e : NULL, &r);
	*pidfd = r.pidfd; /* -1: taken */
}

static void on_op_failed(struct timer *t)
{
	int none = -1;

	op_report(container_of(t, struct native_op, timer), true, -1, &none);
}

static void op_fail(struct native_op *op)
{
	timer_set(&op->timer, 0, on_op_failed);
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* In the words of runc, which users know. */
static void op_wrap(struct native_op *op)
{
	const char *verb = op->sm.what;
	bool run = strcmp(verb, "run") == 0;

	if (run && begins(op->err.msg, PROCESS_SILENT_WORDS) && cgroup_oom_kills(op->cgroup) > 0)
		err_set(&op->err, ERR_INTERNAL, "container init was OOM-killed (memory limit too low?)");
	else if (run && op->err.code == ERR_INTERNAL && !begins(op->err.msg, PLAN_GROUP_WORDS))
		err_wrap(&op->err, "error during container init");
	if (op->err.code == ERR_INTERNAL && strcmp(verb, "update") != 0)
		err_wrap(&op->err, run ? "unable to start container process"
				       : "exec failed: unable to start container process");
	err_wrap(&op->err, "%s %s", op->handler, verb);
}

static void on_op_process(void *arg, const struct err *e, pid_t pid, int *pidfd)
{
	struct native_op *op = arg;

	op->process = NULL;
	metric_stage(arena_printf(op->arena, "runtime_%s", op->sm.what), &op->since_ns);
	if (e) {
		op->err = *e;
		op_wrap(op);
	}
	op_report(op, e != NULL, pid, pidfd);
}

/* A source on a file system that does not answer holds its own process only. */
static void on_op_late(struct timer *t)
{
	struct native_op *op = container_of(t, struct native_op, timer);
	int none = -1;

	process_cancel(take_ptr(&op->process));
	err_set(&op->err, ERR_DEADLINE_EXCEEDED, "%s %s: the process did not run its program in time", op->handler,
		op->sm.what);
	op_report(op, true, -1, &none);
}

static void native_cancel(struct runtime_op *cancelled)
{
	struct native_op *op = container_of(cancelled, struct native_op, op);

	if (list_linked(&op->filter.link))
		list_drop(&op->filter.link);
	if (op->process)
		process_cancel(op->process);
	op->work.fault = "given up";
	op_free(op);
}

/* ---- the way in ---- */

static int64_t op_timeout_ms(const struct native_op *op)
{
	return strcmp(op->sm.what, "run") == 0 ? RUN_TIMEOUT_MS
	       : strcmp(op->sm.what, "exec") == 0 ? EXEC_TIMEOUT_MS : UPDATE_TIMEOUT_MS;
}

static void op_launch(struct native_op *op)
{
	sm_move(&op->sm, PROCESS);
	timer_set(&op->timer, op_timeout_ms(op), on_op_late);
	op->work = (struct work){ .kind = "native", .stage = arena_printf(op->arena, "runtime_%s", op->sm.what),
				  .about = arena_printf(op->arena, " container=%.12s", op->sm.id), .program = zygote };
	work_begin(&op->work);
	op->process = process_start(&op->spec, on_op_process, op);
}

static const json_t *op_linux(const struct native_op *op)
{
	return json_object_get(op->config, "linux");
}

/* v1's groups are joined by the process itself. */
static void op_join(struct native_op *op, struct making *m)
{
	const char *const *tasks = cgroup_tasks(op->arena, op->cgroup);
	uint32_t *at;
	size_t n = 0;

	while (tasks && tasks[n])
		n++;
	at = arena_zalloc(op->arena, (n + 1) * sizeof(*at));
	for (size_t i = 0; i < n; i++)
		at[i] = making_text(m, tasks[i]);
	m->head.joins = making_list(m, at, n, sizeof(*at));
}

/* The group of v2, in which the process is born. */
static int op_group(struct native_op *op, struct err *e)
{
	if (cgroup_tasks(op->arena, op->cgroup))
		return 0;
	op->spec.group = op->words ? cgroup_dirfd_beside(op->cgroup, op->first, e) : cgroup_dirfd(op->cgroup, e);
	return op->spec.group < 0 ? -1 : 0;
}

static int op_fill(struct native_op *op, struct making *m, const char *base64, struct err *e)
{
	const json_t *linux_ = op_linux(op), *filter = json_object_get(linux_, "seccomp");

	if (plan_process(m, json_object_get(op->config, "process"), op->sm.id, e) < 0 ||
	    (filter && plan_filter(m, filter, base64, e) < 0))
		return -1;
	op_join(op, m);
	if (op->words)
		return 0;
	m->head.rootfs = making_text(m, arena_printf(op->arena, "%s/rootfs", op->bundle));
	plan_namespaces(m, linux_);
	plan_run_limits(m, json_object_get(linux_, "resources"));
	return plan_mounts(m, op->config, e) < 0 ? -1 : plan_devices(m, linux_, e);
}

static int op_compile(struct native_op *op, const char *base64, struct err *e)
{
	struct making m;

	making_begin(&m, op->words ? PLAN_EXEC : PLAN_RUN, op->arena, op->cgroup);
	if (op_fill(op, &m, base64, e) == 0)
		op->spec.plan = making_end(&m, e);
	if (op->spec.plan >= 0)
		plan_keep(&m, op->bundle);
	op->spec.new_pid = m.head.flags & PLAN_NEW_PID;
	making_free(&m);
	return op->spec.plan < 0 ? -1 : 0;
}

static int op_compile_words(struct native_op *op, struct err *e)
{
	struct making m;

	making_begin(&m, PLAN_WORDS, op->arena, op->cgroup);
	plan_words(&m, op->words);
	op->spec.words = making_end(&m, e);
	making_free(&m);
	return op->spec.words < 0 ? -1 : 0;
}

static void on_op_filter(struct seccomp_wait *w);

static void op_step(struct native_op *op)
{
	const json_t *filter = json_object_get(op_linux(op), "seccomp");
	const char *base64 = filter ? seccomp_bpf_base64(filter) : "";

	if (!base64 && seccomp_bpf_wait(filter, &op->filter, on_op_filter))
		return;
	if (!base64)
		seccomp_bpf_why(filter, &op->err);
	else if ((op->spec.plan >= 0 || op_compile(op, base64, &op->err) == 0) && op_group(op, &op->err) == 0 &&
		 (!op->words || op_compile_words(op, &op->err) == 0))
		return op_launch(op);
	op_wrap(op);
	op_fail(op);
}

static void on_op_filter(struct seccomp_wait *w)
{
	op_step(container_of(w, struct native_op, filter));
}

static struct native_op *op_new(const struct runtime_handler *h, const char *verb, const char *id, const char *cgroup,
				runtime_done *done, void *arg)
{
	struct arena *a = arena_new();
	struct native_op *op = arena_zalloc(a, sizeof(*op));

	op->op.kind = &native_kind;
	op->arena = a;
	op->sm = (struct sm){ op_states, verb, arena_strdup(a, id), FILTER };
	op->handler = h->name;
	op->cgroup = arena_strdup(a, cgroup);
	op->spec = (struct process_spec){ NULL, -1, -1, -1, -1, -1, -1, -1, -1, false };
	op->since_ns = loop_mono_ns();
	op->done = done;
	op->arg = arg;
	return op;
}

static int op_copy(int fd, int *out, struct err *e)
{
	if (fd < 0)
		return 0;
	*out = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return *out < 0 ? err_os(e, ERR_RESOURCE_EXHAUSTED, "duplicate a file descriptor") : 0;
}

/* The other end is this daemon's own listener (console.h), so the connection stands at once. */
static int op_console(struct native_op *op, const char *path, struct err *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(sa.sun_path))
		return err_set(e, ERR_INTERNAL, "console socket %s: its name is too long", path);
	memcpy(sa.sun_path, path, strlen(path) + 1);
	op->spec.console = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (op->spec.console < 0 || connect(op->spec.console, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return err_os(e, ERR_INTERNAL, "connect to %s", path);
	return 0;
}

static int op_stdio(struct native_op *op, const struct runtime_stdio *io, struct err *e)
{
	if (io->console_socket)
		return op_console(op, io->console_socket, e);
	return op_copy(io->in, &op->spec.in, e) < 0 || op_copy(io->out, &op->spec.out, e) < 0
		       ? -1 : op_copy(io->err, &op->spec.err, e);
}

static struct runtime_op *op_begin(struct native_op *op, bool ready)
{
	if (ready) {
		op_step(op);
	} else {
		err_wrap(&op->err, "%s %s", op->handler, op->sm.what);
		op_fail(op);
	}
	return &op->op;
}

/* ---- the verbs ---- */

/* A process that joins a frozen group stands still, and a start would wait for its deadline. In runc's words. */
static bool op_frozen(const struct native_op *op)
{
	char text[256];

	if (cgroup_is_v2())
		return cgroup_text("freezer", op->cgroup, "cgroup.events", text, sizeof(text)) &&
		       strstr(text, "frozen 1");
	return cgroup_text("freezer", op->cgroup, "freezer.state", text, sizeof(text)) &&
	       strncmp(text, "THAWED", 6) != 0;
}

static int run_prepare(struct native_op *op, const struct runtime_stdio *io, struct err *e)
{
	op->config = bundle_read_config(op->bundle, e);
	if (!op->config) {
		e->code = ERR_INTERNAL;
		return -1;
	}
	if (op_stdio(op, io, e) < 0 || cgroup_make_leaf(op->cgroup, e) < 0)
		return -1;
	return op_frozen(op) ? err_set(e, ERR_INTERNAL, "container's cgroup unexpectedly frozen") : 0;
}

static struct runtime_op *native_run(const struct runtime_handler *h, const char *id, const char *bundle,
				     const char *cgroup, const struct runtime_stdio *io, runtime_done *done, void *arg)
{
	struct native_op *op = op_new(h, "run", id, cgroup, done, arg);

	op->bundle = arena_strdup(op->arena, bundle);
	op->spec.keep_id = op->sm.id;
	return op_begin(op, run_prepare(op, io, &op->err) == 0);
}

static json_t *read_process(const char *path, struct err *e)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct buf b = { 0 };
	json_t *process = NULL;
	ssize_t n = -1;

	while (fd >= 0 && b.len < PROCESS_MAX && (n = buf_read(&b, fd, READ_BYTES)) > 0)
		;
	if (n < 0)
		err_os(e, ERR_INTERNAL, "read %s", path);
	else
		process = json_parse_own((const char *)b.at, b.len, "process", e);
	buf_free(&b);
	return process;
}

static int exec_prepare(struct native_op *op, const struct runtime_exec *x, const struct runtime_stdio *io,
			struct err *e)
{
	if (x->pidfd < 0)
		return err_set(e, ERR_INTERNAL, "the container's first process has ended");
	if (op_frozen(op))
		return err_set(e, ERR_INTERNAL, "cannot exec in a paused container");
	op->spec.plan = plan_kept(op->bundle, op->arena);
	op->config = op->spec.plan >= 0 ? NULL : bundle_read_config(op->bundle, e);
	op->words = op->spec.plan >= 0 || op->config ? read_process(x->process_path, e) : NULL;
	if (!op->words) {
		e->code = ERR_INTERNAL;
		return -1;
	}
	return op_copy(x->pidfd, &op->spec.pidfd, e) < 0 ? -1 : op_stdio(op, io, e);
}

static struct runtime_op *native_exec(const struct runtime_handler *h, const struct runtime_exec *x,
				      const struct runtime_stdio *io, runtime_done *done, void *arg)
{
	struct native_op *op = op_new(h, "exec", x->id, x->cgroup, done, arg);

	op->bundle = arena_strdup(op->arena, x->bundle);
	op->spec.keep_id = arena_strdup(op->arena, x->keep_id);
	op->first = x->pid;
	return op_begin(op, exec_prepare(op, x, io, &op->err) == 0);
}

/* A child writes: lowering a memory limit may wait for pages to be written out. */
static struct runtime_op *native_update(const struct runtime_handler *h, const char *id, const char *cgroup,
					const char *resources_json, runtime_done *done, void *arg)
{
	struct native_op *op = op_new(h, "update", id, cgroup, done, arg);
	auto_json json_t *resources = json_parse_own(resources_json, strlen(resources_json), "resources", &op->err);
	struct making m;

	if (resources) {
		making_begin(&m, PLAN_WRITE, op->arena, op->cgroup);
		plan_limits(&m, resources);
		op->spec.plan = making_end(&m, &op->err);
		making_free(&m);
	}
	if (op->spec.plan >= 0)
		op_launch(op);
	else
		op_fail(op);
	return &op->op;
}

static void on_op_deleted(struct timer *t)
{
	int none = -1;

	op_report(container_of(t, struct native_op, timer), false, -1, &none);
}

/* The callers kill what is left in the cgroup, and remove it. */
static struct runtime_op *native_delete(const struct runtime_handler *h, const char *id, bool force,
					runtime_done *done, void *arg)
{
	struct native_op *op = op_new(h, "delete", id, "", done, arg);

	(void)force;
	timer_set(&op->timer, 0, on_op_deleted);
	return &op->op;
}

static struct runtime_op *native_cannot(const struct runtime_handler *h, const char *verb, const char *id,
					runtime_done *done, void *arg)
{
	struct native_op *op = op_new(h, verb, id, "", done, arg);

	err_set(&op->err, ERR_FAILED_PRECONDITION,
		"runtime handler %s started it natively, and a checkpoint needs the state of a runtime that works with "
		"CRIU: run the pod with a handler of type oci, such as runc", h->name);
	op_fail(op);
	return &op->op;
}

static struct runtime_op *native_pause(const struct runtime_handler *h, const char *id, runtime_done *done, void *arg)
{
	return native_cannot(h, "pause", id, done, arg);
}

static struct runtime_op *native_resume(const struct runtime_handler *h, const char *id, runtime_done *done, void *arg)
{
	return native_cannot(h, "resume", id, done, arg);
}

static struct runtime_op *native_checkpoint(const struct runtime_handler *h, const char *id,
					    const struct runtime_images *images, runtime_done *done, void *arg)
{
	(void)images;
	return native_cannot(h, "checkpoint", id, done, arg);
}

static struct runtime_op *native_restore(const struct runtime_handler *h, const char *id, const char *bundle,
					 const char *cgroup, const struct runtime_images *images,
					 const struct runtime_stdio *io, runtime_done *done, void *arg)
{
	(void)bundle;
	(void)cgroup;
	(void)images;
	(void)io;
	return native_cannot(h, "restore", id, done, arg);
}

/* ---- what it can ---- */

/* A keeper that is away is a condition of Status of its own. */
static int native_usable(const struct runtime_handler *h, struct err *e)
{
	if (access(zygote, X_OK) < 0)
		return err_os(e, ERR_FAILED_PRECONDITION, "runtime handler %s: %s", h->name, zygote);
	return 0;
}

static bool native_knows(const struct runtime_handler *h, const char *id)
{
	(void)h;
	(void)id;
	return false;
}

/* *out has what the fallback can. A container may go either way, so both must be able to do it; and in a user namespace
 * it goes by the fallback. */
static void native_features(const struct runtime_handler *h, struct runtime_features *out)
{
	if (!*h->fallback)
		out->recursive_read_only = true;
	out->seccomp_bpf = false;
}

static unsigned native_traits(const struct runtime_handler *h)
{
	(void)h;
	return RUNTIME_KEEPS;
}

/* The profile is compiled before the container is started. */
static const char *native_refuses_now(const json_t *config, struct arena *arena, const char **what)
{
	const char *reason = native_refuses(config, arena, what);
	const json_t *filter = json_object_get(json_object_get(config, "linux"), "seccomp");

	if (!reason && filter)
		seccomp_bpf_base64(filter);
	return reason;
}

const struct runtime_kind native_kind = {
	.type = "native", .make = native_make, .usable = native_usable, .knows = native_knows,
	.features = native_features, .refuses = native_refuses_now, .run = native_run, .exec = native_exec,
	.remove = native_delete, .update = native_update, .pause = native_pause, .resume = native_resume,
	.checkpoint = native_checkpoint, .restore = native_restore, .cancel = native_cancel, .traits = native_traits,
};
