/* ns.c - see ns.h.
 *
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
#include "procs/keeper/ns_request.h"
#include "procs/keeper/pin.h"
#include "procs/keeper/pool.h"
#include "procs/keeper/proto.h"
#include "procs/keeper/spawn.h"
#include "reactor/fault.h"
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

static void ns_hold(const struct op *op, const char *kind, int fd)
{
	char name[160];

	snprintf(name, sizeof(name), "sandbox/%s/%s", op->id, kind);
	hold(name, fd);
}

static void on_ns_unpinned(void *arg, const struct err *e)
{
	struct op *op = arg;

	if (e)
		log_warn("pin path=%s error=%s", log_quote(op->path), log_quote(e->msg));
	ns_tell(op->tag, op->report.code, op->report.text, e != NULL);
	ns_op_free(op);
}

static void on_ns_report(struct fd_watch *w, int events)
{
	struct op *op = container_of(w, struct op, watch);
	struct ns_report r = { .code = ERR_INTERNAL, .text = "the child that makes namespaces died" };
	int fds[NS_KINDS], n = ns_read_report(op->fd, &r, fds), at = 0;

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
		if (op->path)
			return pin_remove(op->path, on_ns_unpinned, op);
		return on_ns_unpinned(op, NULL);
	}
	for (int i = 0; i < NS_KINDS; i++)
		if (op->bits & ns_kinds[i].bit)
			ns_hold(op, ns_kinds[i].name, fds[at++]);
	ns_tell(op->tag, ERR_OK, "", false);
	ns_op_free(op);
}

static int ns_start(const struct ns_make *r, uint64_t tag, struct err *e)
{
	auto_fd int theirs = -1, ours = -1, netns = -1; /* the child has a copy of netns; ours goes in any case */
	struct op *op;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_os(e, ERR_RESOURCE_EXHAUSTED, "socketpair");
	ours = ends[0];
	theirs = ends[1];
	if (r->path && pin_file(r->path, e) < 0)
		return -1;
	/* a namespace of the pool is none of the pod's user namespace, and could not be administered by it */
	if (r->bits & KEEPER_NS_NET && !(r->bits & KEEPER_NS_USER))
		netns = pool_take();
	if (spawn_fn(ns_child, &(struct ns_making){ r, theirs, getpid(), netns }, e) < 0) {
		if (r->path)
			EFFECT(unlink(r->path));
		return -1;
	}
	op = ns_op_new(tag, r->path);
	op->bits = r->bits;
	op->fd = take_fd(&ours);
	op->id = own_must(strdup(r->id));
	fd_watch_set(&op->watch, op->fd, FD_READ, on_ns_report);
	return 0;
}

void ns_make(struct imsg *m)
{
	struct ns_make r;
	struct err e;

	if (ns_request_get(&r, m, &e) < 0 || ns_start(&r, m->tag, &e) < 0)
		ns_tell(m->tag, e.code, e.msg, false);
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
