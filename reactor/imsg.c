/* imsg.c - see imsg.h.
 *
 * A message leaves by one sendmsg(2) when no other waits before it. Else it is copied, its fds are duplicated, and it
 * leaves when the socket takes more. unix(7): a SEQPACKET packet arrives whole or not at all, with its fds. */
#include "reactor/imsg.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/own.h"

/* After this many messages in one callback the other watchers run. */
enum { MESSAGES_A_TURN = 64, SEND_BUFFER = 1 << 20 };

#define NULL_LEN UINT32_MAX

struct head {
	uint32_t type, len;
	uint64_t tag;
};

struct packet {
	struct link link;
	struct head head;
	int nfds;
	int fds[IMSG_FDS_MAX];
	uint8_t body[];
};

struct imsg_chan {
	int fd;
	struct fd_watch watch;
	imsg_fn *fn;
	imsg_gone_fn *gone;
	void *arg;
	struct link queue; /* of struct packet.link */
	bool lost;
	bool *closed; /* imsg_close() sets it to tell the running on_imsg_ready(); NULL: it does not run */
};

/* One buffer for all channels: a message is valid during its callback only, and callbacks do not nest. */
static struct {
	struct head head;
	uint8_t body[IMSG_BODY_MAX];
} packet_in;

static void packet_free(struct packet *p)
{
	for (int i = 0; i < p->nfds; i++)
		close(p->fds[i]);
	free(p);
}

static void on_imsg_ready(struct fd_watch *w, int events);

static void imsg_watch(struct imsg_chan *c)
{
	fd_watch_set(&c->watch, c->fd, FD_READ | (list_empty(&c->queue) ? 0 : FD_WRITE), on_imsg_ready);
}

struct imsg_chan *imsg_open(int fd, imsg_fn *fn, imsg_gone_fn *gone, void *arg)
{
	struct imsg_chan *c = new_zero(struct imsg_chan);
	int size = SEND_BUFFER;

	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	/* Without CAP_NET_ADMIN the size is limited to net.core.wmem_max, whose default is larger than one message. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	c->fd = fd;
	c->fn = fn;
	c->gone = gone;
	c->arg = arg;
	list_init(&c->queue);
	imsg_watch(c);
	return c;
}

void imsg_close(struct imsg_chan *c)
{
	if (c->closed)
		*c->closed = true;
	fd_watch_clear(&c->watch);
	list_each(it, &c->queue) {
		list_drop(it);
		packet_free(container_of(it, struct packet, link));
	}
	close(c->fd);
	free(c);
}

void imsg_add_fds(struct msghdr *msg, union imsg_control *control, const int *fds, int nfds)
{
	if (!nfds)
		return;
	memset(control, 0, sizeof(*control));
	msg->msg_control = control;
	msg->msg_controllen = CMSG_SPACE((size_t)nfds * sizeof(int));
	control->head.cmsg_level = SOL_SOCKET;
	control->head.cmsg_type = SCM_RIGHTS;
	control->head.cmsg_len = CMSG_LEN((size_t)nfds * sizeof(int));
	memcpy(CMSG_DATA(&control->head), fds, (size_t)nfds * sizeof(int));
}

static ssize_t send_packet(int fd, const struct head *head, const void *body, const int *fds, int nfds)
{
	union imsg_control control;
	struct iovec iov[2] = { { (void *)head, sizeof(*head) }, { (void *)body, head->len } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

	imsg_add_fds(&msg, &control, fds, nfds);
	return sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int imsg_enqueue(struct imsg_chan *c, const struct head *head, const void *body, const int *fds, int nfds,
			struct err *e)
{
	struct packet *p = own_must(malloc(sizeof(*p) + head->len));

	p->link = (struct link){ 0 };
	p->head = *head;
	if (head->len)
		memcpy(p->body, body, head->len);
	for (p->nfds = 0; p->nfds < nfds; p->nfds++) {
		p->fds[p->nfds] = fcntl(fds[p->nfds], F_DUPFD_CLOEXEC, 3);
		if (p->fds[p->nfds] < 0) {
			err_os(e, ERR_RESOURCE_EXHAUSTED, "duplicate fd %d for a message", fds[p->nfds]);
			packet_free(p);
			return -1;
		}
	}
	list_append(&c->queue, &p->link);
	imsg_watch(c);
	return 0;
}

int imsg_send(struct imsg_chan *c, uint32_t type, uint64_t tag, const struct buf *body, const int *fds, int nfds,
	      struct err *e)
{
	size_t len = body ? body->len : 0;
	struct head head = { type, (uint32_t)len, tag };

	if (len > IMSG_BODY_MAX || nfds > IMSG_FDS_MAX)
		return err_set(e, ERR_INVALID_ARGUMENT, "message of %zu bytes and %d fds is over %d bytes or %d fds",
			       len, nfds, IMSG_BODY_MAX, IMSG_FDS_MAX);
	if (c->lost)
		return err_set(e, ERR_UNAVAILABLE, "the peer is gone");
	if (!list_empty(&c->queue))
		return imsg_enqueue(c, &head, body ? body->at : NULL, fds, nfds, e);
	if (send_packet(c->fd, &head, body ? body->at : NULL, fds, nfds) >= 0)
		return 0;
	/* ETOOMANYREFS: more of this user's fds are in flight than RLIMIT_NOFILE; the reader will take some out. */
	if (errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS)
		return imsg_enqueue(c, &head, body ? body->at : NULL, fds, nfds, e);
	return err_os(e, errno == EMSGSIZE ? ERR_INVALID_ARGUMENT : ERR_UNAVAILABLE, "send a message");
}

static void imsg_flush(struct imsg_chan *c)
{
	list_each(it, &c->queue) {
		struct packet *p = container_of(it, struct packet, link);

		if (send_packet(c->fd, &p->head, p->body, p->fds, p->nfds) < 0 &&
		    (errno == EAGAIN || errno == ENOBUFS || errno == ETOOMANYREFS))
			break;
		/* After any other error the peer is gone, which the read reports. */
		list_drop(it);
		packet_free(p);
	}
	imsg_watch(c);
}

static void take_fds(struct imsg *m, struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		assert(m->nfds + n <= IMSG_FDS_MAX);
		memcpy(m->fds + m->nfds, CMSG_DATA(c), n * sizeof(int));
		m->nfds += (int)n;
	}
}

static void close_fds(struct imsg *m)
{
	for (int i = 0; i < m->nfds; i++)
		if (m->fds[i] >= 0)
			close(m->fds[i]);
}

/* 1: a message is in m; 0: there is none; -1: the peer is gone or has sent a malformed packet. When this process has no
 * free fd numbers the kernel drops fds of the message: m->nfds is then smaller than the body says, which the receiver
 * must check. */
static int imsg_receive(int fd, struct imsg *m)
{
	union imsg_control control;
	struct iovec iov = { &packet_in, sizeof(packet_in) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	/* The kernel says once that the peer left messages unread; what it had sent comes then. */
	if (n < 0 && errno == ECONNRESET)
		n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	m->nfds = 0;
	take_fds(m, &msg);
	if ((size_t)n < sizeof(struct head) || msg.msg_flags & MSG_TRUNC ||
	    packet_in.head.len != (size_t)n - sizeof(struct head)) {
		close_fds(m);
		return -1;
	}
	m->type = packet_in.head.type;
	m->tag = packet_in.head.tag;
	m->body = packet_in.body;
	m->len = packet_in.head.len;
	return 1;
}

static void on_imsg_ready(struct fd_watch *w, int events)
{
	struct imsg_chan *c = container_of(w, struct imsg_chan, watch);
	bool closed = false;
	int got = 1;

	if (events & FD_WRITE)
		imsg_flush(c);
	if (!(events & FD_READ))
		return;
	c->closed = &closed;
	for (int i = 0; i < MESSAGES_A_TURN && !closed; i++) {
		struct imsg m;

		got = imsg_receive(c->fd, &m);
		if (got <= 0)
			break;
		c->fn(c->arg, &m);
		close_fds(&m);
	}
	if (closed)
		return;
	c->closed = NULL;
	if (got < 0) {
		c->lost = true;
		fd_watch_clear(&c->watch);
		c->gone(c->arg);
	}
}

void put_u32(struct buf *b, uint32_t v)
{
	buf_append(b, &v, sizeof(v));
}

void put_u64(struct buf *b, uint64_t v)
{
	buf_append(b, &v, sizeof(v));
}

void put_str(struct buf *b, const char *s)
{
	if (!s)
		return put_u32(b, NULL_LEN);
	put_u32(b, (uint32_t)strlen(s));
	buf_append(b, s, strlen(s) + 1);
}

void put_strv(struct buf *b, const char *const *v)
{
	uint32_t n = 0;

	if (!v)
		return put_u32(b, NULL_LEN);
	while (v[n])
		n++;
	put_u32(b, n);
	for (uint32_t i = 0; i < n; i++)
		put_str(b, v[i]);
}

struct get get_from(const struct imsg *m)
{
	return (struct get){ m->body, m->body + m->len, false };
}

static bool get_bytes(struct get *g, void *out, size_t n)
{
	if (g->bad || (size_t)(g->end - g->at) < n) {
		g->bad = true;
		memset(out, 0, n);
		return false;
	}
	memcpy(out, g->at, n);
	g->at += n;
	return true;
}

uint32_t get_u32(struct get *g)
{
	uint32_t v;

	get_bytes(g, &v, sizeof(v));
	return v;
}

uint64_t get_u64(struct get *g)
{
	uint64_t v;

	get_bytes(g, &v, sizeof(v));
	return v;
}

const char *get_str(struct get *g)
{
	uint32_t n = get_u32(g);
	const char *s = (const char *)g->at;

	if (g->bad || n == NULL_LEN)
		return NULL;
	if ((size_t)(g->end - g->at) <= n || memchr(s, '\0', (size_t)n + 1) != s + n) {
		g->bad = true;
		return NULL;
	}
	g->at += (size_t)n + 1;
	return s;
}

const char **get_strv(struct get *g)
{
	uint32_t n = get_u32(g);
	const char **v;

	if (g->bad || n == NULL_LEN)
		return NULL;
	if (n > (size_t)(g->end - g->at) / (sizeof(uint32_t) + 1)) { /* the size of an empty string */
		g->bad = true;
		return NULL;
	}
	v = own_must(calloc((size_t)n + 1, sizeof(*v)));
	for (uint32_t i = 0; i < n; i++) {
		v[i] = get_str(g);
		if (!v[i]) { /* no NULL inside a vector */
			g->bad = true;
			free(v);
			return NULL;
		}
	}
	return v;
}
