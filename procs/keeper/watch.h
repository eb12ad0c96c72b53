/* watch.h - does crispd turn its loop? The keeper asks it every few seconds; a crispd that hangs or is stopped does not
 * answer. After 10 s of silence the log says so, once, and a crispd that has served is killed when `watchdog` of the
 * configuration says after how long. (ARCHITECTURE R106) */
#ifndef PROCS_KEEPER_WATCH_H
#define PROCS_KEEPER_WATCH_H

#include <sys/types.h>

#include "reactor/imsg.h"

/* From the welcome of a crispd until watch_end(). crispd_signal(SIGKILL) replaces it. This crispd is told how an
 * earlier one hung and ended. */
void watch_begin(pid_t pid, void (*crispd_signal)(int sig));
void watch_end(void); /* it has ended; harmless when none is watched */

void watch_ready(void);                       /* it serves: from now on it may be killed */
void watch_limit(const struct imsg *message); /* KEEPER_WATCHDOG */
void watch_answered(void);                    /* KEEPER_TURNS */

#endif
