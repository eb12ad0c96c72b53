/* scenario_pods.c - pods that are started and removed: the scenarios pod-start and churn. */
#include <string.h>

#include "bench/pods.h"
#include "bench/scenarios.h"
#include "bench/schedule.h"
#include "reactor/list.h"
#include "reactor/loop.h"

enum { WARM = 2, OPEN_MAX = 1000 };

/* Each round begins with another endpoint, so that a slow change of the machine affects all endpoints alike. */
static struct endpoint *in_turn(struct bench *b, long round, size_t i)
{
	return &b->endpoint[(i + (size_t)round) % b->endpoints];
}

/* ---- closed loop ---- */

static void pods_together(struct bench *b, struct endpoint *ep, const char *mode, long round, size_t width)
{
	struct pods pods;

	if (bench_stopping())
		return;
	pods_up(&pods, b, ep, mode, width, width);
	bench_rest(b);
	pods_down(&pods, width);
	for (size_t i = 0; round && i < pods.n && !bench_abandoned(); i++) {
		if (pods.pod[i] && !pods.failed[i]) {
			json_t *line = bench_sample(b, ep, mode, round);

			pods_put(line, pods.pod[i]);
			bench_write(b, line);
		}
	}
	pods_free(&pods);
	bench_rest(b);
}

struct turn {
	struct bench *bench;
	struct endpoint *ep;
	const char *mode;
	json_t *line;
	bool failed;
};

static void on_turn_answer(void *arg, const struct err *e, json_t *answer)
{
	struct turn *t = arg;

	if (e) {
		t->failed = true;
		bench_fail(t->bench, t->ep, t->mode, e);
	} else {
		json_object_update(t->line, answer);
	}
	bench_wake();
}

static void turn_ask(struct turn *t, const char *word)
{
	if (t->failed || bench_abandoned())
		return;
	twin_ask(t->ep->twin, word, on_turn_answer, t);
	bench_wait();
	bench_rest(t->bench);
}

static void twin_pod(struct bench *b, struct endpoint *ep, const char *mode, long round)
{
	struct turn t = { .bench = b, .ep = ep, .mode = mode, .line = bench_sample(b, ep, mode, round) };

	if (!bench_stopping()) {
		turn_ask(&t, "up");
		turn_ask(&t, "down");
	}
	if (round && !t.failed && !bench_stopping())
		bench_write(b, json_incref(t.line));
	json_decref(t.line);
}

static void pod_in_turn(struct bench *b, struct endpoint *ep, const char *mode, long round)
{
	if (ep->twin)
		twin_pod(b, ep, mode, round);
	else
		pods_together(b, ep, mode, round, 1);
}

static void warm_up(struct bench *b)
{
	for (size_t i = 0; i < b->endpoints; i++)
		for (int n = 0; n < WARM; n++)
			pod_in_turn(b, &b->endpoint[i], "warm", 0);
}

static void closed_loop(struct bench *b)
{
	const char *kind = arena_printf(b->arena, "%s%s%s%s", b->pods.seccomp_default ? ", seccomp" : "",
					b->pods.host_network ? ", host network" : "", b->mode ? ", " : "",
					b->mode ? b->mode : "");
	const char *spaced = arena_printf(b->arena, "spaced%s", kind);
	const char *at_once = arena_printf(b->arena, "x%ld%s", b->width, kind);
	size_t done = 0, all = (size_t)b->rounds * b->endpoints * (size_t)(b->count + (b->width > 0));

	warm_up(b);
	for (long round = 1; round <= b->rounds; round++) {
		for (long n = 0; n < b->count; n++)
			for (size_t i = 0; i < b->endpoints; i++) {
				struct endpoint *ep = in_turn(b, round + n, i);

				bench_progress(b, done++, all, ep->name);
				pod_in_turn(b, ep, spaced, round);
			}
		for (size_t i = 0; b->width && i < b->endpoints; i++) {
			struct endpoint *ep = in_turn(b, round, i);

			bench_progress(b, done++, all, ep->name);
			if (!ep->twin) /* a twin has one container */
				pods_together(b, ep, at_once, round, (size_t)b->width);
		}
	}
}

/* ---- open loop ---- */

struct open_loop {
	struct bench *bench;
	struct endpoint *ep;
	const char *mode;
	long round;
	struct schedule schedule;
	struct timer next;
	size_t alive;
};

struct request {
	struct open_loop *open;
	int64_t due_ns, issued_ns;
};

static void on_open_issue(struct timer *t);

static void on_request_over(void *arg, const struct life *l)
{
	struct request *r = arg;
	struct open_loop *o = r->open;

	if (!life_failed(l)) {
		json_t *line = bench_sample(o->bench, o->ep, o->mode, o->round);

		pods_put(line, life_pod(l));
		bench_put_ns(line, "up_from_due", life_up_ns(l) - r->due_ns);
		bench_put_ns(line, "late", r->issued_ns - r->due_ns);
		bench_write(o->bench, line);
	}
	o->alive--;
	bench_progress(o->bench, (size_t)o->schedule.issued - o->alive, (size_t)o->schedule.total, o->ep->name);
	if (!o->alive && (bench_stopping() || o->schedule.issued == o->schedule.total))
		bench_wake();
	else if (!timer_is_set(&o->next))
		timer_set(&o->next, 0, on_open_issue);
}

static void on_open_issue(struct timer *t)
{
	struct open_loop *o = container_of(t, struct open_loop, next);
	int64_t now = loop_mono_ns(), due, wait_ms;

	while (o->alive < OPEN_MAX && !bench_stopping() && schedule_take(&o->schedule, now, &due)) {
		struct request *r = arena_zalloc(o->bench->arena, sizeof(*r));

		*r = (struct request){ o, due, now };
		o->alive++;
		life_start(o->bench, o->ep, o->mode, o->bench->pause_ms, on_request_over, r);
	}
	wait_ms = schedule_wait_ms(&o->schedule, now);
	if (wait_ms >= 0 && o->alive < OPEN_MAX && !bench_stopping())
		timer_set(&o->next, wait_ms, on_open_issue);
}

static void open_loop(struct bench *b)
{
	const char *mode = arena_printf(b->arena, "open %ld/s", b->rate);

	warm_up(b);
	for (long round = 1; round <= b->rounds; round++) {
		for (size_t i = 0; i < b->endpoints && !bench_stopping(); i++) {
			struct open_loop o = { .bench = b, .ep = in_turn(b, round, i), .mode = mode, .round = round };

			o.schedule = (struct schedule){ .begin_ns = loop_mono_ns(), .per_second = (double)b->rate,
							.total = (uint64_t)(b->rate * b->seconds) };
			timer_set(&o.next, 0, on_open_issue);
			bench_wait();
			timer_clear(&o.next);
			bench_rest(b);
		}
	}
}

void scenario_pod_start(struct bench *b)
{
	if (b->rate)
		open_loop(b);
	else
		closed_loop(b);
	lives_free();
}

/* ---- churn ---- */

struct churn {
	struct bench *bench;
	struct endpoint *ep;
	const char *mode;
	long round;
	int64_t begin_ns, end_ns;
	size_t alive, lives;
};

static void on_worker_free(void *arg, const struct life *l)
{
	struct churn *c = arg;

	if (!life_failed(l)) {
		json_t *line = bench_sample(c->bench, c->ep, c->mode, c->round);

		c->lives++;
		pods_put(line, life_pod(l));
		bench_write(c->bench, line);
	}
	if (!bench_stopping() && loop_mono_ns() < c->end_ns)
		return life_start(c->bench, c->ep, c->mode, 0, on_worker_free, c);
	if (--c->alive == 0)
		bench_wake();
}

/* Measures pods a second, each started and removed, until the last worker is done. */
static void churn_round(struct bench *b, struct endpoint *ep, const char *mode, long round)
{
	struct churn c = { .bench = b, .ep = ep, .mode = mode, .round = round, .begin_ns = loop_mono_ns() };
	json_t *line;

	c.end_ns = c.begin_ns + b->seconds * 1000000000;
	c.alive = (size_t)b->width;
	for (long i = 0; i < b->width; i++)
		life_start(b, ep, mode, 0, on_worker_free, &c);
	bench_wait();
	if (bench_stopping())
		return;
	line = bench_sample(b, ep, mode, round);
	bench_put(line, "lives_per_s", (double)c.lives * 1e9 / (double)(loop_mono_ns() - c.begin_ns));
	bench_write(b, line);
}

void scenario_churn(struct bench *b)
{
	const char *mode = arena_printf(b->arena, "churn x%ld", b->width);

	warm_up(b);
	for (long round = 1; round <= b->rounds; round++) {
		for (size_t i = 0; i < b->endpoints && !bench_stopping(); i++) {
			struct endpoint *ep = in_turn(b, round, i);

			bench_progress(b, (size_t)(round - 1) * b->endpoints + i, (size_t)b->rounds * b->endpoints,
				       ep->name);
			churn_round(b, ep, mode, round);
			bench_rest(b);
		}
	}
	lives_free();
}
