/* bench.c - see bench.h.
 *
 *   RUNS ---signal, an endpoint's error---> STOPS ---GRACE_MS over, second signal---> ABANDONED
 *
 * Waits on: signals, a timer, and the events of the scenario. */
#include "bench/bench.h"

#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/cri_call.h"
#include "reactor/list.h"
#include "reactor/loop.h"

enum { GRACE_MS = 10000, LAST_TIMEOUT_MS = 5000, BAR = 24 };

static struct {
	struct bench *bench;
	struct signal_watch interrupted, terminated;
	struct timer grace;
	bool preparing, stopping, abandoned, bar_shown;
	unsigned errors, rests;
} run;

bool bench_stopping(void)
{
	return run.stopping;
}

bool bench_abandoned(void)
{
	return run.abandoned;
}

void bench_wait(void)
{
	if (!run.abandoned)
		loop_run();
}

void bench_wake(void)
{
	loop_stop();
}

static void on_bench_slept(struct timer *t)
{
	(void)t;
	loop_stop();
}

void bench_sleep(int64_t ms)
{
	struct timer t = { 0 };

	if (run.stopping)
		return;
	timer_set(&t, ms, on_bench_slept);
	loop_run();
	timer_clear(&t);
}

void bench_rest(const struct bench *b)
{
	bench_sleep(b->pause_ms + run.rests++ * 7 % 11);
}

/* ---- ending early ---- */

static void bench_abandon(struct timer *t)
{
	(void)t;
	run.abandoned = true;
	for (size_t i = 0; i < run.bench->endpoints; i++)
		endpoint_abandon(&run.bench->endpoint[i]);
	loop_stop();
}

static void bench_stop(void)
{
	if (run.stopping)
		return;
	run.stopping = true;
	cri_timeout(LAST_TIMEOUT_MS);
	timer_set(&run.grace, GRACE_MS, bench_abandon);
}

static void on_bench_signal(struct signal_watch *w)
{
	bool again = run.stopping;

	(void)w;
	run.errors++;
	fprintf(stderr, "\ncrisp-bench: %s\n", again ? "interrupted again" : "interrupted, removing pods");
	bench_stop();
	if (again || run.preparing)
		bench_abandon(&run.grace);
}

static void bench_hide_bar(void)
{
	if (run.bar_shown)
		fputs("\r\033[K", stderr);
	run.bar_shown = false;
}

void bench_fail(struct bench *b, const struct endpoint *ep, const char *mode, const struct err *e)
{
	run.errors++;
	if (e->code == ERR_CANCELLED)
		return;
	bench_hide_bar();
	fprintf(stderr, "crisp-bench: %s %s: %s: %s: %s\n", b->scenario, mode, ep->name, err_name(e->code), e->msg);
	bench_write(b, json_pack("{ss, ss, ss, ss, ss, ss}", "kind", "error", "scenario", b->scenario, "endpoint",
				 ep->name, "mode", mode, "code", err_name(e->code), "message", e->msg));
	bench_stop();
}

/* ---- output ---- */

void bench_write(const struct bench *b, json_t *line)
{
	json_dumpf(line, b->out, JSON_COMPACT | JSON_REAL_PRECISION(8));
	fputc('\n', b->out);
	fflush(b->out);
	json_decref(line);
}

json_t *bench_sample(const struct bench *b, const struct endpoint *ep, const char *mode, long round)
{
	return json_pack("{ss, ss, ss, ss, sI}", "kind", "sample", "scenario", b->scenario, "mode", mode, "endpoint",
			 ep->name, "round", (json_int_t)round);
}

void bench_put(json_t *sample, const char *name, double v)
{
	json_object_set_new(sample, name, json_real(v));
}

void bench_put_ns(json_t *sample, const char *name, int64_t ns)
{
	bench_put(sample, name, (double)(ns / 1000) / 1000); /* to the microsecond: more digits are noise */
}

void bench_progress(const struct bench *b, size_t done, size_t of, const char *what)
{
	char bar[BAR + 1];

	if (!isatty(STDERR_FILENO))
		return;
	for (size_t i = 0; i < BAR; i++)
		bar[i] = i * of < done * BAR ? '#' : '.';
	bar[BAR] = '\0';
	fprintf(stderr, "\r%-9s [%s] %zu of %zu %s\033[K", b->scenario, bar, done, of, what);
	run.bar_shown = true;
}

/* ---- begin and end ---- */

int bench_begin(struct bench *b, char **endpoints)
{
	struct err e;

	run.bench = b;
	b->pods.run = arena_printf(b->arena, "%d-%lx", (int)getpid(), (unsigned long)time(NULL));
	signal_watch_set(&run.interrupted, SIGINT, on_bench_signal);
	signal_watch_set(&run.terminated, SIGTERM, on_bench_signal);
	cri_timeout(b->timeout_s * 1000);
	run.preparing = true;
	for (; *endpoints && !run.stopping; endpoints++) {
		struct endpoint *ep = &b->endpoint[b->endpoints];

		ep->pods = b->pods;
		if (endpoint_open(ep, b->arena, *endpoints, &e) < 0)
			goto out;
		b->endpoints++;
		if (endpoint_prepare(ep, b->ready_s * 1000, &e) < 0)
			goto out;
	}
	run.preparing = false;
	return run.stopping ? -1 : 0;
out:
	run.errors++;
	if (e.code != ERR_CANCELLED)
		fprintf(stderr, "crisp-bench: %s: %s\n", err_name(e.code), e.msg);
	return -1;
}

int bench_end(struct bench *b)
{
	bench_hide_bar();
	if (run.stopping && !run.preparing) {
		timer_set(&run.grace, GRACE_MS, bench_abandon);
		run.abandoned = false;
		bench_sweep(b);
	}
	timer_clear(&run.grace);
	signal_watch_clear(&run.interrupted);
	signal_watch_clear(&run.terminated);
	for (size_t i = 0; i < b->endpoints; i++)
		endpoint_close(&b->endpoint[i]);
	return run.errors != 0;
}
