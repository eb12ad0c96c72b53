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
#include "procs/oci/program.h"
#include "reactor/arena.h"
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
enum { LOG_TAIL = 16 * 1024, WORDS_MAX = 500, ARGS_MAX = 26 };

enum op_state { PROBE, QUEUED, RUNNING, DONE };
static const struct sm_state op_states[] = {
	[PROBE]   = { "PROBE",   TO(QUEUED) | TO(DONE) },
	[QUEUED]  = { "QUEUED",  TO(RUNNING) },
	[RUNNING] = { "RUNNING", TO(DONE) },
	[DONE]    = { "DONE",    0 },
};

struct runtime_op {
	struct sm sm;
	struct arena *arena;
	struct program *program;
	const char *argv[ARGS_MAX];
	size_t argc;
	const char *log; /* the file that the program logs to */
	struct child_spec spec;
	struct child_fd fds[3]; /* .ours is owned: duplicates of the caller's */
	struct program_wait probe;
	bool needs_criu, unqueued; /* unqueued: holds no slot, or no more */
	struct link link; /* in `queued` */
	struct child *child;
	struct timer timer;
	int64_t since_ns; /* when the present step (queued, then running) began */
	struct err err; /* meaningful when it failed */
	runtime_done *done;
	void *arg;
};

static struct link queued = { &queued, &queued }; /* of struct runtime_op.link */
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

static void arg_add(struct runtime_op *op, const char *arg)
{
	assert(op->argc + 1 < ARGS_MAX);
	op->argv[op->argc++] = arena_strdup(op->arena, arg);
}

/* scope: the runtime makes the container's group through systemd. Only a verb that makes a group needs the option; the
 * runtime remembers it in its state for the other verbs. */
static struct runtime_op *op_of_group(const struct runtime_handler *h, const char *verb, const char *id, bool scope,
				      runtime_done *done, void *arg)
{
	struct arena *a = arena_new();
	struct runtime_op *op = arena_zalloc(a, sizeof(*op));

	op->arena = a;
	op->sm = (struct sm){ op_states, verb, arena_strdup(a, id), PROBE };
	op->program = program_of(h);
	op->done = done;
	op->arg = arg;
	op->log = arena_printf(a, "%s/%s-%llu", program_log_dir(), verb, (unsigned long long)++serial);
	arg_add(op, h->path);
	arg_add(op, "--root");
	arg_add(op, op->program->root);
	arg_add(op, "--log");
	arg_add(op, op->log);
	arg_add(op, "--log-format");
	arg_add(op, "json");
	if (scope)
		arg_add(op, "--systemd-cgroup");
	arg_add(op, verb);
	return op;
}

static struct runtime_op *op_new(const struct runtime_handler *h, const char *verb, const char *id, runtime_done *done,
				 void *arg)
{
	return op_of_group(h, verb, id, false, done, arg);
}

static void op_free(struct runtime_op *op)
{
	timer_clear(&op->timer);
	for (size_t i = 0; i < op->spec.nfds; i++)
		close(op->fds[i].ours);
	unlink(op->log);
	arena_free(op->arena);
}

static void give_fd(struct runtime_op *op, int fd, int theirs)
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

static void give_stdio(struct runtime_op *op, const struct runtime_stdio *io)
{
	give_fd(op, io->in, 0);
	give_fd(op, io->out, 1);
	give_fd(op, io->err, 2);
	if (io->console_socket) {
		arg_add(op, "--console-socket");
		arg_add(op, io->console_socket);
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

static const char *log_words(struct runtime_op *op)
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
static const char *stderr_words(struct runtime_op *op, const struct child_result *r)
{
	const char *end = r->err + r->err_len, *at;

	while (end > r->err && isspace((unsigned char)end[-1]))
		end--;
	for (at = end; at > r->err && at[-1] != '\n'; at--)
		;
	return one_line(op->arena, arena_strndup(op->arena, at, (size_t)(end - at)));
}

static void op_explain(struct runtime_op *op, const struct child_result *r)
{
	const char *words = log_words(op);

	if (!*words && r->err_len)
		words = stderr_words(op, r);
	err_set(&op->err, ERR_INTERNAL, "%s %s: %s", op->program->handler.name, op->sm.what,
		*words ? words : child_status_text(r->status));
}

/* ---- from the queue to the end ---- */

static void op_report(struct runtime_op *op, bool failed, struct child_result *r)
{
	runtime_done *done = op->done;
	void *arg = op->arg;
	struct err e = op->err;

	done(arg, failed ? &e : NULL, r);
	op_free(op);
}

static void on_op_child(void *arg, const struct err *e, struct child_result *r)
{
	struct runtime_op *op = arg;

	op->child = NULL;
	timer_clear(&op->timer);
	busy -= !op->unqueued;
	metric_stage(arena_printf(op->arena, "runtime_%s", op->sm.what), &op->since_ns);
	sm_move(&op->sm, DONE);
	if (e) {
		op->err = *e;
		err_wrap(&op->err, "%s %s", op->program->handler.name, op->sm.what);
	} else if (r->status != 0) {
		op_explain(op, r);
	}
	fill_slots();
	op_report(op, e || r->status != 0, r);
}

static void on_op_slow(struct timer *t)
{
	struct runtime_op *op = container_of(t, struct runtime_op, timer);

	op->unqueued = true;
	busy--;
	log_info("runtime_slow verb=%s id=%.12s effect=\"it holds no slot any more\"", op->sm.what, op->sm.id);
	fill_slots();
}

static void op_launch(struct runtime_op *op)
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
	op->child = child_start(&op->spec, on_op_child, op);
}

static void fill_slots(void)
{
	struct link *next;

	while (busy < slots() && (next = list_first(&queued)))
		op_launch(container_of(next, struct runtime_op, link));
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

static bool can_checkpoint(struct runtime_op *op)
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

static void op_enqueue(struct runtime_op *op)
{
	if (op->needs_criu && !can_checkpoint(op)) {
		timer_set(&op->timer, 0, on_op_failed_early);
		return;
	}
	sm_move(&op->sm, QUEUED);
	op->since_ns = loop_mono_ns();
	if (op->unqueued)
		return op_launch(op);
	list_append(&queued, &op->link);
	fill_slots();
}

static void on_op_failed_early(struct timer *t)
{
	struct runtime_op *op = container_of(t, struct runtime_op, timer);
	struct child_result none = { .status = -1, .pidfd = -1, .out = "", .err = "" };

	sm_move(&op->sm, DONE);
	op_report(op, true, &none);
}

static void on_op_probed(struct program_wait *w, const struct err *e)
{
	struct runtime_op *op = container_of(w, struct runtime_op, probe);

	if (!e)
		return op_enqueue(op);
	op->err = *e;
	timer_set(&op->timer, 0, on_op_failed_early);
}

static struct runtime_op *op_start(struct runtime_op *op)
{
	if (op->err.code != ERR_OK || program_usable(op->program, &op->err) < 0)
		timer_set(&op->timer, 0, on_op_failed_early);
	else if (program_probed(op->program))
		op_enqueue(op);
	else
		program_probe(op->program, &op->probe, on_op_probed);
	return op;
}

void runtime_cancel(struct runtime_op *op)
{
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

static void keep_by_pidfile(struct runtime_op *op, const char *bundle)
{
	const char *pidfile = arena_printf(op->arena, "%s/pid", bundle);

	arg_add(op, "--detach");
	arg_add(op, "--pid-file");
	arg_add(op, pidfile);
	arg_add(op, "--bundle");
	arg_add(op, bundle);
	op->spec.keep_id = op->sm.id;
	op->spec.pidfile = pidfile;
	op->spec.timeout_ms = RUN_TIMEOUT_MS;
}

struct runtime_op *runtime_run(const struct runtime_handler *h, const char *id, const char *bundle, const char *cgroup,
			       const struct runtime_stdio *io, runtime_done *done, void *arg)
{
	struct runtime_op *op = op_of_group(h, "run", id, cgroup_is_scope(cgroup), done, arg);

	keep_by_pidfile(op, bundle);
	give_stdio(op, io);
	arg_add(op, id);
	return op_start(op);
}

struct runtime_op *oci_try(const struct runtime_handler *h, const char *id, const char *bundle, const char *cgroup,
			   runtime_done *done, void *arg)
{
	struct runtime_op *op = op_of_group(h, "run", id, cgroup_is_scope(cgroup), done, arg);

	arg_add(op, "--bundle");
	arg_add(op, bundle);
	arg_add(op, id);
	/* Not /dev/null: crun 1.8.1 makes the root of the container's user namespace the owner of its stdio.
	 * (ARCHITECTURE X24) */
	op->spec.stdin_data = "";
	op->spec.stdout_max = 1;
	op->spec.stderr_max = LOG_TAIL;
	op->spec.timeout_ms = TRY_TIMEOUT_MS;
	return op_start(op);
}

struct runtime_op *runtime_exec(const struct runtime_handler *h, const char *id, const char *process_path,
				const char *pidfile, const char *keep_id, const struct runtime_stdio *io,
				runtime_done *done, void *arg)
{
	struct runtime_op *op = op_new(h, "exec", id, done, arg);

	arg_add(op, "--detach");
	arg_add(op, "--process");
	arg_add(op, process_path);
	arg_add(op, "--pid-file");
	arg_add(op, pidfile);
	give_stdio(op, io);
	arg_add(op, id);
	op->spec.keep_id = arena_strdup(op->arena, keep_id);
	op->spec.pidfile = arena_strdup(op->arena, pidfile);
	op->spec.timeout_ms = EXEC_TIMEOUT_MS;
	return op_start(op);
}

/* runc and crun make the directory <root>/<id> before anything of the container. */
bool runtime_knows(const struct runtime_handler *h, const char *id)
{
	struct arena *a = arena_new();
	bool known = access(arena_printf(a, "%s/%s", program_of(h)->root, id), F_OK) == 0 || errno != ENOENT;

	arena_free(a);
	return known;
}

struct runtime_op *runtime_delete(const struct runtime_handler *h, const char *id, bool force, runtime_done *done,
				  void *arg)
{
	struct runtime_op *op = op_new(h, "delete", id, done, arg);

	if (force)
		arg_add(op, "--force");
	arg_add(op, id);
	op->spec.stderr_max = LOG_TAIL;
	op->spec.timeout_ms = DELETE_TIMEOUT_MS;
	return op_start(op);
}

struct runtime_op *runtime_update(const struct runtime_handler *h, const char *id, const char *resources_json,
				  runtime_done *done, void *arg)
{
	struct runtime_op *op = op_new(h, "update", id, done, arg);

	arg_add(op, "--resources");
	arg_add(op, "-");
	arg_add(op, id);
	op->spec.stdin_data = arena_strdup(op->arena, resources_json);
	op->spec.stdin_len = strlen(resources_json);
	op->spec.stderr_max = LOG_TAIL;
	op->spec.timeout_ms = UPDATE_TIMEOUT_MS;
	return op_start(op);
}

static struct runtime_op *freezer(const struct runtime_handler *h, const char *verb, const char *id, runtime_done *done,
				  void *arg)
{
	struct runtime_op *op = op_new(h, verb, id, done, arg);

	arg_add(op, id);
	op->spec.stderr_max = LOG_TAIL;
	op->spec.timeout_ms = PAUSE_TIMEOUT_MS;
	return op;
}

struct runtime_op *runtime_pause(const struct runtime_handler *h, const char *id, runtime_done *done, void *arg)
{
	struct runtime_op *op = freezer(h, "pause", id, done, arg);

	op->needs_criu = true;
	return op_start(op);
}

struct runtime_op *runtime_resume(const struct runtime_handler *h, const char *id, runtime_done *done, void *arg)
{
	return op_start(freezer(h, "resume", id, done, arg));
}

/* --file-locks: CRIU dumps the locks of the container's files too; without it CRIU refuses a process with a lock. */
static void add_images(struct runtime_op *op, const struct runtime_images *images)
{
	const char **env = arena_zalloc(op->arena, 3 * sizeof(*env));

	arg_add(op, "--file-locks");
	arg_add(op, "--image-path");
	arg_add(op, images->dir);
	arg_add(op, "--work-path");
	arg_add(op, images->work);
	/* Not the annotation org.criu.config: CRIU 3.17 reads that file twice and inherits one fd two times over.
	 * (ARCHITECTURE X16) */
	env[0] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	env[1] = arena_printf(op->arena, "CRIU_CONFIG_FILE=%s", images->criu_config);
	op->spec.envp = env;
	op->needs_criu = true;
}

struct runtime_op *runtime_checkpoint(const struct runtime_handler *h, const char *id,
				      const struct runtime_images *images, runtime_done *done, void *arg)
{
	struct runtime_op *op = op_new(h, "checkpoint", id, done, arg);

	arg_add(op, "--leave-running");
	add_images(op, images);
	arg_add(op, id);
	op->spec.stderr_max = LOG_TAIL;
	op->spec.timeout_ms = images->timeout_ms;
	op->spec.finish = true;
	op->unqueued = true; /* a dump of much memory takes long: starts must not wait behind it */
	return op_start(op);
}

struct runtime_op *runtime_restore(const struct runtime_handler *h, const char *id, const char *bundle,
				   const char *cgroup, const struct runtime_images *images,
				   const struct runtime_stdio *io, runtime_done *done, void *arg)
{
	struct runtime_op *op = op_of_group(h, "restore", id, cgroup_is_scope(cgroup), done, arg);

	keep_by_pidfile(op, bundle);
	add_images(op, images);
	give_stdio(op, io);
	arg_add(op, id);
	return op_start(op);
}
