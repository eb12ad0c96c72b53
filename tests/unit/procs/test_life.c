/* test_life.c - procs/life.c: the end of a started container, its log and its exit code, also over a restart. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "procs/console.h"
#include "procs/container.h"
#include "procs/keeper.h"
#include "procs/life.h"
#include "procs/log_late.h"
#include "procs/log_pump.h"
#include "procs/runtime.h"
#include "procs/start.h"
#include "tests/fakes/keeper.h"
#include "tests/fakes/log_pump.h"
#include "tests/fakes/runtime.h"
#include "tests/fakes/world.h"
#include "tests/tap.h"

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

/* While its .tmp is a directory, a record cannot be written. */
static void save_fails(const struct container *c, bool fails)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/root/containers/%s.json.tmp", world_dir(), c->id);
	ok((fails ? mkdir(path, 0700) : rmdir(path)) == 0);
}

static void an_exit_that_cannot_be_saved_is_kept(void)
{
	struct container *c = fake_running(0);

	save_fails(c, true);
	fake_exit(c->id, 7 << 8);
	world_settle();
	ok(c->state == CONTAINER_EXITED && c->exit_code == 7 && !fake_forgotten(c->id));
	fake_runtime_ok(0);
	world_advance(5000);
	ok(!fake_forgotten(c->id) && unsaved_waits(&c->unsaved));
	save_fails(c, false);
	world_advance(1000);
	ok(fake_forgotten(c->id) && !unsaved_waits(&c->unsaved));
}

/* The log's disk is full: the end is told, and the log waits, also over a restart. */
static struct container *ends_on_a_full_disk(void)
{
	struct container *c = fake_running(0);
	struct arena *a = arena_new();
	struct err e;

	ok(keeper_ask_hold(arena_printf(a, "container/%s/stdout", c->id), STDIN_FILENO, &e) == 0);
	arena_free(a);
	fake_pump_left = 100;
	fake_exit(c->id, 0);
	world_settle();
	fake_runtime_ok(0);
	ok(c->state == CONTAINER_EXITED && fake_forgotten(c->id) && !c->life && c->log && fake_pumps == 1);
	return c;
}

static void a_log_whose_disk_is_full_waits(void)
{
	struct container *c = ends_on_a_full_disk();

	world_advance(100000);
	ok(c->log && fake_pumps == 1);
	fake_pump_left = 0;
	world_advance(1000);
	ok(!c->log && !c->late && fake_pumps == 0 && fake_holds == 0);
}

static void a_log_that_waits_is_adopted(void)
{
	struct container *c = ends_on_a_full_disk();
	struct err e;

	log_late_give_up(c);
	ok(!c->log && fake_pumps == 0 && fake_holds == 0);
	ok(keeper_ask_hold("container/other/stdout", STDIN_FILENO, &e) == 0);
	start_adopt(c);
	ok(!c->log && !c->late);
	keeper_ask_release("container/other/stdout");
	c = ends_on_a_full_disk();
	log_pump_close(c->log); /* as the daemon died */
	c->log = NULL;
	c->late = NULL;
	start_adopt(c);
	ok(c->log && c->late && fake_pumps == 1);
	fake_pump_left = 0;
	world_advance(1000);
	ok(!c->log && !c->late && fake_pumps == 0 && fake_holds == 0);
}

/* 64 MiB wait at most: the oldest is given up. */
static void logs_that_wait_are_bounded(void)
{
	struct container *all[3];

	fake_pump_left = 30 << 20;
	for (int i = 0; i < 3; i++) {
		all[i] = fake_running(0);
		log_late_close(all[i]);
		ok(all[i]->late && (i == 2) == !all[0]->late);
	}
	ok(!all[0]->log && all[1]->late && fake_pumps == 2);
	fake_pump_left = 0;
	world_advance(1000);
	ok(fake_pumps == 0);
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

/* ---- a handler whose runtime tells the end ---- */

static void the_runtime_tells_the_end(void)
{
	struct container *c;

	fake_traits = RUNTIME_WAITS;
	c = fake_running(0);
	ok(c->state == CONTAINER_RUNNING);
	fake_waited(ERR_OK, 7 << 8);
	world_settle();
	ok(c->state == CONTAINER_EXITED && c->exit_code == 7);
	fake_runtime_ok(0); /* delete */
	world_settle();
	fake_traits = 0;
}

static void a_wait_that_fails_is_asked_again(void)
{
	struct container *c;

	fake_traits = RUNTIME_WAITS | RUNTIME_SANDBOX;
	c = fake_running(0);
	c->sandbox->pause_pid = 4711;
	fake_calls[0] = '\0';
	fake_waited(ERR_UNAVAILABLE, 0);
	world_settle();
	ok(c->state == CONTAINER_RUNNING && !strstr(fake_calls, "wait"));
	world_advance(500);
	ok(strstr(fake_calls, "wait"));
	fake_waited(ERR_INTERNAL, 0);
	c->sandbox->pause_pid = 0;
	world_advance(500);
	world_settle();
	ok(c->state == CONTAINER_EXITED && c->exit_code == 137);
	fake_runtime_ok(0);
	world_settle();
	fake_traits = 0;
}

/* Its sandbox has no process that could have died with it. */
static void a_wait_that_fails_in_a_sandbox_without_a_process(void)
{
	struct container *c;

	fake_traits = RUNTIME_WAITS;
	c = fake_running(0);
	c->sandbox->config.security.ns.pid = NS_CONTAINER;
	for (int i = 0; i < 2; i++) {
		fake_calls[0] = '\0';
		fake_waited(i == 0 ? ERR_UNAVAILABLE : ERR_INTERNAL, 0);
		world_advance(500);
		ok(c->state == CONTAINER_RUNNING && strstr(fake_calls, "wait"));
	}
	fake_waited(ERR_OK, 7 << 8);
	world_settle();
	ok(c->state == CONTAINER_EXITED && c->exit_code == 7);
	fake_runtime_ok(0);
	world_settle();
	fake_traits = 0;
}

/* The sandbox is its runtime's: its state tells whether it lives. */
static void a_wait_that_fails_in_a_sandbox_of_the_runtime(void)
{
	struct container *c;

	fake_traits = RUNTIME_WAITS | RUNTIME_SANDBOX_API;
	c = fake_running(0);
	c->sandbox->made = MADE_API;
	fake_calls[0] = '\0';
	fake_waited(ERR_INTERNAL, 0);
	world_advance(500);
	ok(c->state == CONTAINER_RUNNING && strstr(fake_calls, "wait"));
	sandbox_set_state(c->sandbox, SANDBOX_NOTREADY);
	fake_waited(ERR_INTERNAL, 0);
	world_advance(500);
	world_settle();
	ok(c->state == CONTAINER_EXITED && c->exit_code == 137);
	fake_runtime_ok(0);
	world_settle();
	fake_traits = 0;
}

static void a_runtime_that_cannot_tell(void)
{
	struct container *c;

	fake_traits = RUNTIME_WAITS;
	c = fake_running(0);
	c->sandbox->pause_pid = 4711;
	for (int i = 0; i < 10; i++) {
		ok(c->state == CONTAINER_RUNNING);
		fake_waited(ERR_INTERNAL, 0);
		world_advance(500);
	}
	world_settle();
	ok(c->state == CONTAINER_EXITED && c->exit_code == 255);
	is_str(c->reason, "Unknown");
	fake_runtime_ok(0);
	world_settle();
	fake_traits = 0;
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
	struct err e;

	grantpt(master);
	unlockpt(master);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	tcgetattr(slave, &raw);
	cfmakeraw(&raw);
	tcsetattr(slave, TCSANOW, &raw);
	ok(console_hold(c->id, master, &e) == 0);
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
	exit_0_is_completed();
	a_death_by_signal_is_128_and_more();
	the_exit_is_told_after_the_log_is_drained();
	an_exit_that_cannot_be_saved_is_kept();
	a_log_whose_disk_is_full_waits();
	logs_that_wait_are_bounded();
	a_log_that_waits_is_adopted();
	oom();
	a_child_killed_for_memory_is_not_the_container();
	adopted_and_still_there();
	adopted_but_it_ended_meanwhile();
	adopted_but_the_keeper_lost_it();
	adopted_alive_though_the_keeper_lost_it();
	crash_after_the_exit_was_recorded();
	the_runtime_tells_the_end();
	a_wait_that_fails_is_asked_again();
	a_wait_that_fails_in_a_sandbox_without_a_process();
	a_wait_that_fails_in_a_sandbox_of_the_runtime();
	a_runtime_that_cannot_tell();
	a_terminal_goes_to_the_log();
	return tap_end();
}
