/* test_late_listen.c - an address that is taken is tried again, and Status has the reason until it is free. */
#include <string.h>

#include "handlers/late_listen.h"
#include "tests/fakes/clock.h"
#include "tests/tap.h"

static int tries, code;

static int try_it(struct err *e)
{
	tries++;
	return code ? err_set(e, (enum err_code)code, "taken") : 0;
}

static const char *missing(void)
{
	static struct arena *a;

	arena_free(a);
	a = arena_new();
	return late_listen_missing(a);
}

static void a_free_one_is_no_matter(void)
{
	struct late_listen l = { .what = "http", .listen = try_it };
	struct err e;

	ok(late_listen_open(&l, &e) == 0 && tries == 1);
	is_str(missing(), "");
}

static void a_taken_one_is_tried_again(void)
{
	struct late_listen a = { .what = "http", .listen = try_it }, b = { .what = "stream", .listen = try_it };
	struct err e;

	code = ERR_UNAVAILABLE;
	ok(late_listen_open(&a, &e) == 0 && late_listen_open(&b, &e) == 0);
	is_str(missing(), "http: taken; stream: taken");
	tries = 0;
	clock_advance(4999);
	ok(tries == 0);
	clock_advance(1);
	ok(tries == 2);
	code = 0;
	clock_advance(5000);
	ok(tries == 4);
	is_str(missing(), "");
	clock_advance(60000);
	ok(tries == 4);
}

static void a_wrong_one_ends_the_start(void)
{
	struct late_listen l = { .what = "http", .listen = try_it };
	struct err e;

	code = ERR_INVALID_ARGUMENT;
	ok(late_listen_open(&l, &e) < 0);
	is_str(e.msg, "http: taken");
	is_str(missing(), "");
}

static void nothing_runs_after_the_close(void)
{
	struct late_listen l = { .what = "http", .listen = try_it };
	struct err e;

	code = ERR_INTERNAL;
	ok(late_listen_open(&l, &e) == 0);
	tries = 0;
	late_listen_close();
	clock_advance(60000);
	ok(tries == 0);
	is_str(missing(), "");
}

int main(void)
{
	a_free_one_is_no_matter();
	a_taken_one_is_tried_again();
	a_wrong_one_ends_the_start();
	nothing_runs_after_the_close();
	missing();
	return tap_end();
}
