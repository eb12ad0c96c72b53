/* child.h - one child process, spawned by the keeper on our behalf: its output collected, its end an event.
 *
 * This process never forks: a request travels over the keeper's channel (child_host), the keeper forks, executes and
 * reaps, and the exit comes back as a message. Nothing here blocks.
 * Children are leaders of a session of their own; they inherit the fds named here, an empty signal mask, default
 * signal actions, the rlimits the keeper was started with, umask 022, and nothing else. fds 0-2 not named:
 * /dev/null. */
#ifndef REACTOR_CHILD_H
#define REACTOR_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "reactor/err.h"

struct child; /* opaque; gone once `done` ran or child_cancel() returned */

struct child_fd {
	int ours;   /* borrowed for the call */
	int theirs; /* its number in the child */
};

struct child_spec {
	const char *const *argv; /* argv[0] is an absolute path; NULL-terminated */
	const char *const *envp; /* NULL: PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin only */
	const char *cwd;         /* NULL: "/" */
	const struct child_fd *fds;
	size_t nfds;

	/* Conveniences on top of fds; the numbers used must not be in fds. */
	const void *stdin_data; /* becomes fd 0 as a sealed memfd read from its start */
	size_t stdin_len;
	size_t stdout_max; /* > 0: fd 1 is a pipe, its first stdout_max bytes are collected, the rest dropped */
	size_t stderr_max; /* the same for fd 2 */

	int64_t timeout_ms; /* 0: none. After it the child's process group gets SIGKILL and done() DEADLINE_EXCEEDED */

	/* Before exec, in this order, after oom_score_adj. */
	const char *const *join_tasks; /* NULL or cgroup v1 `tasks` files, each gets "0" written */
	int join_cgroup_fd;            /* > 0: cgroup v2 directory, entered at birth by CLONE_INTO_CGROUP */
	/* Namespace fds for setns(2), in this order; argv[0] and cwd are looked up inside. With a user namespace, which
	 * comes last, the child becomes its root; CLONE_NEWPID below is then not the child's to ask for: it would
	 * belong to ours. */
	const int *enter;
	size_t nenter;
	unsigned unshare;              /* CLONE_NEW* for the child; CLONE_NEWPID makes the child pid 1 of a new one */
	/* NULL, or a mount point that the child must not see: it gets a mount namespace of its own, where this mount
	 * alone is made private and then covered by an empty tmpfs (writable, mode 755). Not unmounted: an unmount
	 * propagates by the mount above it, a mount on top by the mount itself: only this stays inside. */
	const char *hide_path;
	/* when this daemon dies: it may end by itself (for 5 s), since half of its work is worse than all */
	bool finish;
	int oom_score_adj;             /* 0: as inherited; clamped to what the keeper may set */

	/* Keeping: the keeper watches a process under `keep_id` until keeper_forget(), over our death and restart.
	 * pidfile NULL: the child itself; `done` then runs when it was started, not when it ends; no output is kept.
	 * pidfile set: the process whose pid the child wrote there before it exited with 0 (--pid-file of a
	 * runtime). */
	const char *keep_id;
	const char *pidfile;
};

struct child_result {
	int status; /* as waitpid(2) reports it; 0 for a kept child that was started */
	pid_t pid;  /* of the kept process, or of the child */
	int pidfd;  /* of the kept process; the receiver takes it (sets it to -1) or it is closed; -1: none */
	const char *out, *err; /* collected stdout and stderr, NUL-terminated */
	size_t out_len, err_len;
	bool out_cut, err_cut; /* more came than was kept */
};

/* `e` is NULL when the child ran to its end, whatever its status. Else r has only what was collected and e is:
 *   UNAVAILABLE        the keeper is gone; what it was running for us is killed with it
 *   DEADLINE_EXCEEDED  timeout_ms
 *   INTERNAL           it could not be started (the message names path, step and errno), or exited 0 with a bad
 *                      pidfile */
typedef void child_done(void *arg, const struct err *e, struct child_result *r);

/* All of spec is copied. `done` runs exactly once, never inside this call: at the exit and after both pipes are at
 * their end, or 200 ms after the exit when some descendant still holds them. */
struct child *child_start(const struct child_spec *spec, child_done *done, void *arg);

/* The child's process group gets SIGKILL; `done` never runs. A kept process that was already started stays kept. */
void child_cancel(struct child *c);

/* "exit status 3", "killed by signal 9 (Killed)" in a static buffer. */
const char *child_status_text(int status);

/* The channel to the keeper: fd is our end of the socket pair. Messages that are not about children go to `other`.
 * `gone` runs when the keeper died: children in flight end with UNAVAILABLE until child_host_open() is called again. */
struct imsg;
struct imsg_chan;
void child_host_open(int fd, void (*other)(void *arg, struct imsg *m), void (*gone)(void *arg), void *arg);

struct imsg_chan *child_host_chan(void); /* borrowed, for procs/keeper.c; NULL while the keeper is away */

#endif
