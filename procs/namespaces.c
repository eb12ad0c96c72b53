/* namespaces.c - keeper_namespaces(), keeper_namespaces_cancel() and keeper_namespaces_drop(); their contract is in
 * keeper.h.
 *
 *   MAKE ---NS_DONE, or the keeper died---> done          (no keeper to ask: done in the next turn)
 *     +---cancelled---> UNWANTED ---NS_DONE---> DROP
 *   DROP ---NS_DONE, or the keeper died---> done
 *
 * Waits on: the keeper's answer. */
#include "procs/namespaces.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "procs/keeper.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/metric.h"
#include "reactor/own.h"

struct ns_op {
	struct link link;
	uint64_t tag;
	char *id, *path; /* owned; path NULL: no pin */
	struct timer timer;
	ns_done *made;       /* of MAKE; NULL: cancelled */
	ns_dropped *dropped; /* of DROP; NULL: nobody waits */
	bool drop;
	void *arg;
	struct err err; /* meaningful while the timer is set */
	bool left;      /* likewise */
};

static struct link ops = { &ops, &ops }; /* of struct ns_op.link */
static uint64_t last_tag;
static unsigned pool_size; /* also for later keepers */
static const char *const *pool_sysctls;

static void ns_op_free(struct ns_op *op)
{
	list_drop(&op->link);
	timer_clear(&op->timer);
	free(op->id);
	free(op->path);
	free(op);
}

static void ns_op_end(struct ns_op *op, const struct err *e, bool left)
{
	struct ns_op o = *op;

	if (!o.drop && !o.made && (!e || left))
		keeper_namespaces_drop(o.id, o.path, NULL, NULL);
	ns_op_free(op);
	if (o.drop && o.dropped)
		o.dropped(o.arg, e);
	else if (o.made)
		o.made(o.arg, e, left);
}

static void on_ns_failed(struct timer *t)
{
	struct ns_op *op = container_of(t, struct ns_op, timer);
	struct err e = op->err;

	ns_op_end(op, &e, op->left);
}

static void namespaces_listen(void);

static struct ns_op *ns_op_new(const char *id, const char *path, void *arg)
{
	struct ns_op *op = new_zero(struct ns_op);

	op->tag = ++last_tag;
	op->arg = arg;
	op->id = own_must(strdup(id));
	op->path = path && *path ? own_must(strdup(path)) : NULL;
	list_append(&ops, &op->link);
	namespaces_listen();
	return op;
}

struct ns_op *keeper_namespaces(const struct ns_request *r, ns_done *done, void *arg)
{
	struct ns_op *op = ns_op_new(r->id, r->net ? r->netns_path : NULL, arg);

	op->made = done;
	if (keeper_ns_make(op->tag, r, op->path, &op->err) < 0)
		timer_set(&op->timer, 0, on_ns_failed);
	return op;
}

void keeper_namespaces_cancel(struct ns_op *op)
{
	op->made = NULL;
}

void keeper_namespaces_drop(const char *id, const char *path, ns_dropped *done, void *arg)
{
	struct ns_op *op = ns_op_new(id, path, arg);
	char prefix[160];

	op->drop = true;
	op->dropped = done;
	snprintf(prefix, sizeof(prefix), "sandbox/%s/", id);
	keeper_ask_release_all(prefix);
	if (keeper_ns_unpin(op->tag, op->path, &op->err) < 0)
		timer_set(&op->timer, 0, on_ns_failed);
}

static void namespaces_on_done(uint64_t tag, enum err_code code, const char *text, bool left)
{
	struct err e;

	list_each(it, &ops) {
		struct ns_op *op = container_of(it, struct ns_op, link);

		if (op->tag != tag || timer_is_set(&op->timer))
			continue;
		if (code != ERR_OK)
			err_set(&e, code, "%s", text ? text : "no reason given");
		return ns_op_end(op, code == ERR_OK ? NULL : &e, left);
	}
}

static void namespaces_on_gone(void)
{
	metric_set(METRIC_netns_pool_ready, NULL, 0);
	list_each(it, &ops) {
		struct ns_op *op = container_of(it, struct ns_op, link);

		if (timer_is_set(&op->timer))
			continue;
		op->left = !op->drop; /* a pin, or fds that came before the keeper died */
		err_set(&op->err, ERR_UNAVAILABLE, "%s namespaces: the keeper died meanwhile",
			op->drop ? "drop" : "make");
		timer_set(&op->timer, 0, on_ns_failed);
	}
}

/* ---- the pool ---- */

static void namespaces_on_pooled(unsigned ready, bool used, bool missed)
{
	metric_set(METRIC_netns_pool_ready, NULL, ready);
	if (used || missed)
		metric_add(METRIC_netns_pool_total, used ? "used" : "missed", 1);
}

static void pool_ask(void)
{
	struct err e;

	if (keeper_ns_pool(pool_size, pool_sysctls, &e) < 0)
		log_warn("netns_pool size=%u error=%s", pool_size, log_quote(e.msg));
}

void keeper_netns_pool(unsigned size, const char *const *sysctls)
{
	pool_size = size;
	pool_sysctls = sysctls;
	namespaces_listen();
	pool_ask();
}

static void namespaces_listen(void)
{
	static const struct namespaces_hooks hooks = { namespaces_on_done, namespaces_on_pooled, namespaces_on_gone,
						       pool_ask };

	keeper_ns_listen(&hooks);
}
