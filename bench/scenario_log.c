/* scenario_log.c - a container writes numbered lines: the rate at which they reach the log, the server's CPU time for
 * it, and the number of lines lost.
 *
 * The container runs `/bin/log-writer MODE LINES` (log_writer_main.c): "bulk" writes 64 KiB at a time, "line" one line.
 * It waits before it begins, so that its start is not in the figures. It sleeps at the end: while no process has waited
 * for it, its CPU time is not part of the server's. The time runs from the log's first growth to its last; the log is
 * looked at every POLL_MS. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench/census.h"
#include "bench/log_check.h"
#include "bench/pods.h"
#include "bench/scenarios.h"
#include "reactor/loop.h"

enum { POLL_MS = 2, UP_TRIES = 1000, QUIET_MS = 300, PATIENCE_S = 120, LINE_BYTES = 100 };

struct watch {
	const char *path;
	int64_t begin_ns, first_ns, last_ns; /* first and last growth */
	off_t size;
};

static void poll_log(struct watch *w)
{
	struct stat st;

	if (stat(w->path, &st) < 0 || st.st_size == w->size)
		return;
	w->last_ns = loop_mono_ns();
	if (!w->first_ns)
		w->first_ns = w->last_ns;
	w->size = st.st_size;
}

/* Each line has a prefix in the log, so a log that is shorter than the lines alone is not complete. */
static bool log_complete(const struct watch *w, long lines)
{
	return w->size >= (off_t)lines * LINE_BYTES && loop_mono_ns() - w->last_ns > QUIET_MS * 1000000LL;
}

static void log_follow(struct watch *w, long lines)
{
	w->begin_ns = loop_mono_ns();
	while (!bench_stopping() && !log_complete(w, lines)) {
		int64_t since_ns = loop_mono_ns() - (w->last_ns ? w->last_ns : w->begin_ns);

		if (since_ns > PATIENCE_S * 1000000000LL)
			return; /* missing lines are counted as lost */
		bench_sleep(POLL_MS);
		poll_log(w);
	}
}

static void write_sample(struct bench *b, struct endpoint *ep, const char *mode, long round, const struct watch *w,
			 long lines, int64_t cpu_us)
{
	double mb = (double)lines * LINE_BYTES / 1e6;
	struct log_check check;
	struct err e;
	json_t *line;

	if (log_check(w->path, lines, &check, &e) < 0)
		return bench_fail(b, ep, mode, &e);
	line = bench_sample(b, ep, mode, round);
	if (w->last_ns > w->first_ns)
		bench_put(line, "throughput_mb_s", mb * 1e9 / (double)(w->last_ns - w->first_ns));
	bench_put(line, "cpu_per_mb", (double)cpu_us / 1e3 / mb);
	bench_put(line, "lost_lines_n", (double)check.lost);
	bench_put(line, "damaged_lines_n", (double)check.damaged);
	bench_write(b, line);
}

static void write_round(struct bench *b, struct endpoint *ep, const char *mode, long round)
{
	static struct census baseline, daemons;
	const char *const command[] = { "/bin/log-writer", mode,
					arena_printf(b->arena, "%ld", b->megabytes * 1000000 / LINE_BYTES), NULL };
	long lines = b->megabytes * 1000000 / LINE_BYTES;
	struct watch w = { 0 };
	struct pods pods;
	pid_t server = 0;
	int64_t cpu_us = 0;
	struct err e;

	census_take(&baseline);
	if (census_server(ep->address, &server, &e) < 0)
		return bench_fail(b, ep, mode, &e);
	ep->pods.command = command;
	pods_up(&pods, b, ep, mode, 1, 1);
	ep->pods.command = NULL;
	for (int i = 0; i < UP_TRIES && !census_containers(&baseline, command[0], command[2]); i++)
		bench_sleep(POLL_MS);
	if (!bench_stopping()) {
		w.path = arena_printf(b->arena, "%s/%s.log", b->pods.log_dir, pod_name(pods.pod[0]));
		census_daemons(&baseline, server, command[0], command[2], &daemons);
		cpu_us = census_cpu_us(&daemons);
		log_follow(&w, lines);
		cpu_us = census_cpu_us(&daemons) - cpu_us;
	}
	pods_down(&pods, 1);
	if (!bench_stopping())
		write_sample(b, ep, mode, round, &w, lines, cpu_us);
	if (w.path)
		unlink(w.path);
	pods_free(&pods);
}

void scenario_log(struct bench *b)
{
	for (long round = 1; round <= b->rounds; round++)
		for (size_t i = 0; i < b->endpoints && !bench_stopping(); i++) {
			struct endpoint *ep = &b->endpoint[(i + (size_t)round) % b->endpoints];

			bench_progress(b, (size_t)(round - 1) * b->endpoints + i, (size_t)b->rounds * b->endpoints,
				       ep->name);
			write_round(b, ep, "bulk", round);
			write_round(b, ep, "line", round);
		}
}
