/* ns.c - see ns.h.
 *
 *   made by the keeper itself (ns_here.c) ---> held, DONE told
 *     +---failed---> UNPIN
 *   MAKING ---report with fds---> held, DONE told
 *     +---report of a failure, child gone, crispd dead---> UNPIN ---pin.c---> DONE told
 *   DROP ---pin.c---> DONE told
 *
 * DONE of what a dead crispd asked for is not told: its successor gives its own requests the same tags. Waits on: one
 * message of the child (MAKING), pin.c. The child (ns_child.c) calls unshare(2). With clone3(CLONE_NEWNET) the keeper
 * itself would wait for the kernel to make the network namespace: 210 us, and 14 ms and more while others are torn
 * down. The keeper makes the file of the pin with O_EXCL, so that it knows that the file is not another program's and
 * can remove it even if the child dies. (ARCHITECTURE K1) */
#include "procs/keeper/ns.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "procs/keeper/channel.h"
#include "procs/keeper/hold.h"
#include "procs/keeper/ns_child.h"
#include "procs/keeper/ns_here.h"
#include "procs/keeper/ns_request.h"
#include "procs/keeper/pin.h"
#include "procs/keeper/pool.h"
#include "procs/keeper/proto.h"
#include "procs/keeper/spawn.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

struct op {
	struct link link; /* in `ops` */
	uint64_t tag;     /* of the request; 0: the crispd that sent it is dead */
	uint32_t bits;
	int fd; /* the child's report; -1: none */
	struct fd_watch watch;
	struct ns_report report; /* of a failure */
	char *id, *path; /* owned; path NULL: no pin */
};

static struct link ops = { &ops, &ops }; /* of struct op.link */

/* ---- in the keeper ---- */

static struct op *ns_op_new(uint64_t tag, const char *path)
{
	struct op *op = new_zero(struct op);

	op->tag = tag;
	op->fd = -1;
	op->path = path ? own_must(strdup(path)) : NULL;
	list_append(&ops, &op->link);
	pool_wait();
	return op;
}

static void ns_op_free(struct op *op)
{
	list_drop(&op->link);
	fd_watch_clear(&op->watch);
	if (op->fd >= 0)
		close(op->fd);
	free(op->id);
	free(op->path);
	free(op);
	pool_wait();
}

/* left: a pin may be left. */
static void ns_tell(uint64_t tag, enum err_code code, const char *text, bool left)
{
	struct buf b = { 0 };

	if (!tag)
		return;
	put_u32(&b, (uint32_t)code);
	put_str(&b, text);
	put_u32(&b, left);
	channel_tell(KEEPER_NS_DONE, tag, &b, NULL, 0);
	buf_free(&b);
}

/* fds: one for each of the bits, in the order of ns_kinds; taken. */
static void ns_hold(const char *id, uint32_t bits, const int *fds)
{
	char name[160];

	for (int i = 0; i < NS_KINDS; i++) {
		if (!(bits & ns_kinds[i].bit))
			continue;
		snprintf(name, sizeof(name), "sandbox/%s/%s", id, ns_kinds[i].name);
		hold(name, *fds++);
	}
}

static void on_ns_unpinned(void *arg, const struct err *e)
{
	struct op *op = arg;

	if (e)
		log_warn("pin path=%s error=%s", log_quote(op->path), log_quote(e->msg));
	ns_tell(op->tag, op->report.code, op->report.text, e != NULL);
	ns_op_free(op);
}

static void ns_unpin(struct op *op)
{
	if (op->path)
		return pin_remove(op->path, on_ns_unpinned, op);
	on_ns_unpinned(op, NULL);
}

static void on_ns_report(struct fd_watch *w, int events)
{
	struct op *op = container_of(w, struct op, watch);
	struct ns_report r = { .code = ERR_INTERNAL, .text = "the child that makes namespaces died" };
	int fds[NS_KINDS], n = ns_read_report(op->fd, &r, fds);

	(void)events;
	if (r.code == ERR_OK && n != __builtin_popcount(op->bits)) {
		r.code = ERR_RESOURCE_EXHAUSTED;
		snprintf(r.text, sizeof(r.text), "out of fds for namespaces");
	}
	if (r.code != ERR_OK || !op->tag) {
		for (int i = 0; i < n; i++)
			close(fds[i]);
		op->report = r;
		fd_watch_clear(&op->watch);
		return ns_unpin(op);
	}
	ns_hold(op->id, op->bits, fds);
	ns_tell(op->tag, ERR_OK, "", false);
	ns_op_free(op);
}

/* The file of the pin is there, but nothing else. */
static void ns_failed(const struct ns_make *r, uint64_t tag, const struct err *e)
{
	struct op *op = ns_op_new(tag, r->path);

	op->report.code = e->code;
	snprintf(op->report.text, sizeof(op->report.text), "%.400s", e->msg);
	ns_unpin(op);
}

static void ns_make_here(const struct ns_make *r, uint64_t tag, int netns)
{
	int fds[NS_KINDS];
	struct err e;

	if (ns_here(r, netns, fds, &e) < 0)
		return ns_failed(r, tag, &e);
	ns_hold(r->id, r->bits, fds);
	ns_tell(tag, ERR_OK, "", false);
	pool_wait();
}

static void ns_make_in_child(const struct ns_make *r, uint64_t tag, int netns)
{
	auto_fd int theirs = -1, ours = -1;
	struct op *op;
	struct err e;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
		err_os(&e, ERR_RESOURCE_EXHAUSTED, "socketpair");
		return ns_failed(r, tag, &e);
	}
	ours = ends[0];
	theirs = ends[1];
	if (spawn_fn(ns_child, &(struct ns_making){ r, theirs, getpid(), netns }, &e) < 0)
		return ns_failed(r, tag, &e);
	op = ns_op_new(tag, r->path);
	op->bits = r->bits;
	op->fd = take_fd(&ours);
	op->id = own_must(strdup(r->id));
	fd_watch_set(&op->watch, op->fd, FD_READ, on_ns_report);
}

static void ns_start(const struct ns_make *r, uint64_t tag)
{
	auto_fd int netns = -1; /* whoever needs it has a copy */
	bool set = false;

	/* a namespace of the pool is none of the pod's user namespace, and could not be administered by it */
	if (r->bits & KEEPER_NS_NET && !(r->bits & KEEPER_NS_USER))
		netns = pool_take(r->sysctls, &set);
	if (ns_here_can(r, netns, set))
		ns_make_here(r, tag, netns);
	else
		ns_make_in_child(r, tag, netns);
}

void ns_make(struct imsg *m)
{
	struct ns_make r;
	struct err e;

	if (ns_request_get(&r, m, &e) < 0 || (r.path && pin_file(r.path, &e) < 0))
		ns_tell(m->tag, e.code, e.msg, false);
	else
		ns_start(&r, m->tag);
	ns_request_free(&r);
}

void ns_cancel_all(void)
{
	list_each(it, &ops)
		container_of(it, struct op, link)->tag = 0;
}

/* ---- dropping ---- */

static void on_ns_dropped(void *arg, const struct err *e)
{
	struct op *op = arg;

	if (e)
		log_warn("pin path=%s error=%s", log_quote(op->path), log_quote(e->msg));
	ns_tell(op->tag, e ? e->code : ERR_OK, e ? e->msg : "", e != NULL);
	ns_op_free(op);
}

/* The fds were released by messages before this one. */
void ns_drop(const struct imsg *m)
{
	struct get g = get_from(m);
	const char *path = get_str(&g);
	struct op *op;

	if (!path || path[0] != '/' || strlen(path) > NS_PATH_MAX)
		return ns_tell(m->tag, path ? ERR_INVALID_ARGUMENT : ERR_OK, "not a path", false);
	op = ns_op_new(m->tag, path);
	pin_remove(path, on_ns_dropped, op);
}
