/* bench_report_main.c - bench-report: the tables out of the JSON lines that bench/run gathered.
 *
 *   bench-report [--before PAGE --after PAGE] FILE.jsonl
 *
 * PAGE: crispd's /metrics before and after the run; the loop's own figures are the difference.
 * Exit codes: 0, 1 a file is unreadable or reports a failed pod, 64 usage. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "bench/exposition.h"
#include "bench/pod_life.h"
#include "bench/samples.h"
#include "reactor/buf.h"
#include "reactor/json.h"
#include "reactor/own.h"

enum { SERIES = 64 };

/* All samples of one endpoint in one mode; a column for each RPC, then up and down. */
enum { UP = POD_RPC_COUNT, DOWN, COLUMNS };

struct series {
	char *endpoint, *mode;
	struct samples column[COLUMNS];
};

static struct series series[SERIES];
static size_t nseries;
static struct arena *arena;
static int errors;

static const char *column_name(int column)
{
	return column == UP ? "up" : column == DOWN ? "down" : pod_rpc_name((enum pod_rpc)column);
}

static struct series *find(const char *endpoint, const char *mode)
{
	for (size_t i = 0; i < nseries; i++)
		if (strcmp(series[i].endpoint, endpoint) == 0 && strcmp(series[i].mode, mode) == 0)
			return &series[i];
	return NULL;
}

static void add_sample(const json_t *line)
{
	const char *endpoint = json_get_str(arena, line, "endpoint"), *mode = json_get_str(arena, line, "mode");
	struct series *s = find(endpoint, mode);

	if (!s) {
		if (nseries == SERIES)
			return;
		s = &series[nseries++];
		s->endpoint = arena_strdup(arena, endpoint);
		s->mode = arena_strdup(arena, mode);
	}
	for (int i = 0; i < COLUMNS; i++)
		samples_add(&s->column[i], json_number_value(json_object_get(line, column_name(i))));
}

/* ---- tables ---- */

static void print_conditions(const json_t *line)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)line, key, value) {
		auto_free char *text =
			json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(3));

		if (strcmp(key, "kind") != 0)
			printf("%-11s %s\n", key, text ? text : json_string_value(value));
	}
}

/* What a ratio is against: the other server with the same OCI runtime, "containerd-runc" for "crisp-runc". */
static struct series *peer_of(const struct series *s)
{
	const char *runtime = strrchr(s->endpoint, '-');

	if (!runtime || strncmp(s->endpoint, "crisp-", 6) != 0)
		return NULL;
	return find(arena_printf(arena, "containerd%s", runtime), s->mode);
}

static void print_distribution(const char *mode, int column, const char *title)
{
	printf("\n%s, %s\n%-18s %5s %8s %8s %8s %8s\n", title, mode, "ms", "n", "p50", "p90", "p99", "max");
	for (size_t i = 0; i < nseries; i++) {
		struct samples *v = &series[i].column[column];
		struct series *peer = peer_of(&series[i]);

		if (strcmp(series[i].mode, mode) != 0)
			continue;
		printf("%-18s %5zu %8.1f %8.1f %8.1f %8.1f", series[i].endpoint, v->n, samples_quantile(v, 0.5),
		       samples_quantile(v, 0.9), samples_quantile(v, 0.99), samples_quantile(v, 1));
		if (peer)
			printf("   %.2f of %s at p50, %.2f at p99",
			       samples_quantile(v, 0.5) / samples_quantile(&peer->column[column], 0.5), peer->endpoint,
			       samples_quantile(v, 0.99) / samples_quantile(&peer->column[column], 0.99));
		putchar('\n');
	}
}

static void print_rpcs(const char *mode)
{
	printf("\neach RPC at p50, %s\n%-18s", mode, "ms");
	for (int i = 0; i < POD_RPC_COUNT; i++)
		printf(" %10s", column_name(i));
	putchar('\n');
	for (size_t i = 0; i < nseries; i++) {
		if (strcmp(series[i].mode, mode) != 0)
			continue;
		printf("%-18s", series[i].endpoint);
		for (int c = 0; c < POD_RPC_COUNT; c++)
			printf(" %10.2f", samples_quantile(&series[i].column[c], 0.5));
		putchar('\n');
	}
}

static void print_pods(void)
{
	for (size_t i = 0; i < nseries; i++) {
		const char *mode = series[i].mode;
		bool first = true;

		for (size_t j = 0; j < i; j++)
			first = first && strcmp(series[j].mode, mode) != 0;
		if (!first)
			continue;
		print_distribution(mode, UP, "pod up: RunPodSandbox + CreateContainer + StartContainer");
		print_distribution(mode, DOWN,
				   "pod down: StopContainer(0) + StopPodSandbox + RemoveContainer + RemovePodSandbox");
		print_rpcs(mode);
	}
}

static void print_memory(const json_t *line)
{
	int64_t pods = json_get_int(line, "pods"), extra = json_get_int(line, "extra_processes");

	printf("%-18s %5lld %8.2f %8.2f", json_get_str(arena, line, "endpoint"), (long long)pods,
	       (double)json_get_int(line, "uss_kib") / 1024, (double)json_get_int(line, "pss_kib") / 1024);
	if (pods)
		printf(" %10.2f", (double)extra / (double)pods);
	putchar('\n');
}

static double grown(const char *before, const char *after, const char *name)
{
	return exposition_value(after, name) - exposition_value(before, name);
}

static void print_loop(const char *before, const char *after)
{
	static const char *const clocks[] = { "cpu", "wall" };
	printf("\nthe loop's callbacks while the pods came and went\n%-18s %9s %8s %8s %8s %8s\n", "ms, not above", "n",
	       "p50", "p99", "p99.9", "max");
	for (size_t i = 0; i < 2; i++) {
		const char *name = arena_printf(arena, "crisp_loop_callback_%s_seconds", clocks[i]);
		struct histogram h, earlier;

		if (exposition_histogram(after, name, &h) < 0 || exposition_histogram(before, name, &earlier) < 0) {
			printf("%s: not on the page\n", name);
			errors++;
			continue;
		}
		histogram_subtract(&h, &earlier);
		printf("%-18s %9llu %8.3f %8.3f %8.3f %8.3f\n", clocks[i], (unsigned long long)histogram_count(&h),
		       histogram_quantile(&h, 0.5) * 1e3, histogram_quantile(&h, 0.99) * 1e3,
		       histogram_quantile(&h, 0.999) * 1e3, h.max * 1e3);
	}
	puts("max is since the start of crispd");
	printf("crispd used %.2f s of CPU and was runnable without one for %.2f s\n",
	       grown(before, after, "process_cpu_seconds_total"),
	       grown(before, after, "crisp_loop_runqueue_wait_seconds_total"));
	printf("it slept %.0f times in %.0f turns of the loop\n", grown(before, after, "voluntary_switches_total"),
	       grown(before, after, "crisp_loop_turns_total"));
}

/* ---- input ---- */

/* In the arena; NULL when it cannot be read, which has been said. */
static char *read_whole(const char *path)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct buf text = { 0 };
	ssize_t n = -1;
	char *whole;

	if (fd >= 0)
		while ((n = buf_read(&text, fd, 65536)) > 0)
			;
	if (n < 0)
		fprintf(stderr, "bench-report: %s: %s\n", path, strerror(errno));
	whole = n < 0 ? NULL : arena_strndup(arena, buf_str(&text), text.len);
	buf_free(&text);
	return whole;
}

static void print_error(const json_t *line)
{
	errors++;
	printf("FAILED %s %s: %s\n", json_get_str(arena, line, "endpoint"), json_get_str(arena, line, "mode"),
	       json_get_str(arena, line, "message"));
}

static int take_line(const char *text, size_t len, json_t *memory)
{
	struct err e;
	auto_json json_t *line = json_parse(text, len, "line", &e);
	const char *kind;

	if (!line) {
		fprintf(stderr, "bench-report: %s\n", e.msg);
		return -1;
	}
	kind = json_get_str(arena, line, "kind");
	if (strcmp(kind, "conditions") == 0)
		print_conditions(line);
	else if (strcmp(kind, "sample") == 0)
		add_sample(line);
	else if (strcmp(kind, "memory") == 0)
		json_array_append(memory, line);
	else if (strcmp(kind, "error") == 0)
		print_error(line);
	return 0;
}

static int report(const char *path)
{
	char *text = read_whole(path);
	auto_json json_t *memory = json_array();
	json_t *line;
	size_t i;

	if (!text)
		return -1;
	for (char *at = text, *end; *at; at = end + 1) {
		end = strchrnul(at, '\n');
		if (end != at && take_line(at, (size_t)(end - at), memory) < 0)
			return -1;
		if (!*end)
			break;
	}
	print_pods();
	if (json_array_size(memory))
		printf("\nmemory of the daemons, shims included\n%-18s %5s %8s %8s %10s\n", "MiB", "pods", "USS", "PSS",
		       "processes");
	json_array_foreach(memory, i, line)
		print_memory(line);
	if (json_array_size(memory))
		puts("processes: per pod, its one container not counted");
	return 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "before", 1, NULL, 'b' }, { "after", 1, NULL, 'a' }, { 0 } };
	char *before = NULL, *after = NULL;
	int c;

	arena = arena_new();
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		char **page = c == 'b' ? &before : c == 'a' ? &after : NULL;

		if (page && !(*page = read_whole(optarg)))
			return 1;
		if (!page)
			optind = argc;
	}
	if (optind + 1 != argc || !before != !after) {
		fputs("usage: bench-report [--before PAGE --after PAGE] FILE.jsonl\n", stderr);
		return EX_USAGE;
	}
	if (report(argv[optind]) < 0)
		errors++;
	else if (after)
		print_loop(before, after);
	arena_free(arena);
	return errors != 0;
}
