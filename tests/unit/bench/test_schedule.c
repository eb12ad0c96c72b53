/* test_schedule.c - an open loop asks when it is time, and blames a stall on whoever stalled. */
#include "bench/schedule.h"
#include "tests/tap.h"

enum { MS = 1000000 };

static void on_time(void)
{
	struct schedule s = { .begin_ns = 7 * MS, .per_second = 100, .total = 3 };
	int64_t due;

	ok(schedule_wait_ms(&s, 0) == 7);
	ok(!schedule_take(&s, 7 * MS - 1, &due));
	ok(schedule_take(&s, 7 * MS, &due) && due == 7 * MS);
	ok(!schedule_take(&s, 7 * MS, &due));
	ok(schedule_wait_ms(&s, 7 * MS) == 10);
	ok(schedule_wait_ms(&s, 7 * MS + 1) == 10); /* rounded up: never woken before it is due */
	ok(schedule_take(&s, 17 * MS, &due) && due == 17 * MS);
	ok(schedule_take(&s, 27 * MS, &due) && due == 27 * MS);
	ok(!schedule_take(&s, 1000 * MS, &due) && schedule_wait_ms(&s, 1000 * MS) == -1);
}

/* The server stalls for 40 ms: four requests come late, and each keeps the moment it was due. */
static void a_stall_is_not_forgotten(void)
{
	struct schedule s = { .begin_ns = 0, .per_second = 100, .total = 100 };
	int64_t due;

	ok(schedule_take(&s, 0, &due));
	for (int64_t i = 1; i <= 4; i++)
		ok(schedule_take(&s, 45 * MS, &due) && due == i * 10 * MS);
	ok(!schedule_take(&s, 45 * MS, &due));
	ok(schedule_wait_ms(&s, 45 * MS) == 5);
}

static void no_error_adds_up(void)
{
	struct schedule s = { .begin_ns = 0, .per_second = 3, .total = 3000 };
	int64_t off = schedule_due_ns(&s, 2997) - 999 * 1000LL * MS;

	ok(off >= -1 && off <= 1);
}

int main(void)
{
	on_time();
	a_stall_is_not_forgotten();
	no_error_adds_up();
	return tap_end();
}
