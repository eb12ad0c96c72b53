/* clock.h - timers and clocks that the test moves. Takes the place of reactor/loop.o in tests that wait for no fd. */
#ifndef TESTS_CLOCK_H
#define TESTS_CLOCK_H

#include <stdint.h>

void clock_run(void);              /* runs all due timers, and those that become due by that */
void clock_advance(int64_t ms);    /* runs timers in order; each sees the time at which it is due */
int clock_waiting(void);           /* timers that are set */

extern int64_t clock_step_ms;      /* each loop_mono_ns() moves the clock by this */

#endif
