/* test_exec.c - procs/exec.c with a runtime that answers as the test says, and exec_tree.c on real processes. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procs/container.h"
#include "procs/exec.h"
#include "procs/keeper.h"
#include "procs/runtime.h"
#include "tests/fakes/keeper.h"
#include "tests/fakes/runtime.h"
#include "tests/fakes/world.h"
#include "tests/tap.h"

struct result {
	int calls;
	struct err err;
	int32_t exit_code;
	size_t out_len;
	char out[64];
};

static const char *words[] = { "true" };
static const struct strings cmd = { words, 1 };
static struct container *c;

static void record(void *arg, const struct err *e, const struct exec_result *x)
{
	struct result *r = arg;

	r->calls++;
	r->err = e ? *e : (struct err){ 0 };
	if (!x)
		return;
	r->exit_code = x->exit_code;
	r->out_len = x->out_len;
	memcpy(r->out, x->out_len ? x->out : "", x->out_len < sizeof(r->out) ? x->out_len : sizeof(r->out));
}

static struct exec *begin(int64_t timeout_ms, struct result *r)
{
	char path[400];
	struct exec *x;
	FILE *f;

	c = fake_running(0);
	snprintf(path, sizeof(path), "%s/config.json", c->bundle);
	f = fopen(path, "we");
	fputs("{}", f);
	fclose(f);
	x = exec_sync(c, &cmd, timeout_ms, record, r);
	close(fake_exec_err); /* the command writes nothing to stderr */
	return x;
}

static void close_out(void)
{
	close(fake_exec_out);
	fake_exec_out = -1;
}

/* The bundle holds config.json and nothing else. */
static bool nothing_left(void)
{
	char command[500], path[400];
	int status;

	snprintf(path, sizeof(path), "%s/config.json", c->bundle);
	unlink(path);
	snprintf(command, sizeof(command), "%s", c->bundle);
	status = rmdir(command);
	return status == 0 && fake_forgotten(fake_exec_keep_id);
}

static void output_and_exit_code(void)
{
	struct result r = { 0 };

	begin(0, &r);
	fake_runtime_ok(0);
	ok(write(fake_exec_out, "hello", 5) == 5);
	world_settle();
	fake_exit(fake_exec_keep_id, 3 << 8);
	close_out();
	world_settle();
	ok(r.calls == 1 && r.err.code == ERR_OK && r.exit_code == 3 && r.out_len == 5 &&
	   memcmp(r.out, "hello", 5) == 0);
	ok(nothing_left());
}

static void output_comes_before_the_exit_is_known(void)
{
	struct result r = { 0 };

	begin(0, &r);
	fake_runtime_ok(0);
	ok(write(fake_exec_out, "x", 1) == 1);
	close_out();
	world_settle();
	ok(r.calls == 0);
	fake_exit(fake_exec_keep_id, SIGKILL);
	world_settle();
	ok(r.calls == 1 && r.exit_code == 137 && r.out_len == 1);
}

/* A runtime whose execs no keeper knows, and whose stdio have names. */
static void the_runtime_tells_the_end(void)
{
	struct result r = { 0 };
	char path[400];

	fake_traits = RUNTIME_EXEC_WAITS | RUNTIME_STREAMS;
	begin(0, &r);
	snprintf(path, sizeof(path), "%s/exec-%s.stdout", c->bundle, fake_exec_keep_id + 5);
	ok(access(path, F_OK) == 0);
	fake_calls[0] = '\0';
	fake_runtime_ok(0);
	is_str(fake_calls, "exec_wait ");
	ok(write(fake_exec_out, "hello", 5) == 5);
	close_out();
	fake_exec_waited(ERR_OK, 4 << 8);
	world_settle();
	ok(r.calls == 1 && r.err.code == ERR_OK && r.exit_code == 4 && r.out_len == 5);
	ok(nothing_left()); /* the FIFOs too */
	begin(0, &r);
	fake_runtime_ok(0);
	close_out();
	fake_exec_waited(ERR_INTERNAL, 0);
	world_settle();
	ok(r.calls == 2 && r.err.code == ERR_INTERNAL);
	fake_traits = 0;
}

static void a_background_child_holds_the_pipe(void)
{
	struct result r = { 0 };

	begin(0, &r);
	fake_runtime_ok(0);
	fake_exit(fake_exec_keep_id, 0);
	world_advance(199);
	ok(r.calls == 0);
	world_advance(1);
	ok(r.calls == 1 && r.err.code == ERR_OK && r.exit_code == 0);
	close_out();
}

/* crispd has no CPU from the exit on, until the patience is over. */
static void the_daemon_stands_still(void)
{
	struct result r = { 0 };

	begin(0, &r);
	fake_runtime_ok(0);
	fake_exit(fake_exec_keep_id, 0);
	world_settle();
	ok(write(fake_exec_out, "unread", 6) == 6);
	world_spend(200);
	world_settle();
	ok(r.calls == 1 && r.exit_code == 0 && r.out_len == 6);
	close_out();
}

static void output_over_the_cap_is_dropped(void)
{
	static char chunk[64 * 1024];
	struct result r = { 0 };
	size_t sent = 0;

	begin(0, &r);
	fake_runtime_ok(0);
	fcntl(fake_exec_out, F_SETFL, O_NONBLOCK);
	while (sent < EXEC_OUTPUT_MAX + 2 * sizeof(chunk)) {
		ssize_t n = write(fake_exec_out, chunk, sizeof(chunk));

		sent += n > 0 ? (size_t)n : 0;
		world_settle();
	}
	fake_exit(fake_exec_keep_id, 0);
	close_out();
	world_settle();
	ok(r.calls == 1 && r.err.code == ERR_OK && r.out_len == EXEC_OUTPUT_MAX);
}

static void writes(int fd, size_t len)
{
	static char chunk[64 * 1024];
	size_t sent = 0;

	fcntl(fd, F_SETFL, O_NONBLOCK);
	while (sent < len) {
		ssize_t n = write(fd, chunk, len - sent < sizeof(chunk) ? len - sent : sizeof(chunk));

		sent += n > 0 ? (size_t)n : 0;
		world_settle();
	}
}

static void all_outputs_together_are_bounded(void)
{
	enum { EXECS = EXEC_OUTPUTS_MAX / EXEC_OUTPUT_MAX + 3 };
	struct result r[EXECS] = { 0 };
	char keep_ids[EXECS][sizeof(fake_exec_keep_id)];
	size_t all = 0;

	for (int i = 0; i < EXECS; i++) {
		if (i == 0) {
			begin(0, &r[i]);
		} else {
			exec_sync(c, &cmd, 0, record, &r[i]);
			close(fake_exec_err);
		}
		fake_runtime_ok(0);
		memcpy(keep_ids[i], fake_exec_keep_id, sizeof(keep_ids[i]));
		writes(fake_exec_out, EXEC_OUTPUT_MAX);
		close_out();
	}
	for (int i = 0; i < EXECS; i++) {
		fake_exit(keep_ids[i], 0);
		world_settle();
		ok(r[i].calls == 1 && r[i].err.code == ERR_OK);
		all += r[i].out_len;
	}
	ok(r[0].out_len == EXEC_OUTPUT_MAX && all < EXEC_OUTPUTS_MAX + EXECS * EXEC_OUTPUT_MIN + 1);
	ok(r[EXECS - 1].out_len == EXEC_OUTPUT_MIN); /* a short output is always kept */
	output_over_the_cap_is_dropped();            /* all of it is given back */
}

static void no_such_command(void)
{
	struct result r = { 0 };

	begin(1000, &r);
	fake_runtime_fail(ERR_INTERNAL, "runc exec: exec: \"nope\": executable file not found in $PATH");
	ok(r.calls == 1 && r.err.code == ERR_INTERNAL && strstr(r.err.msg, "executable file not found"));
	ok(nothing_left());
	close_out();
}

static void not_running(void)
{
	struct result r = { 0 };

	c = fake_container();
	exec_sync(c, &cmd, 0, record, &r);
	ok(r.calls == 0);
	world_settle();
	ok(r.calls == 1 && r.err.code == ERR_FAILED_PRECONDITION && !fake_runtime_pending());
}

static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid;
}

static void timeout_kills_the_tree(void)
{
	struct result r = { 0 };
	pid_t pid = sleeper();
	int status = 0;

	begin(1000, &r);
	fake_runtime_ok(pid);
	world_advance(999);
	ok(waitpid(pid, &status, WNOHANG) == 0);
	world_advance(1);
	ok(waitpid(pid, &status, 0) == pid && WTERMSIG(status) == SIGKILL);
	ok(r.calls == 0);
	fake_exit(fake_exec_keep_id, SIGKILL);
	world_settle();
	ok(r.calls == 1 && r.err.code == ERR_DEADLINE_EXCEEDED && nothing_left());
	close_out();
}

static void timeout_while_the_runtime_works(void)
{
	struct result r = { 0 };
	pid_t pid = sleeper();
	int status = 0;

	begin(1000, &r);
	world_advance(1000);
	ok(r.calls == 1 && r.err.code == ERR_DEADLINE_EXCEEDED);
	fake_runtime_ok(pid); /* the process comes after the timeout, and is killed */
	ok(waitpid(pid, &status, 0) == pid && WTERMSIG(status) == SIGKILL);
	fake_exit(fake_exec_keep_id, SIGKILL);
	world_settle();
	ok(r.calls == 1 && nothing_left());
	close_out();
}

static void cancel_in_each_state(void)
{
	struct result r = { 0 };
	struct exec *x = begin(1000, &r);
	pid_t pid = sleeper();

	exec_cancel(x); /* SPAWN */
	fake_runtime_ok(pid);
	ok(waitpid(pid, NULL, 0) == pid);
	fake_exit(fake_exec_keep_id, SIGKILL);
	world_settle();
	ok(nothing_left());
	close_out();

	x = begin(0, &r); /* RUN */
	pid = sleeper();
	fake_runtime_ok(pid);
	exec_cancel(x);
	ok(waitpid(pid, NULL, 0) == pid);
	world_advance(2000); /* no exit record comes */
	ok(nothing_left());
	close_out();

	x = begin(0, &r); /* FLUSH */
	fake_runtime_ok(0);
	fake_exit(fake_exec_keep_id, 0);
	world_settle();
	exec_cancel(x);
	world_advance(200);
	ok(nothing_left());
	close_out();

	c = fake_container(); /* refused, but `done` has not run yet */
	exec_cancel(exec_sync(c, &cmd, 0, record, &r));
	world_settle();
	ok(r.calls == 0);
}

/* sh starts a child, which starts a grandchild; the pipe ends when all of them are gone. */
static void the_whole_tree_dies(void)
{
	int ends[2];
	char byte;
	pid_t pid;

	ok(pipe(ends) == 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(ends[1], 1);
		close(ends[0]);
		execl("/bin/sh", "sh", "-c", "trap '' TERM; (sleep 1000 & sleep 1000 & echo x; wait) & wait", NULL);
		_exit(1);
	}
	close(ends[1]);
	ok(read(ends[0], &byte, 1) == 1); /* the grandchildren are there */
	exec_kill_tree(pid, "");
	ok(waitpid(pid, NULL, 0) == pid);
	while (read(ends[0], &byte, 1) > 0)
		;
	ok(read(ends[0], &byte, 1) == 0);
	close(ends[0]);
	exec_kill_tree(pid, ""); /* gone already: harmless */
	exec_kill_tree(0, "");
}

int main(void)
{
	output_and_exit_code();
	output_comes_before_the_exit_is_known();
	the_runtime_tells_the_end();
	a_background_child_holds_the_pipe();
	the_daemon_stands_still();
	output_over_the_cap_is_dropped();
	all_outputs_together_are_bounded();
	no_such_command();
	not_running();
	timeout_kills_the_tree();
	timeout_while_the_runtime_works();
	cancel_in_each_state();
	the_whole_tree_dies();
	return tap_end();
}
