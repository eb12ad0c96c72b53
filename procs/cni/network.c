/* network.c - see network.h and cni.h (cni_open, cni_ready).
 *
 * The plugins of a conflist of cniVersion 1.1 or newer are asked by STATUS, one after the other, when the conflist was
 * read, and every STATUS_RETRY_MS while one of them fails:
 *   any change of conf_dir -> read -> ASKING --all answered well--> fit
 *                                       |  ^
 *                        a plugin fails v  | after STATUS_RETRY_MS
 *                                      UNFIT
 * Waits on: inotify (always), one plugin (ASKING), a timer (UNFIT). */
#include "procs/cni/network.h"

#include <string.h>

#include "procs/cni/conf.h"
#include "procs/cni/plugin.h"
#include "procs/cni/watch.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { STATUS_RETRY_MS = 10000 };

static struct {
	const struct cni_config *cfg;
	void (*changed)(void *arg);
	void *arg;
	struct cni_watch *watch;
	json_t *list;      /* NULL: no usable conflist */
	struct err fault;  /* of reading: why list is NULL, or what was passed over for it; code OK: nothing */
	struct arena *arena; /* of the answer of cni_ready() and cni_conf_now() */
	struct cni_plugin *asked; /* its STATUS is under way */
	size_t next;       /* index of the plugin to be asked next */
	bool unfit;
	struct err status; /* while unfit */
	struct timer retry;
} net;

static void cni_set_unfit(bool unfit)
{
	if (unfit == net.unfit)
		return;
	net.unfit = unfit;
	net.changed(net.arg);
}

static void cni_ask_again(struct timer *t);
static void cni_ask_next(void);

static void on_cni_status(void *arg, const struct err *e, json_t *result)
{
	(void)arg;
	(void)result;
	net.asked = NULL;
	if (!e)
		return cni_ask_next();
	if (!net.unfit)
		log_warn("cni_status network=%s error=%s", cni_conf_name(net.list), log_quote(e->msg));
	net.status = *e;
	timer_set(&net.retry, STATUS_RETRY_MS, cni_ask_again);
	cni_set_unfit(true);
}

static void cni_ask_next(void)
{
	const json_t *plugin = json_array_get(cni_conf_plugins(net.list), net.next++);

	if (!plugin)
		return cni_set_unfit(false);
	net.asked = cni_plugin_start(&(struct cni_plugin_call){ .verb = "STATUS", .list = net.list, .plugin = plugin,
		.bin_dirs = &net.cfg->bin_dirs }, on_cni_status, NULL);
}

static void cni_stop_asking(void)
{
	timer_clear(&net.retry);
	if (net.asked)
		cni_plugin_cancel(net.asked);
	net.asked = NULL;
	net.next = 0;
}

static void cni_ask_again(struct timer *t)
{
	(void)t;
	cni_stop_asking();
	cni_ask_next();
}

static void cni_log_config(const char *file)
{
	if (net.list)
		log_info("cni_config file=%s network=%s version=%s plugins=%zu", log_quote(file),
			 cni_conf_name(net.list), json_string_value(json_object_get(net.list, "cniVersion")),
			 json_array_size(cni_conf_plugins(net.list)));
	if (net.fault.code != ERR_OK)
		log_warn("cni_config error=%s", log_quote(net.fault.msg));
}

static bool fault_differs(const struct err *x, const struct err *y)
{
	return x->code != y->code || (x->code != ERR_OK && strcmp(x->msg, y->msg) != 0);
}

/* Reads the directory again; true: the conflist or the fault has changed. */
static bool cni_read_again(void)
{
	auto_json json_t *old = net.list;
	struct err old_fault = net.fault;
	struct arena *a = arena_new();
	const char *file;
	bool differs;

	net.list = cni_conf_load(net.cfg->conf_dir, a, &file, &net.fault);
	differs = net.list && old ? !json_equal(net.list, old) : net.list || old;
	if (differs || fault_differs(&net.fault, &old_fault))
		cni_log_config(file);
	if (differs) {
		cni_stop_asking();
		net.unfit = false;
		if (net.list && cni_conf_reaches(net.list, 1, 1))
			cni_ask_next();
	}
	arena_free(a);
	return differs || fault_differs(&net.fault, &old_fault);
}

static void on_cni_dir(void)
{
	if (cni_read_again())
		net.changed(net.arg);
}

void cni_open(const struct cni_config *cfg, void (*changed)(void *arg), void *arg)
{
	net.cfg = cfg;
	net.changed = changed;
	net.arg = arg;
	net.arena = arena_new();
	net.watch = cni_watch_open(cfg->conf_dir, on_cni_dir);
	cni_read_again();
}

void cni_close(void)
{
	cni_stop_asking();
	cni_watch_close(net.watch);
	json_decref(net.list);
	arena_free(net.arena);
	memset(&net, 0, sizeof(net));
}

json_t *cni_network_now(struct err *e)
{
	if (!net.list)
		*e = net.fault;
	return net.list;
}

const struct strings *cni_network_bin_dirs(void)
{
	return &net.cfg->bin_dirs;
}

static struct arena *cni_fresh_arena(void)
{
	arena_free(net.arena);
	net.arena = arena_new();
	return net.arena;
}

static int cni_all_programs_here(struct arena *a, struct err *e)
{
	json_t *plugin;
	size_t i;

	json_array_foreach(cni_conf_plugins(net.list), i, plugin)
		if (!cni_plugin_path(a, cni_plugin_type(plugin), &net.cfg->bin_dirs, e))
			return -1;
	return 0;
}

/* A missing plugin program is reported here, before ADD: after a failed ADD the same missing program would also make
 * the DEL fail that has to undo the half-made network. */
const char *cni_conf_now(struct err *e)
{
	const json_t *list = cni_network_now(e);
	struct arena *a = cni_fresh_arena();

	if (!list)
		return NULL;
	if (cni_all_programs_here(a, e) < 0) {
		e->code = ERR_FAILED_PRECONDITION;
		return NULL;
	}
	return json_text(a, list);
}

bool cni_ready(const char **why)
{
	struct arena *a = cni_fresh_arena();
	const struct err *fault = net.list ? net.unfit ? &net.status : NULL : &net.fault;
	struct err missing;

	if (!fault && cni_all_programs_here(a, &missing) < 0)
		fault = &missing;
	if (!fault && net.fault.code != ERR_OK)
		*why = arena_printf(a, "a broken file is passed over: %s", net.fault.msg);
	else
		*why = fault ? arena_strdup(a, fault->msg) : "";
	return !fault;
}
