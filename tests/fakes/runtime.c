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
bool fake_join_gone;
int64_t fake_oom_kills;
bool fake_knows, fake_has_not_run;
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

static struct fake_waiter {
	runtime_done *done; /* NULL: nobody waits */
	void *arg;
} fake_waiter;
static char stats; /* an operation without an end */
unsigned fake_traits;

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

static const struct runtime_handler handler = { .name = "runc", .type = "oci", .path = "/bin/true", .fallback = "" };

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

bool join_is_gone(const struct container *c)
{
	(void)c;
	return fake_join_gone;
}

unsigned runtime_traits(const struct runtime_handler *h)
{
	(void)h;
	return fake_traits;
}

struct runtime_op *runtime_wait(const struct runtime_handler *h, const char *id, runtime_done *done, void *arg)
{
	(void)h;
	(void)id;
	note("wait");
	fake_waiter = (struct fake_waiter){ done, arg };
	return (struct runtime_op *)&fake_waiter;
}

void fake_waited(enum err_code code, int status)
{
	struct fake_waiter w = fake_waiter;
	struct child_result r = { .status = status, .pidfd = -1, .out = "", .err = "" };
	struct err e;

	assert(w.done);
	fake_waiter.done = NULL;
	err_set(&e, code, "no sandbox");
	w.done(w.arg, code == ERR_OK ? NULL : &e, &r);
}

struct runtime_op *runtime_kill(const struct runtime_handler *h, const char *id, int sig, bool all, runtime_done *done,
				void *arg)
{
	char what[32];

	(void)h;
	(void)id;
	snprintf(what, sizeof(what), "signal-%d%s", sig, all ? "-all" : "");
	return begin(what, "", done, arg);
}

struct runtime_op *runtime_exec_kill(const struct runtime_handler *h, const char *id, const char *pidfile,
				     runtime_done *done, void *arg)
{
	(void)h;
	(void)id;
	(void)pidfile;
	return begin("exec-kill", "", done, arg);
}

struct runtime_op *runtime_stats(const struct runtime_handler *h, const char *id, runtime_done *done, void *arg)
{
	(void)h;
	(void)id;
	(void)done;
	(void)arg;
	return (struct runtime_op *)&stats;
}

static struct fake_waiter exec_waiter;

struct runtime_op *runtime_exec_wait(const struct runtime_handler *h, const char *id, const char *keep_id,
				     runtime_done *done, void *arg)
{
	(void)h;
	(void)id;
	(void)keep_id;
	note("exec_wait");
	exec_waiter = (struct fake_waiter){ done, arg };
	return (struct runtime_op *)&exec_waiter;
}

void fake_exec_waited(enum err_code code, int status)
{
	struct fake_waiter w = exec_waiter;
	struct child_result r = { .status = status, .pidfd = -1, .out = "", .err = "" };
	struct err e;

	assert(w.done);
	exec_waiter.done = NULL;
	err_set(&e, code, "no shim");
	w.done(w.arg, code == ERR_OK ? NULL : &e, &r);
}

/* What the runtime is told is answered in the next turn of the loop. */
static struct fake_told {
	struct timer turn;
	runtime_done *done;
	void *arg;
} told[16];

static void on_fake_told(struct timer *t)
{
	struct fake_told *at = container_of(t, struct fake_told, turn);
	struct child_result r = { 0 };

	at->done(at->arg, NULL, &r);
}

static struct runtime_op *fake_tell(const char *what, runtime_done *done, void *arg)
{
	static size_t n;
	struct fake_told *at = &told[n++ % (sizeof(told) / sizeof(*told))];

	at->done = done;
	at->arg = arg;
	timer_set(&at->turn, 0, on_fake_told);
	note(what);
	return NULL;
}

struct runtime_op *runtime_resize(const struct runtime_handler *h, const char *id, const char *keep_id, uint16_t width,
				  uint16_t height, runtime_done *done, void *arg)
{
	char what[40];

	(void)h;
	(void)id;
	snprintf(what, sizeof(what), "resize%s:%dx%d", *keep_id ? "_exec" : "", width, height);
	return fake_tell(what, done, arg);
}

struct runtime_op *runtime_close_stdin(const struct runtime_handler *h, const char *id, const char *keep_id,
				       runtime_done *done, void *arg)
{
	(void)h;
	(void)id;
	return fake_tell(*keep_id ? "close_stdin_exec" : "close_stdin", done, arg);
}

int runtime_usage_read(const struct runtime_handler *h, const char *text, size_t len, struct runtime_usage *out,
		       struct err *e)
{
	(void)h;
	(void)text;
	(void)len;
	(void)out;
	return err_set(e, ERR_INTERNAL, "none");
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

struct runtime_op *runtime_run_sandbox(const struct runtime_handler *h, const struct runtime_sandbox *s,
				       runtime_done *done, void *arg)
{
	(void)h;
	(void)s;
	return begin("run_sandbox", "", done, arg);
}

struct runtime_op *runtime_exec(const struct runtime_handler *h, const struct runtime_exec *x,
				const struct runtime_stdio *io, runtime_done *done, void *arg)
{
	(void)h;
	snprintf(fake_exec_keep_id, sizeof(fake_exec_keep_id), "%s", x->keep_id);
	fake_exec_out = fcntl(io->out, F_DUPFD_CLOEXEC, 3);
	fake_exec_in = fcntl(io->in, F_DUPFD_CLOEXEC, 3);
	fake_exec_err = fcntl(io->err, F_DUPFD_CLOEXEC, 3);
	snprintf(fake_exec_console, sizeof(fake_exec_console), "%s", io->console_socket ? io->console_socket : "");
	return begin("exec", x->keep_id, done, arg);
}

bool runtime_knows(const struct runtime_handler *h, const char *id)
{
	(void)h;
	(void)id;
	return fake_knows;
}

bool runtime_may_have_run(const struct runtime_handler *h, const char *id)
{
	return runtime_knows(h, id) && !fake_has_not_run;
}

int fake_taken_up;

bool runtime_take_up(const struct runtime_handler *h, const char *id, pid_t *pid)
{
	(void)h;
	(void)id;
	*pid = fake_taken_up;
	return fake_taken_up != 0;
}

struct runtime_op *runtime_delete(const struct runtime_handler *h, const char *id, bool force, runtime_done *done,
				  void *arg)
{
	(void)h;
	(void)id;
	return begin(force ? "delete --force" : "delete", "", done, arg);
}

struct runtime_op *runtime_update(const struct runtime_handler *h, const char *id, const char *cgroup,
				  const char *resources_json, runtime_done *done, void *arg)
{
	(void)cgroup;
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
	if (cancelled == (struct runtime_op *)&fake_waiter) {
		note("cancel_wait");
		fake_waiter.done = NULL;
		return;
	}
	if (cancelled == (struct runtime_op *)&exec_waiter) {
		note("cancel_wait");
		exec_waiter.done = NULL;
		return;
	}
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

bool cgroup_frozen_above(const char *path)
{
	(void)path;
	return false;
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

bool fake_group_busy;
static struct cgroup_wait *group_wait;

bool cgroup_remove_wait(const char *path, struct cgroup_wait *w, void (*fn)(struct cgroup_wait *w))
{
	static struct link waiting = { &waiting, &waiting };

	cgroup_remove(path);
	if (!fake_group_busy)
		return false;
	w->fn = fn;
	list_append(&waiting, &w->link);
	group_wait = w;
	return true;
}

void fake_group_goes(void)
{
	list_drop(&group_wait->link);
	group_wait->fn(group_wait);
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

int create_undo(struct container *c, struct err *e)
{
	(void)c;
	(void)e;
	note("undo");
	return 0;
}

json_t *spec_exec_process(const json_t *config, const struct strings *cmd, bool tty)
{
	(void)config;
	return spec_exec_words(cmd, tty);
}

json_t *spec_exec_words(const struct strings *cmd, bool tty)
{
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

static int mounted(struct container *c, struct err *e)
{
	(void)c;
	(void)e;
	return 0;
}

struct container *fake_running(int pid)
{
	struct container *c = fake_container();

	start_open(NULL, mounted);
	start_start(c, on_started, NULL);
	fake_runtime_ok(pid);
	fake_calls[0] = '\0';
	return c;
}
