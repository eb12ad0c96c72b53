/* runtime.c - see runtime.h. */
#include "tests/fakes/runtime.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "procs/cgroup.h"
#include "procs/create.h"
#include "procs/join.h"
#include "procs/runtime.h"
#include "procs/spec.h"
#include "procs/start.h"
#include "reactor/child.h"
#include "reactor/log.h"
#include "reactor/own.h"
#include "tests/fakes/keeper.h"
#include "tests/fakes/world.h"

static struct err unlisted; /* container_list_it() cannot fail here */

char fake_calls[1024];
enum err_code fake_joins;
int fake_joined = -1;
int64_t fake_oom_kills;
bool fake_knows;
char fake_exec_keep_id[80];
int fake_exec_out = -1, fake_exec_in = -1, fake_exec_err = -1;
char fake_exec_console[128];
char fake_update[512];
char fake_images[512];

static struct {
	bool pending;
	char keep_id[80];
	runtime_done *done;
	void *arg;
} op;

static void note(const char *what)
{
	size_t n = strlen(fake_calls);

	snprintf(fake_calls + n, sizeof(fake_calls) - n, "%s ", what);
}

static struct runtime_op *begin(const char *what, const char *keep_id, runtime_done *done, void *arg)
{
	assert(!op.pending);
	note(what);
	op.pending = true;
	snprintf(op.keep_id, sizeof(op.keep_id), "%s", keep_id);
	op.done = done;
	op.arg = arg;
	return (struct runtime_op *)&op;
}

bool fake_runtime_pending(void)
{
	return op.pending;
}

void fake_runtime_ok(int pid)
{
	struct child_result r = { .pid = pid, .pidfd = -1, .out = "", .err = "" };

	assert(op.pending);
	op.pending = false;
	if (op.keep_id[0])
		fake_keep(op.keep_id, pid, pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1);
	op.done(op.arg, NULL, &r);
}

void fake_runtime_fail(enum err_code code, const char *words)
{
	struct child_result r = { .status = 256, .pidfd = -1, .out = "", .err = "" };
	struct err e;

	assert(op.pending);
	op.pending = false;
	err_set(&e, code, "%s", words);
	op.done(op.arg, &e, &r);
}

static const struct runtime_handler handler = { "runc", "oci", "/bin/true" };

const struct runtime_handler *runtime_find(const char *name)
{
	return !*name || strcmp(name, "runc") == 0 ? &handler : NULL;
}

int join_again(struct container *c, int *fd, struct err *e)
{
	(void)c;
	*fd = -1;
	if (fake_joins != ERR_OK)
		return err_set(e, fake_joins, "not running");
	*fd = fake_joined = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return 0;
}

struct runtime_op *runtime_run(const struct runtime_handler *h, const char *id, const char *bundle, const char *cgroup,
			       const struct runtime_stdio *io, runtime_done *done, void *arg)
{
	(void)h;
	(void)bundle;
	(void)cgroup;
	(void)io;
	return begin("run", id, done, arg);
}

struct runtime_op *runtime_exec(const struct runtime_handler *h, const char *id, const char *process_path,
				const char *pidfile, const char *keep_id, const struct runtime_stdio *io,
				runtime_done *done, void *arg)
{
	(void)h;
	(void)id;
	(void)process_path;
	(void)pidfile;
	snprintf(fake_exec_keep_id, sizeof(fake_exec_keep_id), "%s", keep_id);
	fake_exec_out = fcntl(io->out, F_DUPFD_CLOEXEC, 3);
	fake_exec_in = fcntl(io->in, F_DUPFD_CLOEXEC, 3);
	fake_exec_err = fcntl(io->err, F_DUPFD_CLOEXEC, 3);
	snprintf(fake_exec_console, sizeof(fake_exec_console), "%s", io->console_socket ? io->console_socket : "");
	return begin("exec", keep_id, done, arg);
}

bool runtime_knows(const struct runtime_handler *h, const char *id)
{
	(void)h;
	(void)id;
	return fake_knows;
}

struct runtime_op *runtime_delete(const struct runtime_handler *h, const char *id, bool force, runtime_done *done,
				  void *arg)
{
	(void)h;
	(void)id;
	return begin(force ? "delete --force" : "delete", "", done, arg);
}

struct runtime_op *runtime_update(const struct runtime_handler *h, const char *id, const char *resources_json,
				  runtime_done *done, void *arg)
{
	(void)h;
	(void)id;
	snprintf(fake_update, sizeof(fake_update), "%s", resources_json);
	return begin("update", "", done, arg);
}

struct runtime_op *runtime_pause(const struct runtime_handler *h, const char *id, runtime_done *done, void *arg)
{
	(void)h;
	(void)id;
	return begin("pause", "", done, arg);
}

struct runtime_op *runtime_resume(const struct runtime_handler *h, const char *id, runtime_done *done, void *arg)
{
	(void)h;
	(void)id;
	return begin("resume", "", done, arg);
}

struct runtime_op *runtime_checkpoint(const struct runtime_handler *h, const char *id,
				      const struct runtime_images *images, runtime_done *done, void *arg)
{
	(void)h;
	(void)id;
	snprintf(fake_images, sizeof(fake_images), "%s", images->dir);
	return begin("checkpoint", "", done, arg);
}

struct runtime_op *runtime_restore(const struct runtime_handler *h, const char *id, const char *bundle,
				   const char *cgroup, const struct runtime_images *images,
				   const struct runtime_stdio *io, runtime_done *done, void *arg)
{
	(void)cgroup;
	(void)h;
	(void)bundle;
	(void)io;
	snprintf(fake_images, sizeof(fake_images), "%s", images->dir);
	return begin("restore", id, done, arg);
}

void runtime_cancel(struct runtime_op *cancelled)
{
	assert(cancelled == (struct runtime_op *)&op && op.pending);
	note("cancel");
	op.pending = false;
}

int64_t cgroup_oom_kills(const char *path)
{
	(void)path;
	return fake_oom_kills;
}

void cgroup_kill(const char *path)
{
	(void)path;
	note("kill");
}

void cgroup_remove(const char *path)
{
	(void)path;
	note("rmdir");
}

bool cgroup_remove_now(const char *path)
{
	cgroup_remove(path);
	return true;
}

bool cgroup_kill_wait(const char *path, struct cgroup_wait *w, void (*fn)(struct cgroup_wait *w))
{
	(void)path;
	(void)w;
	(void)fn;
	return false;
}

size_t cgroup_pids(const char *path, pid_t *pids, size_t max)
{
	(void)path;
	(void)max;
	pids[0] = getpid();
	return 1;
}

pid_t *cgroup_all_pids(const char *path, size_t *n)
{
	pid_t *all = malloc(sizeof(*all));

	(void)path;
	all[0] = getpid();
	*n = 1;
	return all;
}

bool cgroup_has(const char *path, pid_t pid)
{
	(void)path;
	return pid == getpid();
}

void create_undo(struct container *c)
{
	(void)c;
	note("undo");
}

json_t *spec_exec_process(const struct container *c, const json_t *config, const struct strings *cmd, bool tty)
{
	(void)c;
	(void)config;
	(void)tty;
	return json_pack("{s:[s]}", "args", cmd->at[0]);
}

/* Every string "" and everything else zero, as a record without members. */
static void empty(const struct field *table, void *object)
{
	static struct arena *a;
	auto_json json_t *j = json_object();
	struct err e;

	if (!a)
		a = arena_new();
	assert(fields_from_json(table, object, j, a, &e) == 0);
}

static struct sandbox *ready_sandbox(void)
{
	static struct sandboxes_config where;
	static char root[256], state[256], bundles[300];
	struct sandbox_config config;
	struct sandbox *s;
	struct err e;

	snprintf(root, sizeof(root), "%s/root", world_dir());
	snprintf(state, sizeof(state), "%s/state", world_dir());
	snprintf(bundles, sizeof(bundles), "%s/containers", state);
	mkdir(root, 0700);
	mkdir(state, 0700);
	mkdir(bundles, 0700);
	where = (struct sandboxes_config){ root, state, "" };
	sandboxes_open(&where);
	containers_open(root, state);
	assert(sandboxes_load(&e) == 0 && containers_load(&e) == 0);
	empty(sandbox_config_fields, &config);
	config.name = "p";
	config.log_directory = "/l";
	s = sandbox_new(&config);
	s->hidden = false;
	s->state = SANDBOX_READY;
	s->cgroup = "/test/pod";
	return s;
}

struct container *fake_container(void)
{
	struct container_config config;
	struct container_image image = {
		.id = "sha256:1", .ref = "r", .name = "busybox", .working_dir = "", .user = "", .stop_signal = ""
	};
	struct container *c;

	empty(container_config_fields, &config);
	config.name = "c";
	config.log_path = "c.log";
	fake_calls[0] = '\0';
	fake_oom_kills = 0;
	fake_keeper_reset();
	log_open("test", LOG_LEVEL_ERROR);
	c = container_new(ready_sandbox(), &config, &image);
	mkdir(c->bundle, 0700);
	container_list_it(c, &unlisted);
	return c;
}

static void on_started(void *arg, const struct err *e)
{
	(void)arg;
	assert(!e);
}

struct container *fake_running(int pid)
{
	struct container *c = fake_container();

	start_start(c, on_started, NULL);
	fake_runtime_ok(pid);
	fake_calls[0] = '\0';
	return c;
}
