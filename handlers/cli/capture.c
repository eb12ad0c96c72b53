/* capture.c - see capture.h. Waits on: the two pipes, the end of the child and the deadline, in one poll(2). A child
 * that does not die of SIGKILL, because the kernel holds it, is left behind. */
#include "handlers/cli/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reactor/loop.h"
#include "reactor/own.h"

enum { PROBLEMS_MAX = 4096, READ_BYTES = 64 << 10 };

int capture_program(void *arg, FILE *out)
{
	static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", locale[] = "LC_ALL=C";
	char *const *argv = arg, *const envp[] = { path, locale, NULL };

	(void)out;
	execve(argv[0], argv, envp);
	fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
	return 127;
}

static void capture_child(const struct capture *c, pid_t parent, int out, int err)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	FILE *to;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent || setsid() < 0)
		_exit(1);
	signal(SIGPIPE, SIG_DFL);
	if (dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 || dup2(err, STDERR_FILENO) < 0)
		_exit(1);
	/* Not the parent's stdout, whose buffer may hold bytes of the parent's. */
	to = fdopen(STDOUT_FILENO, "w");
	if (!to)
		_exit(1);
	out = c->fn(c->arg, to);
	fflush(to);
	_exit(out);
}

/* Keeps the last `max` bytes, from the start of a line on: the rest of a line that is cut may be the value of a name
 * that is gone (scrub.h). */
static void capture_keep_end(struct buf *b, size_t max)
{
	const uint8_t *newline;

	buf_consume(b, b->len - max);
	newline = memchr(b->at, '\n', b->len);
	buf_consume(b, newline ? (size_t)(newline + 1 - b->at) : b->len);
}

/* false: end of file, or the first `max` bytes have come. */
static bool capture_read(struct buf *to, int fd, size_t max, bool end)
{
	ssize_t n = buf_read(to, fd, READ_BYTES);

	if (to->len > max && end)
		capture_keep_end(to, max);
	return n > 0 ? to->len <= max : n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Reads until the child and both pipes have ended, or too much has come. false: the deadline came first. */
static bool capture_gather(const struct capture *c, pid_t pid, int out_fd, int err_fd, struct buf *out, struct buf *err)
{
	auto_fd int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd fds[] = { { out_fd, POLLIN, 0 }, { err_fd, POLLIN, 0 }, { pidfd, POLLIN, 0 } };
	int64_t until = loop_mono_ns() + c->timeout_ms * 1000000, left;

	while (out->len <= c->max && (fds[0].fd >= 0 || fds[1].fd >= 0 || fds[2].fd >= 0)) {
		left = (until - loop_mono_ns()) / 1000000;
		if (left <= 0)
			return false;
		if (poll(fds, 3, (int)left) < 0) {
			if (errno == EINTR)
				continue;
			return false;
		}
		if (fds[2].revents)
			fds[2].fd = -1;
		if (fds[0].revents && !capture_read(out, out_fd, c->max, c->end))
			fds[0].fd = -1;
		if (fds[1].revents && !capture_read(err, err_fd, PROBLEMS_MAX, false))
			fds[1].fd = -1;
	}
	return true;
}

static void capture_end(const struct capture *c, pid_t pid, bool late, bool cut, struct buf *problems)
{
	int status = 0;

	if (late || cut) {
		kill(pid, SIGKILL); /* it may not lead its group yet */
		kill(-pid, SIGKILL);
	}
	if (late)
		buf_printf(problems, "no end after %lld s\n", (long long)c->timeout_ms / 1000);
	else if (cut)
		buf_printf(problems, "more than %zu bytes, the rest is left out\n", c->max);
	if (late || cut)
		waitpid(pid, &status, WNOHANG);
	else if (waitpid(pid, &status, 0) == pid && status != 0)
		buf_printf(problems, WIFEXITED(status) ? "exit status %d\n" : "killed by signal %d\n",
			   WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

void capture_run(const struct capture *c, struct buf *out, struct buf *problems)
{
	int outs[2], errs[2];
	struct buf text = { 0 }, err = { 0 };
	pid_t parent = getpid(), pid;
	bool late, cut;

	if (pipe2(outs, O_CLOEXEC) < 0) {
		buf_printf(problems, "no pipe: %s\n", strerror(errno));
		return;
	}
	if (pipe2(errs, O_CLOEXEC) < 0) {
		buf_printf(problems, "no pipe: %s\n", strerror(errno));
		close(outs[0]);
		close(outs[1]);
		return;
	}
	pid = fork();
	if (pid == 0)
		capture_child(c, parent, outs[1], errs[1]);
	close(outs[1]);
	close(errs[1]);
	if (pid < 0) {
		buf_printf(problems, "no process: %s\n", strerror(errno));
	} else {
		late = !capture_gather(c, pid, outs[0], errs[0], &text, &err);
		cut = text.len > c->max;
		buf_append(out, text.at, cut ? c->max : text.len);
		buf_append(problems, err.at, err.len);
		capture_end(c, pid, late, cut, problems);
	}
	close(outs[0]);
	close(errs[0]);
	buf_free(&text);
	buf_free(&err);
}
