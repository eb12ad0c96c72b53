/* remove_flow.h - the removal of one container. RemoveContainer and the removal of its sandbox may both wait for it. */
#ifndef HANDLERS_REMOVE_FLOW_H
#define HANDLERS_REMOVE_FLOW_H

#include "procs/container.h"
#include "reactor/err.h"
#include "reactor/list.h"

struct removal_wait {
	struct link link;
	/* e NULL: the container is gone. Runs once, never inside remove_flow(). */
	void (*fn)(struct removal_wait *wait, const struct err *e);
};

/* Starts the removal of the container, or joins the removal that runs already. The removal waits for its turn on the
 * container's lane. It runs to its end even when every client that asked for it has left. */
void remove_flow(struct container *container, struct removal_wait *wait);

#endif
