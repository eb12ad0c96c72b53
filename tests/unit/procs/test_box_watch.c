/* test_box_watch.c - procs/box_watch.c: a box whose end the runtime tells. */
#include "procs/box_watch.h"

#include "procs/container.h"
#include "procs/runtime.h"
#include "tests/fakes/runtime.h"
#include "tests/fakes/world.h"
#include "tests/tap.h"

static int ends;

static void on_ended(void *arg, const struct err *e)
{
	(void)arg;
	ok(!e);
	ends++;
}

/* A ready sandbox with a box that runs. */
static struct sandbox *adopted(void)
{
	struct sandbox *s = fake_container()->sandbox;

	fake_traits = RUNTIME_SANDBOX | RUNTIME_WAITS;
	fake_knows = true;
	s->pause_pid = 4711;
	ok(box_watch_adopt(s));
	is_str(fake_calls, "wait ");
	return s;
}

static void its_end_ends_the_pod(void)
{
	struct sandbox *s = adopted();

	fake_waited(ERR_OK, 9);
	ok(s->state == SANDBOX_NOTREADY && s->pause_pid == 0);
	is_str(fake_calls, "wait ");
}

static void a_wait_that_fails_is_asked_again(void)
{
	struct sandbox *s = adopted();

	for (int i = 0; i < 30; i++) { /* the keeper is away: without an end */
		fake_waited(ERR_UNAVAILABLE, 0);
		world_advance(500);
	}
	for (int i = 0; i < 9; i++) {
		fake_waited(ERR_INTERNAL, 0);
		world_advance(500);
	}
	ok(s->state == SANDBOX_READY);
	fake_waited(ERR_INTERNAL, 0);
	ok(s->state == SANDBOX_NOTREADY && s->pause_pid == 0);
}

/* It lives until the runtime removes it; nobody hears of that end. */
static void a_kill_is_the_runtimes(void)
{
	struct sandbox *s = adopted();

	box_watch_kill(s, on_ended, NULL);
	ok(ends == 0);
	world_settle();
	ok(ends == 1 && s->pause_pid == 0);
	is_str(fake_calls, "wait cancel_wait ");
}

static void what_the_runtime_does_not_know_is_gone(void)
{
	struct sandbox *s = fake_container()->sandbox;

	s->pause_pid = 4711;
	fake_knows = false;
	ok(!box_watch_adopt(s));
	fake_knows = true;
	s->pause_pid = 0;
	ok(!box_watch_adopt(s));
	is_str(fake_calls, "");
}

/* Its end is no end of a pause, and nobody believes a pid of it. */
static void a_sandbox_of_the_runtimes(void)
{
	struct sandbox *s = fake_container()->sandbox;

	fake_traits = RUNTIME_SANDBOX_API | RUNTIME_WAITS;
	fake_knows = true;
	s->made = MADE_API | MADE_PAUSE;
	s->pause_pid = 4711;
	box_watch_began(s, 0);
	is_str(fake_calls, "wait ");
	fake_waited(ERR_OK, 9);
	ok(s->state == SANDBOX_NOTREADY && s->pause_pid == 4711);

	s = fake_container()->sandbox;
	fake_knows = true;
	s->made = MADE_API;
	ok(s->state == SANDBOX_READY && box_watch_adopt(s));
	box_watch_end(s);
	is_str(fake_calls, "wait cancel_wait ");
	box_watch_end(s);
	fake_knows = false;
	ok(!box_watch_adopt(s));
}

int main(void)
{
	its_end_ends_the_pod();
	a_wait_that_fails_is_asked_again();
	a_kill_is_the_runtimes();
	what_the_runtime_does_not_know_is_gone();
	a_sandbox_of_the_runtimes();
	return tap_end();
}
