/* update.c - see update.h. Spec: NRI's api.proto, ContainerUpdate, ContainerEviction, UpdateContainers. */
#include "handlers/nri/update.h"

#include <stdlib.h>
#include <string.h>

#include "handlers/nri/limits.h"
#include "handlers/nri/merge.h"
#include "handlers/nri/message.h"
#include "handlers/nri/owners.h"
#include "handlers/nri/plugin.h"
#include "procs/container.h"
#include "procs/stop.h"
#include "procs/update.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { EVICT_MS = 10000, MANY = 4096 };

struct updates {
	size_t pending;
	struct err err; /* the first failure that counts */
	struct arena *arena;
	const char **failed; /* ids */
	size_t n_failed;
	struct timer timer;
	nri_updates_done *done;
	void (*listed)(void *arg, const struct updates *all); /* of nri_serve_update() */
	void *arg;
};

struct one {
	struct updates *all;
	const char *plugin, *id;
	bool ignore;
};

static void on_updates_over(struct timer *t)
{
	struct updates *all = container_of(t, struct updates, timer);

	if (all->listed)
		all->listed(all->arg, all);
	if (all->done)
		all->done(all->arg, all->err.code == ERR_OK ? NULL : &all->err);
	arena_free(all->arena);
	free(all);
}

static void one_ended(struct one *u, const struct err *e)
{
	struct updates *all = u->all;

	if (e) {
		log_warn("nri_update plugin=%s container=%s error=%s", log_quote(u->plugin), log_quote(u->id),
			 log_quote(e->msg));
		all->failed[all->n_failed++] = u->id;
		if (!u->ignore && all->err.code == ERR_OK) {
			all->err = *e;
			err_wrap(&all->err, "NRI plugin %s: update of container %.12s", u->plugin, u->id);
			if (all->err.code == ERR_NOT_FOUND)
				all->err.code = ERR_INTERNAL;
		}
	}
	if (--all->pending == 0)
		timer_set(&all->timer, 0, on_updates_over);
}

static void on_one(void *arg, const struct err *e)
{
	one_ended(arg, e);
}

static int one_begin(struct one *u, const Nri__ContainerUpdate *in, struct err *e)
{
	struct container *c = strlen(in->container_id) == ID_SIZE - 1 ? container_find(in->container_id) : NULL;
	struct resources asked;

	if (!c || c->removing)
		return err_set(e, ERR_NOT_FOUND, "there is no container of the id %.64s", in->container_id);
	if (!in->linux || !in->linux->resources)
		return err_set(e, ERR_INVALID_ARGUMENT, "it names no resources");
	if (nri_known(&in->base, e) < 0 || nri_limits_update(&asked, in->linux->resources, u->all->arena, e) < 0)
		return -1;
	update_start(c, &asked, on_one, u);
	return 0;
}

static int too_many(size_t n, struct err *e)
{
	return n > MANY ? err_set(e, ERR_RESOURCE_EXHAUSTED, "more than %d updates or evictions at once", MANY) : 0;
}

struct nri_wish {
	const char *plugin;
	Nri__ContainerUpdate *update;
};

static struct updates *updates_new(size_t n, nri_updates_done *done, void *arg)
{
	struct updates *all = new_zero(struct updates);

	all->arena = arena_new();
	all->failed = arena_zalloc(all->arena, (n + 1) * sizeof(*all->failed));
	all->pending = n + 1;
	all->done = done;
	all->arg = arg;
	return all;
}

static void updates_add(struct updates *all, const char *plugin, const Nri__ContainerUpdate *in)
{
	struct one *u = arena_zalloc(all->arena, sizeof(*u));
	struct err e;

	*u = (struct one){ all, arena_strdup(all->arena, plugin), arena_strdup(all->arena, in->container_id),
			   in->ignore_failure };
	if (one_begin(u, in, &e) < 0)
		one_ended(u, &e);
}

static void updates_begun(struct updates *all)
{
	if (--all->pending == 0)
		timer_set(&all->timer, 0, on_updates_over);
}

static void updates_begin(struct updates *all, const char *plugin, Nri__ContainerUpdate **list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		updates_add(all, plugin, list[i]);
	updates_begun(all);
}

void nri_updates_apply(const char *plugin, Nri__ContainerUpdate **list, size_t n, nri_updates_done *done, void *arg)
{
	struct updates *all;
	struct err e;

	if (too_many(n, &e) == 0)
		return updates_begin(updates_new(n, done, arg), plugin, list, n);
	log_warn("nri_update plugin=%s error=%s", log_quote(plugin), log_quote(e.msg));
	all = updates_new(0, done, arg);
	all->err = e;
	err_wrap(&all->err, "NRI plugin %s", plugin);
	updates_begun(all);
}

/* ---- what plugins want during an event ---- */

struct nri_wish_evict {
	const char *plugin;
	Nri__ContainerEviction **list;
	size_t n;
};

static int wish_claim(json_t *owners, const char *plugin, const Nri__ContainerUpdate *u, struct arena *a, struct err *e)
{
	struct resources limits;

	if (!u->linux || !u->linux->resources)
		return 0; /* refused when it is made */
	if (nri_known(&u->base, e) < 0 || nri_limits_update(&limits, u->linux->resources, a, e) < 0)
		return err_wrap(e, "NRI plugin %s: update of container %.12s", plugin, u->container_id);
	return nri_limits_claim(owners, u->container_id, plugin, &limits, NRI_PIDS_UNSET, e);
}

int nri_wish_updates(struct nri_wishes *w, json_t *owners, const char *plugin, const char *own,
		     Nri__ContainerUpdate **list, size_t n, struct err *e)
{
	struct nri_wish *more;

	if (!n)
		return 0;
	if (too_many(n, e) < 0)
		return err_wrap(e, "NRI plugin %s", plugin);
	more = arena_zalloc(w->arena, (w->n_updates + n) * sizeof(*more));
	if (w->n_updates)
		memcpy(more, w->updates, w->n_updates * sizeof(*more));
	w->updates = more;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(list[i]->container_id, own) == 0)
			continue;
		if (wish_claim(owners, plugin, list[i], w->arena, e) == 0)
			more[w->n_updates++] = (struct nri_wish){ arena_strdup(w->arena, plugin),
								  nri_message_copy(&list[i]->base, w->arena) };
		else if (!list[i]->ignore_failure)
			return -1;
		else
			log_warn("nri_update plugin=%s container=%s error=%s", log_quote(plugin),
				 log_quote(list[i]->container_id), log_quote(e->msg));
	}
	return 0;
}

void nri_wish_evictions(struct nri_wishes *w, const char *plugin, Nri__ContainerEviction **list, size_t n)
{
	struct nri_wish_evict *more;

	if (!n)
		return;
	if (n > MANY)
		return nri_evict(plugin, list, n); /* which refuses them */
	more = arena_zalloc(w->arena, (w->n_evictions + 1) * sizeof(*more));
	if (w->n_evictions)
		memcpy(more, w->evictions, w->n_evictions * sizeof(*more));
	w->evictions = more;
	more += w->n_evictions++;
	more->plugin = arena_strdup(w->arena, plugin);
	more->list = arena_zalloc(w->arena, n * sizeof(*more->list));
	more->n = n;
	for (size_t i = 0; i < n; i++)
		more->list[i] = nri_message_copy(&list[i]->base, w->arena);
}

void nri_wishes_apply(const struct nri_wishes *w, nri_updates_done *done, void *arg)
{
	struct updates *all = updates_new(w->n_updates, done, arg);

	for (size_t i = 0; i < w->n_evictions; i++)
		nri_evict(w->evictions[i].plugin, w->evictions[i].list, w->evictions[i].n);
	for (size_t i = 0; i < w->n_updates; i++)
		updates_add(all, w->updates[i].plugin, w->updates[i].update);
	updates_begun(all);
}

Nri__ContainerUpdate **nri_wishes_list(const struct nri_wishes *w, size_t *n)
{
	Nri__ContainerUpdate **list = arena_zalloc(w->arena, (w->n_updates + 1) * sizeof(*list));

	for (*n = 0; *n < w->n_updates; ++*n)
		list[*n] = w->updates[*n].update;
	return list;
}

/* ---- evictions ---- */

static void on_evicted(void *arg, const struct err *e)
{
	(void)arg;
	if (e)
		log_warn("nri_evict error=%s", log_quote(e->msg));
}

void nri_evict(const char *plugin, Nri__ContainerEviction **list, size_t n)
{
	struct err e;

	if (too_many(n, &e) < 0) {
		log_warn("nri_evict plugin=%s error=%s", log_quote(plugin), log_quote(e.msg));
		return;
	}
	for (size_t i = 0; i < n; i++) {
		const char *id = list[i]->container_id;
		struct container *c = strlen(id) == ID_SIZE - 1 ? container_find(id) : NULL;

		log_info("nri_evict plugin=%s container=%.12s reason=%s known=%d", log_quote(plugin), log_quote(id),
			 log_quote(list[i]->reason), c != NULL);
		if (c && c->state == CONTAINER_RUNNING && !c->starting && !c->removing)
			stop_start(c, EVICT_MS, on_evicted, NULL);
	}
}

/* ---- UpdateContainers ---- */

static void on_served(void *arg, const struct updates *all)
{
	Nri__UpdateContainersResponse out = NRI__UPDATE_CONTAINERS_RESPONSE__INIT;
	struct arena *a = all->arena;
	size_t len;
	uint8_t *bytes;

	out.failed = arena_zalloc(a, (all->n_failed + 1) * sizeof(*out.failed));
	for (size_t i = 0; i < all->n_failed; i++) {
		out.failed[i] = arena_zalloc(a, sizeof(**out.failed));
		nri__container_update__init(out.failed[i]);
		out.failed[i]->container_id = (char *)all->failed[i];
	}
	out.n_failed = all->n_failed;
	len = nri__update_containers_response__get_packed_size(&out);
	bytes = arena_zalloc(a, len + 1);
	nri__update_containers_response__pack(&out, bytes);
	ttrpc_reply(arg, bytes, len);
}

void nri_serve_update(const char *plugin, struct ttrpc_request *r, const uint8_t *body, size_t len)
{
	struct arena *a = arena_new();
	ProtobufCAllocator allocator = { arena_take, arena_leave, a };
	const Nri__UpdateContainersRequest *in =
		len <= NRI_ANSWER_MAX ? nri__update_containers_request__unpack(&allocator, len, body) : NULL;
	struct updates *all;
	struct err e;

	if (in && (too_many(in->n_update, &e) < 0 || too_many(in->n_evict, &e) < 0)) {
		ttrpc_fail(r, &e);
	} else if (in) {
		nri_evict(plugin, in->evict, in->n_evict);
		all = updates_new(in->n_update, NULL, r);
		all->listed = on_served;
		updates_begin(all, plugin, in->update, in->n_update);
	} else {
		err_set(&e, ERR_INVALID_ARGUMENT, "the request is malformed, or over 1 MiB");
		ttrpc_fail(r, &e);
	}
	arena_free(a);
}
