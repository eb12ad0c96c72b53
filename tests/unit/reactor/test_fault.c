/* Fault points: off unless asked for by the environment; then one pass acts, once. */
#include "reactor/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reactor/own.h"
#include "reactor/sm.h"
#include "tests/tap.h"

static char dir[] = "/tmp/test-fault.XXXXXX";

static const char *in_dir(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void order(const char *point, const char *text)
{
	auto_fd int fd = open(in_dir(point), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ok(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static bool is_there(const char *name)
{
	return access(in_dir(name), F_OK) == 0;
}

static int make(const char *name)
{
	return EFFECT(mkdir(in_dir(name), 0700));
}

static void off_without_the_variable(void)
{
	struct err e;

	unsetenv("CRISP_FAULTS");
	order("test.test_fault.make.mkdir.before", "1 err ENOSPC\n");
	ok(fault_open("test", &e) == 0 && !fault_on && !fault_variable());
	ok(make("first") == 0);
	ok(is_there("test.test_fault.make.mkdir.before"));
}

static void not_in_a_directory_of_others(void)
{
	struct err e;

	setenv("CRISP_FAULTS", dir, 1);
	chmod(dir, 0777);
	ok(fault_open("test", &e) < 0 && e.code == ERR_INVALID_ARGUMENT && !fault_on);
	chmod(dir, 0700);
	setenv("CRISP_FAULTS", in_dir("nowhere"), 1);
	ok(fault_open("test", &e) < 0 && !fault_on);
	ok(symlink(dir, in_dir("link")) == 0);
	setenv("CRISP_FAULTS", in_dir("link"), 1);
	ok(fault_open("test", &e) < 0 && !fault_on);
	unlink(in_dir("link"));
}

static void on(void)
{
	struct err e;

	setenv("CRISP_FAULTS", dir, 1);
	close(open(in_dir("hits"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	ok(fault_open("test", &e) == 0 && fault_on);
	ok(strcmp(fault_variable(), "CRISP_FAULTS=") > 0 && strcmp(strchr(fault_variable(), '=') + 1, dir) == 0);
}

static void a_call_fails_once(void)
{
	errno = 0;
	ok(make("second") < 0 && errno == ENOSPC && !is_there("second"));
	ok(!is_there("test.test_fault.make.mkdir.before"));
	errno = EBADF;
	ok(make("second") == 0 && errno == EBADF && is_there("second"));
	ok(make("second") < 0 && errno == EEXIST); /* the errno of the call itself */
}

static void the_pass_that_counts(void)
{
	order("test.test_fault.make.mkdir.before", "3 err EIO\n");
	ok(make("a") == 0 && make("b") == 0);
	ok(make("c") < 0 && errno == EIO);
	ok(make("c") == 0);
}

static void what_is_no_order_does_nothing(void)
{
	order("test.test_fault.make.mkdir.before", "1 err NONSENSE\n");
	ok(make("d") == 0);
	order("test.test_fault.make.mkdir.before", "1 dance\n");
	ok(make("e") == 0);
	order("test.test_fault.make.mkdir.before", "");
	ok(make("f") == 0);
}

static int status_of(void (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		fn();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
}

static void make_g(void)
{
	make("g");
}

static void it_is_killed_between_call_and_return(void)
{
	int status;

	order("test.test_fault.make.mkdir.after", "1 kill self\n");
	status = status_of(make_g);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	ok(is_there("g"));
	ok(!is_there("test.test_fault.make.mkdir.after"));
}

static void make_as_first(void)
{
	int status;
	pid_t pid;

	if (unshare(CLONE_NEWPID) < 0)
		_exit(1);
	pid = fork();
	if (pid == 0) {
		make("first-of-its-namespace");
		_exit(0);
	}
	waitpid(pid, &status, 0);
	_exit(WIFEXITED(status) && WEXITSTATUS(status) == 137 ? 137 : 2);
}

static void the_first_of_a_pid_namespace_ends_too(void)
{
	if (geteuid() != 0) {
		printf("ok %d - %s # SKIP needs root\n", ++tap_n, __func__);
		return;
	}
	order("test.test_fault.make.mkdir.before", "1 kill self\n");
	ok(WEXITSTATUS(status_of(make_as_first)) == 137);
	ok(!is_there("first-of-its-namespace"));
}

static void it_waits_for_the_test(void)
{
	pid_t pid;

	order("test.test_fault.make.mkdir.before", "1 wait\n");
	pid = fork();
	if (pid == 0) {
		make("behind-the-wait");
		_exit(0);
	}
	while (!is_there("waits"))
		poll(NULL, 0, 1);
	ok(!is_there("behind-the-wait"));
	ok(unlink(in_dir("waits")) == 0 && waitpid(pid, NULL, 0) == pid && is_there("behind-the-wait"));
}

/* Its fds are the only ones that stay. */
static void close_all_fds(void)
{
	int fd = dup(0), later;

	order("test.test_fault.make.mkdir.before", "1 kill self\n");
	later = dup(0);
	if (fault_close_from(3) < 0 || fcntl(fd, F_GETFD) >= 0 || fcntl(later, F_GETFD) >= 0)
		_exit(1);
	make("i");
}

static void the_points_outlive_close_range(void)
{
	int status = status_of(close_all_fds);

	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && !is_there("i"));
}

static void another_process_is_dead_before_it_goes_on(void)
{
	pid_t other = fork();
	char text[64];
	int status;

	if (other == 0) {
		pause();
		_exit(0);
	}
	snprintf(text, sizeof(text), "1 kill %d\n", other);
	order("test.test_fault.make.mkdir.before", text);
	ok(make("h") == 0);
	ok(waitpid(other, &status, WNOHANG) == other && WIFSIGNALED(status));
}

enum { UP, DOWN };

static void a_move_of_a_machine(void)
{
	static const struct sm_state states[] = { [UP] = { "UP", TO(DOWN) }, [DOWN] = { "DOWN", 0 } };
	struct sm sm = { states, "lift", "", UP };

	sm_move(&sm, DOWN);
}

static void a_move_is_a_point(void)
{
	int status;

	order("test.sm.lift.UP.DOWN", "1 kill self");
	status = status_of(a_move_of_a_machine);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	status = status_of(a_move_of_a_machine);
	ok(WIFEXITED(status));
}

static void passes_are_written_down(void)
{
	char text[8192] = "";
	auto_fd int fd = open(in_dir("hits"), O_RDONLY | O_CLOEXEC);

	ok(read(fd, text, sizeof(text) - 1) > 0);
	ok(strncmp(text, "test test_fault.make.mkdir.before\n", 34) == 0);
	ok(strstr(text, "\ntest sm.lift.UP.DOWN\n"));
}

int main(void)
{
	char remove[64];

	ok(mkdtemp(dir));
	off_without_the_variable();
	not_in_a_directory_of_others();
	on();
	a_call_fails_once();
	the_pass_that_counts();
	what_is_no_order_does_nothing();
	it_is_killed_between_call_and_return();
	another_process_is_dead_before_it_goes_on();
	the_first_of_a_pid_namespace_ends_too();
	it_waits_for_the_test();
	the_points_outlive_close_range();
	a_move_is_a_point();
	passes_are_written_down();
	snprintf(remove, sizeof(remove), "rm -rf %s", dir);
	ok(system(remove) == 0);
	return tap_end();
}
