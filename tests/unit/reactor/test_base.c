/* test_base.c - reactor/: err, list, arena, own, buf, map, lane, log. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "reactor/arena.h"
#include "reactor/buf.h"
#include "reactor/err.h"
#include "reactor/lane.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/map.h"
#include "reactor/own.h"
#include "reactor/utf8.h"
#include "tests/missing.h"
#include "tests/tap.h"

static int open_blob(const char *path, struct err *e)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_os(e, ERR_INTERNAL, "open blob %s", path);
	return take_fd(&fd);
}

static void what_is_used_up(void)
{
	static const int used_up[] = { ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM };
	struct err e;

	for (size_t i = 0; i < sizeof(used_up) / sizeof(*used_up); i++) {
		errno = used_up[i];
		ok(err_os(&e, ERR_INTERNAL, "write") == -1 && e.code == ERR_RESOURCE_EXHAUSTED);
		errno = used_up[i];
		ok(err_os(&e, ERR_INVALID_ARGUMENT, "read") == -1 && e.code == ERR_RESOURCE_EXHAUSTED);
		errno = used_up[i];
		ok(err_os(&e, ERR_DATA_LOSS, "write") == -1 && e.code == ERR_DATA_LOSS); /* the caller knows better */
	}
	errno = EIO;
	ok(err_os(&e, ERR_INTERNAL, "write") == -1 && e.code == ERR_INTERNAL);
}

static void error_gathers_context(void)
{
	struct err e;
	const char *path = missing("blob");
	char big[2000], want[300];

	ok(open_blob(path, &e) == -1);
	err_wrap(&e, "unpack layer sha256:ab");
	snprintf(want, sizeof(want), "unpack layer sha256:ab: open blob %s: No such file or directory", path);
	is_str(e.msg, want);
	is_str(err_name(e.code), "INTERNAL");
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	err_wrap(&e, "%s", big);
	is_str(e.msg, want);
}

static void arena_gives_zeroed_aligned_memory(void)
{
	struct arena *a = arena_new();
	char *p;

	is_str(arena_printf(a, "%s/%d", "lower", 7), "lower/7");
	is_str(arena_strndup(a, "abcdef", 3), "abc");
	p = arena_zalloc(a, 100000);
	ok(p[0] == 0 && p[99999] == 0 && (uintptr_t)p % _Alignof(max_align_t) == 0);
	arena_free(a);
}

static void list_drops_while_walking(void)
{
	struct link head;
	struct { int v; struct link link; } x = { 1, { 0 } }, y = { 2, { 0 } };
	int sum = 0;

	list_init(&head);
	list_append(&head, &x.link);
	list_append(&head, &y.link);
	ok(list_first(&head) == &x.link);
	list_each(l, &head)
		sum += container_of(l, __typeof__(x), link)->v, list_drop(l);
	ok(sum == 3 && list_empty(&head));
}

static void buf_is_a_queue(void)
{
	struct buf b = { 0 };
	char want[3000] = "";

	for (int i = 0; i < 500; i++) {
		buf_printf(&b, "%04d;", i);
		if (i % 3 == 0)
			buf_consume(&b, 5);
	}
	for (int i = 167; i < 500; i++)
		sprintf(want + strlen(want), "%04d;", i);
	is_str(buf_str(&b), want);
	buf_consume(&b, b.len);
	ok(b.len == 0 && b.at == NULL);
	buf_puts(&b, "again");
	is_str(buf_str(&b), "again");
	buf_free(&b);
}

static void map_finds_after_deletes(void)
{
	static char keys[1000][8];
	struct map m = { 0 };
	int missing = 0, found = 0, n = 0;

	for (int i = 0; i < 1000; i++) {
		sprintf(keys[i], "k%d", i);
		map_put(&m, keys[i], keys[i]);
	}
	for (int i = 0; i < 1000; i += 2)
		ok(map_drop(&m, keys[i]) == keys[i]);
	for (int i = 0; i < 1000; i++)
		if (i % 2)
			found += map_get(&m, keys[i]) == keys[i];
		else
			missing += map_get(&m, keys[i]) == NULL;
	ok(found == 500 && missing == 500 && m.used == 500);
	for (struct map_slot *s = map_next(&m, NULL); s; s = map_next(&m, s))
		n++;
	ok(n == 500);
	ok(map_drop(&m, "never") == NULL);
	ok(map_at(&m, keys[1])->value == keys[1] && m.used == 500);
	ok(map_at(&m, "new")->value == NULL && m.used == 501);
	map_free(&m);
}

static void map_reserves_once(void)
{
	static char keys[1000][8];
	struct map m = { 0 };
	const struct map_slot *slots;

	map_reserve(&m, 1000);
	slots = m.slots;
	for (int i = 0; i < 1000; i++) {
		sprintf(keys[i], "k%d", i);
		map_at(&m, keys[i])->value = keys[i];
	}
	ok(m.slots == slots && m.used == 1000 && map_get(&m, "k999") == keys[999]);
	map_free(&m);
}

static int turns[4], nturns;
static struct lane lane;

struct visitor {
	int who;
	struct lane_pass pass;
};

static void on_turn(struct lane_pass *p)
{
	turns[nturns++] = container_of(p, struct visitor, pass)->who;
}

static void lane_lets_one_in_at_a_time(void)
{
	struct visitor a = { .who = 1 }, b = { .who = 2 }, c = { .who = 3 };

	lane_init(&lane);
	lane_enter(&lane, &a.pass, on_turn);
	lane_enter(&lane, &b.pass, on_turn);
	lane_enter(&lane, &c.pass, on_turn);
	ok(nturns == 0); /* never inside lane_enter() */
	loop_turn();
	ok(nturns == 1 && turns[0] == 1);
	lane_leave(&b.pass); /* gives up waiting */
	lane_leave(&a.pass);
	loop_turn();
	ok(nturns == 2 && turns[1] == 3);
	lane_leave(&c.pass);
	lane_leave(&c.pass);
	lane_close(&lane); /* asserts that no pass is left */
}

static void log_quotes_what_comes_from_outside(void)
{
	is_str(log_quote("a \"b\"\n\x01"), "\"a \\\"b\\\"\\x0a\\x01\"");
	is_str(log_quote("\xc2\x9b\x7f\xff~"), "\"\\xc2\\x9b\\x7f\\xff~\"");
	ok(log_level_parse("warn") == LOG_LEVEL_WARN && log_level_parse("loud") == -1);
}

/* A line that log_line() wrote, without its time. */
static const char *logged(const char *text)
{
	static char line[4096];
	int saved = dup(2), ends[2];
	ssize_t n;

	ok(pipe(ends) == 0 && dup2(ends[1], 2) == 2);
	log_error("%s", text);
	n = read(ends[0], line, sizeof(line) - 1);
	dup2(saved, 2);
	close(saved);
	close(ends[0]);
	close(ends[1]);
	line[n > 0 ? n : 0] = '\0';
	return strstr(line, "error ");
}

/* Also where a value is not quoted: one event is one line of ASCII. */
static void a_log_line_is_one_line(void)
{
	char longest[3000];

	is_str(logged("x=a\nb \x1b[2J\xc2\x9b\xff"), "error crisp x=a\\x0ab \\x1b[2J\\xc2\\x9b\\xff\n");
	memset(longest, 0x9b, sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	ok(strlen(logged(longest)) > 1500 && !strchr(logged(longest), 0x9b));
	ok(strchr(logged(longest), '\n')[1] == '\0');
}

static int timer_runs;

static void on_timer(struct timer *t)
{
	(void)t;
	timer_runs++;
}

static void utf8_is_told_from_other_bytes(void)
{
	static const char *const good[] = { "", "abcdefgh", "abcdefg\xc3\xa4", "\xe2\x82\xac", "\xed\x9f\xbf",
					    "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf" };
	static const char *const bad[] = { "\x80", "abcdefgh\xff", "\xc0\x80", "\xc1\xbf", "\xc3", "\xe0\x9f\xbf",
					   "\xed\xa0\x80", "\xe2\x82", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
					   "\xf5\x80\x80\x80", "\xe2\x28\xa1" };

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		ok(utf8_valid(good[i], strlen(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ok(!utf8_valid(bad[i], strlen(bad[i])));
	ok(utf8_char("\xe2\x82\xac" "x", 4) == 3 && utf8_char("x", 0) == 0 && utf8_char("\xe2\x82\xac", 2) == 0);
}

static void loop_counts_what_it_runs(void)
{
	struct timer t = { 0 };
	struct loop_stats before, after;

	loop_peak();
	ok(loop_peak().cpu_ns == 0 && loop_peak().fn == 0);
	loop_stats(&before);
	timer_clear(&t);
	timer_set(&t, 0, on_timer);
	ok(timer_is_set(&t) && timer_runs == 0);
	for (int i = 0; i < 1000 && !timer_runs; i++)
		loop_turn();
	loop_stats(&after);
	ok(timer_runs == 1 && !timer_is_set(&t));
	ok(after.cpu.count == before.cpu.count + 1 && after.turns > before.turns);
	ok(loop_peak().cpu_ns > 0 && loop_peak().cpu_ns == 0);
}

int main(void)
{
	error_gathers_context();
	what_is_used_up();
	arena_gives_zeroed_aligned_memory();
	list_drops_while_walking();
	buf_is_a_queue();
	map_finds_after_deletes();
	map_reserves_once();
	lane_lets_one_in_at_a_time();
	log_quotes_what_comes_from_outside();
	a_log_line_is_one_line();
	utf8_is_told_from_other_bytes();
	loop_counts_what_it_runs();
	return tap_end();
}
