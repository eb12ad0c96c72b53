/* scenario_node.c - a node with many idle pods: the scenarios density and list. */
#include <string.h>

#include "api.pb-c.h"
#include "bench/census.h"
#include "bench/cri_call.h"
#include "bench/pods.h"
#include "bench/scenarios.h"
#include "reactor/loop.h"

enum { CALLS = 20, SETTLE_MS = 2000 };

/* The calls that a kubelet repeats. The last two are for one pod and for one container. */
struct question {
	const char *column;
	struct cri_method method;
	const void *request; /* NULL: the request is an id */
	bool unsupported;    /* by the present endpoint */
};

static const Runtime__V1__ListPodSandboxRequest list_pods = RUNTIME__V1__LIST_POD_SANDBOX_REQUEST__INIT;
static const Runtime__V1__ListContainersRequest list_containers = RUNTIME__V1__LIST_CONTAINERS_REQUEST__INIT;
static const Runtime__V1__ListContainerStatsRequest list_stats = RUNTIME__V1__LIST_CONTAINER_STATS_REQUEST__INIT;
static const Runtime__V1__ListPodSandboxStatsRequest list_pod_stats = RUNTIME__V1__LIST_POD_SANDBOX_STATS_REQUEST__INIT;
static Runtime__V1__PodSandboxStatusRequest pod_status = RUNTIME__V1__POD_SANDBOX_STATUS_REQUEST__INIT;
static Runtime__V1__ContainerStatusRequest container_status = RUNTIME__V1__CONTAINER_STATUS_REQUEST__INIT;

#define METHOD(name, stem) { "/runtime.v1.RuntimeService/" name, &runtime__v1__##stem##_response__descriptor }
static struct question questions[] = {
	{ "list_pods", METHOD("ListPodSandbox", list_pod_sandbox), &list_pods, false },
	{ "list_containers", METHOD("ListContainers", list_containers), &list_containers, false },
	{ "pod_status", METHOD("PodSandboxStatus", pod_sandbox_status), &pod_status, false },
	{ "container_status", METHOD("ContainerStatus", container_status), &container_status, false },
	{ "list_stats", METHOD("ListContainerStats", list_container_stats), &list_stats, false },
	{ "list_pod_stats", METHOD("ListPodSandboxStats", list_pod_sandbox_stats), &list_pod_stats, false },
};
enum { QUESTIONS = sizeof(questions) / sizeof(*questions) };

static void ask_all(struct bench *b, struct pods *pods, const char *mode, long round)
{
	json_t *line = bench_sample(b, pods->ep, mode, round);

	for (size_t i = 0; i < QUESTIONS && !bench_stopping(); i++) {
		struct question *q = &questions[i];
		struct arena *a = arena_new();
		int64_t took_ns;
		struct err e;

		if (!q->unsupported && cri_ask(pods->ep->client, &q->method, q->request, a, &took_ns, &e))
			bench_put_ns(line, q->column, took_ns);
		else if (!q->unsupported && e.code == ERR_UNIMPLEMENTED)
			q->unsupported = true;
		else if (!q->unsupported)
			bench_fail(b, pods->ep, mode, &e);
		arena_free(a);
	}
	bench_write(b, line);
}

static void ask_often(struct bench *b, struct pods *pods, const char *mode)
{
	const struct pod *last = pods->pod[pods->n - 1];

	if (bench_stopping())
		return;
	pod_status.pod_sandbox_id = (char *)pod_sandbox(last);
	container_status.container_id = (char *)pod_container(last);
	for (long i = 1; i <= CALLS && !bench_stopping(); i++) {
		ask_all(b, pods, mode, i);
		bench_sleep(10);
	}
}

/* ---- memory, processes, CPU ---- */

struct node {
	struct census baseline, daemons;
	pid_t server;
	size_t before_n; /* daemons without pods */
	int64_t available_kib;
};

static void node_look(struct node *node)
{
	census_daemons(&node->baseline, node->server, "sleep", "1000000", &node->daemons);
}

static void node_weigh(struct bench *b, struct node *node, struct endpoint *ep, const char *mode, long n)
{
	json_t *line = bench_sample(b, ep, mode, 1);
	struct census_cost cost;

	node_look(node);
	census_cost(&node->daemons, &cost);
	bench_put(line, "uss_kib", (double)cost.uss_kib);
	bench_put(line, "pss_kib", (double)cost.pss_kib);
	if (!n) {
		node->before_n = node->daemons.n;
		node->available_kib = census_available_kib();
	} else {
		bench_put(line, "processes_per_pod_n", (double)(node->daemons.n - node->before_n) / (double)n);
		bench_put(line, "node_per_pod_kib", (double)(node->available_kib - census_available_kib()) / (double)n);
	}
	bench_write(b, line);
}

static void node_rest(struct bench *b, struct node *node, struct endpoint *ep, const char *mode)
{
	int64_t begin_ns = loop_mono_ns(), before_us;
	json_t *line;

	node_look(node);
	before_us = census_cpu_us(&node->daemons);
	bench_sleep(b->seconds * 1000);
	if (bench_stopping())
		return;
	line = bench_sample(b, ep, mode, 1);
	bench_put(line, "idle_cpu_percent",
		  (double)(census_cpu_us(&node->daemons) - before_us) * 1e5 / (double)(loop_mono_ns() - begin_ns));
	bench_write(b, line);
}

/* ---- the two scenarios ---- */

static void node_grow(struct bench *b, struct endpoint *ep, struct node *node)
{
	struct pods pods = { .bench = b, .ep = ep, .mode = "growing" };
	const char *mode = "";

	for (size_t i = 0; i < QUESTIONS; i++)
		questions[i].unsupported = false;
	for (long step = 1; step <= b->steps && !bench_stopping(); step++) {
		long n = b->n * step / b->steps;

		mode = arena_printf(b->arena, "%ld pods", n);
		bench_progress(b, (size_t)(step - 1), (size_t)b->steps, ep->name);
		pods_more(&pods, (size_t)n - pods.n, (size_t)b->width);
		bench_sleep(SETTLE_MS);
		if (node && !bench_stopping())
			node_weigh(b, node, ep, mode, n);
		ask_often(b, &pods, mode);
	}
	if (node && !bench_stopping())
		node_rest(b, node, ep, mode);
	pods_down(&pods, (size_t)b->width);
	pods_free(&pods);
}

void scenario_list(struct bench *b)
{
	for (size_t i = 0; i < b->endpoints && !bench_stopping(); i++)
		node_grow(b, &b->endpoint[i], NULL);
}

void scenario_density(struct bench *b)
{
	static struct node node;
	struct err e;

	for (size_t i = 0; i < b->endpoints && !bench_stopping(); i++) {
		struct endpoint *ep = &b->endpoint[i];

		census_take(&node.baseline);
		if (census_server(ep->address, &node.server, &e) < 0)
			return bench_fail(b, ep, "0 pods", &e);
		bench_sleep(SETTLE_MS); /* the child of the pull exits, its memory is freed */
		if (bench_stopping())
			return;
		node_weigh(b, &node, ep, "0 pods", 0);
		node_grow(b, ep, &node);
		bench_sleep(SETTLE_MS);
	}
}
