/* exec_file.h - the two files of an exec in the container's bundle: the process object, which the runtime reads, and
 * the pid, which it writes. */
#ifndef PROCS_EXEC_FILE_H
#define PROCS_EXEC_FILE_H

#include "procs/container.h"
#include "procs/runtime.h"
#include "reactor/err.h"

/* The handler that can run cmd in the container. NULL: FAILED_PRECONDITION, the container does not run or its
 * handler is not configured any more; INVALID_ARGUMENT, the command is empty. */
const struct runtime_handler *exec_runtime(const struct container *container, const struct strings *cmd,
					   struct err *e);

struct exec_file { /* paths in the exec's arena; NULL: not there */
	const char *process, *pidfile; /* <bundle>/exec-<id>.json, .pid */
	const char *inside; /* <bundle>/exec-<id>.pid.in, the runtime's own (exec_inside.h) */
	const char *pipes[3]; /* <bundle>/exec-<id>.NAME */
};

/* INVALID_ARGUMENT: the command is no UTF-8; INTERNAL. */
int exec_file_write(struct exec_file *file, struct arena *arena, const struct container *container,
		    const char *exec_id, const struct strings *cmd, bool tty, struct err *e);
/* stdio_pipe(), for the stdio NAME of the exec: it has a name where the runtime asks for names (RUNTIME_STREAMS). */
int exec_file_pipe(struct exec_file *file, struct arena *arena, const struct container *container,
		   const char *exec_id, const char *name, int ends[2], struct err *e);
void exec_file_remove(struct exec_file *file);

#endif
