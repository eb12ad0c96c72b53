/* remove_flow.h - the removal of one container, which RemoveContainer and the end of its sandbox may both wait for. */
#ifndef HANDLERS_REMOVE_FLOW_H
#define HANDLERS_REMOVE_FLOW_H

#include "procs/container.h"
#include "reactor/err.h"
#include "reactor/list.h"

struct removal_wait {
	struct link link;
	/* e NULL: it is gone. Runs once, never inside the call */
	void (*fn)(struct removal_wait *w, const struct err *e);
};

/* Starts the removal of c or joins the one that runs. It waits for its turn on c->lane and runs on whoever leaves. */
void remove_flow(struct container *c, struct removal_wait *w);

#endif
