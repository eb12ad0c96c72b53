/* stats.c - the command stats: what containers use, as a table that is drawn again each second on a terminal.
 *
 * The CPU column is the mean since the sample before. Each sample is three calls: the statistics have neither pods nor
 * namespaces. Waits on: the calls, and one timer between two samples. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api.pb-c.h"
#include "handlers/cli/command.h"
#include "handlers/cli/find.h"
#include "handlers/cli/table.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { INTERVAL_MS = 1000 };

/* What is kept of a container until the next sample. */
struct usage {
	char *id;
	uint64_t cpu_ns;
	int64_t at_ns;
};

struct usages {
	struct usage *at;
	size_t n;
};

struct line {
	const Runtime__V1__ContainerStats *stats;
	const Runtime__V1__Container *container;
	double cores; /* below 0: not known yet */
};

struct stats {
	struct strings ids; /* of containers and pods that are asked for; none: all */
	struct usages before;
};

static uint64_t value_of(const Runtime__V1__UInt64Value *v)
{
	return v ? v->value : 0;
}

static void usages_free(struct usages *u)
{
	for (size_t i = 0; i < u->n; i++)
		free(u->at[i].id);
	free(u->at);
	*u = (struct usages){ 0 };
}

static double cores_of(const struct usages *before, const struct usage *now)
{
	for (size_t i = 0; i < before->n; i++) {
		const struct usage *u = &before->at[i];

		if (strcmp(u->id, now->id) == 0 && now->at_ns > u->at_ns && now->cpu_ns >= u->cpu_ns)
			return (double)(now->cpu_ns - u->cpu_ns) / (double)(now->at_ns - u->at_ns);
	}
	return -1;
}

/* ---- the table ---- */

static int more_used(const void *a, const void *b)
{
	const struct line *x = a, *y = b;
	uint64_t mx = x->stats->memory ? value_of(x->stats->memory->working_set_bytes) : 0,
		 my = y->stats->memory ? value_of(y->stats->memory->working_set_bytes) : 0;

	if (x->cores != y->cores)
		return (x->cores < y->cores) - (x->cores > y->cores);
	return (mx < my) - (mx > my);
}

static void stats_row(struct arena *a, struct cli_table *t, const struct line *l,
		      const Runtime__V1__ListPodSandboxResponse *pods)
{
	const Runtime__V1__PodSandbox *pod = l->container ? cli_find_pod_of(pods, l->container->pod_sandbox_id) : NULL;
	const Runtime__V1__PodSandboxMetadata *of_pod = pod ? pod->metadata : NULL;
	const Runtime__V1__ContainerAttributes *is = l->stats->attributes;
	const Runtime__V1__MemoryUsage *m = l->stats->memory;
	uint64_t used = m ? value_of(m->working_set_bytes) : 0, left = m ? value_of(m->available_bytes) : 0;
	const Runtime__V1__FilesystemUsage *disk = l->stats->writable_layer;

	cli_table_row(t, cli_table_id(a, is->id), of_pod ? of_pod->namespace_ : "", of_pod ? of_pod->name : "",
		      is->metadata ? is->metadata->name : "",
		      l->cores < 0 ? "" : arena_printf(a, "%.1f%%", l->cores * 100), m ? cli_table_size(a, used) : "",
		      left ? cli_table_size(a, used + left) : "",
		      disk ? cli_table_size(a, value_of(disk->used_bytes)) : "", NULL);
}

static void stats_print(struct arena *a, const struct line *lines, size_t n,
			const Runtime__V1__ListPodSandboxResponse *pods, bool redraw)
{
	struct cli_table *t = cli_table_new(a, "CONTAINER", "NAMESPACE", "POD", "NAME", "CPU", "MEMORY", "LIMIT",
					    "DISK", NULL);

	for (size_t i = 0; i < n; i++)
		stats_row(a, t, &lines[i], pods);
	if (redraw)
		fputs("\033[H\033[2J", stdout);
	cli_table_print(t, stdout);
	fflush(stdout);
}

/* ---- samples ---- */

static const Runtime__V1__Container *container_of_id(const Runtime__V1__ListContainersResponse *list, const char *id)
{
	for (size_t i = 0; i < list->n_containers; i++)
		if (strcmp(list->containers[i]->id, id) == 0)
			return list->containers[i];
	return NULL;
}

static bool is_asked_for(const struct stats *s, const struct line *l)
{
	return !s->ids.n || strings_have(&s->ids, l->stats->attributes->id) ||
	       (l->container && strings_have(&s->ids, l->container->pod_sandbox_id));
}

/* c->arena is the sample's own. */
static int stats_sample(struct cli *c, struct stats *s, bool print, bool redraw, struct err *e)
{
	Runtime__V1__ListContainerStatsRequest of_stats = RUNTIME__V1__LIST_CONTAINER_STATS_REQUEST__INIT;
	Runtime__V1__ListContainersRequest of_all = RUNTIME__V1__LIST_CONTAINERS_REQUEST__INIT;
	Runtime__V1__ListPodSandboxRequest of_pods = RUNTIME__V1__LIST_POD_SANDBOX_REQUEST__INIT;
	Runtime__V1__ListContainerStatsResponse *list = cli_call(c, "ListContainerStats", &of_stats, e);
	Runtime__V1__ListContainersResponse *all = list ? cli_call(c, "ListContainers", &of_all, e) : NULL;
	Runtime__V1__ListPodSandboxResponse *pods = all ? cli_call(c, "ListPodSandbox", &of_pods, e) : NULL;
	struct usages now = { 0 };
	struct line *lines;
	size_t n = 0;

	if (!pods)
		return -1;
	lines = arena_zalloc(c->arena, (list->n_stats + 1) * sizeof(*lines));
	now.at = own_must(calloc(list->n_stats + 1, sizeof(*now.at)));
	for (size_t i = 0; i < list->n_stats; i++) {
		const Runtime__V1__ContainerStats *one = list->stats[i];
		struct usage *u = &now.at[now.n];

		if (!one->attributes)
			continue;
		*u = (struct usage){ own_must(strdup(one->attributes->id)),
				     one->cpu ? value_of(one->cpu->usage_core_nano_seconds) : 0,
				     one->cpu ? one->cpu->timestamp : 0 };
		now.n++;
		lines[n] = (struct line){ one, container_of_id(all, one->attributes->id), cores_of(&s->before, u) };
		n += is_asked_for(s, &lines[n]);
	}
	usages_free(&s->before);
	s->before = now;
	if (n)
		qsort(lines, n, sizeof(*lines), more_used);
	if (print)
		stats_print(c->arena, lines, n, pods, redraw);
	return 0;
}

static void on_stats_rested(struct timer *t)
{
	(void)t;
	loop_stop();
}

/* The table of the second sample is the first with a CPU column, so one table alone takes a second. */
static int stats_watch(struct cli *c, struct stats *s, bool live, struct err *e)
{
	struct timer timer = { 0 };
	int rc = 0;

	for (int i = 0; rc == 0 && (live || i < 2) && !ferror(stdout); i++) {
		struct cli one = *c;

		if (i) {
			timer_set(&timer, INTERVAL_MS, on_stats_rested);
			loop_run();
		}
		one.arena = arena_new();
		rc = stats_sample(&one, s, live || i == 1, live, e);
		arena_free(one.arena);
	}
	return rc;
}

/* The ids of the containers and pods that the words name. */
static int stats_find(struct cli *c, const struct strings *words, struct strings *ids, const char **bad, struct err *e)
{
	ids->at = arena_zalloc(c->arena, (words->n + 1) * sizeof(*ids->at));
	for (size_t i = 0; i < words->n; i++) {
		Runtime__V1__Container *one = cli_find_container(c, words->at[i], e);
		Runtime__V1__PodSandbox *pod = NULL;

		if (!one && e->code == ERR_NOT_FOUND)
			pod = cli_find_pod(c, words->at[i], e);
		*bad = words->at[i];
		if (!one && !pod)
			return e->code == ERR_NOT_FOUND ? err_set(e, ERR_NOT_FOUND, "no such container or pod") : -1;
		ids->at[ids->n++] = one ? one->id : pod->id;
	}
	return 0;
}

static int stats_(struct cli *c, const struct cli_args *args)
{
	Runtime__V1__ListContainerStatsRequest request = RUNTIME__V1__LIST_CONTAINER_STATS_REQUEST__INIT;
	bool live = isatty(STDOUT_FILENO) && !cli_args_flag(args, "no-stream");
	const char *bad = NULL;
	struct stats s = { 0 };
	struct err e;
	void *all;
	int rc;

	if (c->json) {
		all = cli_call(c, "ListContainerStats", &request, &e);
		return all ? (cli_print(all), 0) : cli_fail(c, &e, "stats");
	}
	if (stats_find(c, &args->operands, &s.ids, &bad, &e) < 0)
		return cli_fail(c, &e, "stats %s", bad);
	rc = stats_watch(c, &s, live, &e);
	usages_free(&s.before);
	return rc < 0 ? cli_fail(c, &e, "stats") : 0;
}

static const struct cli_option stats_options[] = {
	{ "no-stream", 0, NULL, "one table; also when stdout is no terminal" },
	{ 0 },
};

const struct cli_command cli_stats = {
	.name = "stats",
	.operands = "[CONTAINER|POD...]",
	.summary = "show what containers use, again each second",
	.options = stats_options,
	.most = -1,
	.run = stats_,
	.more = "CPU is the share of one core in the last second, MEMORY the working set, DISK the\n"
		"writable layer. The containers that use most CPU are first. --json prints one answer of\n"
		"the runtime, of all containers.\n\n"
		"Examples:\n"
		"  crisp stats\n"
		"  crisp stats --no-stream default/web\n",
};
