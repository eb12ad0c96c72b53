/* pages.c - see pages.h. */
#include "handlers/pages.h"

#include <stdio.h>

#include "handlers/about.h"
#include "handlers/rpc.h"
#include "images/pull.h"
#include "images/store.h"
#include "procs/network.h"
#include "procs/container.h"
#include "procs/keeper.h"
#include "procs/sandbox.h"
#include "reactor/json.h"
#include "reactor/log_field.h"
#include "reactor/loop.h"
#include "reactor/metric.h"
#include "reactor/own.h"
#include "reactor/utf8.h"
#include "reactor/work.h"

static const struct grpc_server *grpc;

static int page_metrics(void *arg, const char *path, struct buf *body, const char **type)
{
	(void)arg;
	(void)path;
	*type = "text/plain; version=0.0.4; charset=utf-8";
	metric_text(body);
	return 200;
}

/* 200 while the loop runs and the keeper is connected. Nothing else counts: a failed liveness probe restarts crispd. */
static int page_healthz(void *arg, const char *path, struct buf *body, const char **type)
{
	(void)arg;
	(void)path;
	(void)type;
	if (keeper_here()) {
		buf_puts(body, "ok\n");
		return 200;
	}
	buf_puts(body, "the keeper is away\n");
	return 503;
}

static void page_finish_json(struct buf *body, json_t *j, const char **type)
{
	struct arena *a = arena_new();

	*type = "application/json";
	buf_puts(body, json_text(a, j));
	buf_puts(body, "\n");
	arena_free(a);
	json_decref(j);
}

static void add_rpc(void *arg, const char *method, int64_t age_ns)
{
	json_array_append_new(arg, json_pack("{s:s, s:I}", "method", method, "age_ms", (json_int_t)(age_ns / 1000000)));
}

static void count_sandbox(void *arg, struct sandbox *s)
{
	((size_t *)arg)[s->state == SANDBOX_READY ? 0 : 1]++;
}

static void count_container(void *arg, struct container *c)
{
	((size_t *)arg)[c->state]++;
}

static void add_pull(void *arg, const struct pull_progress *p)
{
	json_array_append_new(arg, json_pack("{s:s, s:s, s:i, s:i, s:I, s:I}", "ref", p->ref, "state", p->state,
					     "layers", p->layers, "layers_done", p->layers_done, "bytes_total",
					     (json_int_t)p->bytes_total, "bytes_done", (json_int_t)p->bytes_done));
}

/* Further fields: texts of the log. */
static void operation_fields(json_t *j, const char *fields)
{
	struct log_field f;
	char key[64], text[600];
	size_t n;

	while (log_field_next(&fields, &f)) {
		n = log_field_text(&f, text, sizeof(text));
		snprintf(key, sizeof(key), "%.*s", f.key ? (int)f.key_len : 0, f.key ? f.key : "");
		if (*key && utf8_valid(text, n))
			json_object_set_new(j, key, json_string(text));
	}
}

static void add_operation(void *arg, struct work *w)
{
	json_t *j = json_object();
	struct arena *a = arena_new();
	char inner[WORK_NAME];
	pid_t inner_pid = w->pid > 0 && work_age_ms(w) >= WORK_ASK_MS ? work_inner(w->pid, inner) : 0;

	json_object_set_new(j, "kind", json_string(w->kind));
	json_object_set_new(j, "age_ms", json_integer(work_age_ms(w)));
	if (w->stage && *w->stage)
		json_object_set_new(j, "stage", json_string(w->stage));
	if (w->program && *w->program)
		json_object_set_new(j, "program", json_string(w->program));
	if (w->pid > 0)
		json_object_set_new(j, "pid", json_integer(w->pid));
	if (inner_pid) {
		json_object_set_new(j, "inner", json_string(inner));
		json_object_set_new(j, "inner_pid", json_integer(inner_pid));
	}
	if (w->about)
		operation_fields(j, about_named(w->about, a));
	json_array_append_new(arg, j);
	arena_free(a);
}

static int page_pulls(void *arg, const char *path, struct buf *body, const char **type)
{
	json_t *pulls = json_array();

	(void)arg;
	(void)path;
	pull_each(add_pull, pulls);
	page_finish_json(body, pulls, type);
	return 200;
}

static int page_state(void *arg, const char *path, struct buf *body, const char **type)
{
	size_t sandboxes[2] = { 0 }, containers[4] = { 0 };
	struct grpc_stats stats = grpc_server_stats(grpc);
	json_t *rpcs = json_array(), *pulls = json_array(), *operations = json_array();
	const char *why = "";
	bool network = network_ready(&why);

	(void)arg;
	(void)path;
	rpc_each(add_rpc, rpcs);
	pull_each(add_pull, pulls);
	work_each(add_operation, operations);
	sandbox_each(count_sandbox, sandboxes);
	container_each(count_container, containers);
	page_finish_json(body,
		    json_pack("{s:b, s:b, s:s, s:{s:I, s:I}, s:{s:I, s:I, s:I, s:I}, s:I, s:o, s:o, s:o}", "keeper",
			      keeper_here(), "network", network, "network_why", why, "sandboxes", "ready",
			      (json_int_t)sandboxes[0], "not_ready", (json_int_t)sandboxes[1], "containers", "created",
			      (json_int_t)containers[0], "running", (json_int_t)containers[1], "exited",
			      (json_int_t)containers[2], "unknown", (json_int_t)containers[3], "connections",
			      (json_int_t)stats.connections, "rpcs", rpcs, "pulls", pulls, "operations",
			      operations),
		    type);
	return 200;
}

/* What held the loop longest since this page was last read. */
static int page_loop(void *arg, const char *path, struct buf *body, const char **type)
{
	struct loop_peak p = loop_peak();

	(void)arg;
	(void)path;
	*type = "application/json";
	buf_printf(body, "{\"cpu_us\":%lld,\"wall_us\":%lld,\"callback\":\"0x%llx\"}\n", (long long)p.cpu_ns / 1000,
		   (long long)p.wall_ns / 1000, (unsigned long long)p.fn);
	return 200;
}

static void pages_gauges(struct buf *out)
{
	size_t sandboxes[2] = { 0 }, containers[4] = { 0 };

	sandbox_each(count_sandbox, sandboxes);
	container_each(count_container, containers);
	buf_printf(out, "# HELP crisp_build_info 1, with the version of crispd\n# TYPE crisp_build_info gauge\n");
	buf_printf(out, "crisp_build_info{version=\"" CRISP_VERSION "\"} 1\n");
	buf_printf(out, "# HELP crisp_sandboxes pod sandboxes by state\n# TYPE crisp_sandboxes gauge\n");
	buf_printf(out, "crisp_sandboxes{state=\"ready\"} %zu\ncrisp_sandboxes{state=\"not_ready\"} %zu\n",
		   sandboxes[0], sandboxes[1]);
	buf_printf(out, "# HELP crisp_containers containers by state\n# TYPE crisp_containers gauge\n");
	buf_printf(out, "crisp_containers{state=\"created\"} %zu\ncrisp_containers{state=\"running\"} %zu\n",
		   containers[0], containers[1]);
	buf_printf(out, "crisp_containers{state=\"exited\"} %zu\n", containers[2]);
}

void pages_add(struct http_server *http, const struct grpc_server *server, bool debug)
{
	grpc = server;
	metric_source(pages_gauges);
	http_server_page(http, "/metrics", page_metrics, NULL);
	http_server_page(http, "/healthz", page_healthz, NULL);
	if (!debug)
		return;
	http_server_page(http, "/debug/state", page_state, NULL);
	http_server_page(http, "/debug/pulls", page_pulls, NULL);
	http_server_page(http, "/debug/loop", page_loop, NULL);
}
