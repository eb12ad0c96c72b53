/* net_world.c - see net_world.h. Takes the place of procs/keeper.o, cgroup.o, cgroup/limit.o, cgroup/remove.o,
 * cgroup/units.o, cni.o, cni/network.o and sandbox_files.o. */
#include "tests/fakes/net_world.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "procs/box_watch.h"
#include "procs/cgroup.h"
#include "procs/cgroup/tree.h"
#include "procs/cni.h"
#include "procs/keeper.h"
#include "procs/runtime.h"
#include "procs/sandbox_box.h"
#include "procs/sandbox_files.h"
#include "procs/cgroup/units.h"
#include "reactor/loop.h"

char net_trace[512];
struct net_world net_world;

static struct exit_watch *watch;
static struct kept_report kept;
static struct {
	ns_done *ns;
	ns_dropped *drop;
	cni_done *add, *del;
	unit_done *unit;
	void *ns_arg, *drop_arg, *add_arg, *del_arg, *unit_arg;
	sandbox_pause_done *box;
	void *box_arg;
} asked;

static struct timer drop_timer; /* the keeper's confirmation, unless net_world.slow_drop */

static void traced(const char *word)
{
	size_t used = strlen(net_trace);

	snprintf(net_trace + used, sizeof(net_trace) - used, "%s%s", used ? " " : "", word);
}

void net_world_reset(void)
{
	memset(&net_world, 0, sizeof(net_world));
	memset(&asked, 0, sizeof(asked));
	net_trace[0] = '\0';
	watch = NULL;
	timer_clear(&drop_timer);
}

static void on_drop_turn(struct timer *t)
{
	(void)t;
	net_world_answers("drop", ERR_OK, false);
}

bool net_world_waits(const char *what)
{
	return strcmp(what, "namespaces") == 0 ? asked.ns != NULL
	       : strcmp(what, "drop") == 0     ? asked.drop != NULL
	       : strcmp(what, "box") == 0      ? asked.box != NULL
	       : strcmp(what, "unit") == 0     ? asked.unit != NULL
	       : strcmp(what, "add") == 0      ? asked.add != NULL
					       : asked.del != NULL;
}

static void answer_cni(cni_done *done, void *arg, const struct err *e, bool left)
{
	const char *ips[] = { "10.1.2.3", "fd00::3" };
	struct cni_result r = {
		.ips = { ips, e ? 0 : 2 }, .text = e ? "" : "{\"r\":1}", .conf = "{\"c\":1}", .left = left
	};

	done(arg, e, &r);
}

void net_world_answers(const char *what, enum err_code code, bool left)
{
	struct err e, *failed = code == ERR_OK ? NULL : &e;
	cni_done *done;

	err_set(&e, code, "%s failed", what);
	assert(net_world_waits(what));
	if (strcmp(what, "namespaces") == 0) {
		ns_done *ns = asked.ns;

		asked.ns = NULL;
		return ns(asked.ns_arg, failed, failed && left);
	}
	if (strcmp(what, "drop") == 0) {
		ns_dropped *drop = asked.drop;

		timer_clear(&drop_timer);
		asked.drop = NULL;
		return drop(asked.drop_arg, failed);
	}
	if (strcmp(what, "box") == 0) {
		sandbox_pause_done *box = asked.box;

		asked.box = NULL;
		return box(asked.box_arg, failed);
	}
	if (strcmp(what, "unit") == 0) {
		unit_done *unit = asked.unit;

		asked.unit = NULL;
		return unit(asked.unit_arg, failed);
	}
	if (strcmp(what, "add") == 0) {
		done = asked.add;
		asked.add = NULL;
		return answer_cni(done, asked.add_arg, failed, left);
	}
	done = asked.del;
	asked.del = NULL;
	answer_cni(done, asked.del_arg, failed, left);
	if (asked.drop && !net_world.slow_drop)
		net_world_answers("drop", ERR_OK, false);
}

/* ---- keeper ---- */

struct ns_op *keeper_namespaces(const struct ns_request *r, ns_done *done, void *arg)
{
	size_t used = 0;

	traced("namespaces");
	asked.ns = done;
	asked.ns_arg = arg;
	snprintf(net_world.netns, sizeof(net_world.netns), "%s", r->net ? r->netns_path : "");
	snprintf(net_world.hostname, sizeof(net_world.hostname), "%s", r->uts ? r->hostname : "(node)");
	for (size_t i = 0; i < r->sysctls.n; i++)
		used += (size_t)snprintf(net_world.sysctls + used, sizeof(net_world.sysctls) - used, "%s=%s;",
					 r->sysctls.at[i].key, r->sysctls.at[i].value);
	return (struct ns_op *)&asked;
}

void keeper_namespaces_cancel(struct ns_op *op)
{
	(void)op;
	asked.ns = NULL;
	traced("cancel");
}

void keeper_namespaces_drop(const char *id, const char *netns_path, ns_dropped *done, void *arg)
{
	(void)id;
	(void)netns_path;
	traced("-namespaces");
	asked.drop = done;
	asked.drop_arg = arg;
	if (!net_world.slow_drop)
		timer_set(&drop_timer, 0, on_drop_turn);
}

int keeper_copy(const char *name)
{
	(void)name;
	return net_world.no_pins ? -1 : 0;
}

int keeper_ask_hold(const char *name, int fd, struct err *e)
{
	(void)name;
	(void)fd;
	(void)e;
	traced("hold");
	return 0;
}

int keeper_ask_hold_path(const char *name, int fd, struct err *e)
{
	return keeper_ask_hold(name, fd, e);
}

const char *keeper_path(struct arena *a, const char *name)
{
	return net_world.no_pins ? NULL : arena_printf(a, "/proc/1/fd/%s", strrchr(name, '/') + 1);
}

const struct kept_report *keeper_report(const char *id)
{
	kept = (struct kept_report){ .id = id, .pid = net_world.pause_pid, .pidfd = 1000000 };
	return net_world.pause_pid ? &kept : NULL;
}

void keeper_watch_exit(struct exit_watch *w, const char *id,
		       void (*fn)(struct exit_watch *w, const struct exit_record *r))
{
	snprintf(w->id, sizeof(w->id), "%s", id);
	w->fn = fn;
	watch = w;
}

void keeper_unwatch_exit(struct exit_watch *w)
{
	if (watch == w)
		watch = NULL;
}

void keeper_ask_forget(const char *id)
{
	(void)id;
	traced("forget");
}

void net_world_pause_dies(void)
{
	struct exit_watch *w = watch;
	struct exit_record r = { .id = w->id, .pid = net_world.pause_pid, .status = 9 };

	watch = NULL;
	net_world.pause_pid = 0;
	w->fn(w, &r);
}

/* ---- a handler and its box ---- */

const struct runtime_handler *runtime_find(const char *name)
{
	static const struct runtime_handler handler = { .name = "x", .type = "oci", .path = "/x", .fallback = "" };

	(void)name;
	return &handler;
}

void runtime_each(void (*fn)(void *arg, const struct runtime_handler *handler, bool usable, const char *why_not),
		  void *arg)
{
	fn(arg, runtime_find(""), true, "");
}

unsigned runtime_traits(const struct runtime_handler *h)
{
	(void)h;
	return net_world.boxed ? RUNTIME_SANDBOX | RUNTIME_INSIDE : net_world.in_runtime ? RUNTIME_SANDBOX_API : 0;
}

static void asked_box(const char *word, sandbox_pause_done *done, void *arg)
{
	traced(word);
	asked.box = done;
	asked.box_arg = arg;
}

void sandbox_box_start(struct sandbox *s, const char *pause_path, sandbox_pause_done *done, void *arg)
{
	(void)s;
	(void)pause_path;
	asked_box("box", done, arg);
}

bool box_watch_adopt(struct sandbox *s)
{
	return sandbox_pause_adopt(s);
}

void box_watch_kill(struct sandbox *s, sandbox_pause_done *done, void *arg)
{
	sandbox_pause_kill(s, done, arg);
}

void sandbox_box_remove(struct sandbox *s, sandbox_pause_done *done, void *arg)
{
	(void)s;
	asked_box("-box", done, arg);
}

/* ---- cgroups ---- */

const char *cgroup_root(void)
{
	return "/crisp";
}

int cgroup_make(const char *path, struct err *e)
{
	snprintf(net_world.last_cgroup, sizeof(net_world.last_cgroup), "%s", path);
	traced("cgroup");
	return net_world.no_cgroup ? err_set(e, ERR_INTERNAL, "no cgroup") : 0;
}

int cgroup_renew(const char *path, struct err *e)
{
	(void)e;
	snprintf(net_world.last_cgroup, sizeof(net_world.last_cgroup), "%s", path);
	traced("own");
	return 0;
}

int cgroup_limit(const char *path, const struct resources *r, struct err *e)
{
	(void)path;
	(void)r;
	(void)e;
	return 0;
}

int cgroup_make_leaf(const char *path, struct err *e)
{
	snprintf(net_world.last_cgroup, sizeof(net_world.last_cgroup), "%s", path);
	traced(strstr(path, "/pause") ? "leaf" : "own");
	return net_world.no_cgroup ? err_set(e, ERR_INTERNAL, "no cgroup") : 0;
}

void cgroup_remove(const char *path)
{
	snprintf(net_world.last_cgroup, sizeof(net_world.last_cgroup), "%s", path);
	traced("-cgroup");
}

bool cgroup_remove_now(const char *path)
{
	cgroup_remove(path);
	return !net_world.busy_cgroup;
}

void cgroup_kill(const char *path)
{
	snprintf(net_world.killed_cgroup, sizeof(net_world.killed_cgroup), "%s", path);
}

bool cgroup_remove_wait(const char *path, struct cgroup_wait *w, void (*fn)(struct cgroup_wait *w))
{
	(void)w;
	(void)fn;
	return !cgroup_remove_now(path);
}

const char *const *cgroup_tasks(struct arena *a, const char *path)
{
	(void)a;
	(void)path;
	return NULL;
}

bool cgroup_is_v2(void)
{
	return net_world.cgroup_v2;
}

int cgroup_dirfd(const char *path, struct err *e)
{
	(void)path;
	return err_set(e, ERR_INTERNAL, "no such cgroup");
}

bool cgroup_systemd(void)
{
	return net_world.systemd;
}

/* ---- systemd ---- */

static struct unit_op *asked_unit(const char *word, const char *name, unit_done *done, void *arg)
{
	snprintf(net_world.last_cgroup, sizeof(net_world.last_cgroup), "%s", name);
	traced(word);
	asked.unit = done;
	asked.unit_arg = arg;
	return (struct unit_op *)&asked.unit;
}

struct unit_op *unit_slice(const char *name, const struct resources *limits, unit_done *done, void *arg)
{
	return asked_unit(limits ? "slice+limits" : "slice", name, done, arg);
}

struct unit_op *unit_limit(const char *name, const struct resources *limits, unit_done *done, void *arg)
{
	(void)limits;
	return asked_unit("limit", name, done, arg);
}

struct unit_op *unit_scope(const char *name, const char *slice, pid_t pid, unit_done *done, void *arg)
{
	(void)pid;
	snprintf(net_world.slice, sizeof(net_world.slice), "%s", slice);
	return asked_unit("scope", name, done, arg);
}

struct unit_op *unit_stop(const char *name, unit_done *done, void *arg)
{
	return asked_unit("stop", name, done, arg);
}

void unit_cancel(struct unit_op *op)
{
	(void)op;
	asked.unit = NULL;
	traced("-unit");
}

/* ---- network ---- */

const char *cni_conf_now(struct err *e)
{
	if (!net_world.no_conf)
		return "{\"c\":1}";
	err_set(e, ERR_FAILED_PRECONDITION, "no CNI configuration");
	return NULL;
}

const char *cni_conf_in(const char *dir, struct err *e)
{
	(void)dir;
	return cni_conf_now(e);
}

const char *cni_conf_text(struct err *e)
{
	return cni_conf_now(e);
}

void cni_open(const struct cni_config *cfg, void (*changed)(void *arg), void *arg)
{
	(void)cfg;
	(void)changed;
	(void)arg;
}

void cni_alone_changed(void)
{
}

bool cni_ready(const char **why)
{
	*why = net_world.no_conf ? "no CNI configuration" : "";
	return !net_world.no_conf;
}

static struct cni_op *asked_for(const struct cni_sandbox *s, const char *verb)
{
	traced(verb);
	snprintf(net_world.conf, sizeof(net_world.conf), "%s", s->conf);
	snprintf(net_world.result, sizeof(net_world.result), "%s", s->result);
	snprintf(net_world.netns, sizeof(net_world.netns), "%s", s->netns_path);
	return (struct cni_op *)&asked;
}

struct cni_op *cni_add(const struct cni_sandbox *s, cni_done *done, void *arg)
{
	asked.add = done;
	asked.add_arg = arg;
	return asked_for(s, "add");
}

struct cni_op *cni_del(const struct cni_sandbox *s, cni_done *done, void *arg)
{
	asked.del = done;
	asked.del_arg = arg;
	return asked_for(s, "del");
}

struct cni_op *cni_look(const struct cni_sandbox *s, cni_done *done, void *arg)
{
	(void)done;
	(void)arg;
	return asked_for(s, "look");
}

int cni_places(const char *conf, struct cni_places *out, struct arena *arena, struct err *e)
{
	(void)conf;
	(void)out;
	(void)arena;
	return err_set(e, ERR_UNIMPLEMENTED, "no GC");
}

void cni_hold(void (*held)(void *arg), void *arg)
{
	(void)held;
	(void)arg;
	assert(!"no GC");
}

void cni_release(void)
{
	assert(!"no GC");
}

struct cni_op *cni_collect(const char *conf, const struct strings *valid, cni_done *done, void *arg)
{
	(void)conf;
	(void)valid;
	(void)done;
	(void)arg;
	assert(!"no GC");
}

void cni_cancel(struct cni_op *op)
{
	(void)op;
	assert(asked.add);
	asked.add = NULL;
	traced("give-up");
}

/* ---- files ---- */

int sandbox_files_begin(const struct sandbox *s, struct err *e)
{
	(void)s;
	(void)e;
	return 0;
}

const char *sandbox_files_pin(const char *dir, struct arena *a)
{
	(void)dir;
	(void)a;
	return "";
}

void sandbox_files_look(struct lookup *l, const struct sandbox *s, const char *hosts, const char *resolv_conf)
{
	(void)s;
	lookup_add(l, LOOKUP_TEXT, hosts);
	lookup_add(l, LOOKUP_TEXT, resolv_conf);
}

int sandbox_files_make(const struct sandbox *s, const struct sandbox_files *f, struct err *e)
{
	(void)s;
	(void)f;
	traced("files");
	return net_world.no_files ? err_set(e, ERR_INTERNAL, "disk full") : 0;
}

int sandbox_files_remove(const struct sandbox *s, struct err *e)
{
	(void)s;
	traced("-files");
	return net_world.stuck_files ? err_set(e, ERR_INTERNAL, "shm is busy") : 0;
}

const char *sandbox_files_pidfile(const struct sandbox *s, struct arena *a, struct err *e)
{
	(void)s;
	(void)e;
	return arena_strdup(a, "/world/pause.pid");
}
