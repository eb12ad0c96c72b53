/* network_collect.c - see network_collect.h.
 *
 *   HOLD --no chain of plugins is under way--> LOOK --nobody else's id--> GC --the chain's end--> (end)
 *                                               +--an id of another, or it could not be looked--> (end)
 *
 * Waits on: cni_hold(); crisp-net, which reads the directories (LOOK); the plugins (GC). Pods' own chains wait for all
 * but the first. */
#include "procs/network_collect.h"

#include <stdbool.h>
#include <string.h>

#include "procs/cni.h"
#include "procs/net.h"
#include "procs/sandbox.h"
#include "procs/sandbox_ids.h"
#include "reactor/arena.h"
#include "reactor/log.h"

static bool under_way;

static void collect_end(void)
{
	under_way = false;
	cni_release();
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
	if (e)
		return collect_skip(e->msg);
	if (*r->text)
		return collect_skip(r->text);
	if (sandboxes_lost(&lost))
		return collect_skip("records of sandboxes are lost");
	ids = sandbox_ids_now();
	cni_collect(&(struct strings){ ids.at, ids.n }, on_collected, NULL);
	sandbox_ids_free(&ids);
}

static void on_held(void *arg)
{
	struct arena *a = arena_new();
	struct sandbox_ids ids = sandbox_ids_now();
	struct cni_places p;
	struct err e;

	(void)arg;
	if (cni_places(&p, a, &e) < 0)
		collect_skip(e.msg);
	else
		net_foreign(p.network, &p.dirs, ids.at, on_looked, NULL);
	sandbox_ids_free(&ids);
	arena_free(a);
}

void network_collect(void)
{
	struct arena *a = arena_new();
	struct cni_places p;
	struct err e;

	/* a conflist without GC holds nobody */
	if (!under_way && cni_places(&p, a, &e) == 0) {
		under_way = true;
		cni_hold(on_held, NULL);
	}
	arena_free(a);
}
