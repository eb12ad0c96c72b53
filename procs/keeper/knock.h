/* knock.h - the front's watch over the keeper's loop, for the watchdog of a service manager (sd_watchdog_enabled(3)).
 *
 * The front connects to keeper.sock, and the keeper's loop accepts and closes: that is the answer. Each answer is
 * passed on as WATCHDOG=1. A keeper that is silent for half of the time that the service manager gives is to be killed,
 * so that the next one answers in the other half. (ARCHITECTURE R107) */
#ifndef PROCS_KEEPER_KNOCK_H
#define PROCS_KEEPER_KNOCK_H

#include <stdbool.h>

/* Reads $WATCHDOG_USEC and $WATCHDOG_PID; without them, or when they are meant for another process, nothing is done. */
void knock_open(const char *state);

/* For poll(2): an answer comes as input on the fd; -1: none is awaited. The time until knock_turn() is due; -1:
 * never. */
int knock_fd(void);
int knock_timeout_ms(void);

/* After each poll. True, once for each silence: it has lasted too long. */
bool knock_turn(void);

#endif
