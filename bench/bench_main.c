/* bench_main.c - crisp-bench: measures pods on any CRI server.
 *
 * Exit codes: 0; 1 an endpoint failed, the run was interrupted, or `compare` found a slower figure; 64 usage. */
#include <getopt.h>
#include <string.h>
#include <sysexits.h>

#include "bench/compare.h"
#include "bench/conditions.h"
#include "bench/options.h"
#include "bench/report.h"
#include "bench/scenarios.h"

static const struct scenario scenarios[] = {
	{ "pod-start",
	  "pods one by one, then --width at once: each RPC, up and down. With --rate an open loop for --seconds:\n"
	  "a latency counts from the moment that its pod was due. An address can be exec:/PROGRAM (without --rate).",
	  "rounds count width rate seconds pause-ms", scenario_pod_start,
	  { .rounds = 6, .count = 10, .width = 10, .pause_ms = 20, .seconds = 20 } },
	{ "churn", "--width workers, each one pod's whole life after another, for --seconds a round: lives a second.",
	  "rounds width seconds pause-ms", scenario_churn,
	  { .rounds = 3, .width = 10, .pause_ms = 500, .seconds = 10 } },
	{ "density",
	  "--n pods in --steps, --width at once: memory, processes and calls at each step, and the CPU time of the\n"
	  "daemons at rest for --seconds.",
	  "n steps width seconds", scenario_density, { .n = 100, .steps = 4, .width = 10, .seconds = 60 } },
	{ "list", "--n pods in --steps, --width at once: the calls that a kubelet repeats.", "n steps width",
	  scenario_list, { .n = 100, .steps = 4, .width = 10 } },
	{ "exec",
	  "--count ExecSync of --command in --n pods, one at a time and --width at once. An address can be\n"
	  "exec:/PROGRAM.",
	  "rounds count n width command beside pause-ms", scenario_exec,
	  { .rounds = 5, .count = 20, .n = 5, .width = 10, .pause_ms = 20, .command = "true" } },
	{ "pull", "--images, of which no layer is on the node: one by one, then all at once.", "rounds images",
	  scenario_pull, { .rounds = 3, .images = "" } },
	{ "restart",
	  "kill -9 of the server with --n pods, started --width at once, until it serves again. Something must start\n"
	  "the server again.",
	  "rounds n width", scenario_restart, { .rounds = 5, .n = 20, .width = 10 } },
	{ "log", "--megabytes of lines through a container's output. The image has /bin/log-writer.",
	  "rounds megabytes", scenario_log, { .rounds = 3, .megabytes = 200 } },
};
enum { SCENARIOS = sizeof(scenarios) / sizeof(*scenarios) };

static void usage(FILE *out)
{
	fputs("usage: crisp-bench SCENARIO --image REF --log-dir DIR [OPTION...] NAME=HANDLER@ADDRESS...\n"
	      "       crisp-bench SCENARIO --help\n" REPORT_USAGE COMPARE_USAGE "\nscenarios:\n",
	      out);
	for (size_t i = 0; i < SCENARIOS; i++) {
		const char *at = scenarios[i].about;

		fprintf(out, "  %-10s", scenarios[i].name);
		for (; *at; at++) {
			fputc(*at, out);
			if (*at == '\n')
				fprintf(out, "  %-10s", "");
		}
		fputc('\n', out);
	}
	fputs("\nAn address is unix:///PATH or tcp://HOST:PORT; HANDLER may be empty.\n"
	      "crisp-bench SCENARIO --help prints the options of a scenario with their defaults.\n",
	      out);
}

static int run_scenario(const struct scenario *s, int argc, char **argv)
{
	struct bench b;
	enum options_read read = options_read(&b, s, argc, argv);
	int rc;

	if (read == OPTIONS_HELP) {
		options_help(s, stdout);
		return 0;
	}
	if (read == OPTIONS_WRONG) {
		fprintf(stderr, "crisp-bench %s --help prints the options\n", s->name);
		return EX_USAGE;
	}
	b.arena = arena_new();
	if (bench_begin(&b, argv + optind) == 0) {
		conditions_write(&b, options_text(&b, s, b.arena));
		s->run(&b);
	}
	rc = bench_end(&b);
	arena_free(b.arena);
	return rc;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";

	for (size_t i = 0; i < SCENARIOS; i++)
		if (strcmp(scenarios[i].name, verb) == 0)
			return run_scenario(&scenarios[i], argc - 1, argv + 1);
	if (strcmp(verb, "compare") == 0)
		return compare_main(argc - 1, argv + 1);
	if (strcmp(verb, "table") == 0 || strcmp(verb, "report") == 0)
		return report_main(argc - 1, argv + 1);
	if (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0) {
		usage(stdout);
		return 0;
	}
	usage(stderr);
	return EX_USAGE;
}
