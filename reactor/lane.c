/* lane.c - see lane.h. The first pass of `waiting` holds the lane while `held` is set; else it is the next to
 * hold it. */
#include "reactor/lane.h"

#include "reactor/metric.h"

static void on_lane_turn(struct timer *t)
{
	struct lane *l = container_of(t, struct lane, timer);
	struct link *first = list_first(&l->waiting);
	struct lane_pass *p;

	if (l->held || !first)
		return;
	l->held = true;
	p = container_of(first, struct lane_pass, link);
	metric_observe_ns(METRIC_stage_seconds, "queue", loop_mono_ns() - p->entered_ns);
	p->go(p);
}

void lane_init(struct lane *l)
{
	*l = (struct lane){ 0 };
	list_init(&l->waiting);
}

void lane_close(struct lane *l)
{
	assert(list_empty(&l->waiting));
	timer_clear(&l->timer);
}

void lane_enter(struct lane *l, struct lane_pass *p, void (*go)(struct lane_pass *p))
{
	assert(!p->lane);
	p->lane = l;
	p->go = go;
	p->entered_ns = loop_mono_ns();
	list_append(&l->waiting, &p->link);
	if (!l->held)
		timer_set(&l->timer, 0, on_lane_turn);
}

void lane_leave(struct lane_pass *p)
{
	struct lane *l = p->lane;

	if (!l)
		return;
	if (l->held && list_first(&l->waiting) == &p->link)
		l->held = false;
	list_drop(&p->link);
	p->lane = NULL;
	if (!l->held && !list_empty(&l->waiting))
		timer_set(&l->timer, 0, on_lane_turn);
}
