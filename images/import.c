/* import.c - see import.h.
 *
 *   TAKE --> READ --> DIGEST --> LINK --> PULL --> DONE
 *            |  ^    |    ^     |  ^     |  ^
 *            +--+    +----+     +--+     +--+ the next image        all --> FAILED
 *                     the next compressed layer of docker's format
 *
 * Waits on: a child (TAKE, DIGEST), a pull (PULL), and the next turn (READ, LINK: docker's format is read in steps;
 * TAKE, when another import runs). What a killed crispd leaves is below ingest/, which every start removes. */
#include "images/import.h"

#include <string.h>

#include "images/config.h"
#include "images/import/layout.h"
#include "images/pull.h"
#include "images/unpack.h"
#include "images/worker.h"
#include "reactor/arena.h"
#include "reactor/child.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum import_state { TAKE, READ, DIGEST, LINK, PULL, DONE, FAILED };

static const struct sm_state import_states[] = {
	[TAKE]   = { "TAKE",   TO(READ) | TO(FAILED) },
	[READ]   = { "READ",   TO(DIGEST) | TO(FAILED) },
	[DIGEST] = { "DIGEST", TO(LINK) | TO(FAILED) },
	[LINK]   = { "LINK",   TO(PULL) | TO(FAILED) },
	[PULL]   = { "PULL",   TO(DONE) | TO(FAILED) },
	[DONE]   = { "DONE",   0 },
	[FAILED] = { "FAILED", 0 },
};

struct import {
	struct sm sm;
	struct arena *arena;
	const char *path, *name;
	const char *dir;   /* below ingest; NULL: this one never began */
	struct child *child;
	struct pull *pull;
	struct timer timer;
	struct layout layout;
	size_t at;         /* the layer, then the image at work */
	struct imported *made;
	import_done *done;
	void *arg;
};

static struct import *running;

static void import_free(struct import *m)
{
	if (running == m)
		running = NULL;
	timer_clear(&m->timer);
	if (m->child)
		child_cancel(m->child);
	if (m->pull)
		pull_cancel(m->pull);
	layout_close(&m->layout);
	if (m->dir)
		unpack_remove_tree(m->dir);
	arena_free(m->arena);
}

static void import_end(struct import *m, const struct err *e)
{
	struct err copy;

	if (e) {
		copy = *e;
		err_wrap(&copy, "%.300s", m->path);
	}
	sm_move(&m->sm, e ? FAILED : DONE);
	m->done(m->arg, e ? &copy : NULL, m->made, e ? 0 : m->layout.nimages);
	import_free(m);
}

/* ---- the images, one after the other ---- */

static void import_next(struct import *m);

static void on_import_pulled(void *arg, const struct err *e, const char *id)
{
	struct import *m = arg;

	m->pull = NULL;
	if (e)
		return import_end(m, e);
	m->made[m->at] = (struct imported){ arena_strdup(m->arena, id), m->layout.images[m->at].names };
	m->at++;
	import_next(m);
}

static void import_next(struct import *m)
{
	const struct layout_image *img = &m->layout.images[m->at];
	struct pull_local local;

	if (m->at == m->layout.nimages) {
		log_info("images_imported path=%s images=%zu", log_quote(m->path), m->at);
		return import_end(m, NULL);
	}
	local = (struct pull_local){ .blobs = m->layout.blobs, .top = img->top, .names = img->names,
				    .source = m->path, .docker = m->layout.docker };
	m->pull = pull_start_local(&local, on_import_pulled, m);
}

/* ---- docker's compressed layers ---- */

static void import_digest(struct import *m);

static void on_import_link(struct timer *t)
{
	struct import *m = container_of(t, struct import, timer);
	struct err e;
	int more = layout_finish(&m->layout, m->arena, &e);

	if (more < 0)
		return import_end(m, &e);
	if (more)
		return timer_set(t, 0, on_import_link);
	m->at = 0;
	m->made = arena_zalloc(m->arena, (m->layout.nimages + 1) * sizeof(*m->made));
	sm_move(&m->sm, PULL);
	import_next(m);
}

static void on_import_digest(void *arg, const struct err *failed, struct child_result *r)
{
	struct import *m = arg;
	struct answer answer;
	struct err e;

	m->child = NULL;
	if (worker_answer(failed, r, &answer, &e) < 0)
		return import_end(m, &e);
	m->layout.layers[m->at].digest = arena_strdup(m->arena, answer.digest);
	import_digest(m);
}

static void import_digest(struct import *m)
{
	struct worker c;

	while (m->at < m->layout.nlayers && *m->layout.layers[m->at].digest)
		m->at++;
	if (m->at < m->layout.nlayers) {
		worker_open(&c, m->arena, "digest");
		worker_add(&c, m->layout.layers[m->at].path);
		m->child = child_start(&c.spec, on_import_digest, m);
		return;
	}
	sm_move(&m->sm, LINK);
	timer_set(&m->timer, 0, on_import_link);
}

/* ---- the files ---- */

static void on_import_read(struct timer *t)
{
	struct import *m = container_of(t, struct import, timer);
	struct err e;
	int more = layout_step(&m->layout, m->arena, &e);

	if (more < 0)
		return import_end(m, &e);
	if (more)
		return timer_set(t, 0, on_import_read);
	sm_move(&m->sm, DIGEST);
	import_digest(m);
}

static void on_import_taken(void *arg, const struct err *failed, struct child_result *r)
{
	struct import *m = arg;
	struct answer answer;
	struct err e;

	m->child = NULL;
	if (worker_answer(failed, r, &answer, &e) < 0 ||
	    layout_read(&m->layout, m->dir, m->name, m->arena, &e) < 0)
		return import_end(m, &e);
	sm_move(&m->sm, READ);
	timer_set(&m->timer, 0, on_import_read);
}

static void on_import_refused(struct timer *t)
{
	struct import *m = container_of(t, struct import, timer);
	struct err e;

	err_set(&e, ERR_UNAVAILABLE, "another import is under way");
	import_end(m, &e);
}

struct import *import_start(const char *path, const char *name, import_done *done, void *arg)
{
	struct arena *a = arena_new();
	struct import *m = arena_zalloc(a, sizeof(*m));
	char dir[UNPACK_NAME_SIZE];
	struct worker c;

	*m = (struct import){ .arena = a, .path = arena_strdup(a, path), .name = arena_strdup(a, name), .done = done,
			      .arg = arg };
	m->sm = (struct sm){ import_states, "import", m->path, TAKE };
	if (running) {
		timer_set(&m->timer, 0, on_import_refused);
		return m;
	}
	running = m;
	unpack_new_name("sha256:import", dir);
	m->dir = worker_ingest(a, arena_strdup(a, dir));
	worker_open(&c, a, "intake");
	worker_add(&c, images_config()->root);
	worker_add(&c, dir);
	worker_add_option(&c, "blob", m->path);
	worker_add_number(&c, "max-bytes", images_config()->max_layer_bytes);
	worker_add_option(&c, "min-free", images_config()->min_free);
	m->child = child_start(&c.spec, on_import_taken, m);
	return m;
}

void import_cancel(struct import *m)
{
	import_free(m);
}
