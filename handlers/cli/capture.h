/* capture.h - what a function or a program prints, with a bound and a deadline: it runs in a child process, because a
 * file system that does not answer holds whoever reads from it. For a command that has nothing else to do. */
#ifndef HANDLERS_CLI_CAPTURE_H
#define HANDLERS_CLI_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "reactor/buf.h"

/* Runs in the child: prints to `out`. Each line on stderr is a problem. The return value is the child's exit status. */
typedef int capture_fn(void *arg, FILE *out);

struct capture {
	capture_fn *fn;
	void *arg;
	size_t max;         /* bytes of output */
	bool end;           /* whole lines of the last `max` bytes, else the first bytes */
	int64_t timeout_ms; /* then the child is killed */
};

/* Appends the output to `out`, also after a failure, and the problems to `problems`, one a line. */
void capture_run(const struct capture *capture, struct buf *out, struct buf *problems);

/* A capture_fn: executes the program; `arg` is its argv, argv[0] an absolute path. Of the environment it gets PATH and
 * LC_ALL. */
int capture_program(void *arg, FILE *out);

#endif
