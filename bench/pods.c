/* pods.c - see pods.h.
 *
 *   a life:  UP ---answered---> HOLD ---hold_ms---> DOWN ---answered---> (done)
 *             |                                      ^
 *             +---failed, the run stops--------------+
 *
 * Waits on: the pod (UP, DOWN), a timer (HOLD). */
#include "bench/pods.h"

#include <stdlib.h>
#include <unistd.h>

#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/sm.h"

static unsigned names;

static char *next_name(char *to, size_t size, const struct endpoint *ep)
{
	snprintf(to, size, "%s-%d-%u", ep->name, (int)getpid(), names++);
	return to;
}

void pods_put(json_t *sample, const struct pod *p)
{
	int64_t up_ns = 0, down_ns = 0;

	for (int rpc = 0; rpc < POD_RPC_COUNT; rpc++) {
		int64_t ns = pod_rpc_ns(p, (enum pod_rpc)rpc);

		*(rpc < POD_UP_RPCS ? &up_ns : &down_ns) += ns;
		bench_put_ns(sample, pod_rpc_name((enum pod_rpc)rpc), ns);
	}
	bench_put_ns(sample, "up", up_ns);
	bench_put_ns(sample, "down", down_ns);
}

/* ---- together ---- */

static void pods_one_up(struct pods *p);
static void pods_one_down(struct pods *p);

static void pods_note(struct pods *p, const struct pod *pod, const struct err *e)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->pod[i] == pod)
			p->failed[i] = true;
	bench_fail(p->bench, p->ep, p->mode, e);
}

static void on_pods_up(void *arg, struct pod *pod, const struct err *e)
{
	struct pods *p = arg;

	if (e)
		pods_note(p, pod, e);
	p->waiting--;
	pods_one_up(p);
}

static void pods_one_up(struct pods *p)
{
	char name[96];

	if (p->next < p->n && !bench_stopping()) {
		p->waiting++;
		p->pod[p->next] =
			pod_up(p->ep->client, &p->ep->pods, next_name(name, sizeof(name), p->ep), on_pods_up, p);
		p->next++;
	}
	if (!p->waiting)
		bench_wake();
}

void pods_more(struct pods *p, size_t more, size_t width)
{
	size_t n = p->n + more;

	p->pod = own_must(reallocarray(p->pod, n, sizeof(*p->pod)));
	p->failed = own_must(reallocarray(p->failed, n, sizeof(*p->failed)));
	for (; p->n < n; p->n++) {
		p->pod[p->n] = NULL;
		p->failed[p->n] = false;
	}
	for (size_t i = 0; i < width && p->next < p->n && !bench_stopping(); i++)
		pods_one_up(p);
	if (p->waiting)
		bench_wait();
}

void pods_up(struct pods *p, struct bench *b, struct endpoint *ep, const char *mode, size_t n, size_t width)
{
	*p = (struct pods){ .bench = b, .ep = ep, .mode = mode };
	pods_more(p, n, width);
}

static void on_pods_down(void *arg, struct pod *pod, const struct err *e)
{
	struct pods *p = arg;

	if (e)
		pods_note(p, pod, e);
	p->waiting--;
	pods_one_down(p);
}

static void pods_one_down(struct pods *p)
{
	while (p->next < p->n && !p->pod[p->next])
		p->next++;
	if (p->next < p->n) {
		p->waiting++;
		pod_down(p->pod[p->next++], on_pods_down, p);
	} else if (!p->waiting) {
		bench_wake();
	}
}

void pods_down(struct pods *p, size_t width)
{
	if (bench_abandoned())
		return;
	p->next = p->waiting = 0;
	for (size_t i = 0; i < width && p->next < p->n; i++)
		pods_one_down(p);
	if (p->waiting)
		bench_wait();
}

void pods_free(struct pods *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->pod[i])
			pod_free(p->pod[i]);
	free(p->pod);
	free(p->failed);
	*p = (struct pods){ 0 };
}

/* ---- each by itself ---- */

enum { UP, HOLD, DOWN };
static const struct sm_state life_states[] = {
	[UP] = { "UP", TO(HOLD) | TO(DOWN) },
	[HOLD] = { "HOLD", TO(DOWN) },
	[DOWN] = { "DOWN", 0 },
};

struct life {
	struct sm sm;
	struct link link; /* in `lives` */
	struct bench *bench;
	struct endpoint *ep;
	const char *mode;
	struct pod *pod;
	struct timer timer;
	int64_t hold_ms, up_ns, down_ns;
	bool failed;
	life_done *done;
	void *arg;
};

static struct link lives = { &lives, &lives }; /* of struct life.link */

static void life_free(struct life *l)
{
	list_drop(&l->link);
	timer_clear(&l->timer);
	pod_free(l->pod);
	free(l);
}

static void on_life_down(void *arg, struct pod *pod, const struct err *e)
{
	struct life *l = arg;

	(void)pod;
	l->down_ns = loop_mono_ns();
	if (e) {
		l->failed = true;
		bench_fail(l->bench, l->ep, l->mode, e);
	}
	l->done(l->arg, l);
	life_free(l);
}

static void on_life_held(struct timer *t)
{
	struct life *l = container_of(t, struct life, timer);

	sm_move(&l->sm, DOWN);
	pod_down(l->pod, on_life_down, l);
}

static void on_life_up(void *arg, struct pod *pod, const struct err *e)
{
	struct life *l = arg;

	(void)pod;
	l->up_ns = loop_mono_ns();
	if (e) {
		l->failed = true;
		bench_fail(l->bench, l->ep, l->mode, e);
		return on_life_held(&l->timer);
	}
	sm_move(&l->sm, HOLD);
	timer_set(&l->timer, bench_stopping() ? 0 : l->hold_ms, on_life_held);
}

void life_start(struct bench *b, struct endpoint *ep, const char *mode, int64_t hold_ms, life_done *done, void *arg)
{
	struct life *l = new_zero(struct life);
	char name[96];

	l->sm = (struct sm){ life_states, "life", ep->name, UP };
	l->bench = b;
	l->ep = ep;
	l->mode = mode;
	l->hold_ms = hold_ms;
	l->done = done;
	l->arg = arg;
	list_append(&lives, &l->link);
	l->pod = pod_up(ep->client, &ep->pods, next_name(name, sizeof(name), ep), on_life_up, l);
}

bool life_failed(const struct life *l)
{
	return l->failed;
}

const struct pod *life_pod(const struct life *l)
{
	return l->pod;
}

int64_t life_up_ns(const struct life *l)
{
	return l->up_ns;
}

void lives_free(void)
{
	struct link *l;

	while ((l = list_first(&lives)))
		life_free(container_of(l, struct life, link));
}
