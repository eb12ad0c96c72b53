/* ns.c - see ns.h.
 *
 *   MAKING ---report with fds---> held, DONE told
 *     +---report of a failure, child gone, crispd dead---> unpinned, DONE told
 *
 * Waits on: one message of the child. The child (ns_child.c) calls unshare(2). With clone3(CLONE_NEWNET) the keeper
 * itself would wait for the kernel to make the network namespace: 210 us, and 14 ms and more while others are torn
 * down. The keeper makes the file of the pin with O_EXCL, so that it knows that the file is not another program's and
 * can remove it even if the child dies. (ARCHITECTURE K1) */
#include "procs/keeper/ns.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/keeper/channel.h"
#include "procs/keeper/hold.h"
#include "procs/keeper/ns_child.h"
#include "procs/keeper/ns_request.h"
#include "procs/keeper/proto.h"
#include "procs/keeper/spawn.h"
#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { DROP_BATCH = 50, DROP_TURN_MS = 20 };

struct op {
	struct link link; /* in `ops` */
	uint64_t tag;     /* of the request; 0: the crispd that sent it is dead */
	uint32_t bits;
	int fd; /* the child's report */
	struct fd_watch watch;
	char *id, *path; /* owned; path NULL: no pin */
};

static struct link ops = { &ops, &ops }; /* of struct op.link */

/* ---- pins ---- */

static void unpin(const char *path)
{
	umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
	unlink(path);
}

static void make_parents(const char *path)
{
	char dir[256];

	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
		mkdir(dir, 0755); /* not checked: after a failure the file cannot be made, and that error is reported */
	}
}

static int pin_file(const char *path, struct err *e)
{
	auto_fd int fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0444);

	if (fd < 0 && errno == ENOENT) {
		make_parents(path);
		fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0444);
	}
	return fd < 0 ? err_os(e, ERR_INTERNAL, "make %s for a network namespace", path) : 0;
}

/* ---- in the keeper ---- */

static void ns_op_free(struct op *op)
{
	list_drop(&op->link);
	fd_watch_clear(&op->watch);
	close(op->fd);
	free(op->id);
	free(op->path);
	free(op);
}

static void ns_hold(const struct op *op, const char *kind, int fd)
{
	struct buf b = { 0 };
	char name[160];

	snprintf(name, sizeof(name), "sandbox/%s/%s", op->id, kind);
	hold(name, fd);
	put_str(&b, name);
	put_u32(&b, (uint32_t)fd);
	channel_tell(KEEPER_HELD, 0, &b, &fd, 1);
	buf_free(&b);
}

/* The number of fds that came with the report; -1: the child died without a report. */
static int ns_read_report(int fd, struct ns_report *r, int fds[NS_KINDS])
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(NS_KINDS * sizeof(int))];
	} control;
	struct iovec iov = { r, sizeof(*r) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	size_t n;

	if (recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != sizeof(*r))
		return -1;
	c = CMSG_FIRSTHDR(&msg);
	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
		return 0;
	n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fds, CMSG_DATA(c), n * sizeof(int));
	return (int)n;
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
	if (r.code == ERR_OK && op->tag) {
		for (int i = 0; i < NS_KINDS; i++)
			if (op->bits & ns_kinds[i].bit)
				ns_hold(op, ns_kinds[i].name, fds[at++]);
	} else {
		for (int i = 0; i < n; i++)
			close(fds[i]);
		if (op->path)
			unpin(op->path);
	}
	if (op->tag)
		channel_tell_code(KEEPER_NS_DONE, op->tag, r.code, r.text);
	ns_op_free(op);
}

static int ns_start(const struct ns_make *r, uint64_t tag, struct err *e)
{
	auto_fd int theirs = -1, ours = -1;
	struct op *op;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_os(e, ERR_RESOURCE_EXHAUSTED, "socketpair");
	ours = ends[0];
	theirs = ends[1];
	if (r->path && pin_file(r->path, e) < 0)
		return -1;
	if (spawn_fn(ns_child, &(struct ns_making){ r, theirs }, e) < 0) {
		if (r->path)
			unlink(r->path);
		return -1;
	}
	op = new_zero(struct op);
	op->tag = tag;
	op->bits = r->bits;
	op->fd = take_fd(&ours);
	op->id = own_must(strdup(r->id));
	op->path = r->path ? own_must(strdup(r->path)) : NULL;
	fd_watch_set(&op->watch, op->fd, FD_READ, on_ns_report);
	list_append(&ops, &op->link);
	return 0;
}

void ns_make(struct imsg *m)
{
	struct ns_make r;
	struct err e;

	if (ns_request_get(&r, m, &e) < 0 || ns_start(&r, m->tag, &e) < 0)
		channel_tell_code(KEEPER_NS_DONE, m->tag, e.code, e.msg);
	ns_request_free(&r);
}

void ns_cancel_all(void)
{
	list_each(it, &ops)
		container_of(it, struct op, link)->tag = 0;
}

/* ---- dropping: an umount takes 8 to 30 us here; the kernel tears the namespace down later, in its own thread ---- */

struct drop {
	struct link link;
	char path[];
};

static struct link drops = { &drops, &drops }; /* of struct drop.link */
static struct timer drop_timer;

/* 500 namespaces dropped at once stall the making of new ones for 165 ms; 50 every 20 ms do not. (ARCHITECTURE K2) */
static void on_ns_drop(struct timer *t)
{
	for (int i = 0; i < DROP_BATCH && !list_empty(&drops); i++) {
		struct drop *d = container_of(list_first(&drops), struct drop, link);

		unpin(d->path);
		list_drop(&d->link);
		free(d);
	}
	if (!list_empty(&drops))
		timer_set(t, DROP_TURN_MS, on_ns_drop);
}

void ns_drop(const struct imsg *m)
{
	struct get g = get_from(m);
	const char *path = get_str(&g);
	struct drop *d;

	if (!path || path[0] != '/')
		return;
	d = own_must(calloc(1, sizeof(*d) + strlen(path) + 1));
	memcpy(d->path, path, strlen(path) + 1);
	list_append(&drops, &d->link);
	if (!timer_is_set(&drop_timer))
		timer_set(&drop_timer, 0, on_ns_drop);
}
