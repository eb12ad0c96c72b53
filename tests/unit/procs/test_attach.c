/* test_attach.c - procs/attach.c: many clients, one that stalls, stdin_once, and containers that end. */
#include "procs/attach.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "procs/keeper.h"
#include "tests/fakes/keeper.h"
#include "tests/fakes/log_pump.h"
#include "tests/fakes/runtime.h"
#include "tests/fakes/world.h"
#include "tests/tap.h"

struct client {
	struct stdio *io;
	char out[64], err[64];
	size_t taken;
	int ended;
	enum err_code code;
};

static const struct stdio_want all = { true, true, true, false }, out_only = { .out = true };
static struct container *c;
static int stdin_read;

static void on_output(void *arg, bool is_stderr, const void *p, size_t n)
{
	struct client *k = arg;

	strncat(is_stderr ? k->err : k->out, p, n);
}

static void on_taken(void *arg, size_t n)
{
	((struct client *)arg)->taken += n;
}

static void on_ended(void *arg, const struct err *e, int32_t exit_code)
{
	struct client *k = arg;

	k->ended++;
	k->code = e ? e->code : (enum err_code)exit_code;
}

static const struct stdio_events events = { on_output, on_taken, on_ended };

/* A running container; the pipe for its stdin, which start.c makes otherwise, is made here. */
static void begin(bool once)
{
	char name[128];
	struct err e;
	int ends[2];

	c = fake_running(0);
	c->config.stdin_once = once;
	ok(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
	stdin_read = ends[0];
	snprintf(name, sizeof(name), "container/%s/stdin", c->id);
	ok(keeper_ask_hold(name, ends[1], &e) == 0);
	close(ends[1]);
}

static void end(void)
{
	fake_exit(c->id, 0);
	world_settle();
	if (fake_runtime_pending())
		fake_runtime_ok(0);
	close(stdin_read);
}

static void many_hear_the_same(void)
{
	struct client k[20] = { 0 };
	int same = 0;

	begin(false);
	for (int i = 0; i < 20; i++)
		k[i].io = attach_start(c, i % 2 ? &all : &out_only, &events, &k[i]);
	fake_pump_says(false, "out", 3);
	fake_pump_says(true, "err", 3);
	for (int i = 0; i < 20; i++)
		same += strcmp(k[i].out, "out") == 0 && strcmp(k[i].err, i % 2 ? "err" : "") == 0;
	ok(same == 20);
	for (int i = 0; i < 10; i++)
		stdio_leave(k[i].io);
	fake_pump_says(false, "2", 1);
	is_str(k[3].out, "out");
	is_str(k[13].out, "out2");
	end();
	for (int i = 0; i < 20; i++)
		same += k[i].ended;
	ok(same == 30 && k[19].code == ERR_OK);
	ok(fake_pump_readers(false) == 0);
}

static void input_arrives(void)
{
	struct client k = { 0 };
	char heard[16] = "";

	begin(false);
	k.io = attach_start(c, &all, &events, &k);
	stdio_input(k.io, "hello", 5);
	ok(read(stdin_read, heard, sizeof(heard)) == 5 && k.taken == 5);
	stdio_input_end(k.io);
	world_settle();
	ok(k.ended == 1 && k.code == ERR_OK); /* not stdin_once: the attach ends, the container's stdin does not */
	ok(read(stdin_read, heard, 1) < 0);
	end();
}

static void stdin_once_ends_with_the_input(void)
{
	struct client k = { 0 };
	char heard[16];

	begin(true);
	k.io = attach_start(c, &all, &events, &k);
	stdio_input(k.io, "hello", 5);
	stdio_input_end(k.io);
	world_settle();
	ok(read(stdin_read, heard, sizeof(heard)) == 5 && read(stdin_read, heard, 1) == 0);
	fake_pump_says(false, "out", 3);
	ok(k.ended == 0);
	is_str(k.out, "out");
	end();
	ok(k.ended == 1);
}

static void stdin_once_ends_with_its_client(void)
{
	struct client k = { 0 };
	char heard[16];

	begin(true);
	k.io = attach_start(c, &all, &events, &k);
	stdio_leave(k.io);
	ok(read(stdin_read, heard, 1) == 0);
	end();
	ok(k.ended == 0);
}

static void one_who_only_watches_leaves_stdin_alone(void)
{
	struct client k = { 0 };
	char heard[16];

	begin(true);
	k.io = attach_start(c, &out_only, &events, &k);
	stdio_leave(k.io);
	ok(read(stdin_read, heard, 1) < 0);
	end();
}

static void one_who_stalls_is_dropped(void)
{
	struct client k = { 0 };

	begin(false);
	k.io = attach_start(c, &out_only, &events, &k);
	stdio_pause(k.io, true);
	ok(fake_pump_readers(true) == 1);
	world_advance(9999);
	stdio_pause(k.io, false);
	ok(fake_pump_readers(true) == 0);
	world_advance(20000);
	ok(k.ended == 0);
	stdio_pause(k.io, true);
	world_advance(10000);
	ok(k.ended == 1 && k.code == ERR_RESOURCE_EXHAUSTED && fake_pump_readers(true) == 0);
	end();
}

static void a_container_without_stdin(void)
{
	struct client k = { 0 };

	c = fake_running(0);
	k.io = attach_start(c, &all, &events, &k);
	stdio_input(k.io, "hello", 5);
	ok(k.taken == 5);
	stdin_read = -1;
	stdio_leave(k.io);
	end();
}

static void a_container_that_does_not_run(void)
{
	struct client k = { 0 };

	c = fake_container();
	k.io = attach_start(c, &all, &events, &k);
	stdio_input(k.io, "x", 1);
	stdio_resize(k.io, 80, 24);
	stdio_pause(k.io, true);
	ok(k.ended == 0);
	world_settle();
	ok(k.ended == 1 && k.code == ERR_FAILED_PRECONDITION);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	many_hear_the_same();
	input_arrives();
	stdin_once_ends_with_the_input();
	stdin_once_ends_with_its_client();
	one_who_only_watches_leaves_stdin_alone();
	one_who_stalls_is_dropped();
	a_container_without_stdin();
	a_container_that_does_not_run();
	return tap_end();
}
