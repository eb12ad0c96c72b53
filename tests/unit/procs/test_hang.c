/* test_hang.c - what crispd says of a loop that did not turn. */
#include "procs/hang.h"

#include "procs/keeper/proto.h"
#include "reactor/buf.h"
#include "reactor/loop.h"
#include "reactor/metric.h"
#include "tests/tap.h"

static struct arena *arena;

static void take(int64_t begin_ns, uint64_t ms, const char *what, uint32_t replaced)
{
	struct buf b = { 0 };
	struct imsg m = { .type = KEEPER_STOOD };

	put_u64(&b, (uint64_t)begin_ns);
	put_u64(&b, ms);
	put_str(&b, what);
	put_u32(&b, replaced);
	m.body = b.at;
	m.len = b.len;
	hang_take(&m);
	buf_free(&b);
}

static bool counted(const char *line)
{
	struct buf text = { 0 };
	bool found;

	metric_text(&text);
	found = strstr(buf_str(&text), line) != NULL;
	buf_free(&text);
	return found;
}

static void none(void)
{
	bool lately = true;

	is_str(hang_text(arena, &lately), "");
	ok(!lately);
}

static void a_message_that_is_cut_says_nothing(void)
{
	struct imsg m = { .type = KEEPER_STOOD };
	bool lately = true;

	hang_take(&m);
	is_str(hang_text(arena, &lately), "");
	ok(!lately && !counted("crisp_hangs_total{"));
}

/* 2026-01-02T03:04:05Z */
static void an_old_one_is_told_and_is_no_trouble(void)
{
	bool lately = true;

	take(1767323045ll * 1000000000, 16000, "state T, in do_signal_stop", 0);
	is_str(hang_text(arena, &lately),
	       "crispd did not turn its loop for 16 s until 2026-01-02T03:04:21Z (state T, in do_signal_stop)");
	ok(!lately && counted("crisp_hangs_total{end=\"resumed\"} 1\n"));
}

static void one_of_this_hour_is(void)
{
	bool lately = false;

	take(loop_real_ns() - 70 * 1000000000ll, 30000, "state D", 1);
	ok(strstr(hang_text(arena, &lately), " (state D), and was replaced"));
	ok(lately && counted("crisp_hangs_total{end=\"replaced\"} 1\n"));
}

int main(void)
{
	arena = arena_new();
	none();
	a_message_that_is_cut_says_nothing();
	an_old_one_is_told_and_is_no_trouble();
	one_of_this_hour_is();
	arena_free(arena);
	return tap_end();
}
