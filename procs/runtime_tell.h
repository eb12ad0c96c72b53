/* runtime_tell.h - what a runtime with streams of its own (RUNTIME_STREAMS) is told of a client's terminal and input.
 *
 * Nobody waits for the answer: an error is logged with the container's id. keep_id: of the exec; "": the container's
 * own process. All arguments are borrowed for the call only. */
#ifndef PROCS_RUNTIME_TELL_H
#define PROCS_RUNTIME_TELL_H

#include <stdint.h>

#include "procs/runtime.h"

void runtime_tell_size(const struct runtime_handler *handler, const char *container, const char *keep_id,
		       uint16_t width, uint16_t height);

/* The client's input has ended; the runtime keeps stdin open until it is told. */
void runtime_tell_input_end(const struct runtime_handler *handler, const char *container, const char *keep_id);

#endif
