/* update.c - see update.h.
 *
 *   LANE ---turn, it runs---> RUNTIME ---taken---> STORE ---written---> DONE
 *     |                          |                   |
 *     |                          +---refused---+     +---not written, it runs---+
 *     |                                        v                                v
 *     +---turn, it does not run---> STORE     UNDO ---old limits set again, or refused---> FAILED
 *
 *   A container that ended meanwhile has no limits in the kernel, so a refusal by the runtime is ignored then.
 * Waits on: the lane, the runtime (RUNTIME, UNDO). */
#include "procs/update.h"

#include <stdlib.h>
#include <string.h>

#include "procs/bundle.h"
#include "procs/cgroup.h"
#include "procs/runtime.h"
#include "procs/spec.h"
#include "reactor/json.h"
#include "reactor/log.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum update_state { LANE, RUNTIME, STORE, UNDO, DONE, FAILED };
static const struct sm_state update_states[] = {
	[LANE]    = { "LANE",    TO(RUNTIME) | TO(STORE) | TO(FAILED) },
	[RUNTIME] = { "RUNTIME", TO(STORE) | TO(FAILED) | TO(UNDO) },
	[STORE]   = { "STORE",   TO(DONE) | TO(UNDO) | TO(FAILED) },
	[UNDO]    = { "UNDO",    TO(FAILED) },
	[DONE]    = { "DONE",    0 },
	[FAILED]  = { "FAILED",  0 },
};

struct update {
	struct sm sm;
	struct container *container;
	struct lane_pass pass;
	struct arena *arena;
	struct resources asked, limits; /* limits: all of the container's, with those asked for */
	struct err err;
	update_done *done;
	void *arg;
};

/* ---- merging ---- */

/* By key; both are sorted, and so is the result. */
static struct pairs merge_pairs(const struct pairs *into, const struct pairs *asked, struct arena *a)
{
	struct pairs out = { arena_zalloc(a, (into->n + asked->n) * sizeof(*out.at)), 0 };
	size_t i = 0, k = 0;

	while (i < into->n || k < asked->n) {
		int order = i == into->n ? 1 : k == asked->n ? -1 : strcmp(into->at[i].key, asked->at[k].key);

		out.at[out.n++] = order < 0 ? into->at[i] : asked->at[k];
		i += order <= 0;
		k += order >= 0;
	}
	return out;
}

static void merge_hugepages(struct resources *out, const struct resources *into, const struct resources *asked,
			    struct arena *a)
{
	out->hugepages.n = into->hugepages.n;
	out->hugepages.at = arena_zalloc(a, (into->hugepages.n + asked->hugepages.n) * sizeof(*out->hugepages.at));
	if (into->hugepages.n)
		memcpy(out->hugepages.at, into->hugepages.at, into->hugepages.n * sizeof(*out->hugepages.at));
	for (size_t i = 0; i < asked->hugepages.n; i++) {
		size_t k = 0;

		while (k < out->hugepages.n &&
		       strcmp(out->hugepages.at[k].page_size, asked->hugepages.at[i].page_size) != 0)
			k++;
		out->hugepages.at[k] = asked->hugepages.at[i];
		out->hugepages.n += k == out->hugepages.n;
	}
}

static int64_t either(int64_t asked, int64_t otherwise)
{
	return asked ? asked : otherwise;
}

struct resources resources_merge(const struct resources *into, const struct resources *asked, struct arena *a)
{
	struct resources out = *into;

	out.set = true;
	out.cpu_period = either(asked->cpu_period, into->cpu_period);
	out.cpu_quota = either(asked->cpu_quota, into->cpu_quota);
	out.cpu_shares = either(asked->cpu_shares, into->cpu_shares);
	out.memory_limit = either(asked->memory_limit, into->memory_limit);
	out.memory_swap_limit = either(asked->memory_swap_limit, into->memory_swap_limit);
	out.cpuset_cpus = *asked->cpuset_cpus ? asked->cpuset_cpus : into->cpuset_cpus;
	out.cpuset_mems = *asked->cpuset_mems ? asked->cpuset_mems : into->cpuset_mems;
	out.unified = merge_pairs(&into->unified, &asked->unified, a);
	merge_hugepages(&out, into, asked, a);
	return out;
}

/* ---- the end ---- */

static void update_report(struct update *u)
{
	update_done *done = u->done;
	void *arg = u->arg;
	struct err e = u->err;

	lane_leave(&u->pass);
	arena_free(u->arena);
	free(u);
	done(arg, e.code == ERR_OK ? NULL : &e);
}

static void update_fail(struct update *u)
{
	sm_move(&u->sm, FAILED);
	err_wrap(&u->err, "update container %.12s", u->container->id);
	update_report(u);
}

static void on_update_undone(void *arg, const struct err *e, struct child_result *r)
{
	struct update *u = arg;

	(void)r;
	if (e)
		log_warn("update_undo container=%.12s error=%s", u->container->id, log_quote(e->msg));
	update_fail(u);
}

static void drop_quota(json_t *limits)
{
	json_object_del(json_object_get(limits, "cpu"), "quota");
}

/* For a runtime that cannot (crun 1.8.1), crisp lifts the quota of the group. The runtime is then told nothing of it.
 * (ARCHITECTURE P121) */
static int lift_quota(const struct update *u, json_t *limits, struct err *e)
{
	static const struct resources no_quota = { .cpuset_cpus = "", .cpuset_mems = "", .cpu_quota = -1 };
	const struct runtime_handler *h = container_handler(u->container);
	struct runtime_features can = { .lifts_quota = true };

	if (h)
		runtime_features(h, &can);
	if (can.lifts_quota || u->container->state != CONTAINER_RUNNING || cgroup_is_v2())
		return 0;
	drop_quota(limits);
	return cgroup_limit(u->container->cgroup, &no_quota, e);
}

/* The limits as the runtime is told them, after crisp itself has set what the runtime cannot. Each member that the
 * request left out is as in the record, so nothing is lifted that was not asked for. NULL: a key or value is not UTF-8,
 * or the kernel refused to lift the quota. */
static const char *limits_begin(const struct update *u, const struct resources *r, struct err *e)
{
	auto_json json_t *limits = spec_limits(r, e);
	auto_free char *text = NULL;

	if (limits && r->cpu_quota < 0 && lift_quota(u, limits, e) < 0)
		return NULL;
	text = limits ? json_dumps(limits, JSON_COMPACT) : NULL;
	if (limits && !text)
		err_set(e, ERR_INVALID_ARGUMENT, "resources: a string is not UTF-8");
	return text ? arena_strdup(u->arena, text) : NULL;
}

static void update_undo(struct update *u)
{
	struct container *c = u->container;
	const struct runtime_handler *h = container_handler(c);
	const char *old;
	struct err e;

	if (c->state != CONTAINER_RUNNING || !h)
		return update_fail(u);
	old = limits_begin(u, &c->config.resources, &e);
	if (!old)
		return update_fail(u);
	sm_move(&u->sm, UNDO);
	runtime_update(h, c->id, c->cgroup, old, on_update_undone, u);
}

/* ---- on disk ---- */

/* A container that ended before the last boot has no bundle any more; only its record is updated. */
static int update_write_config(const struct container *c, const struct resources *r, struct err *e)
{
	auto_json json_t *config = bundle_read_config(c->bundle, e);
	auto_json json_t *limits = NULL;
	json_t *resources;

	if (!config) {
		bool none_left = c->state == CONTAINER_EXITED && e->code == ERR_NOT_FOUND;

		if (e->code == ERR_NOT_FOUND)
			e->code = none_left ? ERR_OK : ERR_INTERNAL; /* NOT_FOUND is for what the request names */
		return none_left ? 0 : -1;
	}
	limits = spec_limits(r, e);
	if (!limits)
		return -1;
	if (c->state == CONTAINER_CREATED && r->cpu_quota < 0) /* its group is still to be made (ARCHITECTURE P121) */
		drop_quota(limits);
	resources = json_object_get(json_object_get(config, "linux"), "resources");
	if (json_object_update(resources, limits) < 0)
		return err_set(e, ERR_INTERNAL, "config.json has no linux.resources");
	return bundle_write_config(c->bundle, config, e);
}

static int update_store(struct update *u)
{
	struct container *c = u->container;
	struct resources old = c->config.resources;
	struct err ignored;

	if (update_write_config(c, &u->limits, &u->err) < 0)
		return -1;
	fields_copy(resources_fields, &c->config.resources, &u->limits, c->arena);
	if (container_save(c, &u->err) == 0)
		return 0;
	c->config.resources = old;
	if (update_write_config(c, &old, &ignored) < 0)
		log_warn("update_undo container=%.12s error=%s", c->id, log_quote(ignored.msg));
	return -1;
}

static void update_store_step(struct update *u)
{
	bool ran = u->sm.now == RUNTIME;

	sm_move(&u->sm, STORE);
	if (update_store(u) == 0) {
		sm_move(&u->sm, DONE);
		log_info("container_updated container=%.12s", u->container->id);
		return update_report(u);
	}
	if (ran)
		update_undo(u);
	else
		update_fail(u);
}

/* ---- the way in ---- */

static void on_update_taken(void *arg, const struct err *e, struct child_result *r)
{
	struct update *u = arg;

	(void)r;
	if (!e || u->container->state != CONTAINER_RUNNING)
		return update_store_step(u);
	u->err = *e;
	if (e->code == ERR_UNIMPLEMENTED) /* nothing was tried */
		return update_fail(u);
	update_undo(u);
}

static void on_update_turn(struct lane_pass *p)
{
	struct update *u = container_of(p, struct update, pass);
	struct container *c = u->container;
	const struct runtime_handler *h = container_handler(c);
	const char *text;

	u->limits = resources_merge(&c->config.resources, &u->asked, u->arena);
	text = resources_check(&u->limits, &u->err) < 0 ? NULL : limits_begin(u, &u->limits, &u->err);
	if (!text)
		return update_fail(u);
	if (c->state != CONTAINER_RUNNING)
		return update_store_step(u);
	if (!h) {
		err_set(&u->err, ERR_FAILED_PRECONDITION, "runtime handler %s is not configured any more", c->runtime);
		return update_fail(u);
	}
	sm_move(&u->sm, RUNTIME);
	runtime_update(h, c->id, c->cgroup, text, on_update_taken, u);
}

void update_start(struct container *c, const struct resources *asked, update_done *done, void *arg)
{
	struct update *u = new_zero(struct update);

	assert(!c->removing);
	u->sm = (struct sm){ update_states, "update", c->id, LANE };
	u->container = c;
	u->arena = arena_new();
	fields_copy(resources_fields, &u->asked, asked, u->arena);
	u->done = done;
	u->arg = arg;
	lane_enter(&c->lane, &u->pass, on_update_turn);
}
