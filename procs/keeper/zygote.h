/* zygote.h - the keeper's end of crisp-zygote: it starts the zygote, passes requests on, and follows each process from
 * its birth to its program. crispd's end is procs/process.h. */
#ifndef PROCS_PROCESS_ZYGOTE_H
#define PROCS_PROCESS_ZYGOTE_H

#include <stdbool.h>

#include "reactor/imsg.h"

void zygote_use(struct imsg *message);     /* PROCESS_ZYGOTE */
void zygote_process(struct imsg *message); /* PROCESS_MAKE */
void zygote_kill(uint64_t tag);            /* PROCESS_KILL */

/* What an earlier keeper left: the socket `name` of the anchor's table (takes fd), and, once all of them were told, the
 * births without one. */
#define BIRTH_PREFIX "birth/"
void birth_held_again(const char *name, int fd);
void births_again(void);

/* A crispd that outlived that keeper asks for the process with this tag; PROCESS_FAILED, UNAVAILABLE: none was made.
 * When crispd has named all, what it has not named is killed, and the others go on. (ARCHITECTURE K44) */
void birth_claim(uint64_t tag);
void births_claimed(void);

/* crispd is dead. The births under way go on: a process that runs its program is kept, and one that fails leaves
 * nothing. WELCOME waits for them, since the next crispd must hear of what is kept. */
void births_orphan(void);
bool births_any_orphan(void);
void births_kill_orphans(void);

#endif
