/* plugin.c - see plugin.h. Waits on: lookup.h, where the program's file system may hang; then on the child. A missing
 * program is reported in the next turn. */
#include "procs/cni/plugin.h"

#include <string.h>

#include "procs/cni/conf.h"
#include "procs/cni/result.h"
#include "reactor/child.h"
#include "reactor/list.h"
#include "reactor/lookup.h"
#include "reactor/loop.h"
#include "reactor/metric.h"
#include "reactor/own.h"

enum { LIMIT_S = 60, STDOUT_MAX = 1 << 20, STDERR_MAX = 16 << 10 };

struct cni_plugin {
	struct arena *arena;
	const char *verb, *type;
	const char *stage, *about; /* of its child */
	const struct strings *bin_dirs; /* borrowed for ever */
	const char *const *envp;
	const char *input;	  /* for its stdin */
	struct lookup *lookup;	  /* of its program */
	unsigned limit_s;
	bool dies;
	int64_t begun_ns;	  /* 0: its program has not been started */
	struct child *child;
	struct timer timer; /* set when there is no program to start */
	struct err err;
	cni_plugin_done *done;
	void *arg;
};

static void plugin_free(struct cni_plugin *p)
{
	timer_clear(&p->timer);
	lookup_free(p->lookup);
	arena_free(p->arena);
	free(p);
}

static void plugin_report(struct cni_plugin *p, struct err *e, json_t *result)
{
	cni_plugin_done *done = p->done;
	void *arg = p->arg;

	metric_add2(METRIC_cni_total, p->type, e ? err_name(e->code) : "ok", 1);
	if (p->begun_ns)
		metric_observe_ns(METRIC_cni_seconds, p->type, loop_mono_ns() - p->begun_ns);
	if (e)
		err_wrap(e, "CNI %s by plugin %.64s", p->verb, p->type);
	plugin_free(p);
	done(arg, e, result);
}

static void on_plugin_missing(struct timer *t)
{
	struct cni_plugin *p = container_of(t, struct cni_plugin, timer);
	struct err e = p->err;

	plugin_report(p, &e, NULL);
}

static void on_plugin_exit(void *arg, const struct err *failed, struct child_result *r)
{
	struct cni_plugin *p = arg;
	auto_json json_t *result = NULL;
	struct err e;

	p->child = NULL;
	if (failed) {
		e = *failed;
		if (e.code == ERR_DEADLINE_EXCEEDED)
			err_set(&e, ERR_DEADLINE_EXCEEDED, "killed after %u s", p->limit_s);
		return plugin_report(p, &e, NULL);
	}
	if (r->status != 0) {
		cni_result_error(&e, child_status_text(r->status), r->out, r->out_len, r->err, r->err_len);
		return plugin_report(p, &e, NULL);
	}
	if (strcmp(p->verb, "ADD") != 0)
		return plugin_report(p, NULL, NULL);
	if (r->out_cut) {
		err_set(&e, ERR_INTERNAL, "it printed more than %d bytes", STDOUT_MAX);
		return plugin_report(p, &e, NULL);
	}
	result = cni_result_parse(r->out, r->out_len, &e);
	plugin_report(p, result ? NULL : &e, result);
}

static const char *plugin_dirs_joined(struct arena *a, const struct strings *dirs)
{
	const char *all = "";

	for (size_t i = 0; i < dirs->n; i++)
		all = arena_printf(a, "%s%s%s", all, i ? ":" : "", dirs->at[i]);
	return all;
}

static const char *const *plugin_environment(struct arena *a, const struct cni_plugin_call *c)
{
	const char **env = arena_zalloc(a, 8 * sizeof(*env));
	size_t n = 0;

	/* bridge and portmap execute iptables */
	env[n++] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	env[n++] = arena_printf(a, "CNI_COMMAND=%s", c->verb);
	env[n++] = arena_printf(a, "CNI_PATH=%s", plugin_dirs_joined(a, c->bin_dirs));
	if (!c->container_id)
		return env;
	env[n++] = arena_printf(a, "CNI_CONTAINERID=%s", c->container_id);
	env[n++] = arena_printf(a, "CNI_NETNS=%s", c->netns);
	env[n++] = "CNI_IFNAME=eth0";
	env[n++] = arena_printf(a, "CNI_ARGS=%s", c->args);
	return env;
}

static const struct looked *plugin_look(void *lookup, const char *path, struct err *e)
{
	return lookup_get(lookup, LOOKUP_NODE, path, e);
}

static void on_plugin_looked(void *arg, const struct err *e);

static void plugin_begin(struct cni_plugin *p)
{
	const char *argv[] = { NULL, NULL };

	argv[0] = cni_plugin_path(p->arena, p->type, p->bin_dirs, plugin_look, p->lookup, &p->err);
	p->begun_ns = argv[0] ? loop_mono_ns() : 0;
	if (argv[0])
		p->child = child_start(&(struct child_spec){ .argv = argv,
							     .envp = p->envp,
							     .stdin_data = p->input,
							     .stdin_len = strlen(p->input),
							     .stdout_max = STDOUT_MAX,
							     .stderr_max = STDERR_MAX,
							     .timeout_ms = (int)p->limit_s * 1000,
							     .finish = !p->dies,
							     .stage = p->stage,
							     .about = p->about },
				       on_plugin_exit, p);
	else if (p->err.code == ERR_UNAVAILABLE)
		lookup_start(p->lookup, on_plugin_looked, p);
	else
		timer_set(&p->timer, 0, on_plugin_missing);
}

static void on_plugin_looked(void *arg, const struct err *e)
{
	struct cni_plugin *p = arg;

	struct err fault;

	if (!e)
		return plugin_begin(p);
	fault = *e;
	plugin_report(p, &fault, NULL);
}

static const char *plugin_stage(const char *verb)
{
	static const struct { const char *verb, *stage; } stages[] = {
		{ "ADD", "cni_add" }, { "DEL", "cni_del" }, { "CHECK", "cni_check" }, { "STATUS", "cni_status" },
		{ "GC", "cni_gc" },
	};

	for (size_t i = 0; i < sizeof(stages) / sizeof(*stages); i++)
		if (strcmp(stages[i].verb, verb) == 0)
			return stages[i].stage;
	return "cni";
}

struct cni_plugin *cni_plugin_start(const struct cni_plugin_call *c, cni_plugin_done *done, void *arg)
{
	struct cni_plugin *p = new_zero(struct cni_plugin);

	p->arena = arena_new();
	p->verb = c->verb; /* a literal of the callers */
	p->type = arena_strdup(p->arena, cni_plugin_type(c->plugin));
	p->stage = plugin_stage(c->verb);
	p->about = c->container_id ? arena_printf(p->arena, " sandbox=%.12s", c->container_id) : "";
	p->done = done;
	p->arg = arg;
	p->bin_dirs = c->bin_dirs;
	p->limit_s = c->limit_s ? c->limit_s : LIMIT_S;
	p->dies = c->dies;
	p->envp = plugin_environment(p->arena, c);
	p->input = cni_conf_stdin(p->arena, c->list, c->plugin, c->capabilities, c->prev);
	p->lookup = lookup_new(p->type);
	plugin_begin(p);
	return p;
}

void cni_plugin_cancel(struct cni_plugin *p)
{
	if (p->child)
		child_cancel(p->child);
	plugin_free(p);
}
