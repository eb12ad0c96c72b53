/* silence.c - see silence.h. */
#include "procs/keeper/silence.h"

void silence_ask(struct silence *s, int64_t now_ms)
{
	*s = (struct silence){ .asked = true, .looked_ms = now_ms };
}

int64_t silence_look(struct silence *s, int64_t now_ms, int64_t turn_ms)
{
	int64_t passed_ms = now_ms - s->looked_ms;

	if (!s->asked)
		return 0;
	s->looked_ms = now_ms;
	s->ms += passed_ms < turn_ms ? passed_ms : turn_ms;
	return s->ms;
}

void silence_over(struct silence *s)
{
	*s = (struct silence){ 0 };
}
