/* start_run.h - a container's start in a test: what it says at its end, and a container that runs to its own end. */
#ifndef TESTS_START_RUN_H
#define TESTS_START_RUN_H

#include "procs/container.h"
#include "procs/keeper.h"
#include "procs/start.h"
#include "tests/fakes/keeper.h"
#include "tests/fakes/log_pump.h"
#include "tests/fakes/runtime.h"
#include "tests/fakes/world.h"
#include "tests/tap.h"

struct result {
	int calls;
	struct err err;
};

static inline void record(void *arg, const struct err *e)
{
	struct result *r = arg;

	r->calls++;
	r->err = e ? *e : (struct err){ 0 };
}

static inline void runs_to_its_end(struct container *c, struct result *r)
{
	start_start(c, record, r);
	fake_runtime_ok(0);
	ok(r->err.code == ERR_OK && c->state == CONTAINER_RUNNING);
	fake_exit(c->id, 0);
	world_settle();
	fake_runtime_ok(0);
}

#endif
