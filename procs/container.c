/* container.c - see container.h. A map by id for look-ups, a list in the order of creation for walks over all. */
#include "procs/container.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "procs/adjust.h"
#include "procs/cgroup.h"
#include "procs/events.h"
#include "procs/keeper.h"
#include "reactor/logfile.h"
#include "procs/runtime.h"
#include "reactor/boot.h"
#include "reactor/log.h"
#include "reactor/metric.h"
#include "reactor/map.h"
#include "reactor/own.h"
#include "reactor/record.h"

enum { RECORD_VERSION = 1 };

struct entry {
	struct container c;
	struct link link; /* in `order` */
	char shown[ID_SHOWN + 1];
};

static struct arena *names;      /* owns the two paths */
static const char *records = ""; /* <root>/containers */
static const char *bundles = ""; /* <state>/containers */
static struct map by_id, by_shown; /* by the whole id, and by what the log shows of it */
static struct lost_records lost;
static struct link order = { &order, &order }; /* of struct entry.link, oldest first */

static const struct field image_fields[] = {
	F_STR(struct container_image, id),
	F_STR(struct container_image, ref),
	F_STR(struct container_image, name),
	F_STRINGS(struct container_image, env),
	F_STRINGS(struct container_image, entrypoint),
	F_STRINGS(struct container_image, cmd),
	F_STR(struct container_image, working_dir),
	F_STR(struct container_image, user),
	F_STR(struct container_image, stop_signal),
	F_END,
};

/* The record's name is the id, and its member `sandbox` is the id of the owner. Members that belong to this run of the
 * daemon (log, life, timers) are not recorded. */
static const struct field container_fields[] = {
	F_STRUCT(struct container, config, container_config_fields),
	F_STRUCT(struct container, image, image_fields),
	F_I32(struct container, state),
	F_I64(struct container, created_at_ns),
	F_I64(struct container, started_at_ns),
	F_I64(struct container, finished_at_ns),
	F_I32(struct container, exit_code),
	F_STR(struct container, reason),
	F_STR(struct container, message),
	F_STR(struct container, log_path),
	F_STR(struct container, bundle),
	F_STR(struct container, runtime),
	F_STR(struct container, way),
	F_STR(struct container, way_reason),
	F_STR(struct container, cgroup),
	F_I32(struct container, stop_signal),
	F_I64(struct container, uid),
	F_I64(struct container, gid),
	F_INTS(struct container, groups),
	F_STRINGS(struct container, volumes),
	F_I32(struct container, pid),
	F_BOOL(struct container, listed),
	F_BOOL(struct container, starting),
	F_BOOL(struct container, in_runtime),
	F_BOOL(struct container, oom_killed),
	F_BOOL(struct container, limits_adjusted),
	F_BOOL(struct container, frozen),
	F_STR(struct container, joined),
	F_STR(struct container, restore),
	F_I64(struct container, oom_floor),
	F_I64(struct container, log_mark),
	F_BOOL(struct container, log_owed),
	F_STR(struct container, boot_id),
	F_STR(struct container, process_label),
	F_STR(struct container, mount_label),
	F_END,
};

void containers_open(const char *root, const char *state)
{
	arena_free(names);
	names = arena_new();
	records = arena_printf(names, "%s/containers", root);
	bundles = arena_printf(names, "%s/containers", state);
}

static struct entry *entry_new(const char *id)
{
	struct entry *n = new_zero(struct entry);
	struct container *c = &n->c;

	snprintf(c->id, sizeof(c->id), "%s", id);
	c->arena = arena_new();
	c->reason = c->message = c->log_path = c->bundle = c->runtime = c->cgroup = c->boot_id = c->restore = "";
	c->process_label = c->mount_label = c->way = c->way_reason = "";
	lane_init(&c->lane);
	list_init(&c->exit_waiters);
	return n;
}

const struct runtime_handler *container_handler(const struct container *c)
{
	return runtime_find(*c->way ? c->way : c->runtime);
}

/* From the young end, where a new container belongs; records are loaded in any order. */
static void container_insert(struct entry *n, struct sandbox *s)
{
	struct link *at = order.prev;

	while (at != &order && container_of(at, struct entry, link)->c.created_at_ns > n->c.created_at_ns)
		at = at->prev;
	list_append(at->next, &n->link); /* before at->next, so right behind `at` */
	map_put(&by_id, n->c.id, &n->c);
	snprintf(n->shown, sizeof(n->shown), "%.*s", (int)sizeof(n->shown) - 1, n->c.id);
	map_put(&by_shown, n->shown, &n->c);
	n->c.sandbox = s;
	list_append(&s->containers, &n->c.of_sandbox);
}

static const char *log_path(const struct container *c)
{
	const char *dir = c->sandbox->config.log_directory, *name = c->config.log_path;

	return *dir && *name ? logfile_join(c->arena, dir, name) : "";
}

/* The time now, but later than that of the containers that had this place in the pod before: the kubelet takes the
 * newest one for the place's, and the clock may have been set back. (ARCHITECTURE H70) */
static int64_t created_now(const struct sandbox *s, const struct container_config *config)
{
	int64_t now_ns = loop_real_ns();

	list_each(l, &order) {
		const struct container *c = &container_of(l, struct entry, link)->c;

		if (c->created_at_ns >= now_ns && strcmp(c->config.name, config->name) == 0 &&
		    strcmp(c->sandbox->config.uid, s->config.uid) == 0)
			now_ns = c->created_at_ns + 1;
	}
	return now_ns;
}

struct container *container_new(struct sandbox *s, const struct container_config *config,
				const struct container_image *image)
{
	return container_new_adjusted(s, config, image, NULL);
}

struct container *container_new_adjusted(struct sandbox *s, const struct container_config *config,
					 const struct container_image *image, const struct adjustment *adjustment)
{
	const struct runtime_handler *h = runtime_find(s->config.runtime_handler);
	char id[ID_SIZE];
	struct entry *n;
	struct container *c;

	id_random(id);
	n = entry_new(adjustment ? adjustment->id : id);
	c = &n->c;
	c->adjustment = adjustment;
	fields_copy(container_config_fields, &c->config, config, c->arena);
	if (adjustment && adjustment->limits) {
		fields_copy(resources_fields, &c->config.resources, adjustment->limits, c->arena);
		c->limits_adjusted = true;
	}
	fields_copy(image_fields, &c->image, image, c->arena);
	c->state = CONTAINER_CREATED;
	c->created_at_ns = created_now(s, config);
	/* The handler's name and not "": the default may change with the configuration, a container's handler must
	 * not. */
	c->runtime = arena_strdup(c->arena, h ? h->name : s->config.runtime_handler);
	c->bundle = arena_printf(c->arena, "%s/%s", bundles, c->id);
	c->cgroup = cgroup_container_path(c->arena, s->cgroup, c->id);
	c->boot_id = arena_strdup(c->arena, sandbox_boot_id());
	container_insert(n, s);
	c->log_path = log_path(c);
	return c;
}

/* Until the exit is on disk the keeper's exit record is the only one that outlives this daemon. (ARCHITECTURE P50) */
int container_save(struct container *c, struct err *e)
{
	if (record_write_fields(records, c->id, RECORD_VERSION, container_fields, c,
				&(struct pair){ "sandbox", c->sandbox->id }, e) < 0)
		return -1;
	unsaved_drop(&c->unsaved);
	if (c->state == CONTAINER_EXITED)
		keeper_ask_forget(c->id);
	return 0;
}

static int save_again(struct unsaved *u, struct err *e)
{
	return container_save(container_of(u, struct container, unsaved), e);
}

void container_must_save(struct container *c)
{
	struct err e;

	if (container_save(c, &e) == 0)
		return;
	c->unsaved.kind = "container";
	c->unsaved.id = c->id;
	c->unsaved.save = save_again;
	unsaved_add(&c->unsaved, &e);
}

static void container_tell(enum event_kind kind, struct container *c)
{
	if (c->listed)
		events_tell(kind, c->sandbox, c);
}

int container_list_it(struct container *c, struct err *e)
{
	c->listed = true;
	if (container_save(c, e) < 0) {
		c->listed = false;
		return -1;
	}
	container_tell(EVENT_CREATED, c);
	return 0;
}

static void entry_free(struct entry *n)
{
	unsaved_drop(&n->c.unsaved);
	lane_close(&n->c.lane);
	timer_clear(&n->c.wake);
	arena_free(n->c.arena);
	free(n);
}

void container_free(struct container *c)
{
	struct entry *n = container_of(c, struct entry, c);

	assert(list_empty(&c->exit_waiters) && !c->life && !c->log && !c->stopping && !c->checkpoint);
	record_remove(records, c->id);
	keeper_ask_forget(c->id); /* it ended, and its exit could not be saved */
	map_drop(&by_id, c->id);
	if (map_get(&by_shown, n->shown) == c)
		map_drop(&by_shown, n->shown);
	list_drop(&c->of_sandbox);
	list_drop(&n->link);
	container_tell(EVENT_DELETED, c);
	entry_free(n);
}

struct container *container_find(const char *id)
{
	struct container *found = map_get(&by_id, id);
	size_t len = strlen(id);

	if (found || !len)
		return found && found->listed ? found : NULL;
	list_each(it, &order) {
		struct container *c = &container_of(it, struct entry, link)->c;

		if (!c->listed || strncmp(c->id, id, len) != 0)
			continue;
		if (found)
			return NULL; /* the prefix is not unique */
		found = c;
	}
	return found;
}

struct container *container_shown(const char *shown)
{
	return map_get(&by_shown, shown);
}

struct container *container_named(struct sandbox *s, const char *name, uint32_t attempt)
{
	list_each(it, &s->containers) {
		struct container *c = container_of(it, struct container, of_sandbox);

		if (c->config.attempt == attempt && strcmp(c->config.name, name) == 0)
			return c;
	}
	return NULL;
}

void container_each(void (*fn)(void *arg, struct container *c), void *arg)
{
	list_each(it, &order) {
		struct container *c = &container_of(it, struct entry, link)->c;

		if (c->listed)
			fn(arg, c);
	}
}

/* Times of a container never go back, also where the clock was set back: created <= started <= finished. A container
 * can also end before the runtime has reported its start. (ARCHITECTURE H70) */
static int64_t not_before(int64_t at_ns, const struct container *c)
{
	int64_t last_ns = c->started_at_ns > c->created_at_ns ? c->started_at_ns : c->created_at_ns;

	return at_ns > last_ns ? at_ns : last_ns;
}

void container_set_running(struct container *c, pid_t pid)
{
	c->state = CONTAINER_RUNNING;
	c->pid = pid;
	c->starting = false;
	c->started_at_ns = not_before(loop_real_ns(), c);
	container_must_save(c);
	log_info("container_running container=%.12s sandbox=%.12s pid=%d", c->id, c->sandbox->id, (int)pid);
	container_tell(EVENT_STARTED, c);
}

/* The waiters are moved to a local list first, because a waiter's fn may free the container. */
static void on_container_wake(struct timer *t)
{
	struct container *c = container_of(t, struct container, wake);
	struct link ready;
	struct link *l;

	list_init(&ready);
	while ((l = list_first(&c->exit_waiters))) {
		list_drop(l);
		list_append(&ready, l);
	}
	while ((l = list_first(&ready))) {
		struct container_wait *w = container_of(l, struct container_wait, link);

		list_drop(l);
		w->fn(w);
	}
}

/* Text of a program may be cut inside a character or not be UTF-8 at all; a gRPC client refuses a whole status that has
 * such a string. */
static const char *utf8_only(struct arena *a, const char *s)
{
	auto_json json_t *valid = json_string(s);
	char *copy = arena_strdup(a, s);

	for (char *at = copy; !valid && *at; at++)
		if ((unsigned char)*at >= 0x80)
			*at = '?';
	return copy;
}

void container_set_exited(struct container *c, int32_t exit_code, const char *reason, const char *message,
			  int64_t at_ns)
{
	c->state = CONTAINER_EXITED;
	c->pid = 0;
	c->starting = false;
	c->exit_code = exit_code;
	c->reason = arena_strdup(c->arena, reason);
	c->message = utf8_only(c->arena, message);
	c->finished_at_ns = not_before(at_ns, c);
	container_must_save(c);
	metric_add(METRIC_container_exits_total, c->reason, 1);
	log_info("container_exited container=%.12s sandbox=%.12s exit_code=%d reason=%s", c->id, c->sandbox->id,
		 (int)exit_code, c->reason);
	container_tell(EVENT_STOPPED, c);
	timer_set(&c->wake, 0, on_container_wake);
}

void container_wait(struct container *c, struct container_wait *w, void (*fn)(struct container_wait *w))
{
	assert(!list_linked(&w->link));
	w->fn = fn;
	list_append(&c->exit_waiters, &w->link);
	if (c->state == CONTAINER_EXITED)
		timer_set(&c->wake, 0, on_container_wake);
}

void container_unwait(struct container_wait *w)
{
	if (list_linked(&w->link))
		list_drop(&w->link);
}

/* A container of an earlier boot: its processes, mounts and bundle are gone. */
static void container_age(struct container *c)
{
	c->in_runtime = c->starting = c->frozen = false;
	if (c->state == CONTAINER_EXITED)
		return;
	c->state = CONTAINER_EXITED;
	c->pid = 0;
	c->exit_code = 255;
	c->reason = "Unknown";
	c->message = "the machine was restarted";
	c->finished_at_ns = not_before(loop_real_ns(), c);
	container_must_save(c);
}

static bool is_id(const char *name)
{
	return strlen(name) == ID_SIZE - 1 && strspn(name, "0123456789abcdef") == ID_SIZE - 1;
}

static void on_container_lost(void *arg, const char *name, enum record_loss how)
{
	(void)arg;
	if (is_id(name) && (how == RECORD_UNREAD || !boot_is_new())) /* in a new boot nothing of it is there */
		lost_records_add(&lost, name);
}

bool container_lost(const char *id)
{
	return lost_records_have(&lost, id);
}

size_t containers_lost(const char **first)
{
	return lost_records_count(&lost, first);
}

/* A sandbox's record goes after those of its containers, so this one was removed too: unlink(2) failed, and a crash
 * came. One that does not say that it has ended is for an operator. */
static int container_left_behind(const char *name, const char *sandbox, struct record *r, struct err *e)
{
	struct entry *n = entry_new(name);
	bool ended = record_fields(r, container_fields, &n->c, n->c.arena, e) == 0 && n->c.state == CONTAINER_EXITED;

	entry_free(n);
	if (!ended)
		return err_set(e, ERR_INTERNAL, "its sandbox %s is unknown", sandbox);
	log_warn("container_left_behind container=%.12s sandbox=%.12s", name, sandbox);
	record_remove(records, name);
	return 0;
}

static int container_load(void *arg, const char *name, struct record *r, struct err *e)
{
	const char *sandbox = record_word(r, "sandbox", e);
	struct sandbox *s = sandbox ? sandbox_find(sandbox) : NULL;
	struct entry *n;

	(void)arg;
	if (!is_id(name))
		return err_set(e, ERR_INTERNAL, "its name is no container id");
	if (map_get(&by_id, name))
		return 0;
	if (!sandbox)
		return -1;
	if (!s && sandbox_lost(sandbox)) { /* the record is good, and needed once the sandbox's is */
		log_warn("container_left_alone container=%.12s sandbox=%.12s", name, sandbox);
		on_container_lost(NULL, name, RECORD_UNREAD);
		return 0;
	}
	if (!s && sandbox && boot_is_new()) { /* the power cut took its sandbox's record, or the pod was removed */
		log_warn("container_left_behind container=%.12s sandbox=%.12s", name, sandbox);
		record_remove(records, name);
		return 0;
	}
	if (!s)
		return container_left_behind(name, sandbox, r, e);
	n = entry_new(name);
	if (record_fields(r, container_fields, &n->c, n->c.arena, e) < 0) {
		entry_free(n);
		return -1;
	}
	container_insert(n, s);
	if (strcmp(n->c.boot_id, sandbox_boot_id()) != 0)
		container_age(&n->c);
	return 0;
}

int containers_load(struct err *e)
{
	return record_each(records, RECORD_VERSION, container_load, on_container_lost, NULL, e);
}
