/* crispd.h - the one crispd: started, watched, restarted, ended. */
#ifndef PROCS_KEEPER_CRISPD_H
#define PROCS_KEEPER_CRISPD_H

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

#endif
