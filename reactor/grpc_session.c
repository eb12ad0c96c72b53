/* grpc_session.c - see grpc_session.h.
 *
 *   fd readable --> receive --> turn --> transmit --> turn --> settle --> watch, or closed
 *   end of turn ----------------^
 *
 * Waits on: the fd (readable always; writable while connecting or the socket is full), and the end of the turn. */
#include "reactor/grpc_session.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	READ_MAX = 64 << 10,  /* one read: bounds the work that one peer can cause in one callback */
	WRITE_MAX = 64 << 10, /* one write has at most these bytes and one frame */
	TURN_MAX = 512 << 10, /* bytes written to one peer in one turn */
	FRAME_MAX = 32 << 10, /* the largest frames are 16 KiB of DATA, and trailers */
};

static uint8_t input[READ_MAX], output[WRITE_MAX + FRAME_MAX];
static struct link dirty = { &dirty, &dirty }; /* of struct grpc_session.dirty */
static struct prepare_watch end_of_turn;

static void session_pump(struct grpc_session *s, int events);

void grpc_must(int rv)
{
	if (rv == NGHTTP2_ERR_NOMEM)
		abort();
	assert(rv >= 0);
}

static void session_doom(struct grpc_session *s, int error, const char *what)
{
	if (s->doomed)
		return;
	s->doomed = true;
	errno = error;
	if (error)
		err_os(&s->why, ERR_UNAVAILABLE, "%s: %s", s->peer, what);
	else
		err_set(&s->why, ERR_UNAVAILABLE, "%s: %s", s->peer, what);
}

static void session_connected(struct grpc_session *s)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error)
		session_doom(s, error, "connect");
	s->connecting = false;
}

static void on_session_fd(struct fd_watch *w, int events)
{
	struct grpc_session *s = container_of(w, struct grpc_session, watch);

	if (s->connecting)
		session_connected(s);
	session_pump(s, events);
}

static void on_end_of_turn(struct prepare_watch *w)
{
	struct link now;

	/* A session that becomes dirty while this runs writes in the next turn, after the ready fds. */
	list_init(&now);
	while (!list_empty(&dirty)) {
		struct link *l = list_first(&dirty);

		list_drop(l);
		list_append(&now, l);
	}
	while (!list_empty(&now)) {
		struct link *l = list_first(&now);

		list_drop(l);
		session_pump(container_of(l, struct grpc_session, dirty), 0);
	}
	if (list_empty(&dirty))
		prepare_watch_clear(w);
	else
		loop_spin();
}

void grpc_session_touch(struct grpc_session *s)
{
	s->again = true;
	if (s->pumping || !s->h2 || list_linked(&s->dirty))
		return;
	if (list_empty(&dirty)) {
		prepare_watch_set(&end_of_turn, on_end_of_turn);
		loop_spin(); /* a watcher set inside another prepare watcher may be too late for this turn */
	}
	list_append(&dirty, &s->dirty);
}

void grpc_session_close(struct grpc_session *s, enum err_code code, const char *what)
{
	session_doom(s, 0, what);
	s->why.code = code;
	if (s->h2 && !s->pumping)
		session_pump(s, 0);
}

static void session_receive(struct grpc_session *s)
{
	ssize_t n = recv(s->fd, input, sizeof(input), 0);

	if (n == 0)
		return session_doom(s, 0, "the peer closed the connection");
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			session_doom(s, errno, "read");
		return;
	}
	n = nghttp2_session_mem_recv(s->h2, input, (size_t)n);
	if (n == NGHTTP2_ERR_NOMEM)
		abort();
	if (n < 0)
		session_doom(s, 0, nghttp2_strerror((int)n));
}

/* Serializes up to WRITE_MAX bytes into the common buffer. */
static size_t session_serialize(struct grpc_session *s)
{
	size_t len = 0;

	while (len < WRITE_MAX) {
		const uint8_t *frame;
		ssize_t n = nghttp2_session_mem_send(s->h2, &frame);

		if (n <= 0) {
			if (n < 0)
				session_doom(s, 0, nghttp2_strerror((int)n));
			break;
		}
		if ((size_t)n > sizeof(output) - len) { /* trailers over FRAME_MAX; no caller makes them today */
			buf_append(&s->out, output, len);
			buf_append(&s->out, frame, (size_t)n);
			return 0;
		}
		memcpy(output + len, frame, (size_t)n);
		len += (size_t)n;
	}
	return len;
}

/* The number of bytes that the socket took, or -1 when the connection has ended. */
static ssize_t session_put(struct grpc_session *s, const void *p, size_t len)
{
	ssize_t n;

	do
		n = send(s->fd, p, len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	if (errno == EAGAIN)
		return 0;
	session_doom(s, errno, "write");
	return -1;
}

static void session_transmit(struct grpc_session *s, bool writable)
{
	size_t total = 0;

	while (!s->doomed && total < TURN_MAX) {
		size_t len;
		ssize_t n;

		if (s->out.len) {
			if (!writable)
				return;
			n = session_put(s, s->out.at, s->out.len);
			if (n > 0)
				buf_consume(&s->out, (size_t)n);
			if (s->out.len)
				return;
			total += (size_t)n;
		}
		len = session_serialize(s);
		if (len == 0 && s->out.len == 0)
			return;
		n = len ? session_put(s, output, len) : 0;
		if (n < 0)
			return;
		if ((size_t)n < len)
			return buf_append(&s->out, output + n, len - (size_t)n);
		total += len;
	}
	s->again = true;
}

/* Ends the connection, or sets what it waits for next. */
static void session_settle(struct grpc_session *s)
{
	bool drowned;

	if (!s->doomed && !s->out.len && !nghttp2_session_want_read(s->h2) && !nghttp2_session_want_write(s->h2))
		session_doom(s, 0, "the connection was shut down");
	if (s->doomed) {
		fd_watch_clear(&s->watch);
		if (list_linked(&s->dirty))
			list_drop(&s->dirty);
		close(s->fd);
		nghttp2_session_del(s->h2);
		s->h2 = NULL;
		buf_free(&s->out);
		s->owner->closed(s, &s->why);
		return;
	}
	/* Answers to small frames (PING, refused streams) have no flow control: a peer that sends and does not read is
	 * not read from until its queue is shorter. */
	drowned = s->queue_max && s->out.len && nghttp2_session_get_outbound_queue_size(s->h2) > s->queue_max;
	fd_watch_set(&s->watch, s->fd, (drowned ? 0 : FD_READ) | (s->out.len ? FD_WRITE : 0), on_session_fd);
	if (s->again)
		grpc_session_touch(s);
}

static void session_pump(struct grpc_session *s, int events)
{
	if (s->connecting && !s->doomed)
		return; /* on_session_fd() runs when connect(2) has ended */
	s->pumping = true;
	if (!s->doomed && (events & FD_READ))
		session_receive(s);
	if (!s->doomed)
		s->owner->turn(s);
	s->again = false;
	if (!s->doomed)
		session_transmit(s, events & FD_WRITE);
	if (!s->doomed)
		s->owner->turn(s);
	s->pumping = false;
	session_settle(s);
}

void grpc_session_open(struct grpc_session *s, int fd, nghttp2_session *h2, bool connecting)
{
	s->fd = fd;
	s->h2 = h2;
	s->connecting = connecting;
	fd_watch_set(&s->watch, fd, connecting ? FD_WRITE : FD_READ, on_session_fd);
}
