/* job.h - the children that crispd asked for, from CHILD_SPAWN to the message that ends the exchange. */
#ifndef PROCS_KEEPER_JOB_H
#define PROCS_KEEPER_JOB_H

#include <stdbool.h>

#include "reactor/imsg.h"

void job_spawn(struct imsg *m);
void job_kill(uint64_t tag);

/* crispd is dead: nobody waits for the children. They are killed, but for those that may finish and those that bring
 * a process to be kept: half an OCI runtime or CNI plugin leaves more behind than a whole one. */
void jobs_orphan(void);
bool jobs_any_orphan(void); /* one of those still runs */
void jobs_kill_orphans(void);

#endif
