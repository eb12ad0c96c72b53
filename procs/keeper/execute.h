/* execute.h - makes the process that becomes crispd. */
#ifndef PROCS_KEEPER_EXECUTE_H
#define PROCS_KEEPER_EXECUTE_H

#include <sys/types.h>

#include "procs/keeper/crispd.h"
#include "reactor/err.h"

/* Its ends of the channel and of the pipe KEEPER_WHY_ENV are borrowed. As spawn(). */
pid_t crispd_execute(const struct crispd_config *cfg, int channel, int why, int *birth_fd, struct err *e);

#endif
