/* test_start.c - procs/start.c: a container's start and its failures. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/runtime.h"
#include "tests/unit/procs/start_run.h"

static void from_start_to_exit_code(void)
{
	struct container *c = fake_container();
	struct result r = { 0 };

	start_start(c, record, &r);
	ok(r.calls == 0 && c->starting && c->in_runtime);
	fake_runtime_ok(0);
	ok(r.calls == 1 && r.err.code == ERR_OK);
	ok(c->state == CONTAINER_RUNNING && c->started_at_ns > 0 && !c->starting && fake_pumps == 1);
	fake_exit(c->id, 3 << 8);
	world_settle();
	ok(c->state == CONTAINER_EXITED && c->exit_code == 3 && c->finished_at_ns > 0);
	is_str(c->reason, "Error");
	ok(fake_forgotten(c->id) && fake_pumps == 0 && fake_holds == 0);
	is_str(fake_calls, "run kill delete ");
	fake_runtime_ok(0);
	ok(!c->in_runtime && !c->life);
	is_str(fake_calls, "run kill delete rmdir ");
}

/* /dev/full in the place of its .tmp makes one write fail as on a full disk. */
static void disk_is_full_once(const struct container *c)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/root/containers/%s.json.tmp", world_dir(), c->id);
	ok(symlink("/dev/full", path) == 0);
}

/* Nothing ran, so the container can be started once there is room. */
static void a_full_disk_at_the_start(void)
{
	struct container *c = fake_container();
	struct result r = { 0 };

	disk_is_full_once(c);
	start_start(c, record, &r);
	world_settle();
	ok(r.calls == 1 && r.err.code == ERR_RESOURCE_EXHAUSTED);
	ok(c->state == CONTAINER_CREATED && !c->starting && !c->in_runtime && fake_pumps == 0);
	start_start(c, record, &r);
	fake_runtime_ok(0);
	ok(r.calls == 2 && r.err.code == ERR_OK && c->state == CONTAINER_RUNNING);
	fake_exit(c->id, 0);
	world_settle();
	fake_runtime_ok(0);
}

static void the_runtime_refuses(void)
{
	struct container *c = fake_container();
	struct result r = { 0 };

	start_start(c, record, &r);
	fake_runtime_fail(ERR_INTERNAL, "runc run: exec: \"nope\": not found");
	is_str(fake_calls, "run delete --force ");
	ok(r.calls == 0);
	fake_runtime_ok(0);
	world_settle();
	ok(r.calls == 1 && r.err.code == ERR_INTERNAL && strstr(r.err.msg, "exec: \"nope\": not found"));
	ok(c->state == CONTAINER_EXITED && c->exit_code == 128 && !c->in_runtime);
	is_str(c->reason, "StartError");
	ok(strstr(c->message, "not found") != NULL);
	ok(fake_pumps == 0 && fake_holds == 0 && strstr(fake_calls, "rmdir"));
}

static void the_program_is_missing(void)
{
	struct container *c = fake_container();
	struct result r = { 0 };

	start_start(c, record, &r);
	fake_runtime_fail(ERR_FAILED_PRECONDITION, "runtime handler runc: /usr/sbin/runc: No such file or directory");
	ok(r.calls == 0);
	world_settle();
	ok(r.calls == 1 && r.err.code == ERR_FAILED_PRECONDITION && c->state == CONTAINER_EXITED);
	ok(!c->in_runtime); /* so it can be removed without the program */
	is_str(fake_calls, "run kill rmdir ");
}

/* No runtime was run. */
static void the_keeper_is_away(void)
{
	struct container *c = fake_container();
	struct result r = { 0 };

	start_start(c, record, &r);
	fake_runtime_fail(ERR_UNAVAILABLE, "the keeper is away");
	world_settle();
	ok(r.calls == 1 && r.err.code == ERR_UNAVAILABLE);
	ok(c->state == CONTAINER_CREATED && !c->starting && !c->in_runtime && fake_pumps == 0);
	start_start(c, record, &r);
	fake_runtime_ok(0);
	ok(r.calls == 2 && r.err.code == ERR_OK && c->state == CONTAINER_RUNNING);
	fake_exit(c->id, 0);
	world_settle();
	fake_runtime_ok(0);
}

static void the_keeper_died_amid_the_runtime(void)
{
	struct container *c = fake_container();
	struct result r = { 0 };

	start_start(c, record, &r);
	fake_knows = true;
	fake_calls[0] = '\0';
	fake_runtime_fail(ERR_UNAVAILABLE, "the keeper died while it ran");
	is_str(fake_calls, "delete --force ");
	fake_runtime_ok(0);
	world_settle();
	fake_knows = false;
	ok(r.calls == 1 && r.err.code == ERR_UNAVAILABLE);
	ok(c->state == CONTAINER_CREATED && !c->starting && !c->in_runtime && fake_pumps == 0);
	runs_to_its_end(c, &r);
}

/* What the runtime left cannot be deleted yet: the next start does that first. */
static void what_a_runtime_left_is_deleted_before_the_next_start(void)
{
	struct container *c = fake_container();
	struct result r = { 0 };

	start_start(c, record, &r);
	fake_knows = true;
	fake_runtime_fail(ERR_UNAVAILABLE, "the keeper died while it ran");
	fake_runtime_fail(ERR_UNAVAILABLE, "the keeper is away");
	world_settle();
	ok(r.calls == 1 && r.err.code == ERR_UNAVAILABLE && c->state == CONTAINER_CREATED && c->in_runtime);
	fake_calls[0] = '\0';
	start_start(c, record, &r);
	is_str(fake_calls, "delete --force ");
	fake_runtime_fail(ERR_UNAVAILABLE, "the keeper is away");
	world_settle();
	ok(r.calls == 2 && r.err.code == ERR_UNAVAILABLE && c->state == CONTAINER_CREATED && c->in_runtime);
	fake_calls[0] = '\0';
	start_start(c, record, &r);
	fake_knows = false;
	fake_runtime_ok(0);
	is_str(fake_calls, "delete --force run ");
	fake_runtime_ok(0);
	ok(r.calls == 3 && r.err.code == ERR_OK && c->state == CONTAINER_RUNNING);
	fake_exit(c->id, 0);
	world_settle();
	fake_runtime_ok(0);
}

/* The container has ended for good, and its removal asks the runtime once more. */
static void what_a_failed_start_left_cannot_be_deleted(void)
{
	struct container *c = fake_container();
	struct result r = { 0 };

	start_start(c, record, &r);
	fake_knows = true;
	fake_runtime_fail(ERR_INTERNAL, "killed");
	fake_runtime_fail(ERR_UNAVAILABLE, "the keeper is away");
	fake_knows = false;
	world_settle();
	ok(r.calls == 1 && r.err.code == ERR_INTERNAL && c->state == CONTAINER_EXITED && c->in_runtime);
}

/* The runtime's stderr is the container's: its words are in the log, and the start is put back. The keeper has the log
 * open with these flags (the fake pump does not give it one). Returns the log. */
static int words_in_the_log(struct container *c, struct result *r, int flags)
{
	static const char words[] = "2026-01-02T03:04:05Z stderr F runc run failed\n";
	struct arena *a = arena_new();
	struct err e;
	int log, held;

	start_start(c, record, r);
	log = open(c->log_path, O_WRONLY | O_APPEND | O_CLOEXEC);
	held = open(c->log_path, flags | O_CLOEXEC);
	ok(c->log_mark == 0 && log >= 0 && held >= 0);
	ok(keeper_ask_hold(arena_printf(a, "container/%s/log", c->id), held, &e) == 0);
	ok(write(log, words, strlen(words)) == (ssize_t)strlen(words));
	fake_runtime_fail(ERR_UNAVAILABLE, "the keeper died while it ran");
	world_settle();
	ok(c->state == CONTAINER_CREATED);
	close(held);
	arena_free(a);
	return log;
}

static bool is_empty(int log)
{
	struct stat st;

	return fstat(log, &st) == 0 && st.st_size == 0;
}

static void the_words_of_a_start_that_is_put_back(void)
{
	struct container *c = fake_container();
	struct result r = { 0 };
	int log = words_in_the_log(c, &r, O_WRONLY | O_APPEND);

	ok(is_empty(log));
	close(log);
	runs_to_its_end(c, &r);
}

/* An error of the log's file: the words go before the start is repeated. */
static void words_that_could_not_be_cut_off(void)
{
	struct container *c = fake_container();
	struct result r = { 0 };
	int log = words_in_the_log(c, &r, O_RDONLY);

	ok(c->log_owed && !is_empty(log));
	start_start(c, record, &r);
	ok(!c->log_owed && c->log_mark == 0 && is_empty(log));
	fake_runtime_ok(0);
	close(log);
}

/* config.json names fds of a keeper that is dead by now: the runtime's failure says nothing about the container. */
static void a_failure_after_a_death_of_the_keeper(void)
{
	struct container *c = fake_container();
	struct result r = { 0 };

	start_start(c, record, &r);
	fake_deaths++;
	fake_runtime_fail(ERR_INTERNAL, "lstat /proc/126/fd/23: no such file or directory");
	world_settle();
	ok(r.calls == 1 && r.err.code == ERR_UNAVAILABLE && c->state == CONTAINER_CREATED && !c->in_runtime);
	runs_to_its_end(c, &r);
}

static void a_failure_after_a_death_of_the_anchor(void)
{
	struct container *c = fake_container();
	struct result r = { 0 };

	start_start(c, record, &r);
	fake_join_gone = true;
	fake_runtime_fail(ERR_INTERNAL, "crun run: open `/proc/126/fd/32`: No such file or directory");
	fake_join_gone = false;
	world_settle();
	ok(r.calls == 1 && r.err.code == ERR_UNAVAILABLE && c->state == CONTAINER_CREATED && !c->in_runtime);
	ok(strstr(r.err.msg, "crisp-anchor died") != NULL);
	runs_to_its_end(c, &r);
}

static void the_log_cannot_be_opened(void)
{
	struct container *c = fake_container();
	struct result r = { 0 };

	fake_pump_refuses = true;
	start_start(c, record, &r);
	fake_pump_refuses = false;
	ok(r.calls == 0);
	world_settle();
	ok(r.calls == 1 && strstr(r.err.msg, "no space") && c->exit_code == 128 && !c->in_runtime);
	is_str(fake_calls, "kill rmdir ");
}

/* ---- labels of volumes ---- */

static struct {
	const char *label;
	char path[300];
	size_t n; /* how many */
	start_labelled *done;
	void *arg;
} labelling;

static int mounts;
static enum err_code mount_fails;

static int fake_mount(struct container *c, struct err *e)
{
	(void)c;
	mounts++;
	return mount_fails == ERR_OK ? 0 : err_set(e, mount_fails, "no overlay");
}

static void fake_label(const char *label, const char *const *paths, start_labelled *done, void *arg)
{
	labelling.label = label;
	snprintf(labelling.path, sizeof(labelling.path), "%s", paths[0]);
	while (paths[labelling.n])
		labelling.n++;
	labelling.done = done;
	labelling.arg = arg;
}

/* One of these mounts asks for a label and is a directory of the node itself. */
static struct container *with_volumes(const char *host_path)
{
	static struct mount_config m[3];
	struct container *c = fake_container();

	m[0] = (struct mount_config){ .host_path = "/usr", .container_path = "/a", .image = "" };
	m[1] = (struct mount_config){ .host_path = "", .container_path = "/b", .image = "i", .selinux_relabel = true };
	m[2] = (struct mount_config){ .host_path = host_path, .container_path = "/c", .image = "",
				      .selinux_relabel = true };
	c->config.mounts.at = m;
	c->config.mounts.n = 3;
	c->mount_label = "a:b:c:s0:c1,c2";
	memset(&labelling, 0, sizeof(labelling));
	start_open(fake_label, fake_mount);
	return c;
}

static void volumes_are_labelled_before_it_runs(void)
{
	struct container *c = with_volumes(world_dir());
	struct result r = { 0 };

	start_start(c, record, &r);
	ok(labelling.done && c->starting && !c->in_runtime);
	is_str(fake_calls, "");
	is_str(labelling.label, "a:b:c:s0:c1,c2");
	is_str(labelling.path, world_dir());
	ok(labelling.n == 1);
	labelling.done(labelling.arg, NULL);
	is_str(fake_calls, "run ");
	fake_runtime_ok(0);
	ok(r.calls == 1 && r.err.code == ERR_OK && c->state == CONTAINER_RUNNING);
	fake_exit(c->id, 0);
	world_settle();
	fake_runtime_ok(0);
}

static void a_volume_that_cannot_be_labelled(void)
{
	struct container *c = with_volumes(world_dir());
	struct result r = { 0 };
	struct err e;

	start_start(c, record, &r);
	err_set(&e, ERR_INTERNAL, "label \"f\": Read-only file system");
	labelling.done(labelling.arg, &e);
	world_settle();
	ok(r.calls == 1 && r.err.code == ERR_INTERNAL && strstr(r.err.msg, "Read-only"));
	ok(c->state == CONTAINER_EXITED && c->exit_code == 128 && !c->in_runtime);
	is_str(c->reason, "StartError");
}

static void the_nodes_own_directories_are_not_labelled(void)
{
	struct container *c = with_volumes("/usr");
	struct result r = { 0 };

	start_start(c, record, &r);
	world_settle();
	ok(!labelling.done && r.calls == 1 && r.err.code == ERR_INVALID_ARGUMENT && strstr(r.err.msg, "mount /c: "));
}

static void without_a_label_nothing_is_labelled(void)
{
	struct container *c = with_volumes(world_dir());
	struct result r = { 0 };

	c->mount_label = "";
	start_start(c, record, &r);
	ok(!labelling.done);
	is_str(fake_calls, "run ");
	fake_runtime_ok(0);
	fake_exit(c->id, 0);
	world_settle();
	fake_runtime_ok(0);
}

static void not_created_or_not_ready(void)
{
	struct container *c = fake_running(0);
	struct result r = { 0 };

	start_start(c, record, &r);
	world_settle();
	ok(r.calls == 1 && r.err.code == ERR_FAILED_PRECONDITION && c->state == CONTAINER_RUNNING);
	fake_exit(c->id, 0);
	world_settle();
	fake_runtime_ok(0);
	c = fake_container();
	c->sandbox->state = SANDBOX_NOTREADY;
	start_start(c, record, &r);
	world_settle();
	ok(r.calls == 2 && r.err.code == ERR_FAILED_PRECONDITION && c->state == CONTAINER_CREATED);
}

static void whose_processes_it_shares_is_gone(void)
{
	struct container *c = fake_container();
	struct result r = { 0 };

	fake_joins = ERR_FAILED_PRECONDITION;
	start_start(c, record, &r);
	fake_joins = ERR_OK;
	world_settle();
	ok(r.calls == 1 && r.err.code == ERR_FAILED_PRECONDITION && strstr(r.err.msg, "not running"));
	ok(c->state == CONTAINER_CREATED && !c->starting && !c->in_runtime);
	is_str(fake_calls, "");
}

static void what_it_joins_is_open_until_it_runs(void)
{
	struct container *c = fake_container();
	struct result r = { 0 };

	start_start(c, record, &r);
	ok(fcntl(fake_joined, F_GETFD) >= 0);
	fake_runtime_ok(0);
	ok(r.calls == 1 && fcntl(fake_joined, F_GETFD) < 0);
	fake_exit(c->id, 0);
	world_settle();
	fake_runtime_ok(0);
}

static void stdin_is_a_pipe_that_the_keeper_holds(void)
{
	struct container *c = fake_container();
	struct result r = { 0 };
	char name[100];

	c->config.stdin_ = true;
	start_start(c, record, &r);
	snprintf(name, sizeof(name), "container/%s/stdin", c->id);
	ok(keeper_copy(name) >= 0);
	fake_runtime_ok(0);
	fake_exit(c->id, 0);
	world_settle();
	ok(keeper_copy(name) < 0);
	fake_runtime_ok(0);
}

static void no_descriptor_for_its_stdin(void)
{
	struct container *c = fake_container();
	struct result r = { 0 };

	c->config.stdin_ = true;
	fake_no_fds = true;
	start_start(c, record, &r);
	world_settle();
	fake_no_fds = false;
	ok(r.calls == 1 && r.err.code == ERR_RESOURCE_EXHAUSTED && c->state == CONTAINER_CREATED && !c->in_runtime);
	is_str(fake_calls, "kill rmdir ");
	runs_to_its_end(c, &r);
}

/* A shim, or its program, has unmounted the root file system of a start that it gave up. (ARCHITECTURE K53) */
static void a_root_file_system_that_a_shim_unmounted(void)
{
	struct container *c = fake_container();
	struct result r = { 0 };

	fake_traits = RUNTIME_STREAMS;
	start_open(fake_label, fake_mount);
	c->in_runtime = fake_knows = true;
	mounts = 0;
	mount_fails = ERR_RESOURCE_EXHAUSTED;
	start_start(c, record, &r);
	fake_knows = false;
	is_str(fake_calls, "delete --force ");
	ok(mounts == 0);
	fake_runtime_ok(0);
	world_settle();
	is_str(fake_calls, "delete --force kill rmdir "); /* nothing runs without it, but it can be tried again */
	ok(r.calls == 1 && r.err.code == ERR_RESOURCE_EXHAUSTED && mounts == 1);
	ok(c->state == CONTAINER_CREATED && !c->starting && !c->in_runtime);
	mount_fails = ERR_OK;
	start_start(c, record, &r);
	ok(mounts == 2 && fake_runtime_pending());
	is_str(fake_calls, "delete --force kill rmdir run ");
	fake_runtime_fail(ERR_INTERNAL, "what else");
	fake_runtime_ok(0);
	world_settle();
	ok(r.calls == 2 && c->state == CONTAINER_EXITED && c->exit_code == 128);
	c = fake_container();
	mount_fails = ERR_INTERNAL;
	start_start(c, record, &r);
	world_settle();
	ok(r.calls == 3 && strstr(r.err.msg, "no overlay") && !fake_runtime_pending());
	ok(c->state == CONTAINER_EXITED && c->exit_code == 128 && strcmp(c->reason, "StartError") == 0);
	mount_fails = ERR_OK;
	fake_traits = 0;
}

int main(void)
{
	from_start_to_exit_code();
	a_full_disk_at_the_start();
	the_runtime_refuses();
	the_program_is_missing();
	the_keeper_is_away();
	the_keeper_died_amid_the_runtime();
	what_a_runtime_left_is_deleted_before_the_next_start();
	what_a_failed_start_left_cannot_be_deleted();
	the_words_of_a_start_that_is_put_back();
	words_that_could_not_be_cut_off();
	a_failure_after_a_death_of_the_keeper();
	a_failure_after_a_death_of_the_anchor();
	the_log_cannot_be_opened();
	not_created_or_not_ready();
	whose_processes_it_shares_is_gone();
	what_it_joins_is_open_until_it_runs();
	stdin_is_a_pipe_that_the_keeper_holds();
	no_descriptor_for_its_stdin();
	volumes_are_labelled_before_it_runs();
	a_volume_that_cannot_be_labelled();
	the_nodes_own_directories_are_not_labelled();
	without_a_label_nothing_is_labelled();
	a_root_file_system_that_a_shim_unmounted();
	return tap_end();
}
