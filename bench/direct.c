/* direct.c - see direct.h. Waits on: the child's pidfd; one turn of the loop when there is no child. */
#include "bench/direct.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/own.h"

extern char **environ;

struct direct {
	struct fd_watch exit;
	struct timer failed;
	pid_t pid;
	int pidfd;
	int64_t begin_ns;
	struct err err; /* the reason why there is no child */
	direct_done *done;
	void *arg;
};

static void on_direct_exit(struct fd_watch *w, int events)
{
	struct direct *d = container_of(w, struct direct, exit);
	int64_t took_ns = loop_mono_ns() - d->begin_ns;
	struct direct end = *d;
	int status = 0;

	(void)events;
	fd_watch_clear(w);
	waitpid(d->pid, &status, 0);
	close(d->pidfd);
	free(d);
	if (status)
		err_set(&end.err, ERR_INTERNAL, "%s %d", WIFEXITED(status) ? "exit code" : "signal",
			WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	end.done(end.arg, status ? &end.err : NULL, took_ns);
}

static void on_direct_failed(struct timer *t)
{
	struct direct end = *container_of(t, struct direct, failed);

	free(container_of(t, struct direct, failed));
	end.done(end.arg, &end.err, 0);
}

static int direct_spawn(struct direct *d, const char *const *argv)
{
	posix_spawn_file_actions_t actions;
	int rc;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&actions, 0, 1);
	posix_spawn_file_actions_adddup2(&actions, 0, 2);
	d->begin_ns = loop_mono_ns();
	rc = posix_spawn(&d->pid, argv[0], &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (rc)
		return err_set(&d->err, ERR_INTERNAL, "%s: %s", argv[0], strerror(rc));
	d->pidfd = (int)syscall(SYS_pidfd_open, d->pid, 0);
	if (d->pidfd >= 0)
		return 0;
	err_os(&d->err, ERR_INTERNAL, "pidfd_open");
	waitpid(d->pid, NULL, 0);
	return -1;
}

void direct_start(const char *const *argv, direct_done *done, void *arg)
{
	struct direct *d = new_zero(struct direct);

	d->done = done;
	d->arg = arg;
	if (direct_spawn(d, argv) == 0)
		fd_watch_set(&d->exit, d->pidfd, FD_READ, on_direct_exit);
	else
		timer_set(&d->failed, 0, on_direct_failed);
}
