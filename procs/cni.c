/* cni.c - see cni.h.
 *
 *   WAITING --a place is free--> ADD --last plugin done, eth0 has an address--> DONE
 *      |                          |
 *      |                          +--a plugin fails--> UNDO --whole chain in reverse--> FAILED
 *      +--a place is free--> DEL --whole chain in reverse--> DONE or FAILED
 *      +--a place is free--> CHECK --last plugin done--> DONE; a plugin fails--> FAILED
 *      +--all is quiet--> GC --last plugin done--> DONE or FAILED
 *      +--no configuration, or arguments that plugins cannot be told--> FAILED
 *
 * Waits on: a place among the PLACES running chains, and the end of a hold (WAITING), one plugin (all others).
 * DONE and FAILED last one turn of the loop: `done` is never called from cni_add() or cni_del(). */
#include "procs/cni.h"

#include <assert.h>
#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#include "procs/cni/args.h"
#include "procs/cni/conf.h"
#include "procs/cni/network.h"
#include "procs/cni/plugin.h"
#include "procs/cni/result.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/metric.h"
#include "reactor/own.h"
#include "reactor/sm.h"
#include "reactor/work.h"

/* Plugins contend for the kernel's rtnl and xtables locks, so more of them at once make each pod slower and no pod
 * earlier. 10 ADDs on two CPUs: with 4 at once the median is 20 to 30 % below that of all at once; with 1 at once it is
 * twice as high. A chain that takes longer than SLOW_MS waits for something other than the kernel, perhaps for an API
 * server, so it gives its place away and runs on without one. (ARCHITECTURE S2) */
enum { PLACES = 4, SLOW_MS = 200, GC_LIMIT_S = 10 };

enum cni_state { WAITING, ADD, UNDO, DEL, CHECK, GC, DONE, FAILED };

static const struct sm_state cni_states[] = {
	[WAITING] = { "WAITING", TO(ADD) | TO(DEL) | TO(CHECK) | TO(GC) | TO(FAILED) },
	[ADD]     = { "ADD",     TO(DONE) | TO(UNDO) },
	[UNDO]    = { "UNDO",    TO(FAILED) },
	[DEL]     = { "DEL",     TO(DONE) | TO(FAILED) },
	[CHECK]   = { "CHECK",   TO(DONE) | TO(FAILED) },
	[GC]      = { "GC",      TO(DONE) | TO(FAILED) },
	[DONE]    = { "DONE",    0 },
	[FAILED]  = { "FAILED",  0 },
};

struct cni_op {
	struct sm sm;
	struct link link; /* in `waiting` */
	struct work queue;
	struct arena *arena;
	enum cni_state verb; /* ADD, DEL, CHECK or GC */
	struct cni_plugin_call call; /* its strings in the arena; list, capabilities and prev are our references */
	json_t *list, *capabilities;
	size_t at; /* the plugin that runs, from 1 */
	bool host_ports, placed, begun;
	struct cni_plugin *plugin;
	int64_t since_ns; /* start of the current step: waiting, then running */
	struct timer timer; /* SLOW_MS while the chain has a place; at the end one turn until the report */
	struct err err; /* the first error */
	bool failed, undo_failed;
	cni_done *done;
	void *arg;
};

static struct link waiting = { &waiting, &waiting }; /* of struct cni_op.link */
static int running;   /* chains that have a place */
static int under_way; /* chains that have begun, with a place or without */

static struct {
	void (*fn)(void *arg); /* NULL: nobody wants a hold */
	void *arg;
	bool held;
	struct timer timer; /* one turn until fn */
} hold;

static void on_hold(struct timer *t)
{
	(void)t;
	hold.fn(hold.arg);
}

static void hold_try(void)
{
	if (!hold.fn || hold.held || under_way)
		return;
	hold.held = true;
	timer_set(&hold.timer, 0, on_hold);
}

static void cni_op_free(struct cni_op *op)
{
	work_end(&op->queue);
	timer_clear(&op->timer);
	json_decref(op->list);
	json_decref(op->capabilities);
	json_decref(op->call.prev);
	arena_free(op->arena);
	free(op);
}

static void on_cni_report(struct timer *t)
{
	struct cni_op *op = container_of(t, struct cni_op, timer);
	struct cni_op o = *op;
	struct cni_result r = { .text = "", .conf = o.list ? json_text(o.arena, o.list) : "", .left = o.undo_failed };

	if (o.sm.now == DONE && o.verb == ADD) {
		r.text = json_text(o.arena, o.call.prev);
		r.ips = cni_result_ips(o.call.prev, "eth0", o.arena);
	}
	op->arena = NULL; /* r points into it: freed after `done` */
	cni_op_free(op);
	o.done(o.arg, o.sm.now == DONE ? NULL : &o.err, &r);
	arena_free(o.arena);
}

static void cni_begin(struct cni_op *op);

static void cni_give_place_back(struct cni_op *op)
{
	struct link *next = list_first(&waiting);

	if (!op->placed)
		return;
	op->placed = false;
	running--;
	if (next)
		cni_begin(container_of(next, struct cni_op, link));
}

static void cni_ended(struct cni_op *op)
{
	if (!op->begun)
		return;
	op->begun = false;
	under_way--;
	hold_try();
}

static void cni_finish(struct cni_op *op, enum cni_state to)
{
	if (to == DONE && (op->verb == ADD || op->verb == DEL))
		metric_stage(op->verb == ADD ? "cni_add" : "cni_del", &op->since_ns);
	sm_move(&op->sm, to);
	timer_set(&op->timer, 0, on_cni_report);
	cni_give_place_back(op);
	cni_ended(op);
}

static void on_cni_slow(struct timer *t)
{
	cni_give_place_back(container_of(t, struct cni_op, timer));
}

static void cni_note_error(struct cni_op *op, const struct err *e)
{
	if (!op->failed)
		op->err = *e;
	op->failed = true;
}

/* portmap without a hostPort only passes its prevResult through, and costs 3 ms. */
static bool cni_skips(const struct cni_op *op, const json_t *plugin)
{
	return !op->host_ports && strcmp(cni_plugin_type(plugin), "portmap") == 0;
}

static void on_cni_plugin(void *arg, const struct err *e, json_t *result);

static const char *cni_verb(enum cni_state now)
{
	return now == ADD ? "ADD" : now == CHECK ? "CHECK" : now == GC ? "GC" : "DEL";
}

/* Runs the next plugin of the chain: backwards in DEL and UNDO, else forwards. false: there is none left. */
static bool cni_run_next(struct cni_op *op)
{
	const json_t *plugins = cni_conf_plugins(op->list), *plugin;
	size_t n = json_array_size(plugins);

	do {
		if (op->sm.now == DEL || op->sm.now == UNDO ? --op->at == 0 : ++op->at > n)
			return false;
		plugin = json_array_get(plugins, op->at - 1);
	} while (cni_skips(op, plugin));
	op->call.plugin = plugin;
	op->call.verb = cni_verb(op->sm.now);
	op->plugin = cni_plugin_start(&op->call, on_cni_plugin, op);
	return true;
}

static void cni_undo(struct cni_op *op)
{
	sm_move(&op->sm, UNDO);
	json_decref(op->call.prev);
	op->call.prev = NULL; /* DEL gets the result of a whole ADD only, and this ADD failed */
	op->at = json_array_size(cni_conf_plugins(op->list)) + 1;
	if (!cni_run_next(op))
		cni_finish(op, FAILED);
}

static void cni_added(struct cni_op *op)
{
	struct strings ips = cni_result_ips(op->call.prev, "eth0", op->arena);

	if (ips.n)
		return cni_finish(op, DONE);
	op->failed = true;
	err_set(&op->err, ERR_INTERNAL, "CNI network %.64s gave eth0 no address", cni_conf_name(op->list));
	cni_undo(op);
}

/* All pods' chains wait for this one, so all its plugins have GC_LIMIT_S together. `failed`: of the last one, or NULL.
 * (ARCHITECTURE S72) */
static bool gc_has_time(struct cni_op *op, const struct err *failed)
{
	int64_t left_s = GC_LIMIT_S - (loop_mono_ns() - op->since_ns) / 1000000000;
	bool killed = failed && failed->code == ERR_DEADLINE_EXCEEDED;
	struct err e;

	if (left_s > 0 && !killed) {
		op->call.limit_s = (unsigned)left_s;
		return true;
	}
	err_set(&e, ERR_DEADLINE_EXCEEDED, "CNI GC: %d s are over; the plugins that are left are asked at the next "
		"start or reload", GC_LIMIT_S);
	cni_note_error(op, &e);
	return false;
}

static void on_cni_plugin(void *arg, const struct err *e, json_t *result)
{
	struct cni_op *op = arg;

	op->plugin = NULL;
	if (op->sm.now == ADD) {
		if (e) {
			cni_note_error(op, e);
			return cni_undo(op);
		}
		json_decref(op->call.prev);
		op->call.prev = json_incref(result);
		if (!cni_run_next(op))
			cni_added(op);
		return;
	}
	if (e && op->sm.now == CHECK) {
		cni_note_error(op, e);
		return cni_finish(op, FAILED); /* specification, section 2: the runtime stops at the first error */
	}
	if (e && op->sm.now == UNDO) {
		op->undo_failed = true;
		log_warn("cni_undo sandbox=%.12s error=%s", op->call.container_id, log_quote(e->msg));
	} else if (e) {
		if (op->sm.now == GC && op->failed)
			log_warn("cni_gc error=%s", log_quote(e->msg));
		cni_note_error(op, e);
	}
	if ((op->sm.now == GC && !gc_has_time(op, e)) || !cni_run_next(op))
		cni_finish(op, op->failed ? FAILED : DONE);
}

static void cni_begin(struct cni_op *op)
{
	if (list_linked(&op->link))
		list_drop(&op->link);
	work_end(&op->queue);
	running++;
	under_way++;
	op->placed = op->begun = true;
	metric_stage("cni_queue", &op->since_ns);
	timer_set(&op->timer, SLOW_MS, on_cni_slow);
	sm_move(&op->sm, op->verb);
	if (op->verb == DEL)
		op->at = json_array_size(cni_conf_plugins(op->list)) + 1;
	if (cni_run_next(op))
		return;
	if (op->verb == ADD)
		cni_added(op);
	else
		cni_finish(op, DONE);
}

/* The conflist: the text in the record, else today's. */
static json_t *cni_conf_of(const struct cni_sandbox *s, struct err *e)
{
	if (!s->conf[0])
		return json_incref(cni_network_now(e));
	return cni_conf_parse(s->conf, strlen(s->conf), CNI_CONF_LIST, "recorded CNI configuration", e);
}

static json_t *cni_cached_result(const struct cni_op *op, const struct cni_sandbox *s)
{
	struct err e;
	json_t *prev;

	if (!s->result[0] || !cni_conf_reaches(op->list, 0, 4)) /* section 3: DEL gets a prevResult from 0.4.0 on */
		return NULL;
	prev = json_parse(s->result, strlen(s->result), "recorded CNI result", &e);
	if (!prev)
		log_warn("cni_result sandbox=%.12s error=%s", s->id, log_quote(e.msg));
	return prev;
}

/* A keeper that died between the umount and the unlink of a pin has left an empty file, which no plugin takes for a
 * namespace: every later DEL would fail. */
static bool cni_netns_is_there(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && (fs.f_type == NSFS_MAGIC || fs.f_type == PROC_SUPER_MAGIC);
}

static int cni_prepare(struct cni_op *op, const struct cni_sandbox *s, struct err *e)
{
	op->list = cni_conf_of(s, e);
	if (!op->list)
		return -1;
	op->call = (struct cni_plugin_call){ .list = op->list, .bin_dirs = cni_network_bin_dirs() };
	op->call.container_id = arena_strdup(op->arena, s->id);
	op->call.netns = op->verb == ADD || cni_netns_is_there(s->netns_path) ? arena_strdup(op->arena, s->netns_path)
									      : "";
	op->call.args = cni_args(s, op->arena, e);
	op->capabilities = cni_capabilities(s, e);
	/* Arguments that plugins cannot be told make ADD fail. DEL runs without them: otherwise the network of such a
	 * sandbox could never be deleted. */
	if (op->verb == ADD && (!op->call.args || !op->capabilities))
		return -1;
	if (!op->call.args)
		op->call.args = "IgnoreUnknown=1";
	op->call.capabilities = op->capabilities;
	op->host_ports = cni_has_host_port(s);
	op->call.prev = op->verb != ADD ? cni_cached_result(op, s) : NULL;
	if (op->verb == CHECK && json_is_true(json_object_get(op->list, "disableCheck")))
		return err_set(e, ERR_UNIMPLEMENTED, "disableCheck is set in the conflist");
	if (op->verb == CHECK && !op->call.prev)
		return err_set(e, ERR_UNIMPLEMENTED, "cniVersion %s has no CHECK, or the result of ADD is not known",
			       json_string_value(json_object_get(op->list, "cniVersion")));
	return 0;
}

static struct cni_op *cni_start(enum cni_state verb, const struct cni_sandbox *s, cni_done *done, void *arg)
{
	struct cni_op *op = new_zero(struct cni_op);

	op->arena = arena_new();
	op->verb = verb;
	op->done = done;
	op->arg = arg;
	op->sm =
		(struct sm){ cni_states, verb == ADD ? "cni_add" : verb == DEL ? "cni_del" : "cni_look",
			     arena_strdup(op->arena, s->id), WAITING };
	op->since_ns = loop_mono_ns();
	if (cni_prepare(op, s, &op->err) < 0) {
		sm_move(&op->sm, FAILED);
		timer_set(&op->timer, 0, on_cni_report);
	} else if (running < PLACES && !hold.held) {
		cni_begin(op);
	} else {
		list_append(&waiting, &op->link);
		op->queue = (struct work){ .kind = "queue", .stage = "cni_queue",
					   .about = arena_printf(op->arena, " sandbox=%.12s", s->id) };
		work_begin(&op->queue);
	}
	return op;
}

struct cni_op *cni_add(const struct cni_sandbox *s, cni_done *done, void *arg)
{
	return cni_start(ADD, s, done, arg);
}

struct cni_op *cni_del(const struct cni_sandbox *s, cni_done *done, void *arg)
{
	return cni_start(DEL, s, done, arg);
}

struct cni_op *cni_look(const struct cni_sandbox *s, cni_done *done, void *arg)
{
	return cni_start(CHECK, s, done, arg);
}

void cni_cancel(struct cni_op *op)
{
	if (op->plugin)
		cni_plugin_cancel(op->plugin);
	if (list_linked(&op->link))
		list_drop(&op->link);
	cni_give_place_back(op);
	cni_ended(op);
	cni_op_free(op);
}

/* ---- GC ---- */

void cni_hold(void (*held)(void *arg), void *arg)
{
	assert(!hold.fn);
	hold.fn = held;
	hold.arg = arg;
	hold_try();
}

void cni_release(void)
{
	struct link *next;

	assert(hold.held);
	timer_clear(&hold.timer);
	memset(&hold, 0, sizeof(hold));
	while (running < PLACES && (next = list_first(&waiting)))
		cni_begin(container_of(next, struct cni_op, link));
}

static json_t *gc_list(const char *conf, struct err *e)
{
	auto_json json_t *list = cni_conf_parse(conf, strlen(conf), CNI_CONF_LIST, "CNI configuration", e);

	if (list && !cni_conf_reaches(list, 1, 1)) {
		err_set(e, ERR_UNIMPLEMENTED, "cniVersion %s has no GC",
			json_string_value(json_object_get(list, "cniVersion")));
		return NULL;
	}
	if (list && json_is_true(json_object_get(list, "disableGC"))) {
		err_set(e, ERR_UNIMPLEMENTED, "disableGC is set in the conflist");
		return NULL;
	}
	return take_ptr(&list);
}

int cni_places(const char *conf, struct cni_places *out, struct arena *a, struct err *e)
{
	auto_json json_t *list = gc_list(conf, e);

	if (!list)
		return -1;
	*out = (struct cni_places){ arena_strdup(a, cni_conf_name(list)), cni_conf_places(a, list) };
	return 0;
}

struct cni_op *cni_collect(const char *conf, const struct strings *valid, cni_done *done, void *arg)
{
	struct cni_op *op = new_zero(struct cni_op);
	auto_json json_t *list = gc_list(conf, &op->err);

	assert(hold.held);
	*op = (struct cni_op){ .arena = arena_new(), .verb = GC, .done = done, .arg = arg, .err = op->err,
			       .host_ports = true, .sm = { cni_states, "cni_gc", "(node)", WAITING } };
	if (!list) {
		sm_move(&op->sm, FAILED);
		timer_set(&op->timer, 0, on_cni_report);
		return op;
	}
	op->list = cni_conf_for_gc(list, valid);
	op->call = (struct cni_plugin_call){ .list = op->list, .bin_dirs = cni_network_bin_dirs(),
					     .limit_s = GC_LIMIT_S, .dies = true };
	op->since_ns = loop_mono_ns();
	sm_move(&op->sm, GC);
	if (!cni_run_next(op))
		cni_finish(op, DONE);
	return op;
}
