/* network_collect.c - see network_collect.h.
 *
 *   for each conflist:
 *   HOLD --no chain of plugins is under way--> LOOK --nobody else's id--> GC --the chain's end--> (next)
 *                                               +--an id of another, or not looked in LOOK_MS--> (next)
 *
 * Waits on: cni_hold(); crisp-net, which reads the directories (LOOK); the plugins (GC). Pods' own chains wait for all
 * but the first, and run between two conflists. */
#include "procs/network_collect.h"

#include <assert.h>
#include <stdlib.h>

#include "procs/cni.h"
#include "procs/net.h"
#include "procs/sandbox.h"
#include "procs/sandbox_ids.h"
#include "reactor/arena.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { LOOK_MS = 5000 };

static struct {
	char **confs; /* owned, and the texts */
	size_t n, at;
	struct net_op *look; /* of LOOK */
	struct timer timer;  /* likewise */
} gc;

static void on_held(void *arg);

/* A conflist without GC holds nobody. */
static void collect_next(void)
{
	struct arena *a = arena_new();
	struct cni_places p;
	struct err e;

	while (gc.at < gc.n && cni_places(gc.confs[gc.at], &p, a, &e) < 0)
		gc.at++;
	arena_free(a);
	if (gc.at < gc.n)
		return cni_hold(on_held, NULL);
	for (size_t i = 0; i < gc.n; i++)
		free(gc.confs[i]);
	free(gc.confs);
	gc.confs = NULL;
	gc.n = gc.at = 0;
}

static void collect_end(void)
{
	cni_release();
	gc.at++;
	collect_next();
}

static void collect_skip(const char *why)
{
	log_info("cni_gc skipped=1 why=%s", log_quote(why));
	collect_end();
}

static void on_collected(void *arg, const struct err *e, const struct cni_result *r)
{
	(void)arg;
	(void)r;
	if (e)
		log_warn("cni_gc error=%s", log_quote(e->msg));
	else
		log_info("cni_gc done=1");
	collect_end();
}

/* The ids are those of this moment: since the hold no plugin has made anything for a new sandbox. */
static void on_looked(void *arg, const struct err *e, bool left, const struct net_result *r)
{
	struct sandbox_ids ids;
	const char *lost;

	(void)arg;
	(void)left;
	gc.look = NULL;
	timer_clear(&gc.timer);
	if (e)
		return collect_skip(e->msg);
	if (*r->text)
		return collect_skip(r->text);
	if (sandboxes_lost(&lost))
		return collect_skip("records of sandboxes are lost");
	ids = sandbox_ids_now();
	cni_collect(gc.confs[gc.at], &(struct strings){ ids.at, ids.n }, on_collected, NULL);
	sandbox_ids_free(&ids);
}

static void on_look_late(struct timer *t)
{
	(void)t;
	net_cancel(take_ptr(&gc.look));
	collect_skip("crisp-net has not looked who has addresses on the network within 5 s");
}

static void on_held(void *arg)
{
	struct arena *a = arena_new();
	struct sandbox_ids ids = sandbox_ids_now();
	struct cni_places p;
	struct err e;

	(void)arg;
	if (cni_places(gc.confs[gc.at], &p, a, &e) < 0) {
		collect_skip(e.msg);
	} else {
		timer_set(&gc.timer, LOOK_MS, on_look_late);
		gc.look = net_foreign(p.network, &p.dirs, ids.at, on_looked, NULL);
	}
	sandbox_ids_free(&ids);
	arena_free(a);
}

void network_collect(char **confs, size_t n)
{
	assert(!gc.confs);
	gc.confs = confs;
	gc.n = n;
	collect_next();
}
