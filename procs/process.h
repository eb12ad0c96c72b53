/* process.h - a process that crisp-zygote makes, from the request to its program. The keeper keeps it.
 *
 * The keeper passes the request on to its crisp-zygote and follows the birth (procs/keeper/zygote.c). */
#ifndef PROCS_PROCESS_H
#define PROCS_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "reactor/child_proto.h"
#include "reactor/err.h"
#include "reactor/imsg.h"

/* The messages between crispd and the keeper; those of procs/keeper/proto.h have lower numbers. */
enum process_message {
	/* from crispd */
	PROCESS_ZYGOTE = CHILD_MESSAGES_END + 64, /* str path of crisp-zygote: later processes begin from this one */
	PROCESS_MAKE, /* tag: of the process; str keep_id or NULL, u32 bits of enum zygote_fd, u32 new_pid of
			 struct zygote_request (procs/plan.h); the fds, but for the birth fd */
	PROCESS_KILL, /* no body: SIGKILL to the process of that tag; no effect when it runs its program */
	PROCESS_AGAIN = PROCESS_ZYGOTE + 5, /* no body, to a new keeper: what became of that process of the last one? */
	/* from the keeper: one of these answers PROCESS_MAKE */
	PROCESS_STARTED = PROCESS_ZYGOTE + 3, /* tag; u32 pid; a pidfd while it lives. It executes its program */
	PROCESS_FAILED,  /* tag; u32 enum err_code, str message */
};

/* So begins what INTERNAL says of a process that ended and told nothing: it was killed, as a rule. */
#define PROCESS_SILENT_WORDS "the process ended before "

struct process; /* opaque; gone once `done` ran or process_cancel() returned */

struct process_spec { /* fds are borrowed for the call; -1: none */
	const char *keep_id; /* NULL: a plan of kind PLAN_WRITE, whose process ends by itself */
	int plan;            /* a plan (procs/plan.h): a sealed memfd, or a file that nobody changes */
	int words;           /* of a further process: a sealed memfd with the plan of its words */
	int group;           /* v2: the directory of the group in which it is born */
	int pidfd;           /* of the container's first process, for a further one */
	int console;         /* a socket that takes the terminal's master */
	int in, out, err;    /* -1: the container's /dev/null */
	bool new_pid;        /* it is pid 1 of a new PID namespace */
};

/* e is NULL when the program runs: pid of the process, and its pidfd, which the receiver may take (sets -1); -1: it has
 * ended already. When the keeper dies, a process with a keep_id is waited for: the next keeper tells what became of it.
 * Errors: UNAVAILABLE, no program was run: no process was made, or it died with the keeper; INTERNAL with the step that
 * failed; RESOURCE_EXHAUSTED. */
typedef void process_done(void *arg, const struct err *e, pid_t pid, int *pidfd);

struct process *process_start(const struct process_spec *spec, process_done *done, void *arg);
void process_cancel(struct process *process); /* killed, unless it runs its program already; `done` never runs */

/* The program from which all processes begin, from now on and for later keepers too: a path, borrowed for ever. */
void process_zygote(const char *path);

/* ---- called by keeper.c, which has the channel ---- */
void process_told(struct imsg *message); /* PROCESS_STARTED, _FAILED */
void process_gone(void);                 /* the keeper died */
void process_again(void);                /* a new keeper is connected, and is told of what crispd has */
void process_here(void);                 /* a keeper is there */

#endif
