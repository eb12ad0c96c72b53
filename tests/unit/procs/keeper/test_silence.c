/* test_silence.c - how long an answer is awaited, by a process that may stand still itself. */
#include "procs/keeper/silence.h"

#include "tests/tap.h"

enum { TURN_MS = 5000 };

static void nothing_is_asked(void)
{
	struct silence s = { 0 };

	ok(silence_look(&s, 1000000, TURN_MS) == 0);
	silence_ask(&s, 1000000);
	silence_over(&s);
	ok(!s.asked && silence_look(&s, 2000000, TURN_MS) == 0);
}

static void each_turn_counts(void)
{
	struct silence s = { 0 };

	silence_ask(&s, 1000);
	ok(silence_look(&s, 6000, TURN_MS) == 5000);
	ok(silence_look(&s, 11000, TURN_MS) == 10000);
	ok(silence_look(&s, 11500, TURN_MS) == 10500); /* the answer comes within a turn */
}

/* Stopped, suspended, or without a CPU: what is longer than a turn was not spent waiting. */
static void time_that_stood_still_does_not(void)
{
	struct silence s = { 0 };

	silence_ask(&s, 1000);
	ok(silence_look(&s, 6000, TURN_MS) == 5000);
	ok(silence_look(&s, 3600000, TURN_MS) == 10000);
	ok(silence_look(&s, 3605000, TURN_MS) == 15000);
}

static void a_new_question_begins_anew(void)
{
	struct silence s = { 0 };

	silence_ask(&s, 1000);
	silence_look(&s, 6000, TURN_MS);
	silence_over(&s);
	silence_ask(&s, 7000);
	ok(silence_look(&s, 8000, TURN_MS) == 1000);
}

int main(void)
{
	nothing_is_asked();
	each_turn_counts();
	time_that_stood_still_does_not();
	a_new_question_begins_anew();
	return tap_end();
}
