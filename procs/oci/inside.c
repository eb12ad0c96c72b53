/* inside.c - the operations of a program whose sandbox is a container (runtimes: sandbox: container): gVisor's runsc.
 *
 * The containers of a pod are processes of a kernel that is one process of this machine. So `run --detach` leaves no
 * process that ends with its container, and what crisp does to processes elsewhere is asked of the program here. It has
 * the verbs of runc and further ones: `wait ID` prints how the container ended, also later, and until `delete`; `kill`
 * of one process of an exec; `events --stats`; `port-forward --stream SOCKET ID PORT`. (ARCHITECTURE G1, X70) */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procs/cgroup.h"
#include "procs/oci/op.h"
#include "reactor/arena.h"
#include "reactor/json.h"
#include "reactor/own.h"

enum { SANDBOX_TIMEOUT_MS = 120000, KILL_TIMEOUT_MS = 10000, STATS_TIMEOUT_MS = 10000, FORWARD_TIMEOUT_MS = 30000 };
enum { ANSWER_MAX = 64 * 1024 };

unsigned oci_traits(const struct runtime_handler *h)
{
	return program_of(h)->handler.options.sandbox_container
		       ? RUNTIME_SANDBOX | RUNTIME_INSIDE | RUNTIME_WAITS | RUNTIME_KILLS | RUNTIME_STATS |
			       RUNTIME_FORWARDS
		       : 0;
}

/* The pid in the pid file is the sandbox's, which is kept already. Half a `run` is worse than a whole one. */
void oci_keep_nothing(struct oci_op *run)
{
	run->spec.keep_id = run->spec.pidfile = NULL;
	run->spec.finish = true;
}

/* The state is <root>/<id>_sandbox:<id of the sandbox>.state, with a lock beside it that is there first. */
bool oci_inside_known(const struct runtime_handler *h, const char *id)
{
	auto_dir DIR *d = opendir(program_of(h)->root);
	size_t len = strlen(id);
	struct dirent *f;

	if (!d)
		return true; /* it cannot be told */
	while ((f = readdir(d)))
		if (strncmp(f->d_name, id, len) == 0 && strncmp(f->d_name + len, "_sandbox:", 9) == 0)
			return true;
	return false;
}

struct runtime_op *oci_run_sandbox(const struct runtime_handler *h, const struct runtime_sandbox *s, runtime_done *done,
				   void *arg)
{
	struct oci_op *op = oci_op_of_group(h, "run", s->id, cgroup_is_scope(s->cgroup), done, arg);

	/* The flag is a global one, so it stands before the verb. */
	if (s->host_network) {
		op->argv[op->argc - 1] = "--network=host";
		oci_arg(op, "run");
	}
	op->spec.keep_id = arena_strdup(op->arena, s->keep_id);
	op->spec.pidfile = arena_printf(op->arena, "%s/pid", s->bundle);
	oci_arg(op, "--detach");
	oci_arg(op, "--pid-file");
	oci_arg(op, op->spec.pidfile);
	oci_arg(op, "--bundle");
	oci_arg(op, s->bundle);
	oci_arg(op, s->id);
	op->spec.timeout_ms = op->program->handler.options.create_timeout_ms ?: SANDBOX_TIMEOUT_MS;
	return oci_start(op);
}

/* ---- the end of a container ---- */

int oci_exit_status(const char *text, size_t len, int *status, struct err *e)
{
	auto_json json_t *j = json_parse(text, len, "wait", e);
	const json_t *code = json_object_get(j, "exitStatus");

	if (j && json_is_integer(code) && json_integer_value(code) >= 0 && json_integer_value(code) <= 255) {
		*status = (int)json_integer_value(code) << 8;
		return 0;
	}
	if (j)
		err_set(e, ERR_INTERNAL, "wait: no exit status in its answer");
	e->code = ERR_INTERNAL;
	return -1;
}

static void read_wait(struct oci_op *op, struct child_result *r)
{
	oci_exit_status(r->out, r->out_len, &r->status, &op->err);
}

/* It lasts as long as the container, so it has no slot and no time limit. */
struct runtime_op *oci_wait(const struct runtime_handler *h, const char *id, runtime_done *done, void *arg)
{
	struct oci_op *op = oci_op(h, "wait", id, done, arg);

	oci_arg(op, id);
	op->spec.stdout_max = ANSWER_MAX;
	op->spec.stderr_max = LOG_TAIL;
	op->unqueued = true;
	op->answer = read_wait;
	return oci_start(op);
}

/* ---- signals ---- */

/* Unqueued: a stop waits for no start. */
static struct oci_op *kill_op(const struct runtime_handler *h, const char *id, runtime_done *done, void *arg)
{
	struct oci_op *op = oci_op(h, "kill", id, done, arg);

	op->spec.stderr_max = LOG_TAIL;
	op->spec.timeout_ms = KILL_TIMEOUT_MS;
	op->unqueued = true;
	return op;
}

struct runtime_op *oci_kill(const struct runtime_handler *h, const char *id, int sig, bool all, runtime_done *done,
			    void *arg)
{
	struct oci_op *op = kill_op(h, id, done, arg);

	if (all)
		oci_arg(op, "--all");
	oci_arg(op, id);
	oci_arg(op, arena_printf(op->arena, "%d", sig));
	return oci_start(op);
}

/* --pid-file gets the pid of a process of this machine that ends as the process in the sandbox does. Only the other pid
 * leads to the latter. */
void oci_exec_inside(struct oci_op *exec, const char *pidfile)
{
	oci_arg(exec, "--internal-pid-file");
	oci_arg(exec, runtime_exec_mark(exec->arena, pidfile));
}

struct runtime_op *oci_exec_kill(const struct runtime_handler *h, const char *id, const char *pidfile,
				 runtime_done *done, void *arg)
{
	struct oci_op *op = kill_op(h, id, done, arg);
	const char *path = runtime_exec_mark(op->arena, pidfile);
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char text[16] = "";

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0 || strspn(text, "0123456789") != strlen(text))
		err_set(&op->err, ERR_INTERNAL, "no pid in %s", path);
	oci_arg(op, "--pgid"); /* each exec leads a process group of its own */
	oci_arg(op, text);
	oci_arg(op, id);
	oci_arg(op, "9");
	return oci_start(op);
}

/* ---- statistics, ports ---- */

struct runtime_op *oci_stats(const struct runtime_handler *h, const char *id, runtime_done *done, void *arg)
{
	struct oci_op *op = oci_op(h, "events", id, done, arg);

	oci_arg(op, "--stats");
	oci_arg(op, id);
	op->spec.stdout_max = ANSWER_MAX;
	op->spec.stderr_max = LOG_TAIL;
	op->spec.timeout_ms = STATS_TIMEOUT_MS;
	return oci_start(op);
}

static uint64_t count_at(const json_t *j, const char *one, const char *two, const char *three)
{
	const json_t *v = json_object_get(json_object_get(j, one), two);
	json_int_t n;

	if (*three)
		v = json_object_get(v, three);
	n = json_integer_value(v);
	return n > 0 ? (uint64_t)n : 0;
}

int oci_usage_read(const char *text, size_t len, struct runtime_usage *out, struct err *e)
{
	auto_json json_t *j = json_parse(text, len, "events --stats", e);
	const json_t *data = json_object_get(j, "data");

	if (!j || !json_is_object(data)) {
		if (j)
			err_set(e, ERR_INTERNAL, "events --stats: no data");
		e->code = ERR_INTERNAL;
		return -1;
	}
	*out = (struct runtime_usage){ .cpu_ns = count_at(data, "cpu", "usage", "total"),
				       .memory_bytes = count_at(data, "memory", "usage", "usage"),
				       .rss_bytes = count_at(data, "memory", "usage", "usage"),
				       .tasks = count_at(data, "pids", "current", "") };
	return 0;
}

struct runtime_op *oci_forward(const struct runtime_handler *h, const char *sandbox_id, const char *socket,
			       uint16_t port, runtime_done *done, void *arg)
{
	struct oci_op *op = oci_op(h, "port-forward", sandbox_id, done, arg);

	oci_arg(op, "--stream");
	oci_arg(op, socket);
	oci_arg(op, sandbox_id);
	oci_arg(op, arena_printf(op->arena, "%u", port));
	op->spec.stderr_max = LOG_TAIL;
	op->spec.timeout_ms = FORWARD_TIMEOUT_MS;
	return oci_start(op);
}
