/* clock.h - timers and clocks turned by hand. Takes the place of reactor/loop.o in tests that wait for no fd. */
#ifndef TESTS_CLOCK_H
#define TESTS_CLOCK_H

#include <stdint.h>

void clock_run(void);              /* all that is due now, and what that makes due */
void clock_advance(int64_t ms);    /* in order, stopping at each timer */
int clock_waiting(void);           /* timers that are set */

extern int64_t clock_step_ms;      /* how far each look at the clock moves it */

#endif
