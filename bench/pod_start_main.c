/* pod_start_main.c - pod-start: how long CRI servers take to bring pods up and down, side by side in one run.
 *
 *   pod-start --image REF --log-dir DIR [OPTION...] NAME=HANDLER@ADDRESS...
 *
 * A round gives every endpoint a block of single pods with a pause after every step (what a node sees), then one burst
 * of pods at once; the order of the endpoints turns from round to round, so that what drifts on the machine meets all
 * alike. One JSON line a pod goes to --out: each RPC, the sum of the three up and of the four down, in milliseconds.
 * Exit codes: 0, 1 a pod failed (the line says how), 64 usage. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "bench/endpoint.h"
#include "bench/pod_life.h"
#include "reactor/json.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { ENDPOINTS = 8, WIDTH_MAX = 1000, WARM = 2 };

static const char usage[] =
	"usage: pod-start --image REF --log-dir DIR [OPTION...] NAME=HANDLER@ADDRESS...\n"
	"  --cgroup-parent PATH  of every pod\n"
	"  --rounds N            6\n"
	"  --spaced N            pods one after another in a round, 10\n"
	"  --width N             pods at once in a round's burst, 10; 0: no burst\n"
	"  --pause-ms N          after every step, and up to 10 ms more so that no rhythm is hit, 20\n"
	"  --out FILE            JSON lines are added to it; default standard output\n"
	"  --hold N              no measurement: N pods come up, \"up\" is said, they go when standard input ends\n";

static struct {
	struct arena *arena;
	struct endpoint endpoint[ENDPOINTS];
	size_t endpoints;
	struct pod_spec pods;
	long rounds, spaced, width, pause_ms, hold;
	FILE *out;
} run = { .pods = { .cgroup_parent = "" }, .rounds = 6, .spaced = 10, .width = 10, .pause_ms = 20 };

static size_t waiting_for;
static unsigned pods_begun, errors;

static void print_line(json_t *line)
{
	json_dumpf(line, run.out, JSON_COMPACT | JSON_REAL_PRECISION(7));
	fputc('\n', run.out);
	fflush(run.out);
	json_decref(line);
}

static void print_error(const struct endpoint *ep, const char *mode, const struct err *e)
{
	errors++;
	fprintf(stderr, "pod-start: %s: %s: %s\n", ep->name, err_name(e->code), e->msg);
	print_line(json_pack("{ss, ss, ss, ss, ss}", "kind", "error", "endpoint", ep->name, "mode", mode, "code",
			     err_name(e->code), "message", e->msg));
}

static json_t *ms(int64_t ns)
{
	return json_real((double)(ns / 1000) / 1000); /* to the microsecond: more digits would be noise */
}

static void print_sample(const struct endpoint *ep, const char *mode, long round, const struct pod *p)
{
	json_t *line = json_pack("{ss, ss, ss, sI, ss}", "kind", "sample", "endpoint", ep->name, "mode", mode, "round",
				 (json_int_t)round, "pod", pod_name(p));
	int64_t up_ns = 0, down_ns = 0;

	for (int rpc = 0; rpc < POD_RPC_COUNT; rpc++) {
		int64_t ns = pod_rpc_ns(p, (enum pod_rpc)rpc);

		*(rpc < POD_UP_RPCS ? &up_ns : &down_ns) += ns;
		json_object_set_new(line, pod_rpc_name((enum pod_rpc)rpc), ms(ns));
	}
	json_object_set_new(line, "up", ms(up_ns));
	json_object_set_new(line, "down", ms(down_ns));
	print_line(line);
}

/* ---- pods, as one after the other as main() needs them: the loop runs until the last of them is done ---- */

struct batch {
	const struct endpoint *ep;
	const char *mode;
	struct pod *pod[WIDTH_MAX];
	bool failed[WIDTH_MAX];
	size_t n;
};

static void on_pod(void *arg, struct pod *p, const struct err *e)
{
	struct batch *b = arg;

	for (size_t i = 0; e && i < b->n; i++)
		if (b->pod[i] == p)
			b->failed[i] = true;
	if (e)
		print_error(b->ep, b->mode, e);
	if (--waiting_for == 0)
		loop_stop();
}

static void batch_up(struct batch *b, const struct endpoint *ep, const char *mode, size_t n)
{
	char name[64];

	*b = (struct batch){ .ep = ep, .mode = mode, .n = n };
	waiting_for = n;
	for (size_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "%s-%d-%u", ep->name, (int)getpid(), pods_begun++);
		b->pod[i] = pod_up(ep->client, &ep->pods, name, on_pod, b);
	}
	loop_run();
}

static void batch_down(struct batch *b)
{
	waiting_for = b->n;
	for (size_t i = 0; i < b->n; i++)
		pod_down(b->pod[i], on_pod, b);
	loop_run();
}

static void batch_free(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		pod_free(b->pod[i]);
}

static void on_pause(struct timer *t)
{
	(void)t;
	loop_stop();
}

static void pause_a_while(void)
{
	struct timer t = { 0 };

	timer_set(&t, run.pause_ms + pods_begun * 7 % 11, on_pause);
	loop_run();
}

static void live(const struct endpoint *ep, const char *mode, long round, size_t width)
{
	static struct batch b;

	batch_up(&b, ep, mode, width);
	pause_a_while();
	batch_down(&b);
	for (size_t i = 0; round && i < b.n; i++)
		if (!b.failed[i])
			print_sample(ep, mode, round, b.pod[i]);
	batch_free(&b);
	pause_a_while();
}

static void measure(void)
{
	char at_once[32];

	snprintf(at_once, sizeof(at_once), "x%ld", run.width);
	for (size_t i = 0; i < run.endpoints; i++)
		for (int warm = 0; warm < WARM; warm++)
			live(&run.endpoint[i], "warm", 0, 1);
	for (long round = 1; round <= run.rounds; round++) {
		for (size_t i = 0; i < run.endpoints; i++)
			for (long n = 0; n < run.spaced; n++)
				live(&run.endpoint[(i + (size_t)round - 1) % run.endpoints], "spaced", round, 1);
		for (size_t i = 0; run.width && i < run.endpoints; i++)
			live(&run.endpoint[(i + (size_t)round - 1) % run.endpoints], at_once, round, (size_t)run.width);
		fprintf(stderr, "round %ld of %ld\r", round, run.rounds);
	}
	fputc('\n', stderr);
}

static void on_input(struct fd_watch *w, int events)
{
	char ignored[256];

	(void)events;
	if (read(STDIN_FILENO, ignored, sizeof(ignored)) > 0)
		return;
	fd_watch_clear(w);
	loop_stop();
}

static void hold(void)
{
	static struct batch b[ENDPOINTS];
	struct fd_watch input = { 0 };

	for (size_t i = 0; i < run.endpoints; i++)
		batch_up(&b[i], &run.endpoint[i], "hold", (size_t)run.hold);
	puts("up");
	fflush(stdout);
	fd_watch_set(&input, STDIN_FILENO, FD_READ, on_input);
	loop_run();
	for (size_t i = 0; i < run.endpoints; i++) {
		batch_down(&b[i]);
		batch_free(&b[i]);
	}
}

/* ---- start ---- */

static int read_number(const char *option, const char *text, long max, long *out)
{
	char *end;

	*out = strtol(text, &end, 10);
	if (*text && !*end && *out >= 0 && *out <= max)
		return 0;
	fprintf(stderr, "pod-start: --%s %s: not a number from 0 to %ld\n", option, text, max);
	return -1;
}

static int open_output(const char *path)
{
	run.out = fopen(path, "ae");
	if (!run.out)
		perror(path);
	return run.out ? 0 : -1;
}

static int read_options(int argc, char **argv)
{
	enum { IMAGE, LOG_DIR, CGROUP_PARENT, OUT, NUMBERS };
	static const struct option options[] = {
		{ "image", 1, NULL, IMAGE },
		{ "log-dir", 1, NULL, LOG_DIR },
		{ "cgroup-parent", 1, NULL, CGROUP_PARENT },
		{ "out", 1, NULL, OUT },
		{ "rounds", 1, NULL, NUMBERS },
		{ "spaced", 1, NULL, NUMBERS + 1 },
		{ "width", 1, NULL, NUMBERS + 2 },
		{ "pause-ms", 1, NULL, NUMBERS + 3 },
		{ "hold", 1, NULL, NUMBERS + 4 },
		{ 0 },
	};
	static const struct {
		long *value, max;
	} numbers[] = { /* in the order of the options */
		{ &run.rounds, 100000 },  { &run.spaced, 100000 }, { &run.width, WIDTH_MAX },
		{ &run.pause_ms, 60000 }, { &run.hold, WIDTH_MAX },
	};
	int c, at = 0;

	while ((c = getopt_long(argc, argv, "", options, &at)) != -1) {
		if (c == '?')
			return -1;
		if (c == IMAGE)
			run.pods.image = optarg;
		else if (c == LOG_DIR)
			run.pods.log_dir = optarg;
		else if (c == CGROUP_PARENT)
			run.pods.cgroup_parent = optarg;
		else if (c == OUT && open_output(optarg) < 0)
			return -1;
		else if (c >= NUMBERS && read_number(options[at].name, optarg, numbers[c - NUMBERS].max,
						     numbers[c - NUMBERS].value) < 0)
			return -1;
	}
	return !run.pods.image || !run.pods.log_dir || optind == argc || argc - optind > ENDPOINTS ? -1 : 0;
}

static int open_endpoints(char **texts, struct err *e)
{
	for (; *texts; texts++) {
		struct endpoint *ep = &run.endpoint[run.endpoints];

		ep->pods = run.pods;
		if (endpoint_open(ep, run.arena, *texts, e) < 0)
			return -1;
		run.endpoints++;
		if (endpoint_prepare(ep, e) < 0)
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct err e;

	run.arena = arena_new();
	run.out = stdout;
	if (read_options(argc, argv) < 0) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	if (open_endpoints(argv + optind, &e) < 0) {
		fprintf(stderr, "pod-start: %s: %s\n", err_name(e.code), e.msg);
		return e.code == ERR_INVALID_ARGUMENT ? EX_USAGE : 1;
	}
	if (run.hold)
		hold();
	else
		measure();
	for (size_t i = 0; i < run.endpoints; i++)
		endpoint_close(&run.endpoint[i]);
	arena_free(run.arena);
	return errors != 0;
}
