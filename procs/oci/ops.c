/* ops.c - the operations of runtime.h: each spawns the program once, and reports the program's own words on failure.
 *
 *   PROBE ---program known---> QUEUED ---a slot is free---> RUNNING ---exit---> DONE
 *     |                                                        |
 *     +---------------unusable, no keeper, hangs, fails--------+---> DONE with an error
 *
 * Waits on: the program's probe (PROBE), other operations (QUEUED), the child (RUNNING), one turn of the loop (DONE
 * from PROBE). */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "procs/cgroup.h"
#include "procs/oci/op.h"
#include "reactor/arena.h"
#include "reactor/fault.h"
#include "reactor/json.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/metric.h"
#include "reactor/own.h"
#include "reactor/sm.h"

/* A start is mostly CPU (16-30 ms): with more of them at once, all together end no earlier, and each one ends later.
 * (ARCHITECTURE P4) */
enum { SLOTS_PER_CPU = 2 };
/* A runtime that takes longer waits for something else than a CPU, such as a file system that does not answer. It gives
 * its slot back, or a few of them would hold every start until their timeouts. (ARCHITECTURE P41) */
enum { SLOT_MS = 1000 };
enum {
	RUN_TIMEOUT_MS = 120000, EXEC_TIMEOUT_MS = 60000, DELETE_TIMEOUT_MS = 60000, UPDATE_TIMEOUT_MS = 30000,
	PAUSE_TIMEOUT_MS = 30000, TRY_TIMEOUT_MS = 20000,
};
enum { WORDS_MAX = 500 };

enum op_state { PROBE, QUEUED, RUNNING, DONE };
static const struct sm_state op_states[] = {
	[PROBE]   = { "PROBE",   TO(QUEUED) | TO(DONE) },
	[QUEUED]  = { "QUEUED",  TO(RUNNING) },
	[RUNNING] = { "RUNNING", TO(DONE) },
	[DONE]    = { "DONE",    0 },
};

static struct link queued = { &queued, &queued }; /* of struct oci_op.link */
static size_t busy;
static uint64_t serial;

static void fill_slots(void);

static size_t slots(void)
{
	static long cpus;

	if (!cpus)
		cpus = sysconf(_SC_NPROCESSORS_ONLN);
	return (cpus > 0 ? (size_t)cpus : 1) * SLOTS_PER_CPU;
}

void oci_arg(struct oci_op *op, const char *arg)
{
	assert(op->argc + 1 < ARGS_MAX);
	op->argv[op->argc++] = arena_strdup(op->arena, arg);
}

/* scope: the runtime makes the container's group through systemd. Only a verb that makes a group needs the option; the
 * runtime remembers it in its state for the other verbs. */
struct oci_op *oci_op_of_group(const struct runtime_handler *h, const char *verb, const char *id, bool scope,
			       runtime_done *done, void *arg)
{
	const struct strings *args = &program_of(h)->handler.options.args;
	struct arena *a = arena_new();
	struct oci_op *op = arena_zalloc(a, sizeof(*op));

	op->op.kind = &oci_kind;
	op->arena = a;
	op->sm = (struct sm){ op_states, verb, arena_strdup(a, id), PROBE };
	op->program = program_of(h);
	op->done = done;
	op->arg = arg;
	op->log = arena_printf(a, "%s/%s-%llu", program_log_dir(), verb, (unsigned long long)++serial);
	oci_arg(op, h->path);
	oci_arg(op, "--root");
	oci_arg(op, op->program->root);
	oci_arg(op, "--log");
	oci_arg(op, op->log);
	oci_arg(op, "--log-format");
	oci_arg(op, "json");
	if (scope)
		oci_arg(op, "--systemd-cgroup");
	for (size_t i = 0; i < args->n && i < RUNTIME_ARGS_MAX; i++)
		oci_arg(op, args->at[i]);
	oci_arg(op, verb);
	return op;
}

struct oci_op *oci_op(const struct runtime_handler *h, const char *verb, const char *id, runtime_done *done, void *arg)
{
	return oci_op_of_group(h, verb, id, false, done, arg);
}

static void op_free(struct oci_op *op)
{
	work_end(&op->queue);
	timer_clear(&op->timer);
	for (size_t i = 0; i < op->spec.nfds; i++)
		close(op->fds[i].ours);
	EFFECT(unlink(op->log));
	arena_free(op->arena);
}

static void give_fd(struct oci_op *op, int fd, int theirs)
{
	int copy;

	if (fd < 0)
		return;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (copy < 0)
		err_os(&op->err, ERR_RESOURCE_EXHAUSTED, "duplicate a file descriptor");
	else
		op->fds[op->spec.nfds++] = (struct child_fd){ copy, theirs };
}

static void give_stdio(struct oci_op *op, const struct runtime_stdio *io)
{
	give_fd(op, io->in, 0);
	give_fd(op, io->out, 1);
	give_fd(op, io->err, 2);
	if (io->console_socket) {
		oci_arg(op, "--console-socket");
		oci_arg(op, io->console_socket);
	}
}

/* ---- the program's words ---- */

static const char *one_line(struct arena *a, const char *words)
{
	char *s = arena_strndup(a, words, strnlen(words, WORDS_MAX));

	for (char *at = s; *at; at++)
		if (iscntrl((unsigned char)*at))
			*at = ' ';
	for (size_t n = strlen(s); n && s[n - 1] == ' '; n--)
		s[n - 1] = '\0';
	return s;
}

/* runc and crun write {"level", "msg", "time"}. */
const char *oci_log_words(struct arena *a, const char *text, size_t len)
{
	const char *words = "";

	while (len) {
		const char *nl = memchr(text, '\n', len);
		size_t n = nl ? (size_t)(nl - text) : len;
		struct err e;
		auto_json json_t *j = n ? json_parse(text, n, "log", &e) : NULL;
		const char *level = json_string_value(json_object_get(j, "level")),
			   *msg = json_string_value(json_object_get(j, "msg"));

		if (level && msg &&
		    (strcmp(level, "error") == 0 || strcmp(level, "fatal") == 0 || strcmp(level, "panic") == 0))
			words = one_line(a, msg);
		text += n + (nl != NULL);
		len -= n + (nl != NULL);
	}
	return words;
}

static const char *log_words(struct oci_op *op)
{
	auto_fd int fd = open(op->log, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char *text = arena_zalloc(op->arena, LOG_TAIL);
	off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	ssize_t n;

	if (size <= 0)
		return "";
	n = pread(fd, text, LOG_TAIL, size > LOG_TAIL ? size - LOG_TAIL : 0);
	return n > 0 ? oci_log_words(op->arena, text, (size_t)n) : "";
}

/* For a program that logged nothing: the last line of its stderr that is not empty. */
static const char *stderr_words(struct oci_op *op, const struct child_result *r)
{
	const char *end = r->err + r->err_len, *at;

	while (end > r->err && isspace((unsigned char)end[-1]))
		end--;
	for (at = end; at > r->err && at[-1] != '\n'; at--)
		;
	return one_line(op->arena, arena_strndup(op->arena, at, (size_t)(end - at)));
}

static void op_explain(struct oci_op *op, const struct child_result *r)
{
	const char *words = log_words(op);

	if (!*words && r->err_len)
		words = stderr_words(op, r);
	/* It was told fds of the keeper by their paths, which are gone: that says nothing about the container. */
	err_set(&op->err, r->keeper_died ? ERR_UNAVAILABLE : ERR_INTERNAL, "%s %s: %s%s", op->program->handler.name,
		op->sm.what, r->keeper_died ? "the keeper died while it ran: " : "",
		*words ? words : child_status_text(r->status));
}

/* ---- from the queue to the end ---- */

static void op_report(struct oci_op *op, bool failed, struct child_result *r)
{
	runtime_done *done = op->done;
	void *arg = op->arg;
	struct err e = op->err;

	done(arg, failed ? &e : NULL, r);
	op_free(op);
}

static void on_op_child(void *arg, const struct err *e, struct child_result *r)
{
	struct oci_op *op = arg;

	op->child = NULL;
	timer_clear(&op->timer);
	busy -= !op->unqueued;
	if (op->spec.timeout_ms) /* else it lasts as long as the container */
		metric_stage(arena_printf(op->arena, "runtime_%s", op->sm.what), &op->since_ns);
	sm_move(&op->sm, DONE);
	if (e) {
		op->err = *e;
		err_wrap(&op->err, "%s %s", op->program->handler.name, op->sm.what);
	} else if (r->status != 0) {
		op_explain(op, r);
	} else if (op->answer) {
		op->answer(op, r);
	}
	fill_slots();
	op_report(op, op->err.code != ERR_OK, r);
}

static void on_op_slow(struct timer *t)
{
	struct oci_op *op = container_of(t, struct oci_op, timer);

	op->unqueued = true;
	busy--;
	log_info("runtime_slow verb=%s id=%.12s effect=\"it holds no slot any more\"", op->sm.what, op->sm.id);
	fill_slots();
}

static void op_launch(struct oci_op *op)
{
	if (list_linked(&op->link))
		list_drop(&op->link);
	sm_move(&op->sm, RUNNING);
	metric_stage("runtime_queue", &op->since_ns);
	busy += !op->unqueued;
	if (!op->unqueued)
		timer_set(&op->timer, SLOT_MS, on_op_slow);
	op->argv[op->argc] = NULL;
	op->spec.argv = op->argv;
	op->spec.fds = op->fds;
	if (op->program->is_crun)
		op->spec.hide_path = cgroup_hybrid();
	if (op->spec.timeout_ms) { /* else it lasts as long as the container */
		op->spec.stage = arena_printf(op->arena, "runtime_%s", op->sm.what);
		op->spec.about = arena_printf(op->arena, " container=%.12s", op->sm.id);
	}
	work_end(&op->queue);
	op->child = child_start(&op->spec, on_op_child, op);
}

static void fill_slots(void)
{
	struct link *next;

	while (busy < slots() && (next = list_first(&queued)))
		op_launch(container_of(next, struct oci_op, link));
}

/* In the PATH with which add_images() starts the program. */
static bool has_criu(void)
{
	static const char *const dirs[] = { "/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
					    "/usr/bin",        "/sbin",          "/bin" };
	char path[64];

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		snprintf(path, sizeof(path), "%s/criu", dirs[i]);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

static void on_op_failed_early(struct timer *t);

static bool can_checkpoint(struct oci_op *op)
{
	if (!op->program->features.checkpoint)
		err_set(&op->err, ERR_FAILED_PRECONDITION,
			"runtime handler %s: %s was built without CRIU: use a runtime that has it, such as runc",
			op->program->handler.name, op->program->handler.path);
	else if (!has_criu())
		err_set(&op->err, ERR_FAILED_PRECONDITION,
			"runtime handler %s: checkpoints need the program criu: install the package criu",
			op->program->handler.name);
	else
		return true;
	return false;
}

static void op_enqueue(struct oci_op *op)
{
	if (op->needs_criu && !can_checkpoint(op)) {
		timer_set(&op->timer, 0, on_op_failed_early);
		return;
	}
	sm_move(&op->sm, QUEUED);
	op->since_ns = loop_mono_ns();
	if (op->unqueued)
		return op_launch(op);
	op->queue = (struct work){ .kind = "queue", .stage = "runtime_queue",
				   .about = arena_printf(op->arena, " container=%.12s", op->sm.id) };
	work_begin(&op->queue);
	list_append(&queued, &op->link);
	fill_slots();
}

static void on_op_failed_early(struct timer *t)
{
	struct oci_op *op = container_of(t, struct oci_op, timer);
	struct child_result none = { .status = -1, .pidfd = -1, .out = "", .err = "" };

	sm_move(&op->sm, DONE);
	op_report(op, true, &none);
}

static void on_op_probed(struct program_wait *w, const struct err *e)
{
	struct oci_op *op = container_of(w, struct oci_op, probe);

	if (!e)
		return op_enqueue(op);
	op->err = *e;
	timer_set(&op->timer, 0, on_op_failed_early);
}

struct runtime_op *oci_start(struct oci_op *op)
{
	if (op->err.code != ERR_OK || program_usable(op->program, &op->err) < 0)
		timer_set(&op->timer, 0, on_op_failed_early);
	else if (program_probed(op->program))
		op_enqueue(op);
	else
		program_probe(op->program, &op->probe, on_op_probed);
	return &op->op;
}

void oci_cancel(struct runtime_op *cancelled)
{
	struct oci_op *op = container_of(cancelled, struct oci_op, op);

	if (list_linked(&op->probe.link))
		list_drop(&op->probe.link);
	if (list_linked(&op->link))
		list_drop(&op->link);
	if (op->child) {
		child_cancel(op->child);
		busy -= !op->unqueued;
		fill_slots();
	}
	op_free(op);
}

/* ---- the verbs ---- */

static void keep_by_pidfile(struct oci_op *op, const char *bundle)
{
	const char *pidfile = arena_printf(op->arena, "%s/pid", bundle);

	oci_arg(op, "--detach");
	oci_arg(op, "--pid-file");
	oci_arg(op, pidfile);
	oci_arg(op, "--bundle");
	oci_arg(op, bundle);
	op->spec.keep_id = op->sm.id;
	op->spec.pidfile = pidfile;
	op->spec.timeout_ms = op->program->handler.options.create_timeout_ms ?: RUN_TIMEOUT_MS;
}

static struct runtime_op *oci_run(const struct runtime_handler *h, const char *id, const char *bundle,
				  const char *cgroup, const struct runtime_stdio *io, runtime_done *done, void *arg)
{
	struct oci_op *op = oci_op_of_group(h, "run", id, cgroup_is_scope(cgroup), done, arg);

	keep_by_pidfile(op, bundle);
	if (program_of(h)->handler.options.sandbox_container)
		oci_keep_nothing(op);
	give_stdio(op, io);
	oci_arg(op, id);
	return oci_start(op);
}

struct runtime_op *oci_try(const struct runtime_handler *h, const char *id, const char *bundle, const char *cgroup,
			   runtime_done *done, void *arg)
{
	struct oci_op *op = oci_op_of_group(h, "run", id, cgroup_is_scope(cgroup), done, arg);

	oci_arg(op, "--bundle");
	oci_arg(op, bundle);
	oci_arg(op, id);
	/* Not /dev/null: crun 1.8.1 makes the root of the container's user namespace the owner of its stdio.
	 * (ARCHITECTURE X24) */
	op->spec.stdin_data = "";
	op->spec.stdout_max = 1;
	op->spec.stderr_max = LOG_TAIL;
	op->spec.timeout_ms = TRY_TIMEOUT_MS;
	return oci_start(op);
}

static struct runtime_op *oci_exec(const struct runtime_handler *h, const struct runtime_exec *x,
				   const struct runtime_stdio *io, runtime_done *done, void *arg)
{
	struct oci_op *op = oci_op(h, "exec", x->id, done, arg);

	oci_arg(op, "--detach");
	oci_arg(op, "--process");
	oci_arg(op, x->process_path);
	oci_arg(op, "--pid-file");
	oci_arg(op, x->pidfile);
	if (program_of(h)->handler.options.sandbox_container)
		oci_exec_inside(op, x->pidfile);
	give_stdio(op, io);
	if (io->in < 0)
		op->spec.stdin_data = ""; /* not the node's /dev/null (ARCHITECTURE P120) */
	oci_arg(op, x->id);
	op->spec.keep_id = arena_strdup(op->arena, x->keep_id);
	op->spec.pidfile = arena_strdup(op->arena, x->pidfile);
	op->spec.timeout_ms = EXEC_TIMEOUT_MS;
	if (op->program->is_crun) /* the process inherits it (ARCHITECTURE P123) */
		op->spec.oom_score_adj = x->oom_score_adj;
	return oci_start(op);
}

/* runc and crun make the directory <root>/<id> before anything of the container. */
static bool oci_knows(const struct runtime_handler *h, const char *id)
{
	struct arena *a;
	bool known;

	if (program_of(h)->handler.options.sandbox_container)
		return oci_inside_known(h, id);
	a = arena_new();
	known = access(arena_printf(a, "%s/%s", program_of(h)->root, id), F_OK) == 0 || errno != ENOENT;
	arena_free(a);
	return known;
}

struct runtime_op *oci_delete(const struct runtime_handler *h, const char *id, bool force, runtime_done *done,
				  void *arg)
{
	struct oci_op *op = oci_op(h, "delete", id, done, arg);

	/* Without it the program says of an id that is gone that it failed; it sleeps with neither. */
	if (force || program_of(h)->handler.options.sandbox_container)
		oci_arg(op, "--force");
	oci_arg(op, id);
	op->spec.stderr_max = LOG_TAIL;
	op->spec.timeout_ms = DELETE_TIMEOUT_MS;
	return oci_start(op);
}

static struct runtime_op *oci_update(const struct runtime_handler *h, const char *id, const char *cgroup,
				     const char *resources_json, runtime_done *done, void *arg)
{
	struct oci_op *op = oci_op(h, "update", id, done, arg);

	(void)cgroup; /* the program knows it */
	if (program_of(h)->handler.options.sandbox_container)
		err_set(&op->err, ERR_UNIMPLEMENTED,
			"the containers of handler %s have the limits of their pod's group", h->name);
	oci_arg(op, "--resources");
	oci_arg(op, "-");
	oci_arg(op, id);
	op->spec.stdin_data = arena_strdup(op->arena, resources_json);
	op->spec.stdin_len = strlen(resources_json);
	op->spec.stderr_max = LOG_TAIL;
	op->spec.timeout_ms = UPDATE_TIMEOUT_MS;
	return oci_start(op);
}

static struct oci_op *freezer(const struct runtime_handler *h, const char *verb, const char *id, runtime_done *done,
				  void *arg)
{
	struct oci_op *op = oci_op(h, verb, id, done, arg);

	oci_arg(op, id);
	op->spec.stderr_max = LOG_TAIL;
	op->spec.timeout_ms = PAUSE_TIMEOUT_MS;
	return op;
}

static struct runtime_op *oci_pause(const struct runtime_handler *h, const char *id, runtime_done *done, void *arg)
{
	struct oci_op *op = freezer(h, "pause", id, done, arg);

	op->needs_criu = true;
	return oci_start(op);
}

static struct runtime_op *oci_resume(const struct runtime_handler *h, const char *id, runtime_done *done, void *arg)
{
	return oci_start(freezer(h, "resume", id, done, arg));
}

/* --file-locks: CRIU dumps the locks of the container's files too; without it CRIU refuses a process with a lock. */
static void add_images(struct oci_op *op, const struct runtime_images *images)
{
	const char **env = arena_zalloc(op->arena, 3 * sizeof(*env));

	oci_arg(op, "--file-locks");
	oci_arg(op, "--image-path");
	oci_arg(op, images->dir);
	oci_arg(op, "--work-path");
	oci_arg(op, images->work);
	/* Not the annotation org.criu.config: CRIU 3.17 reads that file twice and inherits one fd two times over.
	 * (ARCHITECTURE X16) */
	env[0] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	env[1] = arena_printf(op->arena, "CRIU_CONFIG_FILE=%s", images->criu_config);
	op->spec.envp = env;
	op->needs_criu = true;
}

static struct runtime_op *oci_checkpoint(const struct runtime_handler *h, const char *id,
				      const struct runtime_images *images, runtime_done *done, void *arg)
{
	struct oci_op *op = oci_op(h, "checkpoint", id, done, arg);

	oci_arg(op, "--leave-running");
	add_images(op, images);
	oci_arg(op, id);
	op->spec.stderr_max = LOG_TAIL;
	op->spec.timeout_ms = images->timeout_ms;
	op->spec.finish = true;
	op->unqueued = true; /* a dump of much memory takes long: starts must not wait behind it */
	return oci_start(op);
}

static struct runtime_op *oci_restore(const struct runtime_handler *h, const char *id, const char *bundle,
				   const char *cgroup, const struct runtime_images *images,
				   const struct runtime_stdio *io, runtime_done *done, void *arg)
{
	struct oci_op *op = oci_op_of_group(h, "restore", id, cgroup_is_scope(cgroup), done, arg);

	keep_by_pidfile(op, bundle);
	add_images(op, images);
	give_stdio(op, io);
	oci_arg(op, id);
	return oci_start(op);
}

const struct runtime_kind oci_kind = {
	.type = "oci", .make = program_new, .usable = program_usable_now, .knows = oci_knows,
	.features = program_features, .warning = program_warning,
	.run = oci_run, .exec = oci_exec, .remove = oci_delete, .update = oci_update,
	.pause = oci_pause, .resume = oci_resume, .checkpoint = oci_checkpoint, .restore = oci_restore,
	.cancel = oci_cancel, .traits = oci_traits, .run_sandbox = oci_run_sandbox, .wait = oci_wait, .kill = oci_kill,
	.exec_kill = oci_exec_kill, .stats = oci_stats, .usage = oci_usage_read, .forward = oci_forward,
};
