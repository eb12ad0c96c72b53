/* lane.h - a queue before an object: one operation at a time holds the object, the others wait in order. */
#ifndef REACTOR_LANE_H
#define REACTOR_LANE_H

#include <stdbool.h>

#include "reactor/list.h"
#include "reactor/loop.h"

struct lane {
	struct link waiting; /* of struct lane_pass.link; the first one holds the lane once `held` is set */
	bool held;
	struct timer timer;
};

struct lane_pass {
	struct link link;
	struct lane *lane; /* NULL: neither waiting nor holding */
	void (*go)(struct lane_pass *pass);
	int64_t entered_ns; /* private */
};

void lane_init(struct lane *lane);
void lane_close(struct lane *lane); /* no pass may hold the lane or wait */

/* go() runs exactly once, when the pass holds the lane, never inside this call. The lane must outlive the pass. */
void lane_enter(struct lane *lane, struct lane_pass *pass, void (*go)(struct lane_pass *pass));

/* Gives the lane up or stops waiting; no effect for a pass that neither holds nor waits. */
void lane_leave(struct lane_pass *pass);

#endif
