/* exec_file.h - what a runtime's `exec` reads and writes beside the container's bundle: the process object and its
 * pid. */
#ifndef PROCS_EXEC_FILE_H
#define PROCS_EXEC_FILE_H

#include "procs/container.h"
#include "procs/runtime.h"
#include "reactor/err.h"

/* Whom to ask for it. NULL: FAILED_PRECONDITION, c does not run or its runtime is not configured any more;
 * INVALID_ARGUMENT, the command is empty. */
const struct runtime_handler *exec_runtime(const struct container *c, const struct strings *cmd, struct err *e);

struct exec_file { /* paths in the exec's arena; NULL: not there */
	const char *process, *pidfile; /* <bundle>/exec-<id>.json, .pid */
};

/* INVALID_ARGUMENT: the command is no UTF-8; INTERNAL. */
int exec_file_write(struct exec_file *f, struct arena *a, const struct container *c, const char *exec_id,
		    const struct strings *cmd, bool tty, struct err *e);
void exec_file_remove(struct exec_file *f);

#endif
