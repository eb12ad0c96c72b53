/* outlet.h - bytes for stdout or stderr of this process, written without blocking the loop.
 *
 * Pipes and terminals are blocking and shared with other processes, so O_NONBLOCK must not be set on them. */
#ifndef HANDLERS_CLI_OUTLET_H
#define HANDLERS_CLI_OUTLET_H

#include <stdbool.h>

#include "reactor/buf.h"
#include "reactor/loop.h"

/* One write(2) that does not block; what was written is consumed. As write(2); EAGAIN: no room. */
ssize_t cli_write_some(int fd, struct buf *bytes);

struct cli_outlet {
	int fd; /* borrowed */
	struct buf bytes; /* not written yet */
	struct fd_watch watch;
	bool deaf;        /* the reader is gone: all bytes are dropped */
	void (*moved)(struct cli_outlet *outlet); /* bytes were written later, or the reader is gone */
};

/* A zeroed outlet with fd and `moved` is ready. `moved` never runs inside these. */
void cli_outlet_put(struct cli_outlet *outlet, const void *bytes, size_t len);
void cli_outlet_close(struct cli_outlet *outlet); /* bytes that were not written are dropped */

#endif
