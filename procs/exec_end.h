/* exec_end.h - the end of the process of an exec: the keeper tells it, or the runtime (RUNTIME_EXEC_WAITS). */
#ifndef PROCS_EXEC_END_H
#define PROCS_EXEC_END_H

#include "procs/keeper.h"
#include "procs/runtime.h"
#include "procs/sandbox.h"

struct exec_end { /* zeroed: it waits for nothing */
	struct exit_watch watch;
	struct runtime_op *wait;
	char container[ID_SHOWN + 1]; /* for the log: the container may be freed earlier */
	void (*fn)(struct exec_end *end, int status);
};

/* fn runs once: status as of waitpid(2), -1: it is lost. The handler is borrowed until then. */
void exec_end_watch(struct exec_end *end, const struct runtime_handler *handler, const char *container,
		    const char *keep_id, void (*fn)(struct exec_end *end, int status));
void exec_end_unwatch(struct exec_end *end); /* fn never runs; harmless when it waits for nothing */

#endif
