/* network.c - see network.h and cni.h (cni_open, cni_ready).
 *
 * The plugins of a conflist of cniVersion 1.1 or newer are asked by STATUS, one after the other, when the conflist was
 * read, and every STATUS_RETRY_MS while one of them fails:
 *   any change of conf_dir -> read -> ASKING --all answered well--> fit
 *                                       |  ^
 *                        a plugin fails v  | after STATUS_RETRY_MS
 *                                      UNFIT
 * Waits on: watch.h (always), lookup.h where the files are on a file system that may hang (read), one plugin (ASKING),
 * a timer (UNFIT; a read that failed). While a file system does not answer, what was read before counts. */
#include "procs/cni/network.h"

#include <string.h>

#include "procs/cni/conf.h"
#include "procs/cni/plugin.h"
#include "procs/cni/watch.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/lookup_memo.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { STATUS_RETRY_MS = 10000, READ_RETRY_MS = 5000 };

/* A path at which a plugin's program may be. */
struct program {
	struct program *next;
	char *path;
	struct lookup_memo *memo;
};

static struct {
	const struct cni_config *cfg;
	void (*changed)(void *arg);
	void *arg;
	struct cni_watch *watch;
	struct lookup *reading; /* a child is asked for the files; else NULL */
	bool again;        /* the directory has changed meanwhile */
	struct timer read_again;
	json_t *list;      /* NULL: no usable conflist */
	struct err fault;  /* of reading: why list is NULL, or what was passed over for it; code OK: nothing */
	bool unread;       /* fault is that the files could not be looked up */
	struct program *programs; /* where the plugins of `list` may be */
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

static bool cni_alone(const json_t *list, struct arena *a)
{
	return net.cfg->alone && net.cfg->alone(json_text(a, list));
}

static bool cni_wants_status(struct arena *a)
{
	return net.list && cni_conf_reaches(net.list, 1, 1) && !cni_alone(net.list, a);
}

void cni_alone_changed(void)
{
	struct arena *a = arena_new();
	bool asks = net.asked || timer_is_set(&net.retry), wants = cni_wants_status(a);

	arena_free(a);
	if (wants == asks)
		return;
	cni_stop_asking();
	if (wants)
		cni_ask_next();
	else
		cni_set_unfit(false);
}

static void cni_forget_programs(void)
{
	for (struct program *p = net.programs, *next; p; p = next) {
		next = p->next;
		lookup_memo_free(p->memo);
		free(p->path);
		free(p);
	}
	net.programs = NULL;
}

static void on_cni_program(void *arg)
{
	(void)arg;
	net.changed(net.arg);
}

/* For cni_plugin_path(). */
static const struct looked *cni_look_at_program(void *arg, const char *path, struct err *e)
{
	struct program *p = net.programs;

	(void)arg;
	while (p && strcmp(p->path, path) != 0)
		p = p->next;
	if (!p) {
		p = new_zero(struct program);
		*p = (struct program){ net.programs, own_must(strdup(path)), NULL };
		p->memo = lookup_memo_new(path, on_cni_program, NULL);
		net.programs = p;
	}
	return lookup_memo_get(p->memo, e);
}

static int cni_all_programs_here(const json_t *list, struct arena *a, struct err *e)
{
	json_t *plugin;
	size_t i;

	if (cni_alone(list, a))
		return 0;
	json_array_foreach(cni_conf_plugins(list), i, plugin)
		if (!cni_plugin_path(a, cni_plugin_type(plugin), &net.cfg->bin_dirs, cni_look_at_program, NULL, e))
			return -1;
	return 0;
}

/* Takes what was read; true: the conflist or the fault has changed. */
static bool cni_take(json_t *list, const struct err *fault, const char *file)
{
	auto_json json_t *old = net.list;
	struct err old_fault = net.fault, missing;
	struct arena *a = arena_new();
	bool differs;

	net.list = list;
	net.fault = *fault;
	differs = net.list && old ? !json_equal(net.list, old) : net.list || old;
	if (differs || fault_differs(&net.fault, &old_fault))
		cni_log_config(file);
	if (differs) {
		cni_stop_asking();
		cni_forget_programs();
		net.unfit = false;
		if (cni_wants_status(a))
			cni_ask_next();
		if (net.list) /* where a child must look, it begins now */
			(void)cni_all_programs_here(net.list, a, &missing);
	}
	arena_free(a);
	return differs || fault_differs(&net.fault, &old_fault);
}

static void on_cni_read_again(struct timer *t);
static void on_cni_looked(void *arg, const struct err *e);

/* Takes l. The same as cni_take(). */
static bool cni_read_on(struct lookup *l)
{
	struct arena *a = arena_new();
	struct err fault;
	const char *file;
	json_t *list = cni_conf_load(l, net.cfg->conf_dir, a, &file, &fault);
	bool changed = false;

	if (!list && fault.code == ERR_UNAVAILABLE) {
		net.reading = l;
		lookup_start(l, on_cni_looked, NULL);
	} else {
		lookup_free(l);
		net.unread = false;
		changed = cni_take(list, &fault, file);
	}
	arena_free(a);
	return changed;
}

static bool cni_read(void)
{
	timer_clear(&net.read_again);
	net.again = net.reading != NULL;
	return !net.reading && cni_read_on(lookup_new("cni"));
}

static void on_cni_looked(void *arg, const struct err *e)
{
	struct lookup *l = take_ptr(&net.reading);
	bool changed;

	(void)arg;
	if (e) {
		lookup_free(l);
		net.unread = true;
		changed = cni_take(json_incref(net.list), e, "");
		timer_set(&net.read_again, READ_RETRY_MS, on_cni_read_again);
	} else {
		changed = cni_read_on(l);
	}
	if (!net.reading && net.again)
		changed |= cni_read();
	if (changed)
		net.changed(net.arg);
}

static void on_cni_dir(void)
{
	if (cni_read())
		net.changed(net.arg);
}

static void on_cni_read_again(struct timer *t)
{
	(void)t;
	on_cni_dir();
}

void cni_open(const struct cni_config *cfg, void (*changed)(void *arg), void *arg)
{
	net.cfg = cfg;
	net.changed = changed;
	net.arg = arg;
	net.arena = arena_new();
	net.unread = true;
	err_set(&net.fault, ERR_UNAVAILABLE, "look up %s: its file system has not answered so far", cfg->conf_dir);
	net.watch = cni_watch_open(cfg->conf_dir, on_cni_dir);
	cni_read();
}

void cni_close(void)
{
	cni_stop_asking();
	cni_watch_close(net.watch);
	lookup_free(net.reading);
	timer_clear(&net.read_again);
	cni_forget_programs();
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

/* A missing plugin program is reported here, before ADD: after a failed ADD the same missing program would also make
 * the DEL fail that has to undo the half-made network. */
const char *cni_conf_now(struct err *e)
{
	const json_t *list = cni_network_now(e);
	struct arena *a = cni_fresh_arena();

	if (!list)
		return NULL;
	if (cni_all_programs_here(list, a, e) < 0) {
		if (e->code == ERR_INTERNAL)
			e->code = ERR_FAILED_PRECONDITION;
		return NULL;
	}
	return json_text(a, list);
}

/* Such a directory must be on a file system of the node (lookup.h): no child is asked. */
const char *cni_conf_in(const char *dir, struct err *e)
{
	struct arena *a = cni_fresh_arena();
	struct lookup *l = lookup_new("cni");
	const char *file, *text = NULL;
	struct err broken;
	auto_json json_t *list = cni_conf_load(l, dir, a, &file, &broken);

	lookup_free(l);
	if (!list && broken.code == ERR_UNAVAILABLE)
		err_set(e, ERR_FAILED_PRECONDITION, "%s is not on a file system of the node", dir);
	else if (!list)
		*e = broken;
	else if (cni_all_programs_here(list, a, e) == 0)
		text = json_text(a, list);
	else if (e->code == ERR_INTERNAL)
		e->code = ERR_FAILED_PRECONDITION;
	return text;
}

const char *cni_conf_text(struct err *e)
{
	const json_t *list = cni_network_now(e);

	return list ? json_text(cni_fresh_arena(), list) : NULL;
}

bool cni_ready(const char **why)
{
	struct arena *a = cni_fresh_arena();
	const struct err *fault = net.list ? net.unfit ? &net.status : NULL : &net.fault;
	struct err missing;

	if (!fault && cni_all_programs_here(net.list, a, &missing) < 0)
		fault = &missing;
	if (!fault && net.fault.code != ERR_OK)
		*why = arena_printf(a, "%s: %s", net.unread ? "what was read before is used" :
				    "a broken file is passed over", net.fault.msg);
	else
		*why = fault ? arena_strdup(a, fault->msg) : "";
	return !fault;
}
