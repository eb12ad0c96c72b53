/* child_proto.h - the messages about children between child.c and the keeper, over imsg.h.
 *
 * The tag of the request names the child in every later message about it. Bodies are put_*() fields in this order. */
#ifndef REACTOR_CHILD_PROTO_H
#define REACTOR_CHILD_PROTO_H

#include <stdbool.h>
#include <stdint.h>

#include "reactor/buf.h"
#include "reactor/child.h"
#include "reactor/err.h"
#include "reactor/imsg.h"

enum child_message {
	/* to the keeper */
	CHILD_SPAWN = 1, /* struct child_request and its fds */
	CHILD_KILL,      /* no body: SIGKILL to the process group of that child; no effect when it has ended */
	CHILD_AGAIN = 6, /* no body, to a new keeper: what became of that child, which an earlier keeper had? */
	CHILD_WHO = 7,   /* no body: which pid has that child? Only to a keeper whose WELCOME says that it tells */
	/* from the keeper */
	CHILD_PID = 8,   /* u32 pid */
	/* one of these ends the exchange */
	CHILD_STARTED = 3, /* u32 pid; a pidfd. A kept child without a pidfile runs its program */
	CHILD_EXITED,  /* u32 status, u32 pid (kept process, else child); a pidfd when the kept process is alive */
	CHILD_FAILED,  /* u32 enum err_code, str message */
	CHILD_MESSAGES_END = 16, /* from here on: the messages of procs/keeper/proto.h */
};

enum { CHILD_FD_MAX = 1023 }; /* highest number an fd may be given in a child */

/* struct child_spec as it is read from the wire. The child gets fds[i] as its fd theirs[i]; cgroup_fd and enter[] are
 * used while it is born and not inherited. */
struct child_request {
	const char **argv, **envp; /* vectors owned, strings inside the message */
	const char **join_tasks;   /* owned; may be NULL */
	const char *cwd, *keep_id, *pidfile, *hide_path;
	uint32_t nfds, nenter;
	int theirs[IMSG_FDS_MAX];
	const int *fds;   /* inside the message, nfds of them */
	const int *enter; /* inside the message, nenter of them */
	int cgroup_fd;    /* -1: none */
	uint32_t unshare;
	bool finish;
	int32_t oom_score_adj;
};

/* Appends the body for a spec. theirs[] has the child's numbers of the first nfds fds of the message; the cgroup's fd
 * and those of `enter` follow them. */
void child_request_put(struct buf *buf, const struct child_spec *spec, const int *theirs, uint32_t nfds);

/* Reads a CHILD_SPAWN; the fds stay the message's. INVALID_ARGUMENT: it is malformed, or has another number of fds. */
int child_request_get(struct child_request *request, const struct imsg *message, struct err *e);
void child_request_free(struct child_request *request);

#endif
