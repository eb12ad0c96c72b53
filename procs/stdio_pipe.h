/* stdio_pipe.h - a pipe for the stdio of a process, with or without a name. */
#ifndef PROCS_STDIO_PIPE_H
#define PROCS_STDIO_PIPE_H

#include "reactor/err.h"

/* ends[0] is for reading, ends[1] for writing; both block. path NULL: no name. Else a FIFO is made there, which the
 * caller unlinks when others have opened it; a FIFO that an earlier daemon left is replaced. RESOURCE_EXHAUSTED;
 * INTERNAL. */
int stdio_pipe(const char *path, int ends[2], struct err *e);

#endif
