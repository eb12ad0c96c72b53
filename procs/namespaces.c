/* namespaces.c - keeper_namespaces() and its kin; contract in keeper.h.
 *
 *   ASKED ---NS_DONE, or the keeper died---> done          (refused before it was asked: done next turn)
 *     +---cancelled---> UNWANTED ---NS_DONE---> dropped again
 *
 * Waits on: the keeper's answer. Pins that a dead keeper may have left, or that are given up while it is away, are
 * dropped through the next one. */
#include "procs/namespaces.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "procs/keeper.h"
#include "procs/keeper/proto.h"
#include "reactor/child.h"
#include "reactor/loop.h"
#include "reactor/own.h"

struct ns_op {
	struct link link;
	uint64_t tag;
	char *id, *path; /* owned; path NULL: no pin */
	struct timer timer;
	ns_done *done; /* NULL: unwanted */
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

static void op_free(struct ns_op *op)
{
	list_drop(&op->link);
	timer_clear(&op->timer);
	free(op->id);
	free(op->path);
	free(op);
}

static void op_end(struct ns_op *op, const struct err *e)
{
	ns_done *done = op->done;
	void *arg = op->arg;

	if (!done && !e)
		keeper_namespaces_drop(op->id, op->path);
	op_free(op);
	if (done)
		done(arg, e);
}

static void on_failed(struct timer *t)
{
	struct ns_op *op = container_of(t, struct ns_op, timer);
	struct err e = op->err;

	op_end(op, &e);
}

static void put_sysctls(struct buf *b, const struct pairs *p)
{
	auto_free const char **v = own_must(calloc(2 * p->n + 1, sizeof(*v)));

	for (size_t i = 0; i < p->n; i++) {
		v[2 * i] = p->at[i].key;
		v[2 * i + 1] = p->at[i].value;
	}
	put_strv(b, v);
}

/* "0 100000 65536\n": inside, outside, length. */
static void put_map(struct buf *b, const struct id_mappings *m)
{
	struct buf text = { 0 };

	for (size_t i = 0; m && i < m->n; i++)
		buf_printf(&text, "%u %u %u\n", m->at[i].container_id, m->at[i].host_id, m->at[i].length);
	put_str(b, m ? buf_str(&text) : NULL);
	buf_free(&text);
}

static int ask(const struct ns_op *op, const struct ns_request *r, struct err *e)
{
	struct imsg_chan *chan = child_host_chan();
	struct buf b = { 0 };
	int rc;

	if (!chan)
		return err_set(e, ERR_UNAVAILABLE, "make namespaces: the keeper is away");
	put_str(&b, r->id);
	put_u32(&b, (r->net ? KEEPER_NS_NET : 0u) | (r->ipc ? KEEPER_NS_IPC : 0u) | (r->uts ? KEEPER_NS_UTS : 0u) |
			(r->uids ? KEEPER_NS_USER : 0u));
	put_str(&b, op->path);
	put_str(&b, r->uts && r->hostname && r->hostname[0] ? r->hostname : NULL);
	put_sysctls(&b, &r->sysctls);
	put_map(&b, r->uids);
	put_map(&b, r->gids);
	rc = imsg_send(chan, KEEPER_NS_MAKE, op->tag, &b, NULL, 0, e);
	buf_free(&b);
	return rc;
}

struct ns_op *keeper_namespaces(const struct ns_request *r, ns_done *done, void *arg)
{
	struct ns_op *op = new_zero(struct ns_op);

	op->tag = ++last_tag;
	op->done = done;
	op->arg = arg;
	op->id = own_must(strdup(r->id));
	op->path = r->net && r->netns_path ? own_must(strdup(r->netns_path)) : NULL;
	list_append(&ops, &op->link);
	if (ask(op, r, &op->err) < 0)
		timer_set(&op->timer, 0, on_failed);
	return op;
}

/* Now, or when a keeper is there again. */
static void drop_pin(const char *path)
{
	struct imsg_chan *chan = child_host_chan();
	struct buf b = { 0 };
	struct err e;
	struct pin *p;

	put_str(&b, path);
	if (!chan || imsg_send(chan, KEEPER_NS_DROP, 0, &b, NULL, 0, &e) < 0) {
		p = own_must(calloc(1, sizeof(*p) + strlen(path) + 1));
		memcpy(p->path, path, strlen(path) + 1);
		list_append(&pins, &p->link);
	}
	buf_free(&b);
}

void keeper_namespaces_cancel(struct ns_op *op)
{
	if (timer_is_set(&op->timer))
		return op_free(op);
	op->done = NULL;
}

void keeper_namespaces_drop(const char *id, const char *netns_path)
{
	static const char *const kinds[] = { "net", "ipc", "uts", "user" };
	char name[160];

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		snprintf(name, sizeof(name), "sandbox/%s/%s", id, kinds[i]);
		keeper_release(name);
	}
	if (netns_path && netns_path[0])
		drop_pin(netns_path);
}

void namespaces_on_done(const struct imsg *m)
{
	struct get g = get_from(m);
	enum err_code code = (enum err_code)get_u32(&g);
	const char *text = get_str(&g);
	struct err e;

	list_each(it, &ops) {
		struct ns_op *op = container_of(it, struct ns_op, link);

		if (op->tag != m->tag || timer_is_set(&op->timer))
			continue;
		if (code != ERR_OK)
			err_set(&e, code, "%s", text ? text : "no reason given");
		return op_end(op, code == ERR_OK ? NULL : &e);
	}
}

void namespaces_on_gone(void)
{
	list_each(it, &ops) {
		struct ns_op *op = container_of(it, struct ns_op, link);

		if (timer_is_set(&op->timer))
			continue;
		if (op->path)
			drop_pin(op->path);
		err_set(&op->err, ERR_UNAVAILABLE, "make namespaces: the keeper died meanwhile");
		timer_set(&op->timer, 0, on_failed);
	}
}

void namespaces_on_here(void)
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
