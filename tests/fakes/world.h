/* world.h - a loop whose clock is turned by hand, and a place on disk to write to. Replaces reactor/loop.o. */
#ifndef TESTS_FAKES_WORLD_H
#define TESTS_FAKES_WORLD_H

#include <stdint.h>

/* Runs what is due within the next ms milliseconds, in order, and what the fds have to say; 0: only what is due now. */
void world_advance(int64_t ms);

/* Time passes inside a callback: nothing runs for it now. */
void world_spend(int64_t ms);

/* Turns without moving the clock until nothing is due and no fd is ready (at most 1000 turns). */
void world_settle(void);

/* As world_settle(), but waits up to `limit_ms` of real time for fds until *flag is not 0: for real children. */
void world_until(const int *flag, int64_t limit_ms);

/* A fresh empty directory, removed at exit with what tests leave in it. */
const char *world_dir(void);

#endif
