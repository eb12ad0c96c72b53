/* foreign.h - the end of a process that is no child of the keeper: one that outlived an earlier keeper, and is a child
 * of the anchor by now, or one with any other parent. */
#ifndef PROCS_KEEPER_FOREIGN_H
#define PROCS_KEEPER_FOREIGN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "procs/anchor.h"
#include "procs/keeper/reap.h"
#include "reactor/loop.h"

enum { STATUS_LOST = -1 };

struct foreign {
	struct offspring child; /* its parent may end first: then it is reparented to the keeper, the subreaper */
	struct link link;
	const char *id;         /* by which the anchor knows it; borrowed until foreign_drop() */
	pid_t pid;
	int pidfd; /* -1: the anchor's answer is all that is awaited */
	struct fd_watch watch;
	struct timer timer;
	bool asked; /* the anchor's answer is awaited */
	/* Runs once; the struct is dropped already. status as of waitpid(2), or STATUS_LOST; at_ns CLOCK_REALTIME. */
	void (*ended)(struct foreign *foreign, int status, int64_t at_ns);
};

/* Takes pidfd; -1: the anchor has been asked, or asks by itself (anchor.h), and its answer is awaited. */
void foreign_watch(struct foreign *foreign, const char *id, pid_t pid, int pidfd,
		   void (*ended)(struct foreign *foreign, int status, int64_t at_ns));
void foreign_drop(struct foreign *foreign); /* allowed when it is not watched */

void foreign_from_anchor(const struct anchor_message *process); /* how it ended; at_ns 0: the anchor does not know */
void foreign_anchor_gone(void);

#endif
