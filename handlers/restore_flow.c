/* restore_flow.c - see restore_flow.h.
 *
 *   FIND ---the file system of the archive answers---> UNPACK; else FAILED
 *   UNPACK ---unpacked, read---> APPLY ---the writable layer is filled---> LOOK ---paths are known---> DONE
 *     | |                        ^ |                                         |
 *     | +---no image---> PULL ---+ +---failed---> UNDO <-----failed----------+     in DONE all waiters get the id
 *     |                   |                        |
 *     |                   |                        +---container and snapshot are removed---> FAILED
 *     |                   +---failed----------------------------------------------------------^ ^
 *     +---failed--------------------------------------------------------------------------------+
 *
 * The container is made in APPLY and holds its own lane until the end, so that its removal waits.
 * Waits on: a child (FIND, UNPACK, APPLY, LOOK), a pull (PULL), the lane's first turn (APPLY), the removal (UNDO). */
#include "handlers/restore_flow.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api.pb-c.h"
#include "handlers/checkpoint_dump.h"
#include "handlers/checkpoint_flow.h"
#include "handlers/checkpoint_stage.h"
#include "handlers/create_flow.h"
#include "handlers/remove_flow.h"
#include "images/archive.h"
#include "images/pull.h"
#include "images/ref.h"
#include "images/store.h"
#include "procs/bundle.h"
#include "procs/criu.h"
#include "procs/spec.h"
#include "reactor/log.h"
#include "reactor/lookup.h"
#include "reactor/map.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum restore_state { FIND, UNPACK, PULL, APPLY, LOOK, UNDO, DONE, FAILED };
static const struct sm_state restore_states[] = {
	[FIND] = { "FIND", TO(UNPACK) | TO(FAILED) },
	[UNPACK] = { "UNPACK", TO(PULL) | TO(APPLY) | TO(FAILED) },
	[PULL] = { "PULL", TO(APPLY) | TO(FAILED) },
	[APPLY] = { "APPLY", TO(LOOK) | TO(UNDO) },
	[LOOK] = { "LOOK", TO(DONE) | TO(UNDO) },
	[UNDO] = { "UNDO", TO(FAILED) },
	[DONE] = { "DONE", 0 },
	[FAILED] = { "FAILED", 0 },
};

struct restore {
	struct sm sm;
	struct link of_all;
	struct link waiters; /* of rpc_link() */
	struct arena *arena;
	const char *sandbox; /* id */
	struct container_config config;
	const char *stage;
	struct checkpoint_dump dump;
	struct container *container; /* NULL before APPLY */
	struct lookup *lookup; /* FIND: of the archive; LOOK: of the request's paths */
	struct lane_pass pass;
	struct removal_wait removal;
	struct err err;
};

static struct link restores = { &restores, &restores };

static void restore_reply_id(struct link *waiters, const struct container *c)
{
	Runtime__V1__CreateContainerResponse out = RUNTIME__V1__CREATE_CONTAINER_RESPONSE__INIT;

	out.container_id = (char *)c->id;
	rpc_reply_all(waiters, &out);
}

static void restore_free(struct restore *m)
{
	list_drop(&m->of_all);
	lookup_free(m->lookup);
	checkpoint_dump_free(&m->dump);
	arena_free(m->arena);
}

static void restore_failed(struct restore *m)
{
	sm_move(&m->sm, FAILED);
	checkpoint_stage_drop(m->stage);
	err_wrap(&m->err, "restore from %.200s", ref_shown(m->config.image, m->arena));
	rpc_fail_all(&m->waiters, &m->err);
	restore_free(m);
}

static void on_restore_removed(struct removal_wait *w, const struct err *e)
{
	struct restore *m = container_of(w, struct restore, removal);

	if (e)
		log_warn("restore_undo sandbox=%.12s error=%s", m->sandbox, log_quote(e->msg));
	restore_failed(m);
}

/* Other calls may wait for the container's lane already, so it is removed by remove_flow(), in turn behind them. */
static void restore_fail(struct restore *m, const struct err *e)
{
	m->err = *e;
	if (!m->container)
		return restore_failed(m);
	sm_move(&m->sm, UNDO);
	m->removal.fn = on_restore_removed;
	remove_flow(m->container, &m->removal);
	lane_leave(&m->pass);
}

/* ---- the checkpoint and the request ---- */

static const struct image *base_image(const struct checkpoint_dump *d)
{
	const char *const names[] = { d->image_ref, d->image_name, d->image };
	const struct image *img = NULL;

	for (size_t i = 0; i < 3 && !img; i++)
		img = *names[i] ? store_find(names[i]) : NULL;
	return img;
}

/* The digest first, since a tag may have moved. A plain id, as CRI-O writes it, names no registry and cannot be
 * pulled. */
static const char *base_name(const struct checkpoint_dump *d)
{
	if (strchr(d->image_ref, '@'))
		return d->image_ref;
	return *d->image_name ? d->image_name : d->image;
}

/* Archive and request are from outside, and may have thousands of mounts each. Free the map; it borrows from spec. */
static struct map mounts_by_destination(const json_t *spec)
{
	const json_t *mounts = json_object_get(spec, "mounts");
	struct map out = { 0 };
	size_t i;
	json_t *m;

	json_array_foreach ((json_t *)mounts, i, m) {
		const char *d = json_string_value(json_object_get(m, "destination"));

		if (d)
			map_put(&out, d, m);
	}
	return out;
}

/* CRIU mounts what was mounted at the checkpoint, from the sources in the new config.json. A mount that is missing
 * there makes CRIU fail late, with an error that does not name it. A mount that is new there would be left out
 * silently. */
static int compare_mounts(const struct restore *m, const struct map *here, const struct map *dumped, struct err *e)
{
	const json_t *mounts = json_object_get(m->dump.spec, "mounts");
	size_t i;
	json_t *v;

	json_array_foreach ((json_t *)mounts, i, v) {
		const char *type = json_string_value(json_object_get(v, "type"));
		const char *to = json_string_value(json_object_get(v, "destination"));

		if (type && to && strcmp(type, "bind") == 0 && !map_get(here, to))
			return err_set(e, ERR_INVALID_ARGUMENT,
				       "the checkpoint has a mount at %.200s, the request has none", to);
	}
	for (i = 0; i < m->config.mounts.n; i++)
		if (!map_get(dumped, m->config.mounts.at[i].container_path))
			return err_set(e, ERR_INVALID_ARGUMENT,
				       "the request has a mount at %.200s, the checkpoint has none",
				       m->config.mounts.at[i].container_path);
	return 0;
}

static int check_mounts(const struct restore *m, struct err *e)
{
	auto_json json_t *now = bundle_read_config(m->container->bundle, e);
	struct map here, dumped;
	int r;

	if (!now)
		return -1;
	here = mounts_by_destination(now);
	dumped = mounts_by_destination(m->dump.spec);
	r = compare_mounts(m, &here, &dumped, e);
	map_free(&here);
	map_free(&dumped);
	return r;
}

static int check_dump(const struct restore *m, const struct sandbox *s, struct err *e)
{
	const char *inventory = arena_printf(m->arena, "%s/checkpoint/inventory.img", m->stage);

	if (access(inventory, R_OK) < 0)
		return err_set(e, ERR_INVALID_ARGUMENT, "checkpoint/inventory.img is missing: not made by CRIU");
	if (m->dump.terminal != m->config.tty)
		return err_set(e, ERR_INVALID_ARGUMENT, "the checkpoint has %s terminal: tty must be %s",
			       m->dump.terminal ? "a" : "no", m->dump.terminal ? "true" : "false");
	if (!s || s->state != SANDBOX_READY)
		return err_set(e, ERR_FAILED_PRECONDITION, "sandbox %.12s is not ready", m->sandbox);
	return 0;
}

/* ---- from the files to a container ---- */

static int restore_make_files(struct restore *m, struct err *e)
{
	struct container *c = m->container;

	if (c->sandbox->state != SANDBOX_READY)
		return err_set(e, ERR_FAILED_PRECONDITION, "sandbox %.12s is not ready", m->sandbox);
	if (create_flow_finish(c, e) < 0 || check_mounts(m, e) < 0 || criu_write_inherit(c, m->dump.streams, e) < 0 ||
	    criu_keep_cgroup(c, m->lookup, e) < 0)
		return -1;
	return container_list_it(c, e);
}

static void restore_finish(struct restore *m)
{
	struct container *c = m->container;
	struct err e;
	int made;

	c->lookup = m->lookup;
	made = restore_make_files(m, &e);
	c->lookup = NULL;
	if (made < 0)
		return restore_fail(m, &e);
	sm_move(&m->sm, DONE);
	log_info("container_created container=%.12s sandbox=%.12s image_id=%.19s checkpoint=%s", c->id, m->sandbox,
		 c->image.id, log_quote(m->config.image));
	lane_leave(&m->pass);
	restore_reply_id(&m->waiters, c);
	restore_free(m);
}

static void on_restore_looked(void *arg, const struct err *e);

/* The paths of the request on the node: its volumes, devices and profile. What was found may name further ones. */
static void restore_look(struct restore *m)
{
	criu_look(m->lookup);
	spec_look(m->lookup, &m->container->config);
	if (lookup_try(m->lookup))
		restore_finish(m);
	else
		lookup_start(m->lookup, on_restore_looked, m);
}

static void on_restore_looked(void *arg, const struct err *e)
{
	if (e)
		restore_fail(arg, e);
	else
		restore_look(arg);
}

static void on_restore_applied(void *arg, const struct err *failed)
{
	struct restore *m = arg;

	if (failed)
		return restore_fail(m, failed);
	sm_move(&m->sm, LOOK);
	m->lookup = lookup_new(m->container->sandbox->config.uid);
	restore_look(m);
}

static void on_restore_turn(struct lane_pass *p)
{
	struct restore *m = container_of(p, struct restore, pass);

	archive_apply(m->stage, &m->dump.deleted, m->container->id, on_restore_applied, m);
}

static void restore_make(struct restore *m, const struct image *img)
{
	struct container_image image = create_flow_image(img, &m->config);
	struct sandbox *s = sandbox_find(m->sandbox);
	struct err e;

	if (container_named(s, m->config.name, m->config.attempt)) {
		err_set(&e, ERR_ALREADY_EXISTS, "container %.100s attempt %u was created while it was being restored",
			m->config.name, m->config.attempt);
		return restore_fail(m, &e);
	}
	if (create_flow_rootfs(img, &e) < 0)
		return restore_fail(m, &e);
	if (!img->tags.n)
		image.name = base_name(&m->dump); /* without a tag it would be the name of the archive */
	if (m->config.command.n + m->config.args.n + image.entrypoint.n + image.cmd.n == 0)
		image.entrypoint = m->dump.args; /* not executed, but config.json must have args */
	sm_move(&m->sm, APPLY);
	m->container = container_new(s, &m->config, &image);
	m->container->restore = arena_strdup(m->container->arena, m->stage);
	if (create_flow_prepare(m->container, img, &e) < 0)
		return restore_fail(m, &e);
	lane_enter(&m->container->lane, &m->pass, on_restore_turn);
}

/* The request names the checkpoint; the name of the image comes out of it. NOT_FOUND would say that the checkpoint does
 * not exist, and UNAUTHENTICATED or PERMISSION_DENIED that the request lacks rights: so these become
 * FAILED_PRECONDITION. */
static void on_restore_pulled(void *arg, const struct err *failed, const char *id)
{
	struct restore *m = arg;
	struct err e;

	if (failed) {
		e = *failed;
		if (e.code == ERR_NOT_FOUND || e.code == ERR_UNAUTHENTICATED || e.code == ERR_PERMISSION_DENIED)
			e.code = ERR_FAILED_PRECONDITION;
		err_wrap(&e, "its image %.300s is not in the store and cannot be pulled",
			 ref_shown(base_name(&m->dump), m->arena));
	}
	if (failed || check_dump(m, sandbox_find(m->sandbox), &e) < 0)
		return restore_fail(m, &e);
	restore_make(m, store_find(id));
}

static void on_restore_unpacked(void *arg, const struct err *failed)
{
	static const struct registry_auth nobody = { "", "", "", "", "", "", false };
	struct restore *m = arg;
	const struct image *img;
	struct err e;

	if (failed)
		return restore_fail(m, failed);
	if (checkpoint_dump_read(&m->dump, m->stage, m->arena, &e) < 0 ||
	    check_dump(m, sandbox_find(m->sandbox), &e) < 0)
		return restore_fail(m, &e);
	img = base_image(&m->dump);
	if (img)
		return restore_make(m, img);
	sm_move(&m->sm, PULL);
	pull_start(base_name(&m->dump), &nobody, on_restore_pulled, m);
}

/* ---- the beginning ---- */

/* A reference of an image never begins with a slash. */
static bool is_path(const char *image)
{
	return image[0] == '/';
}

bool restore_wanted(const struct container_config *config)
{
	const struct image *img = store_find(config->image);

	return is_path(config->image) || (img && *img->config.checkpoint);
}

static struct restore *restore_find(const struct sandbox *s, const struct container_config *config)
{
	list_each (l, &restores) {
		struct restore *m = container_of(l, struct restore, of_all);

		if (strcmp(m->sandbox, s->id) == 0 && m->config.attempt == config->attempt &&
		    strcmp(m->config.name, config->name) == 0)
			return m;
	}
	return NULL;
}

bool restore_under_way(const struct sandbox *s, const struct container_config *config)
{
	return restore_find(s, config) != NULL;
}

static int restore_join(struct rpc *r, struct restore *m, const struct container_config *config, struct err *e)
{
	if (!fields_equal(container_config_fields, &m->config, config))
		return err_set(e, ERR_ALREADY_EXISTS,
			       "container %.100s attempt %u is being restored with another config", config->name,
			       config->attempt);
	list_append(&m->waiters, rpc_link(r));
	return 0;
}

static int restore_refuse(const struct sandbox *s, struct err *e)
{
	if (s->state != SANDBOX_READY)
		return err_set(e, ERR_FAILED_PRECONDITION, "sandbox %.12s is not ready", s->id);
	if (ns_has_user(&s->config.security.ns))
		return err_set(e, ERR_FAILED_PRECONDITION,
			       "sandbox %.12s has a user namespace: CRIU cannot restore into one", s->id);
	return 0;
}

/* A missing file is the unpacker's error. */
static void on_restore_found(void *arg, const struct err *failed)
{
	struct restore *m = arg;

	if (failed)
		return restore_fail(m, failed);
	lookup_free(take_ptr(&m->lookup));
	sm_move(&m->sm, UNPACK);
	archive_unpack(m->config.image, m->stage, on_restore_unpacked, m);
}

static int restore_begin(struct rpc *r, const struct sandbox *s, const struct container_config *config, struct err *e)
{
	struct arena *a = arena_new();
	struct restore *m = arena_zalloc(a, sizeof(*m));

	m->arena = a;
	m->sandbox = arena_strdup(a, s->id);
	m->sm = (struct sm){ restore_states, "restore", m->sandbox, FIND };
	fields_copy(container_config_fields, &m->config, config, a);
	m->stage = checkpoint_stage_new(s->id, false, a, e);
	if (!m->stage) {
		arena_free(a);
		return -1;
	}
	list_init(&m->waiters);
	list_append(&m->waiters, rpc_link(r));
	list_append(&restores, &m->of_all);
	if (is_path(m->config.image)) {
		m->lookup = lookup_new(s->config.uid);
		lookup_add(m->lookup, LOOKUP_NODE, m->config.image);
		lookup_start(m->lookup, on_restore_found, m);
	} else {
		sm_move(&m->sm, UNPACK);
		archive_take(&store_find(m->config.image)->layers, m->stage, on_restore_unpacked, m);
	}
	return 0;
}

void restore_flow(struct rpc *r, struct sandbox *s, const struct container_config *config)
{
	struct restore *m = restore_find(s, config);
	struct container *c;
	struct err e = { 0 };

	if (checkpoint_flow_allowed(&e) < 0 ||
	    (!is_path(config->image) && checkpoint_flow_image_allowed(&e) < 0))
		return rpc_fail(r, &e);
	if (m) {
		if (restore_join(r, m, config, &e) < 0)
			rpc_fail(r, &e);
		return;
	}
	c = create_flow_earlier(s, config, &e);
	if (c) {
		struct link one;

		list_init(&one);
		list_append(&one, rpc_link(r));
		return restore_reply_id(&one, c);
	}
	if (e.code != ERR_OK || restore_refuse(s, &e) < 0 || restore_begin(r, s, config, &e) < 0)
		rpc_fail(r, &e);
}
