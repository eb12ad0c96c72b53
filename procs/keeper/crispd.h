/* crispd.h - the one crispd process: started, watched, restarted, ended. */
#ifndef PROCS_KEEPER_CRISPD_H
#define PROCS_KEEPER_CRISPD_H

#include <stdint.h>

#include "reactor/err.h"

struct crispd_config { /* borrowed for ever */
	const char *path;   /* of the program */
	const char *config; /* passed on as --config; NULL: none */
	const char *state;  /* directory; this keeper holds its lock */
	int64_t ready_ms;   /* a crispd that is not READY after that time is replaced, if there is a fallback */
};

/* Adopts a crispd that outlived the previous keeper of this state directory, or starts a new one. */
int crispd_open(const struct crispd_config *cfg, struct err *e);

/* The exit status for the keeper's process, once the loop has stopped. */
int crispd_verdict(void);

#endif
