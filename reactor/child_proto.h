/* child_proto.h - what child.c and the keeper say to each other about children, over imsg.h.
 *
 * A request's tag names the child in every later message about it. Bodies are put_*() fields in the order given. */
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
	CHILD_KILL,      /* no body: SIGKILL to the process group of that child; harmless when it has ended */
	/* from the keeper: one of these ends the exchange */
	CHILD_STARTED, /* u32 pid; a pidfd: a kept child without a pidfile runs its program */
	CHILD_EXITED,  /* u32 status, u32 pid (of the process kept, else of the child); a pidfd of one kept and alive */
	CHILD_FAILED,  /* u32 enum err_code, str message */
	CHILD_MESSAGES_END = 16, /* types from here on belong to others */
};

enum { CHILD_FD_MAX = 1023 }; /* highest number an fd may be given in a child */

/* The wire's view of struct child_spec. fds[0..nfds) get the numbers theirs[]; cgroup_fd, enter[]: for the birth. */
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

/* The body for a spec; theirs[] has the numbers of the nfds fds sent first; cgroup and enter fds follow. */
void child_request_put(struct buf *b, const struct child_spec *s, const int *theirs, uint32_t nfds);

/* Reads a CHILD_SPAWN; fds stay m's. INVALID_ARGUMENT when it is malformed or its fds are not those it names. */
int child_request_get(struct child_request *r, const struct imsg *m, struct err *e);
void child_request_free(struct child_request *r);

#endif
