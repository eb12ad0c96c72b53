/* test_reopen.c - procs/reopen.c: when ReopenContainerLog is answered. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "procs/container.h"
#include "procs/log_pump.h"
#include "procs/reopen.h"
#include "reactor/lookup.h"
#include "tests/fakes/keeper.h"
#include "tests/fakes/log_pump.h"
#include "tests/fakes/runtime.h"
#include "tests/fakes/world.h"
#include "tests/tap.h"

static int answers;
static struct err answer;

static void on_answer(void *arg, const struct err *e)
{
	(void)arg;
	answers++;
	answer = e ? *e : (struct err){ .code = ERR_OK };
}

static void the_keeper_has_it_first(struct container *c)
{
	answers = 0;
	fake_pump_reopened = false;
	reopen_log(c, on_answer, NULL);
	world_advance(1000);
	ok(answers == 0);
	fake_pump_reopened = true;
	world_advance(10);
	ok(answers == 1 && answer.code == ERR_OK && fake_pump_undone == 0);
}

static void the_keeper_does_not_take_it(struct container *c)
{
	answers = 0;
	fake_pump_reopened = false;
	reopen_log(c, on_answer, NULL);
	for (int i = 0; i < 110; i++)
		world_advance(100);
	ok(answers == 1 && answer.code == ERR_UNAVAILABLE && fake_pump_undone == 1);
	world_advance(1000);
	ok(answers == 1);
}

static void the_container_ends_meanwhile(struct container *c)
{
	answers = 0;
	fake_pump_reopened = false;
	reopen_log(c, on_answer, NULL);
	world_advance(100);
	ok(answers == 0);
	fake_exit(c->id, 0);
	world_advance(10);
	ok(answers == 1 && answer.code == ERR_OK);
	fake_runtime_ok(0);
	reopen_log(c, on_answer, NULL);
	ok(answers == 1);
	world_advance(10);
	ok(answers == 2 && answer.code == ERR_FAILED_PRECONDITION);
}

int main(void)
{
	struct container *c = fake_running(0);
	static char path[300];

	snprintf(path, sizeof(path), "%s//log", world_dir());
	c->log_path = path;
	the_keeper_has_it_first(c);
	the_keeper_does_not_take_it(c);
	the_container_ends_meanwhile(c);
	return tap_end();
}
