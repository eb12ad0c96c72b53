/* sandbox.c - see sandbox.h. A map by id is for look-ups, a list in the order of creation for walks. */
#include "procs/sandbox.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "procs/events.h"
#include "procs/runtime.h"
#include "reactor/boot.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/map.h"
#include "reactor/own.h"
#include "reactor/record.h"

enum { RECORD_VERSION = 1 };

struct entry {
	struct sandbox s;
	struct link link; /* in `order` */
	char shown[ID_SHOWN + 1];
};

static struct sandboxes_config cfg;
static const char *records = ""; /* <root>/sandboxes */
static struct arena *names;      /* owns `records` */
static struct map by_id, by_shown; /* by the whole id, and by what the log shows of it */
static struct lost_records lost;
static struct link order = { &order, &order }; /* of struct entry.link, oldest first */

/* The id is the record's name; `containers`, `lane` and `arena` are made anew. */
static const struct field sandbox_fields[] = {
	F_STRUCT(struct sandbox, config, sandbox_config_fields),
	F_I32(struct sandbox, state),
	F_I64(struct sandbox, created_at_ns),
	F_U32(struct sandbox, made),
	F_STRINGS(struct sandbox, ips),
	F_STR(struct sandbox, netns_path),
	F_STR(struct sandbox, network_kind),
	F_STR(struct sandbox, cni_result),
	F_STR(struct sandbox, cni_conf),
	F_STR(struct sandbox, cgroup),
	F_STR(struct sandbox, boot_id),
	F_STR(struct sandbox, process_label),
	F_STR(struct sandbox, mount_label),
	F_STR(struct sandbox, dir),
	F_STR(struct sandbox, files),
	F_I32(struct sandbox, pause_pid),
	F_I64(struct sandbox, pause_start_ticks),
	F_BOOL(struct sandbox, hidden),
	F_BOOL(struct sandbox, remnant),
	F_END,
};

void sandboxes_open(const struct sandboxes_config *c)
{
	cfg = *c;
	arena_free(names);
	names = arena_new();
	records = arena_printf(names, "%s/sandboxes", c->root);
}

const struct sandboxes_config *sandboxes_config(void)
{
	return &cfg;
}

void id_random(char out[ID_SIZE])
{
	uint8_t raw[(ID_SIZE - 1) / 2];

	/* Up to 256 bytes come in one piece once the pool is initialized, long before a daemon starts (random(7)). */
	if (getrandom(raw, sizeof(raw), 0) != (ssize_t)sizeof(raw))
		abort();
	for (size_t i = 0; i < sizeof(raw); i++)
		snprintf(out + 2 * i, 3, "%02x", raw[i]);
}

const char *sandbox_boot_id(void)
{
	return boot_id();
}

static struct entry *entry_new(const char *id)
{
	struct entry *n = new_zero(struct entry);
	struct sandbox *s = &n->s;

	snprintf(s->id, sizeof(s->id), "%s", id);
	s->arena = arena_new();
	s->state = SANDBOX_NOTREADY;
	s->netns_path = s->cni_result = s->cni_conf = s->cgroup = s->boot_id = s->dir = s->files = "";
	s->process_label = s->mount_label = s->network_kind = "";
	lane_init(&s->lane);
	list_init(&s->containers);
	return n;
}

/* Walks from the youngest on: a new sandbox is the youngest, so the walk ends at once. Records come in any order. */
static void sandbox_insert(struct entry *n)
{
	struct link *at = order.prev;

	while (at != &order && container_of(at, struct entry, link)->s.created_at_ns > n->s.created_at_ns)
		at = at->prev;
	list_append(at->next, &n->link); /* appended before at->next: so right behind `at` */
	map_put(&by_id, n->s.id, &n->s);
	snprintf(n->shown, sizeof(n->shown), "%.*s", (int)sizeof(n->shown) - 1, n->s.id);
	map_put(&by_shown, n->shown, &n->s);
}

/* The time now, but later than that of the pod's earlier sandboxes: the kubelet takes the newest one for the pod's, and
 * the clock may have been set back. (ARCHITECTURE H70) */
static int64_t created_now(const struct sandbox_config *config)
{
	int64_t now_ns = loop_real_ns();

	list_each(l, &order) {
		const struct sandbox *s = &container_of(l, struct entry, link)->s;

		if (s->created_at_ns >= now_ns && strcmp(s->config.uid, config->uid) == 0 &&
		    strcmp(s->config.name, config->name) == 0 &&
		    strcmp(s->config.namespace_, config->namespace_) == 0)
			now_ns = s->created_at_ns + 1;
	}
	return now_ns;
}

struct sandbox *sandbox_new(const struct sandbox_config *config)
{
	char id[ID_SIZE];
	struct entry *n;
	struct sandbox *s;

	id_random(id);
	n = entry_new(id);
	s = &n->s;
	fields_copy(sandbox_config_fields, &s->config, config, s->arena);
	s->created_at_ns = created_now(config);
	s->boot_id = arena_strdup(s->arena, sandbox_boot_id());
	s->dir = arena_printf(s->arena, "%s/sandboxes/%s", cfg.state, s->id);
	s->files = arena_printf(s->arena, "%s/sandbox-files/%s", cfg.root, s->id);
	s->hidden = true;
	sandbox_insert(n);
	return s;
}

static void entry_free(struct entry *n)
{
	unsaved_drop(&n->s.unsaved);
	timer_clear(&n->s.task_timer);
	lane_close(&n->s.lane);
	arena_free(n->s.arena);
	free(n);
}

void sandbox_free(struct sandbox *s)
{
	struct entry *n = container_of(s, struct entry, s);

	assert(list_empty(&s->containers));
	record_remove(records, s->id);
	map_drop(&by_id, s->id);
	if (map_get(&by_shown, n->shown) == s)
		map_drop(&by_shown, n->shown);
	list_drop(&n->link);
	if (!s->hidden)
		events_tell(EVENT_DELETED, s, NULL);
	entry_free(n);
}

static bool sandbox_listed(const struct sandbox *s)
{
	return !s->hidden || s->shown;
}

struct sandbox *sandbox_find(const char *id)
{
	struct sandbox *found = map_get(&by_id, id);
	size_t len = strlen(id);

	if (found)
		return sandbox_listed(found) ? found : NULL;
	if (len == 0 || len >= ID_SIZE - 1)
		return NULL;
	list_each(l, &order) {
		struct sandbox *s = &container_of(l, struct entry, link)->s;

		if (!sandbox_listed(s) || strncmp(s->id, id, len) != 0)
			continue;
		if (found)
			return NULL;
		found = s;
	}
	return found;
}

struct sandbox *sandbox_shown(const char *shown)
{
	return map_get(&by_shown, shown);
}

struct sandbox *sandbox_by_id(const char *id)
{
	return map_get(&by_id, id);
}

bool sandbox_lost(const char *id)
{
	return lost_records_have(&lost, id);
}

size_t sandboxes_lost(const char **first)
{
	return lost_records_count(&lost, first);
}

bool sandbox_known(const char *id)
{
	return sandbox_by_id(id) || sandbox_lost(id);
}

struct sandbox *sandbox_named(const char *name, const char *namespace_, const char *uid, uint32_t attempt)
{
	list_each(l, &order) {
		struct sandbox *s = &container_of(l, struct entry, link)->s;
		const struct sandbox_config *c = &s->config;

		if (!s->given_up && c->attempt == attempt && strcmp(c->uid, uid) == 0 && strcmp(c->name, name) == 0 &&
		    strcmp(c->namespace_, namespace_) == 0)
			return s;
	}
	return NULL;
}

void sandbox_each(void (*fn)(void *arg, struct sandbox *s), void *arg)
{
	list_each(l, &order) {
		struct sandbox *s = &container_of(l, struct entry, link)->s;

		if (sandbox_listed(s))
			fn(arg, s);
	}
}

void sandbox_each_hidden(void (*fn)(void *arg, struct sandbox *s), void *arg)
{
	list_each(l, &order) {
		struct sandbox *s = &container_of(l, struct entry, link)->s;

		if (s->hidden)
			fn(arg, s);
	}
}

int sandbox_save(struct sandbox *s, struct err *e)
{
	if (record_write_fields(records, s->id, RECORD_VERSION, sandbox_fields, s, NULL, e) < 0)
		return err_wrap(e, "save sandbox %.12s", s->id);
	unsaved_drop(&s->unsaved);
	return 0;
}

static int save_again(struct unsaved *u, struct err *e)
{
	return sandbox_save(container_of(u, struct sandbox, unsaved), e);
}

void sandbox_must_save(struct sandbox *s)
{
	struct err e;

	if (sandbox_save(s, &e) == 0)
		return;
	s->unsaved.kind = "sandbox";
	s->unsaved.id = s->id;
	s->unsaved.save = save_again;
	unsaved_add(&s->unsaved, &e);
}

void sandbox_set_state(struct sandbox *s, enum sandbox_state state)
{
	if (s->state == (int32_t)state)
		return;
	s->state = state;
	sandbox_must_save(s);
	if (!s->hidden)
		events_tell(state == SANDBOX_READY ? EVENT_STARTED : EVENT_STOPPED, s, NULL);
}

void sandbox_set_str(struct sandbox *s, const char **field, const char *value)
{
	if (strcmp(*field, value) != 0)
		*field = arena_strdup(s->arena, value);
}

/* A sandbox of another boot has no process and no namespace any more, but its address may still be leased and its files
 * may still exist. */
static void sandbox_age(struct sandbox *s)
{
	s->state = SANDBOX_NOTREADY;
	s->made &= ~(uint32_t)(MADE_PAUSE | MADE_BOX);
	s->pause_pid = 0;
}

static bool is_id(const char *name)
{
	for (size_t i = 0; i < ID_SIZE - 1; i++)
		if (!isxdigit((unsigned char)name[i]))
			return false;
	return name[ID_SIZE - 1] == '\0';
}

/* A power cut left the id of a sandbox and nothing more. Its address may be leased, and its files may be there: it is
 * hidden, and recovery gives back what belongs to the id. (ARCHITECTURE R72) */
static void sandbox_remnant(const char *id)
{
	struct sandbox *s;
	struct entry *n;
	struct err e;

	if (map_get(&by_id, id))
		return;
	n = entry_new(id);
	s = &n->s;
	fields_copy(sandbox_config_fields, &s->config, &(struct sandbox_config){ .name = "" }, s->arena);
	s->made = MADE_NETWORK | MADE_FILES;
	s->files = arena_printf(s->arena, "%s/sandbox-files/%s", cfg.root, s->id);
	s->hidden = s->remnant = true;
	sandbox_insert(n);
	if (sandbox_save(s, &e) < 0)
		log_error("sandbox_record sandbox=%.12s error=%s", s->id, log_quote(e.msg));
}

static void on_sandbox_lost(void *arg, const char *name, enum record_loss how)
{
	(void)arg;
	if (strlen(name) != ID_SIZE - 1 || !is_id(name))
		return;
	if (boot_is_new() && how != RECORD_UNREAD)
		sandbox_remnant(name);
	else
		lost_records_add(&lost, name);
}

static int on_sandbox_record(void *arg, const char *name, struct record *r, struct err *e)
{
	struct entry *n;

	(void)arg;
	if (!is_id(name))
		return err_set(e, ERR_INTERNAL, "its name is not a sandbox id");
	if (map_get(&by_id, name))
		return 0;
	n = entry_new(name);
	if (record_fields(r, sandbox_fields, &n->s, n->s.arena, e) < 0) {
		entry_free(n);
		return -1;
	}
	if (strcmp(n->s.boot_id, sandbox_boot_id()) != 0)
		sandbox_age(&n->s);
	sandbox_insert(n);
	return 0;
}

int sandboxes_load(struct err *e)
{
	return record_each(records, RECORD_VERSION, on_sandbox_record, on_sandbox_lost, NULL, e);
}

bool sandbox_has_pause(const struct sandbox *s)
{
	return s->config.security.ns.pid == NS_POD && !sandbox_boxed(s);
}

bool sandbox_boxed(const struct sandbox *s)
{
	const struct runtime_handler *h = s->made & MADE_BOX ? NULL : runtime_find(s->config.runtime_handler);

	return s->made & MADE_BOX || (h && runtime_traits(h) & RUNTIME_SANDBOX);
}

/* A sandbox that was made with another configuration stays what it is. */
bool sandbox_in_runtime(const struct sandbox *s)
{
	const struct runtime_handler *h = s->made && !s->up ? NULL : runtime_find(s->config.runtime_handler);

	return s->made & MADE_API || (h && runtime_traits(h) & RUNTIME_SANDBOX_API);
}

bool sandbox_inside(const struct sandbox *s)
{
	const struct runtime_handler *h = runtime_find(s->config.runtime_handler);

	return sandbox_boxed(s) && (!h || runtime_traits(h) & RUNTIME_INSIDE);
}
