/* remove.c - removes cgroups bottom-up, and tries again those that are still busy.
 *
 *   queued ---a unit: systemd stops it---> stopping ---stopped---> queued
 *     |  ^                                    |
 *     |  +--- not stopped: again later -------+
 *     |  +--- busy (a dying process still counts): again after 10 ms, 20 ms, … 5 s
 *     +---gone in every hierarchy---> dropped; the waiters are told in the next turn
 *
 * Waits on: one timer, and systemd. At most BATCH_MS of a turn is spent here: rmdir(2) waits for the kernel's
 * cgroup_mutex, which is held for milliseconds while a runtime moves a process. (ARCHITECTURE R12) */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procs/cgroup.h"
#include "procs/cgroup/tree.h"
#include "procs/cgroup/units.h"
#include "reactor/arena.h"
#include "reactor/fault.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { BATCH_MS = 2, FIRST_PAUSE_MS = 10, LAST_PAUSE_MS = 5000, DEPTH_MAX = 32 };

struct removal {
	struct link link; /* in `queue` */
	int64_t due_ns;   /* of loop_mono_ns(); INT64_MAX: waits for systemd */
	int64_t pause_ms;
	struct unit_op *stopping;
	bool stopped;     /* also true for a group that is not a unit */
	struct link waiters; /* of struct cgroup_wait.link */
	char path[];
};

static struct link queue = { &queue, &queue }; /* of struct removal.link */
static struct link told = { &told, &told }; /* of struct cgroup_wait.link: their groups are gone */
static struct timer timer, tell;

/* 0: the group is gone, also when another program removed it. */
static int remove_tree(const char *dir, int depth)
{
	auto_dir DIR *d = NULL;
	struct dirent *sub;
	char below[CGROUP_PATH_MAX];

	if (EFFECT(rmdir(dir)) == 0 || errno == ENOENT)
		return 0;
	d = depth ? opendir(dir) : NULL;
	while (d && (sub = readdir(d)))
		if (sub->d_type == DT_DIR && sub->d_name[0] != '.' &&
		    snprintf(below, sizeof(below), "%s/%s", dir, sub->d_name) < (int)sizeof(below))
			remove_tree(below, depth - 1);
	return EFFECT(rmdir(dir)) == 0 || errno == ENOENT ? 0 : -1;
}

/* crisp does not use a cgroup2 that is mounted beside v1. But runc makes the whole path there too, and removes only its
 * last element. (ARCHITECTURE X8) */
static int remove_in_hybrid(const char *path)
{
	struct hierarchy beside = { .mount = cgroup_hybrid() };

	return beside.mount ? remove_tree(cgroup_file(&beside, path, "").s, DEPTH_MAX) : 0;
}

static int removal_try(const struct removal *r)
{
	int left = remove_in_hybrid(r->path);

	for (size_t i = 0; i < nhierarchies; i++)
		left |= remove_tree(cgroup_file(&hierarchies[i], r->path, "").s, DEPTH_MAX);
	return left;
}

static void on_removal_tell(struct timer *t)
{
	(void)t;
	while (!list_empty(&told)) {
		struct cgroup_wait *w = container_of(list_first(&told), struct cgroup_wait, link);

		list_drop(&w->link);
		w->fn(w);
	}
}

static void removal_drop(struct removal *r)
{
	if (!list_empty(&r->waiters))
		timer_set(&tell, 0, on_removal_tell);
	list_each(it, &r->waiters) {
		list_drop(it);
		list_append(&told, it);
	}
	if (r->stopping)
		unit_cancel(r->stopping);
	list_drop(&r->link);
	free(r);
}

static void on_removal_timer(struct timer *t);

static void removal_arm(void)
{
	int64_t due = INT64_MAX, now = loop_mono_ns();

	list_each(it, &queue) {
		struct removal *r = container_of(it, struct removal, link);

		if (r->due_ns < due)
			due = r->due_ns;
	}
	if (due != INT64_MAX)
		timer_set(&timer, due > now ? (due - now + 999999) / 1000000 : 0, on_removal_timer);
}

static void removal_later(struct removal *r)
{
	r->due_ns = loop_mono_ns() + r->pause_ms * 1000000;
	r->pause_ms = r->pause_ms * 2 < LAST_PAUSE_MS ? r->pause_ms * 2 : LAST_PAUSE_MS;
}

static void on_removal_stopped(void *arg, const struct err *e)
{
	struct removal *r = arg;

	r->stopping = NULL;
	r->stopped = !e;
	if (e) {
		log_warn("cgroup_unit path=%s error=%s", r->path, log_quote(e->msg));
		removal_later(r);
	} else {
		r->due_ns = loop_mono_ns();
	}
	removal_arm();
}

static void removal_attempt(struct removal *r)
{
	if (!r->stopped) {
		r->due_ns = INT64_MAX;
		r->stopping = unit_stop(cgroup_unit(r->path), on_removal_stopped, r);
	} else if (removal_try(r) == 0) {
		removal_drop(r);
	} else {
		if (r->pause_ms >= LAST_PAUSE_MS)
			log_warn("cgroup_busy path=%s", r->path);
		removal_later(r);
	}
}

static void on_removal_timer(struct timer *t)
{
	int64_t now = loop_mono_ns(), until = now + (int64_t)BATCH_MS * 1000000;

	(void)t;
	list_each(it, &queue) {
		struct removal *r = container_of(it, struct removal, link);

		if (r->due_ns > now)
			continue;
		removal_attempt(r);
		if (loop_mono_ns() >= until)
			break;
	}
	removal_arm();
}

/* The removal of this group, already queued or new. NULL: the root of a hierarchy, which is never removed. */
static struct removal *removal_of(const char *path)
{
	struct removal *r;

	if (!*path || strcmp(path, "/") == 0)
		return NULL;
	list_each(it, &queue) {
		r = container_of(it, struct removal, link);
		if (strcmp(r->path, path) == 0)
			return r;
	}
	r = own_must(calloc(1, sizeof(*r) + strlen(path) + 1));
	memcpy(r->path, path, strlen(path) + 1);
	r->pause_ms = FIRST_PAUSE_MS;
	r->due_ns = loop_mono_ns();
	r->stopped = !cgroup_unit(path);
	list_init(&r->waiters);
	list_append(&queue, &r->link);
	removal_arm();
	return r;
}

void cgroup_remove(const char *path)
{
	removal_of(path);
}

bool cgroup_remove_now(const char *path)
{
	struct removal *r = removal_of(path);

	if (r && (!r->stopped || removal_try(r) < 0))
		return false;
	if (r)
		removal_drop(r);
	return true;
}

bool cgroup_remove_wait(const char *path, struct cgroup_wait *w, void (*fn)(struct cgroup_wait *w))
{
	if (cgroup_remove_now(path))
		return false;
	w->fn = fn;
	list_append(&removal_of(path)->waiters, &w->link);
	return true;
}

static void removal_sweep_in(const struct hierarchy *h, bool (*known)(const char *id))
{
	struct arena *a = arena_new();
	const char *root = cgroup_root_path(a);
	auto_dir DIR *d = opendir(cgroup_file(h, root, "").s);
	struct dirent *sub;
	char id[65];

	while (d && (sub = readdir(d))) {
		if (!cgroup_id_of(sub->d_name, id) || known(id))
			continue;
		log_warn("orphan cgroup=%.12s", id);
		cgroup_remove(cgroup_below(a, root, sub->d_name));
	}
	arena_free(a);
}

void cgroup_sweep(bool (*known)(const char *id))
{
	for (size_t i = 0; i < nhierarchies; i++)
		removal_sweep_in(&hierarchies[i], known);
}

void cgroup_close(void)
{
	cgroup_kill_close();
	timer_clear(&timer);
	timer_clear(&tell);
	list_each(it, &queue) {
		struct removal *r = container_of(it, struct removal, link);

		if (r->stopped && removal_try(r) < 0)
			log_warn("cgroup_left path=%s", r->path);
		removal_drop(r);
	}
	if (cgroup_systemd())
		return; /* whether an empty slice stays is systemd's decision */
	for (size_t i = 0; i < nhierarchies; i++)
		EFFECT(rmdir(cgroup_file(&hierarchies[i], cgroup_root(), "").s)); /* fails while pods are in it */
	if (cgroup_hybrid())
		EFFECT(rmdir(cgroup_file(&(struct hierarchy){ .mount = cgroup_hybrid() }, cgroup_root(), "").s));
}
