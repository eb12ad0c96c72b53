/* test_kill.c - procs/cgroup/kill.c on real groups of v1: groups larger than a slice, processes without a first thread,
 * frozen groups. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "procs/cgroup.h"
#include "procs/cgroup/tree.h"
#include "procs/pidstat.h"
#include "reactor/log.h"
#include "tests/fakes/world.h"
#include "tests/tap.h"

enum { MANY = 100, PF_EXITING = 4 };

static struct err e;
static char group[64], inner[80];

static _Noreturn void stay(int ready)
{
	if (write(ready, "x", 1) == 1)
		for (;;)
			pause();
	_exit(1);
}

static void *second_thread(void *arg)
{
	stay(*(int *)arg);
}

/* A child that joins the group by itself. Without a first thread: it ends, and a second one goes on. */
static pid_t member(const char *path, bool first_thread)
{
	static int ready[2];
	pthread_t second;
	char byte;
	pid_t pid;

	ok(pipe2(ready, O_CLOEXEC) == 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (size_t i = 0; i < nhierarchies; i++)
			if (cgroup_write(&hierarchies[i], path, "tasks", "0", &e) < 0)
				_exit(1);
		if (first_thread)
			stay(ready[1]);
		if (pthread_create(&second, NULL, second_thread, &ready[1]) == 0)
			pthread_exit(NULL);
		_exit(1);
	}
	close(ready[1]);
	ok(read(ready[0], &byte, 1) == 1);
	close(ready[0]);
	return pid;
}

static bool killed(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/* A failed check leaves no process behind. */
static void killed_or_not(pid_t pid, bool good)
{
	ok(good);
	if (!good) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

static bool alive(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG) == 0;
}

static bool wait_for_state(const char *path, const char *want)
{
	char text[64];

	for (int i = 0; i < 10000; i++) {
		cgroup_read(hierarchy_of("freezer"), path, "freezer.state", text, sizeof(text));
		if (strcmp(text, want) == 0)
			return true;
		sched_yield();
	}
	return false;
}

struct told {
	struct cgroup_wait wait;
	int calls;
};

static void on_all_killed(struct cgroup_wait *w)
{
	container_of(w, struct told, wait)->calls++;
}

static void a_large_group_dies_in_slices(void)
{
	struct told told = { 0 }, gone = { 0 };
	pid_t pids[MANY];
	bool good = true;

	for (int i = 0; i < MANY; i++)
		pids[i] = member(i % 2 ? group : inner, true);
	ok(!cgroup_kill_wait(group, &told.wait, on_all_killed));
	cgroup_kill(group);
	ok(cgroup_kill_wait(group, &told.wait, on_all_killed) && cgroup_kill_wait(group, &gone.wait, on_all_killed));
	list_drop(&gone.wait.link);
	ok(alive(pids[MANY - 2])); /* in `inner`: the call comes to the first SLICE of `group` only */
	cgroup_kill(group); /* joins */
	world_settle();
	ok(told.calls == 1 && gone.calls == 0 && !cgroup_kill_wait(group, &told.wait, on_all_killed));
	for (int i = 0; i < MANY; i++)
		good &= killed(pids[i]);
	ok(good);
}

static bool first_thread_has_ended(pid_t pid)
{
	struct pidstat stat;

	for (int i = 0; i < 100000; i++)
		if (pidstat_read(pid, &stat) && stat.flags & PF_EXITING && stat.state == 'Z')
			return true;
	return false;
}

/* /proc/PID/cgroup of such a process says "/". The stranger says so too. */
static void a_process_without_a_first_thread_dies(void)
{
	pid_t pid = member(inner, false), other = member(group, true);
	siginfo_t info = { 0 };

	ok(first_thread_has_ended(pid));
	ok(cgroup_has(group, pid) && cgroup_has(inner, pid) && cgroup_has(group, other) && !cgroup_has(inner, other));
	ok(!cgroup_has(group, getpid()));
	cgroup_kill(group);
	world_settle();
	ok(killed(other));
	for (int i = 0; i < 100000 && info.si_pid == 0; i++)
		waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT);
	killed_or_not(pid, info.si_pid == pid);
	if (info.si_pid == pid)
		waitpid(pid, NULL, 0);
}

static void frozen_groups_die(const char *frozen)
{
	pid_t pid = member(inner, true);
	siginfo_t info = { 0 };

	ok(cgroup_write(hierarchy_of("freezer"), frozen, "freezer.state", "FROZEN", &e) == 0);
	ok(wait_for_state(frozen, "FROZEN\n"));
	cgroup_kill(group);
	world_settle();
	ok(wait_for_state(frozen, "THAWED\n"));
	for (int i = 0; i < 100000 && info.si_pid == 0; i++)
		waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT);
	if (info.si_pid != pid)
		cgroup_write(hierarchy_of("freezer"), frozen, "freezer.state", "THAWED", &e);
	killed_or_not(pid, info.si_pid == pid);
	if (info.si_pid == pid)
		waitpid(pid, NULL, 0);
}

/* A fork bomb on the group's list: every child forks as fast as it can, and ends when its parent is gone for a second.
 * The pids controller bounds the bomb. */
static void a_fork_bomb_dies(void)
{
	pid_t pid, left[8];

	ok(cgroup_write(hierarchy_of("pids"), group, "pids.max", "300", &e) == 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (size_t i = 0; i < nhierarchies; i++)
			if (cgroup_write(&hierarchies[i], inner, "tasks", "0", &e) < 0)
				_exit(1);
		alarm(20); /* not inherited by fork(2): each child sets its own */
		for (;;)
			if (fork() == 0)
				alarm(20);
	}
	while (cgroup_pids(group, left, 8) < 8)
		sched_yield();
	/* On a busy machine a killed process takes its time to end; the clock of the loop is a fake. */
	for (time_t end = time(NULL) + 30; cgroup_pids(group, left, 8) && time(NULL) < end;) {
		cgroup_kill(group);
		world_settle();
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
	ok(cgroup_pids(group, left, 8) == 0);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static bool usable(void)
{
	static const struct cgroup_config cfg = { "/crisp", "cgroupfs", NULL };

	snprintf(group, sizeof(group), "/crisp-test-kill-%d", (int)getpid());
	snprintf(inner, sizeof(inner), "%s/inner", group);
	return cgroup_open(&cfg, &e) == 0 && !cgroup_is_v2() && hierarchy_of("freezer") && hierarchy_of("pids") &&
	       cgroup_make(group, &e) == 0 && cgroup_make(inner, &e) == 0;
}

int main(void)
{
	log_open("test", LOG_LEVEL_ERROR);
	prctl(PR_SET_CHILD_SUBREAPER, 1); /* the children of a fork bomb are reaped here */
	if (!usable()) {
		printf("1..0 # SKIP no writable cgroup v1 hierarchies\n");
		return 0;
	}
	a_large_group_dies_in_slices();
	a_process_without_a_first_thread_dies();
	frozen_groups_die(inner);
	frozen_groups_die(group);
	a_fork_bomb_dies();
	cgroup_remove(group);
	world_advance(10000);
	return tap_end();
}
