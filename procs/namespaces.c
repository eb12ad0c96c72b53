/* namespaces.c - keeper_namespaces(), keeper_namespaces_cancel() and keeper_namespaces_drop(); their contract is in
 * keeper.h.
 *
 *   ASKED ---NS_DONE, or the keeper died---> done          (no keeper to ask: done in the next turn)
 *     +---cancelled---> UNWANTED ---NS_DONE---> dropped again
 *
 * Waits on: the keeper's answer. Pins that a dead keeper may have left, and pins that are dropped while the keeper is
 * away, are kept in a list for the next keeper. */
#include "procs/namespaces.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "procs/keeper.h"
#include "reactor/loop.h"
#include "reactor/own.h"

struct ns_op {
	struct link link;
	uint64_t tag;
	char *id, *path; /* owned; path NULL: no pin */
	struct timer timer;
	ns_done *done; /* NULL: cancelled */
	void *arg;
	struct err err; /* meaningful while the timer is set */
};

struct pin { /* to be dropped */
	struct link link;
	char path[];
};

static struct link ops = { &ops, &ops };    /* of struct ns_op.link */
static struct link pins = { &pins, &pins }; /* of struct pin.link */
static uint64_t last_tag;

static void ns_op_free(struct ns_op *op)
{
	list_drop(&op->link);
	timer_clear(&op->timer);
	free(op->id);
	free(op->path);
	free(op);
}

static void ns_op_end(struct ns_op *op, const struct err *e)
{
	ns_done *done = op->done;
	void *arg = op->arg;

	if (!done && !e)
		keeper_namespaces_drop(op->id, op->path);
	ns_op_free(op);
	if (done)
		done(arg, e);
}

static void on_ns_failed(struct timer *t)
{
	struct ns_op *op = container_of(t, struct ns_op, timer);
	struct err e = op->err;

	ns_op_end(op, &e);
}

static void namespaces_listen(void);

struct ns_op *keeper_namespaces(const struct ns_request *r, ns_done *done, void *arg)
{
	struct ns_op *op = new_zero(struct ns_op);

	op->tag = ++last_tag;
	op->done = done;
	op->arg = arg;
	op->id = own_must(strdup(r->id));
	op->path = r->net && r->netns_path ? own_must(strdup(r->netns_path)) : NULL;
	list_append(&ops, &op->link);
	namespaces_listen();
	if (keeper_ns_make(op->tag, r, op->path, &op->err) < 0)
		timer_set(&op->timer, 0, on_ns_failed);
	return op;
}

/* Drops the pin now, or when a keeper is there again. */
static void drop_pin(const char *path)
{
	struct err e;
	struct pin *p;

	namespaces_listen();
	if (keeper_ns_unpin(path, &e) == 0)
		return;
	p = own_must(calloc(1, sizeof(*p) + strlen(path) + 1));
	memcpy(p->path, path, strlen(path) + 1);
	list_append(&pins, &p->link);
}

void keeper_namespaces_cancel(struct ns_op *op)
{
	if (timer_is_set(&op->timer))
		return ns_op_free(op);
	op->done = NULL;
}

void keeper_namespaces_drop(const char *id, const char *netns_path)
{
	static const char *const kinds[] = { "net", "ipc", "uts", "user" };
	char name[160];

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		snprintf(name, sizeof(name), "sandbox/%s/%s", id, kinds[i]);
		keeper_ask_release(name);
	}
	if (netns_path && netns_path[0])
		drop_pin(netns_path);
}

static void namespaces_on_done(uint64_t tag, enum err_code code, const char *text)
{
	struct err e;

	list_each(it, &ops) {
		struct ns_op *op = container_of(it, struct ns_op, link);

		if (op->tag != tag || timer_is_set(&op->timer))
			continue;
		if (code != ERR_OK)
			err_set(&e, code, "%s", text ? text : "no reason given");
		return ns_op_end(op, code == ERR_OK ? NULL : &e);
	}
}

static void namespaces_on_gone(void)
{
	list_each(it, &ops) {
		struct ns_op *op = container_of(it, struct ns_op, link);

		if (timer_is_set(&op->timer))
			continue;
		if (op->path)
			drop_pin(op->path);
		err_set(&op->err, ERR_UNAVAILABLE, "make namespaces: the keeper died meanwhile");
		timer_set(&op->timer, 0, on_ns_failed);
	}
}

static void namespaces_on_here(void)
{
	struct link waiting = { &waiting, &waiting };

	list_each(it, &pins) {
		list_drop(it);
		list_append(&waiting, it);
	}
	list_each(it, &waiting) {
		struct pin *p = container_of(it, struct pin, link);

		list_drop(it);
		drop_pin(p->path);
		free(p);
	}
}

static void namespaces_listen(void)
{
	static const struct namespaces_hooks hooks = { namespaces_on_done, namespaces_on_gone, namespaces_on_here };

	keeper_ns_listen(&hooks);
}
