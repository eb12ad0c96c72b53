/* test_no_core.c - a process that gives its memory to nobody, and the limit that its children get back. */
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reactor/no_core.h"
#include "tests/tap.h"

static rlim_t soft_limit(void)
{
	struct rlimit now;

	return getrlimit(RLIMIT_CORE, &now) == 0 ? now.rlim_cur : RLIM_INFINITY;
}

static void nothing_is_dumped(void)
{
	struct rlimit given = { 4096, 8192 }, before, now;

	ok(setrlimit(RLIMIT_CORE, &given) == 0);
	no_core(&before);
	ok(before.rlim_cur == 4096 && before.rlim_max == 8192);
	ok(prctl(PR_GET_DUMPABLE) == 0);
	ok(getrlimit(RLIMIT_CORE, &now) == 0 && now.rlim_cur == 0 && now.rlim_max == 8192);
	ok(setrlimit(RLIMIT_CORE, &before) == 0 && soft_limit() == 4096);
}

static void a_fork_inherits_it(void)
{
	int status = -1;
	pid_t pid;

	no_core(NULL);
	pid = fork();
	if (pid == 0)
		_exit(prctl(PR_GET_DUMPABLE) == 0 && soft_limit() == 0 ? 7 : 8);
	ok(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

int main(void)
{
	nothing_is_dumped();
	a_fork_inherits_it();
	return tap_end();
}
