/* silence.h - how long a process that was asked has not answered, on a clock that stands still with the process that
 * asks.
 *
 * Both may be stopped together, for example with a suspended machine, and the one that asks may be short of CPU time
 * too. So the time between two looks counts as one turn at most: what is longer was not spent waiting. */
#ifndef PROCS_KEEPER_SILENCE_H
#define PROCS_KEEPER_SILENCE_H

#include <stdbool.h>
#include <stdint.h>

struct silence { /* zeroed: nothing is asked */
	bool asked;
	int64_t ms;        /* since the question */
	int64_t looked_ms; /* CLOCK_MONOTONIC at the last look */
};

void silence_ask(struct silence *silence, int64_t now_ms);

/* For how long the question has no answer; 0: nothing is asked. Called once in each turn of turn_ms. */
int64_t silence_look(struct silence *silence, int64_t now_ms, int64_t turn_ms);

/* The answer came, or is not awaited any more. */
void silence_over(struct silence *silence);

#endif
