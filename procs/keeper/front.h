/* front.h - crisp-keeper as a user or a service manager started it: it has the keeper run below an anchor, passes
 * signals on, and exits as the keeper does. */
#ifndef PROCS_KEEPER_FRONT_H
#define PROCS_KEEPER_FRONT_H

#include "procs/anchor.h"

struct front_config {
	const char *program;      /* of this process: what the anchor executes as the keeper */
	const char *anchor;       /* path of crisp-anchor */
	const char *state;        /* directory; this process has its front.lock */
	const char *crispd;       /* path of the program */
	const char *config;       /* NULL: none */
	const char *const *argv;  /* of the keeper */
	struct anchor_start start; /* the limits, umask and oom_score_adj of this process at its start */
};

/* Reads them; to be called before anything changes them. */
void front_limits(struct anchor_start *start);

/* SIG_BLOCK: what front_run() takes is blocked, before anything that lasts: then SIGTERM to a process that has just
 * been started also ends the daemons that it finds. SIG_UNBLOCK: in a child. */
void front_signals(int how);

/* The exit status for this process. Signals are blocked. */
int front_run(const struct front_config *cfg);

#endif
