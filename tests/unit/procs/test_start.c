/* test_start.c - procs/start.c and life.c: a container from start to its end, its failures, and what a crash leaves. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "procs/console.h"
#include "procs/container.h"
#include "procs/keeper.h"
#include "procs/life.h"
#include "procs/start.h"
#include "tests/fakes/keeper.h"
#include "tests/fakes/log_pump.h"
#include "tests/fakes/runtime.h"
#include "tests/fakes/world.h"
#include "tests/tap.h"

struct result {
	int calls;
	struct err err;
};

static void record(void *arg, const struct err *e)
{
	struct result *r = arg;

	r->calls++;
	r->err = e ? *e : (struct err){ 0 };
}

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

static void exit_0_is_completed(void)
{
	struct container *c = fake_running(0);

	fake_exit(c->id, 0);
	world_settle();
	ok(c->exit_code == 0);
	is_str(c->reason, "Completed");
	fake_runtime_ok(0);
}

static void a_death_by_signal_is_128_and_more(void)
{
	struct container *c = fake_running(0);

	fake_exit(c->id, SIGTERM);
	world_settle();
	ok(c->exit_code == 128 + SIGTERM);
	is_str(c->reason, "Error");
	fake_runtime_ok(0);
}

static void the_exit_is_told_after_the_log_is_drained(void)
{
	struct container *c = fake_running(0);

	fake_pump_drain_ms = 500;
	fake_exit(c->id, 0);
	world_advance(499);
	ok(c->state == CONTAINER_RUNNING && !fake_forgotten(c->id));
	world_advance(1);
	ok(c->state == CONTAINER_EXITED && fake_forgotten(c->id));
	fake_pump_drain_ms = 0;
	fake_runtime_ok(0);
}

static void oom(void)
{
	struct container *c = fake_running(0);

	fake_oom_kills = 1;
	fake_exit(c->id, SIGKILL);
	world_settle();
	ok(c->exit_code == 137 && c->oom_killed);
	is_str(c->reason, "OOMKilled");
	fake_runtime_ok(0);
}

static void a_child_killed_for_memory_is_not_the_container(void)
{
	struct container *c = fake_running(0);

	fake_oom_kills = 1;
	fake_exit(c->id, 1 << 8);
	world_settle();
	ok(!c->oom_killed);
	is_str(c->reason, "Error");
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
	is_str(fake_calls, "run rmdir ");
}

/* No runtime was run, or nobody can tell: the next start asks. */
static void the_keeper_is_away(void)
{
	struct container *c = fake_container();
	struct result r = { 0 };

	start_start(c, record, &r);
	fake_runtime_fail(ERR_UNAVAILABLE, "the keeper is away");
	world_settle();
	ok(r.calls == 1 && r.err.code == ERR_UNAVAILABLE);
	ok(c->state == CONTAINER_CREATED && !c->starting && c->in_runtime && fake_pumps == 0);
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
	fake_runtime_fail(ERR_UNAVAILABLE, "the keeper is away");
	world_settle();
	fake_knows = true;
	fake_calls[0] = '\0';
	start_start(c, record, &r);
	is_str(fake_calls, "delete --force ");
	fake_runtime_ok(0);
	world_settle();
	fake_knows = false;
	ok(r.calls == 2 && r.err.code == ERR_INTERNAL);
	ok(c->state == CONTAINER_EXITED && c->exit_code == 128 && !c->in_runtime);
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
	is_str(fake_calls, "rmdir ");
}

/* ---- labels of volumes ---- */

static struct {
	const char *label;
	char path[300];
	size_t n; /* how many */
	start_labelled *done;
	void *arg;
} labelling;

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
	start_open(fake_label);
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

/* ---- recovery ---- */

static void adopted_and_still_there(void)
{
	struct container *c = fake_container();

	c->state = CONTAINER_RUNNING;
	fake_keep(c->id, 4711, -1);
	start_adopt(c);
	world_settle();
	ok(c->state == CONTAINER_RUNNING && c->life && fake_pumps == 1);
	fake_exit(c->id, 7 << 8);
	world_settle();
	ok(c->state == CONTAINER_EXITED && c->exit_code == 7 && fake_pumps == 0);
	fake_runtime_ok(0);
}

static void adopted_but_it_ended_meanwhile(void)
{
	struct container *c = fake_container();

	c->state = CONTAINER_RUNNING;
	fake_keep(c->id, 4711, -1);
	fake_exit(c->id, 9 << 8);
	start_adopt(c);
	world_settle();
	ok(c->state == CONTAINER_EXITED && c->exit_code == 9);
	fake_runtime_ok(0);
}

static void adopted_but_the_keeper_lost_it(void)
{
	struct container *c = fake_container();

	c->state = CONTAINER_RUNNING;
	c->pid = 1 << 22; /* no process has this pid */
	start_adopt(c);
	world_settle();
	ok(c->state == CONTAINER_EXITED && c->exit_code == 255);
	is_str(c->reason, "Unknown");
	fake_runtime_ok(0);
}

static void adopted_alive_though_the_keeper_lost_it(void)
{
	struct container *c = fake_container();

	c->state = CONTAINER_RUNNING;
	c->pid = getpid(); /* the fake cgroup_has() says that it is in the cgroup */
	start_adopt(c);
	world_settle();
	ok(c->state == CONTAINER_RUNNING && life_pidfd(c) >= 0);
}

static void crash_while_starting_but_it_started(void)
{
	struct container *c = fake_container();

	c->starting = c->in_runtime = true;
	fake_keep(c->id, 4711, -1);
	start_adopt(c);
	ok(c->state == CONTAINER_RUNNING && c->pid == 4711 && !c->starting);
	fake_exit(c->id, 0);
	world_settle();
	fake_runtime_ok(0);
}

static void crash_while_starting_and_no_runtime_was_run(void)
{
	struct container *c = fake_container();
	struct result r = { 0 };

	c->starting = c->in_runtime = true;
	start_adopt(c);
	ok(c->state == CONTAINER_CREATED && !c->starting && !c->in_runtime);
	start_start(c, record, &r);
	fake_runtime_ok(0);
	ok(r.calls == 1 && r.err.code == ERR_OK && c->state == CONTAINER_RUNNING);
	fake_exit(c->id, 0);
	world_settle();
	fake_runtime_ok(0);
}

static void crash_while_the_runtime_was_at_it(void)
{
	struct container *c = fake_container();

	c->starting = c->in_runtime = fake_knows = true;
	start_adopt(c);
	fake_knows = false;
	ok(c->state == CONTAINER_EXITED && c->exit_code == 128);
	is_str(c->reason, "StartError");
	is_str(fake_calls, "rmdir delete --force ");
	fake_runtime_ok(0);
	world_settle();
	ok(!c->in_runtime && !c->life);
}

static void crash_after_the_exit_was_recorded(void)
{
	struct container *c = fake_container();

	c->state = CONTAINER_EXITED;
	c->in_runtime = true;
	fake_keep(c->id, 4711, -1);
	fake_exit(c->id, 0);
	start_adopt(c);
	world_settle();
	ok(fake_forgotten(c->id) && strstr(fake_calls, "delete --force"));
	fake_runtime_ok(0);
	world_settle();
}

/* ---- console ---- */

static void count(void *arg)
{
	++*(int *)arg;
}

static void a_terminal_goes_to_the_log(void)
{
	struct container *c = fake_running(0);
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave;
	struct console *console;
	int drained = 0;
	char text[64] = "";
	struct termios raw;

	grantpt(master);
	unlockpt(master);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	tcgetattr(slave, &raw);
	cfmakeraw(&raw);
	tcsetattr(slave, TCSANOW, &raw);
	console_hold(c->id, master);
	close(master);
	console = console_pump(c->id, c->log);
	ok(console != NULL);
	ok(write(slave, "hello\n", 6) == 6);
	world_settle();
	ok(read(fake_pump_fifo(), text, sizeof(text)) == 6);
	is_str(text, "hello\n");
	ok(write(slave, "bye\n", 4) == 4);
	close(slave);
	console_drain(console, count, &drained);
	world_settle();
	ok(drained == 1);
	ok(read(fake_pump_fifo(), text, sizeof(text)) == 4 && memcmp(text, "bye\n", 4) == 0);
	fake_exit(c->id, 0);
	world_settle();
	fake_runtime_ok(0);
}

int main(void)
{
	from_start_to_exit_code();
	exit_0_is_completed();
	a_death_by_signal_is_128_and_more();
	the_exit_is_told_after_the_log_is_drained();
	oom();
	a_child_killed_for_memory_is_not_the_container();
	the_runtime_refuses();
	the_program_is_missing();
	the_keeper_is_away();
	the_keeper_died_amid_the_runtime();
	the_log_cannot_be_opened();
	not_created_or_not_ready();
	whose_processes_it_shares_is_gone();
	what_it_joins_is_open_until_it_runs();
	stdin_is_a_pipe_that_the_keeper_holds();
	volumes_are_labelled_before_it_runs();
	a_volume_that_cannot_be_labelled();
	the_nodes_own_directories_are_not_labelled();
	without_a_label_nothing_is_labelled();
	adopted_and_still_there();
	adopted_but_it_ended_meanwhile();
	adopted_but_the_keeper_lost_it();
	adopted_alive_though_the_keeper_lost_it();
	crash_while_starting_but_it_started();
	crash_while_starting_and_no_runtime_was_run();
	crash_while_the_runtime_was_at_it();
	crash_after_the_exit_was_recorded();
	a_terminal_goes_to_the_log();
	return tap_end();
}
