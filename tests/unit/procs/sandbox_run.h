/* sandbox_run.h - a sandbox's machines in a test: what they say at their end, and the turns of the loop until then. */
#ifndef TESTS_SANDBOX_RUN_H
#define TESTS_SANDBOX_RUN_H

#include "procs/sandbox.h"
#include "reactor/json.h"
#include "reactor/loop.h"

static struct arena *arena;
static struct sandbox_config config; /* as the next sandbox is asked for */

struct result {
	int calls;
	struct err e;
};

static inline void record(void *arg, const struct err *e)
{
	struct result *r = arg;

	r->calls++;
	r->e.code = ERR_OK;
	if (e)
		r->e = *e;
}

static inline void turns(void)
{
	for (int i = 0; i < 20; i++)
		loop_turn();
}

/* Nothing is asked for but a name and a PID namespace for each container. */
static inline void blank(void)
{
	auto_json json_t *nothing = json_object();
	struct err e;

	fields_from_json(sandbox_config_fields, &config, nothing, arena, &e);
	config.name = "web";
	config.namespace_ = "ns";
	config.uid = "u1";
	config.security.ns.pid = NS_CONTAINER;
}

#endif
