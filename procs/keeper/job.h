/* job.h - the children that crispd asked for, from CHILD_SPAWN to the message that ends the exchange. */
#ifndef PROCS_KEEPER_JOB_H
#define PROCS_KEEPER_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "reactor/imsg.h"

void job_spawn(struct imsg *message);
void job_kill(uint64_t tag);
void job_who(uint64_t tag);

/* The ids by which the anchor knows those of an earlier keeper begin with it. */
#define JOB_PREFIX "job/"

/* What an earlier keeper left (underway.h): before any crispd is spoken to. */
void jobs_again(void);

/* A crispd that outlived that keeper asks for the child with this tag; CHILD_FAILED, UNAVAILABLE: it was never made.
 * When crispd has named all, what it has not named is killed, and it is told of those that have ended.
 * (ARCHITECTURE K42) */
void job_claim(uint64_t tag);
void jobs_claimed(void);

/* crispd is dead and no longer waits for its children. They are killed, except those that may finish
 * (child_spec.finish) and those that bring a process to be kept: an OCI runtime or a CNI plugin that is killed half way
 * leaves more behind than one that ends by itself. */
void jobs_orphan(void);
bool jobs_any_orphan(void); /* does a child of a dead crispd still run? */
void jobs_kill_orphans(void);

#endif
