/* exec_stream.h - a further process in a running container, whose standard streams a client has.
 *
 * When the client leaves, the process runs on: its stdin is at end of file, its output is read and dropped. A terminal
 * is hung up, so its session gets SIGHUP. Output that is in the pipes when the process exits is delivered, however slow
 * the client is. Background children that hold the pipes open delay the end until they are silent for 200 ms.
 * Spec: CRI v1 RuntimeService.Exec. */
#ifndef PROCS_EXEC_STREAM_H
#define PROCS_EXEC_STREAM_H

#include "procs/container.h"
#include "procs/streams.h"
#include "reactor/fields.h"

/* cmd is copied. `ended`: the exit code, 128 + n for a death by signal n, or e: FAILED_PRECONDITION (the container does
 * not run), INVALID_ARGUMENT, RESOURCE_EXHAUSTED, INTERNAL with the runtime's words (no such command), UNAVAILABLE. */
struct stdio *exec_stream_start(struct container *container, const struct strings *cmd, const struct stdio_want *want,
				const struct stdio_events *events, void *arg);

#endif
