/* clock.h - a clock of the kernel, for programs with and without the loop. */
#ifndef REACTOR_CLOCK_H
#define REACTOR_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Nanoseconds of CLOCK_MONOTONIC, CLOCK_BOOTTIME, ... */
int64_t clock_ns(clockid_t clock);

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t clock_mono_ms(void);

#endif
