/* child.h - one child process, which the keeper spawns for this process: its output is collected, its end is an event.
 *
 * This process never forks: a request travels over the keeper's channel (child_host_open()), the keeper forks, executes
 * and reaps, and the exit comes back as a message. Nothing here blocks. The keeper is the one program outside of the
 * loop and its transports that this room knows of, and only child.[ch] and child_proto.[ch] speak of it. A child leads
 * a session of its own. It inherits the fds named here, an empty signal mask, default signal actions, the rlimits that
 * the keeper was started with and umask 022, and nothing else. fds 0-2 that are not named are /dev/null. */
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

	/* These make further fds; the numbers that they use must not be in `fds`. */
	const void *stdin_data; /* becomes fd 0 as a sealed memfd read from its start */
	size_t stdin_len;
	size_t stdout_max; /* > 0: fd 1 is a pipe; its first stdout_max bytes are collected, later ones are dropped */
	size_t stderr_max; /* the same for fd 2 */

	int64_t timeout_ms; /* 0: none. After it the child's process group gets SIGKILL, `done` DEADLINE_EXCEEDED */

	/* What the keeper does before exec, in this order, after it has set oom_score_adj. */
	const char *const *join_tasks; /* NULL or cgroup v1 `tasks` files, each gets "0" written */
	int join_cgroup_fd;            /* > 0: cgroup v2 directory, entered at birth by CLONE_INTO_CGROUP */
	/* Namespace fds for setns(2), in this order; argv[0] and cwd are looked up inside. A user namespace comes last,
	 * and the child becomes its root. `unshare` must then not have CLONE_NEWPID: the new PID namespace would belong
	 * to the keeper's user namespace. */
	const int *enter;
	size_t nenter;
	unsigned unshare;              /* CLONE_NEW* for the child; CLONE_NEWPID makes the child pid 1 of a new one */
	/* NULL, or a mount point that the child must not see. The child gets a mount namespace of its own, in which
	 * this mount is made private and covered by an empty tmpfs (writable, mode 755). It is not unmounted, because
	 * the parent mount decides whether an unmount propagates to other namespaces, and the parent mount stays
	 * shared. The mount itself decides whether a mount on top propagates. */
	const char *hide_path;
	/* When this process dies, the child has 5 s to end by itself before it is killed: half of its work is worse
	 * than all of it. When the keeper dies, it runs on, and `done` comes from the next keeper. A keep_id
	 * says the same about the keeper. (ARCHITECTURE K7, K42) */
	bool finish;
	int oom_score_adj;             /* 0: as inherited; clamped to what the keeper may set */

	/* For work.h: what it does, and further fields of its lines in the log. stage NULL: it may live for long, and
	 * is never slow. patient: it has as much to do as its caller gave it. */
	const char *stage, *about;
	bool patient;

	/* Keeping: the keeper watches a process under `keep_id` until it is told to forget the id, also while this
	 * process is dead or restarted.
	 * pidfile NULL: the process is the child; `done` runs when it was started, not when it ends; no output is kept.
	 * pidfile set: the process is the one whose pid the child wrote there before it exited with 0. */
	const char *keep_id;
	const char *pidfile;
};

struct child_result {
	int status; /* as waitpid(2) reports it; 0 for a kept child that was started */
	pid_t pid;  /* of the kept process, or of the child */
	int pidfd;  /* of the kept process; -1: none. Closed after `done`, unless the receiver takes it (sets -1) */
	const char *out, *err; /* collected stdout and stderr, NUL-terminated */
	size_t out_len, err_len;
	bool out_cut, err_cut; /* bytes were dropped */
	bool keeper_died; /* while it ran: what it was given by a path of that keeper may have been gone */
};

/* `e` is NULL when the child ran to its end, with any exit status. Else the result has only the collected output, and e
 * is:
 *   UNAVAILABLE        the keeper is away, or died: before it made the child, or the child died with it (neither
 *                      `finish` nor keep_id)
 *   DEADLINE_EXCEEDED  timeout_ms is over
 *   INTERNAL           the child could not be started (the message names path, step and errno), or it exited with 0
 *                      and the pidfile is bad, or all of its keepers and the anchor had died when it ended */
typedef void child_done(void *arg, const struct err *e, struct child_result *result);

/* All of spec is copied. `done` runs exactly once, never inside this call: when the child has exited and both pipes are
 * at end of file, or 200 ms after the exit when a descendant still holds a pipe open. */
struct child *child_start(const struct child_spec *spec, child_done *done, void *arg);

/* The child's process group gets SIGKILL; `done` never runs. A kept process that was already started stays kept. */
void child_cancel(struct child *child);

/* The pid of the process that the keeper made; 0: not known yet. The first call asks the keeper. */
pid_t child_pid(struct child *child);

/* "exit status 3", "killed by signal 9 (Killed)" in a static buffer. */
const char *child_status_text(int status);

/* The channel to the keeper: fd is this process's end of the socket pair. Messages that are not about children go to
 * `other`. `gone` runs when the keeper died: running children that die with it end with UNAVAILABLE, and new ones
 * too until child_host_open() is called again. */
struct imsg;
struct imsg_chan;
void child_host_open(int fd, void (*other)(void *arg, struct imsg *message), void (*gone)(void *arg), void *arg);

/* A new keeper has been greeted: it is asked for the children that may have outlived the last one. */
void child_host_again(void);

/* Does this keeper tell the pid of a child that is asked for? Before this call it does not. */
void child_host_tells_pids(bool tells);

struct imsg_chan *child_host_chan(void); /* borrowed, for procs/keeper.c; NULL while the keeper is away */

#endif
