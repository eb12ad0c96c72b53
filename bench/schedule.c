/* schedule.c - see schedule.h. */
#include "bench/schedule.h"

int64_t schedule_due_ns(const struct schedule *s, uint64_t i)
{
	return s->begin_ns + (int64_t)((double)i * 1e9 / s->per_second); /* not from the last: errors do not add up */
}

int schedule_take(struct schedule *s, int64_t now_ns, int64_t *due_ns)
{
	if (s->issued == s->total || schedule_due_ns(s, s->issued) > now_ns)
		return 0;
	*due_ns = schedule_due_ns(s, s->issued++);
	return 1;
}

int64_t schedule_wait_ms(const struct schedule *s, int64_t now_ns)
{
	int64_t left_ns;

	if (s->issued == s->total)
		return -1;
	left_ns = schedule_due_ns(s, s->issued) - now_ns;
	return left_ns > 0 ? (left_ns + 999999) / 1000000 : 0;
}
