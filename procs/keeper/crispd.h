/* crispd.h - the one crispd: started, watched, restarted, ended; and the channel to it. */
#ifndef PROCS_KEEPER_CRISPD_H
#define PROCS_KEEPER_CRISPD_H

#include <stdint.h>

#include "reactor/buf.h"
#include "reactor/err.h"

struct crispd_config { /* borrowed for ever */
	const char *path;   /* of the program */
	const char *config; /* passed on as --config; NULL: none */
	const char *state;  /* directory; ours by its lock */
};

/* Takes up a crispd that outlived another keeper of this state directory, or starts one. */
int crispd_open(const struct crispd_config *cfg, struct err *e);

/* What the keeper's process is to exit with, once the loop has stopped. */
int crispd_verdict(void);

/* To crispd, when one is there that has been welcomed: what it misses now it is told with the welcome. */
void tell(uint32_t type, uint64_t tag, const struct buf *body, const int *fds, int nfds);
/* The answer to a request: CHILD_FAILED, or KEEPER_NS_DONE, whose code may be OK. */
void tell_code(uint32_t type, uint64_t tag, enum err_code code, const char *text);

#endif
