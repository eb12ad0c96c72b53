/* test_exec_tree.c - procs/exec_tree.c's search by session, on real processes in a cgroup of plain files.
 *
 * The leader of a session (the exec) has a child that forks and ends, so that the grandchildren are reparented:
 *
 *   leader --- (ended) --- orphan --- below    orphan: in the leader's session; below: in one of its own
 *                      `-- daemon              in a session of its own */
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procs/exec.h"
#include "tests/fakes/world.h"
#include "tests/tap.h"
#include "tests/unit/procs/cgroup_on_paper.h"

enum { TOO_LONG_S = 60 };

static struct family {
	pid_t leader, orphan, below, daemon;
} *family; /* shared with the children, each of which writes its own pid */

static int ready[2];

/* A child that nobody kills ends by its alarm. */
static _Noreturn void stay(pid_t *me)
{
	alarm(TOO_LONG_S);
	*me = getpid();
	if (write(ready[1], "x", 1) == 1)
		for (;;)
			pause();
	_exit(1);
}

static _Noreturn void be_orphan(void)
{
	if (fork() == 0) {
		setsid();
		stay(&family->below);
	}
	stay(&family->orphan);
}

static _Noreturn void be_leader(bool own_session)
{
	pid_t between;

	if (own_session)
		setsid();
	between = fork();
	if (between == 0) {
		if (fork() == 0)
			be_orphan();
		if (fork() == 0) {
			setsid();
			stay(&family->daemon);
		}
		_exit(0);
	}
	waitpid(between, NULL, 0);
	stay(&family->leader);
}

static void family_begins(bool own_session)
{
	char bytes[1], path[300];
	FILE *f;

	ok(pipe(ready) == 0);
	if (fork() == 0)
		be_leader(own_session);
	for (int i = 0; i < 4; i++)
		ok(read(ready[0], bytes, 1) == 1);
	snprintf(path, sizeof(path), "%s/pod/cgroup.procs", world_dir());
	f = fopen(path, "we");
	fprintf(f, "%d\n%d\n%d\n%d\n", family->leader, family->orphan, family->below, family->daemon);
	fclose(f);
}

static bool died_by(pid_t pid, int sig)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == sig;
}

static bool killed(pid_t pid)
{
	return died_by(pid, SIGKILL);
}

static bool alive(pid_t pid)
{
	return waitpid(pid, NULL, WNOHANG) == 0;
}

/* A SIGKILL that is on its way would show: it goes before any other signal. */
static void end_of_a_spared(pid_t pid)
{
	kill(pid, SIGTERM);
	ok(died_by(pid, SIGTERM));
}

static void family_ends(void)
{
	close(ready[0]);
	close(ready[1]);
}

/* `below` is the test's child once the orphan, its parent, is dead and reaped. */
static void the_session_dies_and_the_daemon_stays(void)
{
	family_begins(true);
	exec_kill_tree(family->leader, "/pod");
	ok(killed(family->leader));
	ok(killed(family->orphan));
	ok(killed(family->below));
	ok(alive(family->daemon));
	end_of_a_spared(family->daemon);
	family_ends();
}

static void without_a_cgroup_only_descendants_die(void)
{
	family_begins(true);
	exec_kill_tree(family->leader, "");
	ok(killed(family->leader));
	ok(alive(family->orphan) && alive(family->daemon));
	end_of_a_spared(family->orphan);
	end_of_a_spared(family->below);
	end_of_a_spared(family->daemon);
	family_ends();
}

/* An exec that made no session is in the caller's, whose members are no part of the exec. */
static void the_callers_own_session_is_spared(void)
{
	family_begins(false);
	exec_kill_tree(family->leader, "/pod");
	ok(killed(family->leader));
	ok(alive(family->orphan) && alive(family->daemon));
	end_of_a_spared(family->orphan);
	end_of_a_spared(family->below);
	end_of_a_spared(family->daemon);
	family_ends();
}

int main(void)
{
	family = mmap(NULL, sizeof(*family), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ok(family != MAP_FAILED);
	ok(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0); /* orphans become the test's children */
	paper_open();
	the_session_dies_and_the_daemon_stays();
	without_a_cgroup_only_descendants_die();
	the_callers_own_session_is_spared();
	return tap_end();
}
