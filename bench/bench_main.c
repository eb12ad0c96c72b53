/* bench_main.c - crisp-bench: measures pods on any CRI server.
 *
 * Exit codes: 0; 1 an endpoint failed, the run was interrupted, or `compare` found a slower figure; 64 usage. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "bench/compare.h"
#include "bench/report.h"
#include "bench/scenarios.h"

static const char usage[] =
	"usage: crisp-bench SCENARIO --image REF --log-dir DIR [OPTION...] NAME=HANDLER@ADDRESS...\n"
	"       crisp-bench table [--base NAME] [--before PAGE --after PAGE] FILE...\n"
	"       crisp-bench compare OLD NEW\n"
	"       crisp-bench report [--base NAME] [--before PAGE --after PAGE] [--plots DIR] --html OUT FILE...\n"
	"scenarios:\n"
	"  pod-start  closed loop: --rounds of --count pods one by one and --width at once; with --rate: open loop\n"
	"  churn      --width workers, each one pod's life after another, --seconds a round\n"
	"  density    --n pods in --steps: memory, processes, calls; CPU at rest for --seconds\n"
	"  list       --n pods in --steps: what a kubelet asks for again and again\n"
	"  exec       --count ExecSync of --command in --n pods, one at a time and --width at once; with\n"
	"             --beside NAME=PROGRAM also PROGRAM CONTAINER-ID COMMAND in the first endpoint's pods\n"
	"  pull       --images REF,REF: cold, one by one and all at once\n"
	"  restart    kill -9 with --n pods until it serves again; something must start it again\n"
	"  log        --megabytes of lines, in bulk and one by one; the image has /bin/log-writer\n"
	"options:\n"
	"  --cgroup-parent PATH  of every pod\n"
	"  --seccomp-default     containers with the profile RuntimeDefault; else unconfined\n"
	"  --pause-ms N          between two steps, and up to 10 ms more\n"
	"  --timeout-s N         for a call, 60\n"
	"  --ready-s N           for a server to become ready, 30\n"
	"  --out FILE            JSON lines are added to it; default standard output\n"
	"An address is unix:///PATH or tcp://HOST:PORT. HANDLER may be empty.\n";

static const struct scenario {
	const char *name;
	void (*run)(struct bench *b);
	struct bench defaults;
} scenarios[] = {
	{ "pod-start", scenario_pod_start, { .rounds = 6, .count = 10, .width = 10, .pause_ms = 20, .seconds = 20 } },
	{ "churn", scenario_churn, { .rounds = 3, .width = 10, .pause_ms = 500, .seconds = 10 } },
	{ "density", scenario_density, { .n = 100, .steps = 4, .width = 10, .seconds = 60 } },
	{ "list", scenario_list, { .n = 100, .steps = 4, .width = 10 } },
	{ "exec", scenario_exec, { .rounds = 5, .count = 20, .n = 5, .width = 10, .pause_ms = 20, .command = "true" } },
	{ "pull", scenario_pull, { .rounds = 3, .images = "" } },
	{ "restart", scenario_restart, { .rounds = 5, .n = 20, .width = 10 } },
	{ "log", scenario_log, { .rounds = 3, .megabytes = 200 } },
};

static int read_number(const char *option, const char *text, long max, long *out)
{
	char *end;

	*out = strtol(text, &end, 10);
	if (*text && !*end && *out >= 0 && *out <= max)
		return 0;
	fprintf(stderr, "crisp-bench: --%s %s: not a number from 0 to %ld\n", option, text, max);
	return -1;
}

enum { IMAGE, IMAGES, COMMAND, LOG_DIR, CGROUP_PARENT, BESIDE, OUT, SECCOMP_DEFAULT, NUMBERS };
static const struct option options[] = {
	{ "image", 1, NULL, IMAGE },
	{ "images", 1, NULL, IMAGES },
	{ "command", 1, NULL, COMMAND },
	{ "log-dir", 1, NULL, LOG_DIR },
	{ "cgroup-parent", 1, NULL, CGROUP_PARENT },
	{ "beside", 1, NULL, BESIDE },
	{ "out", 1, NULL, OUT },
	{ "seccomp-default", 0, NULL, SECCOMP_DEFAULT },
	{ "rounds", 1, NULL, NUMBERS },
	{ "count", 1, NULL, NUMBERS + 1 },
	{ "width", 1, NULL, NUMBERS + 2 },
	{ "pause-ms", 1, NULL, NUMBERS + 3 },
	{ "rate", 1, NULL, NUMBERS + 4 },
	{ "seconds", 1, NULL, NUMBERS + 5 },
	{ "n", 1, NULL, NUMBERS + 6 },
	{ "steps", 1, NULL, NUMBERS + 7 },
	{ "megabytes", 1, NULL, NUMBERS + 8 },
	{ "timeout-s", 1, NULL, NUMBERS + 9 },
	{ "ready-s", 1, NULL, NUMBERS + 10 },
	{ 0 },
};

static int take_number(struct bench *b, int c, const char *name, const char *text)
{
	const struct {
		long *value, max;
	} numbers[] = { /* in the order of the options */
		{ &b->rounds, 100000 }, { &b->count, 100000 }, { &b->width, 1000 },  { &b->pause_ms, 60000 },
		{ &b->rate, 10000 },	{ &b->seconds, 86400 }, { &b->n, PODS_MAX },  { &b->steps, 1000 },
		{ &b->megabytes, 100000 }, { &b->timeout_s, 3600 }, { &b->ready_s, 3600 },
	};

	return read_number(name, text, numbers[c - NUMBERS].max, numbers[c - NUMBERS].value);
}

static int take_text(struct bench *b, int c, const char *text)
{
	const char **const texts[] = { &b->pods.image,         &b->images, &b->command, &b->pods.log_dir,
				       &b->pods.cgroup_parent, &b->beside };

	if (c == SECCOMP_DEFAULT) {
		b->pods.seccomp_default = true;
		return 0;
	}
	if (c != OUT) {
		*texts[c] = text;
		return 0;
	}
	b->out = fopen(text, "ae");
	if (!b->out)
		perror(text);
	return b->out ? 0 : -1;
}

static int read_options(struct bench *b, int argc, char **argv)
{
	int c, at = 0;

	while ((c = getopt_long(argc, argv, "", options, &at)) != -1) {
		if (c == '?')
			return -1;
		if ((c < NUMBERS ? take_text(b, c, optarg) : take_number(b, c, options[at].name, optarg)) < 0)
			return -1;
	}
	if (!b->pods.image || !b->pods.log_dir || optind == argc || argc - optind > ENDPOINTS_MAX)
		return -1;
	if (strcmp(b->scenario, "pull") == 0 && !*b->images)
		return -1;
	if (b->beside && (strcmp(b->scenario, "exec") != 0 || !strstr(b->beside, "=/")))
		return -1;
	/* Scenarios divide by these numbers, or start that many pods: 0 is refused. */
	b->rounds = b->rounds ? b->rounds : 1;
	b->steps = b->steps ? b->steps : 1;
	b->n = b->n < b->steps ? b->steps : b->n;
	return 0;
}

static int run_scenario(const struct scenario *s, int argc, char **argv)
{
	struct bench b = s->defaults;
	int rc = EX_USAGE;

	b.scenario = s->name;
	b.arena = arena_new();
	b.out = stdout;
	b.pods.cgroup_parent = "";
	b.timeout_s = 60;
	b.ready_s = 30;
	if (read_options(&b, argc, argv) < 0) {
		fputs(usage, stderr);
	} else {
		if (bench_begin(&b, argv + optind) == 0)
			s->run(&b);
		rc = bench_end(&b);
	}
	arena_free(b.arena);
	return rc;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";

	for (size_t i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++)
		if (strcmp(scenarios[i].name, verb) == 0)
			return run_scenario(&scenarios[i], argc - 1, argv + 1);
	if (strcmp(verb, "compare") == 0 && argc == 4)
		return compare_files(argv[2], argv[3]);
	if (strcmp(verb, "table") == 0 || strcmp(verb, "report") == 0)
		return report_main(argc - 1, argv + 1);
	fputs(usage, stderr);
	return EX_USAGE;
}
