/* console.c - see console.h.
 *
 *   FLOW <---> FULL (the FIFO is full: the log pump is behind)
 *    |  ^
 *    +--+ IDLE: EIO, no process has the slave open; tried again after 200 ms
 *   after the container's death: FLOW ---EIO or 2 s---> drained
 *
 * Waits on: the master (FLOW), the FIFO (FULL), a timer (IDLE, draining). */
#include "procs/console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "procs/keeper.h"
#include "procs/sandbox.h"
#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { SPLICE_MAX = 64 * 1024, IDLE_MS = 200, DRAIN_MS = 2000 };

static unsigned serial;

/* ---- the socket ---- */

struct console_socket {
	struct sockaddr_un at;
	int listener;
};

static int console_take_from(int listener, struct err *e)
{
	auto_fd int conn = EFFECT(accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
	char control[CMSG_SPACE(sizeof(int))] = "", data[4096];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *c;
	int fd;

	if (conn < 0 || recvmsg(conn, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) < 0)
		return err_os(e, ERR_INTERNAL, "terminal from the runtime");
	c = CMSG_FIRSTHDR(&m);
	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int)))
		return err_set(e, ERR_INTERNAL, "the runtime sent no terminal");
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

int console_take(struct console_socket *s, struct err *e)
{
	return console_take_from(s->listener, e);
}

struct console_socket *console_listen(struct err *e)
{
	auto_free struct console_socket *s = new_zero(struct console_socket);
	auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	char dir[sizeof(s->at.sun_path)];

	s->at.sun_family = AF_UNIX;
	snprintf(dir, sizeof(dir), "%s/console", sandboxes_config()->state);
	if (EFFECT(mkdir(dir, 0700)) < 0 && errno != EEXIST) {
		err_os(e, ERR_INTERNAL, "make %s", dir);
		return NULL;
	}
	if (snprintf(s->at.sun_path, sizeof(s->at.sun_path), "%s/%u", dir, ++serial) >= (int)sizeof(s->at.sun_path)) {
		err_set(e, ERR_INTERNAL, "console socket below %s: the path is too long", dir);
		return NULL;
	}
	EFFECT(unlink(s->at.sun_path)); /* a socket that a dead daemon left */
	if (fd < 0 || EFFECT(bind(fd, (struct sockaddr *)&s->at, sizeof(s->at))) < 0 || listen(fd, 1) < 0) {
		err_os(e, ERR_INTERNAL, "console socket %s", s->at.sun_path);
		return NULL;
	}
	s->listener = take_fd(&fd);
	return take_ptr(&s);
}

int console_accept(struct console_socket *s, struct err *e)
{
	int conn = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	return conn < 0 ? err_os(e, ERR_INTERNAL, "connection from the runtime") : conn;
}

const char *console_socket_path(const struct console_socket *s)
{
	return s->at.sun_path;
}

void console_unlisten(struct console_socket *s)
{
	if (!s)
		return;
	close(s->listener);
	EFFECT(unlink(s->at.sun_path));
	free(s);
}

/* ---- the names under which the keeper holds the socket, and then the master ---- */

struct held_name {
	char s[128];
};

static struct held_name held_name(const char *id, const char *what)
{
	struct held_name n;

	snprintf(n.s, sizeof(n.s), "container/%s/%s", id, what);
	return n;
}

int console_hold_socket(const char *id, const struct console_socket *s, struct err *e)
{
	return keeper_ask_hold(held_name(id, "console_socket").s, s->listener, e);
}

/* Sends the master to the socket once more, as the runtime did. Where a daemon died at the end of its start the path is
 * gone; then only a second death, before the keeper has the master, can lose it. */
static int console_put_back(const struct sockaddr_un *at, int master, struct err *e)
{
	auto_fd int conn = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	char control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec iov = { "", 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	*c = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(c), &master, sizeof(master));
	if (conn >= 0 && connect(conn, (const struct sockaddr *)at, sizeof(*at)) < 0 && errno == ENOENT)
		return 0;
	if (conn < 0 || EFFECT(sendmsg(conn, &m, MSG_NOSIGNAL)) < 0)
		return err_os(e, ERR_RESOURCE_EXHAUSTED, "keep a terminal");
	return 0;
}

int console_hold(const char *id, int master, struct err *e)
{
	return keeper_ask_hold(held_name(id, "console").s, master, e);
}

int console_held(const char *id)
{
	return keeper_copy(held_name(id, "console").s);
}

/* Until the keeper has taken HOLD and then RELEASE, and has told the anchor so, the socket is held with the master in
 * it. */
static int console_keep_from(const char *id, int listener, const struct sockaddr_un *at, struct err *e)
{
	auto_fd int master = console_take_from(listener, e);

	if (master < 0 || console_put_back(at, master, e) < 0 || console_hold(id, master, e) < 0)
		return -1;
	keeper_ask_release(held_name(id, "console_socket").s);
	return 0;
}

int console_keep(const char *id, const struct console_socket *s, struct err *e)
{
	return console_keep_from(id, s->listener, &s->at, e);
}

int console_regain(const char *id, struct err *e)
{
	int listener = keeper_copy(held_name(id, "console_socket").s), kept = 0;
	struct sockaddr_un at = { .sun_path = "" };
	socklen_t len = sizeof(at);

	if (listener < 0)
		return console_held(id) >= 0 ? 0 : err_set(e, ERR_INTERNAL, "no terminal is held");
	if (getsockname(listener, (struct sockaddr *)&at, &len) < 0)
		return err_os(e, ERR_INTERNAL, "console socket");
	if (console_held(id) >= 0)
		keeper_ask_release(held_name(id, "console_socket").s);
	else
		kept = console_keep_from(id, listener, &at, e);
	EFFECT(unlink(at.sun_path));
	return kept;
}

/* ---- the pump ---- */

struct console {
	int master; /* a duplicate: the fd that the keeper holds may be released earlier */
	int fifo;
	struct fd_watch watch;
	struct timer idle, timer; /* timer: the end of draining */
	bool full;                /* the watch is on the FIFO */
	void (*drained)(void *arg);
	void *arg;
};

static void on_console_master(struct fd_watch *w, int events);

static void console_stop(struct console *c)
{
	fd_watch_clear(&c->watch);
	timer_clear(&c->idle);
	timer_clear(&c->timer);
	close(c->master);
	close(c->fifo);
	free(c);
}

static ssize_t console_move(struct console *c)
{
	return EFFECT(splice(c->master, NULL, c->fifo, NULL, SPLICE_MAX, SPLICE_F_NONBLOCK));
}

/* The time may have passed without a CPU for crispd: what is in the master then is moved first. (ARCHITECTURE K52) */
static void on_console_drained(struct timer *t)
{
	struct console *c = container_of(t, struct console, timer);
	void (*drained)(void *) = c->drained;
	void *arg = c->arg;

	for (int pieces = 0; pieces < 16 && console_move(c) > 0; pieces++)
		;
	console_stop(c);
	drained(arg);
}

static void on_console_fifo(struct fd_watch *w, int events)
{
	struct console *c = container_of(w, struct console, watch);

	(void)events;
	c->full = false;
	fd_watch_set(&c->watch, c->master, FD_READ, on_console_master);
}

static void on_console_idle_over(struct timer *t)
{
	struct console *c = container_of(t, struct console, idle);

	fd_watch_set(&c->watch, c->master, FD_READ, on_console_master);
}

static void on_console_master(struct fd_watch *w, int events)
{
	struct console *c = container_of(w, struct console, watch);
	ssize_t n = console_move(c);
	int waiting = 0;

	(void)events;
	if (n > 0 || (n < 0 && errno == EINTR))
		return;
	/* splice(2) says EAGAIN for an empty master and for a full FIFO. With bytes in the master it is the FIFO. */
	if (n < 0 && errno == EAGAIN) {
		c->full = ioctl(c->master, FIONREAD, &waiting) == 0 && waiting > 0;
		if (c->full)
			fd_watch_set(&c->watch, c->fifo, FD_WRITE, on_console_fifo);
		return;
	}
	fd_watch_clear(&c->watch);
	if (c->drained)
		timer_set(&c->timer, 0, on_console_drained);
	else
		timer_set(&c->idle, IDLE_MS, on_console_idle_over);
}

struct console *console_pump(const char *id, struct log_pump *p)
{
	int held = console_held(id);
	auto_fd int master = held < 0 ? -1 : fcntl(held, F_DUPFD_CLOEXEC, 3);
	auto_fd int fifo = -1;
	struct console *c;
	struct err e;

	if (master < 0)
		return NULL;
	fifo = log_pump_writer(p, false, &e);
	if (fifo < 0) {
		log_error("console container=%.12s error=%s", id, log_quote(e.msg));
		return NULL;
	}
	if (fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK) < 0 || fcntl(fifo, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return NULL;
	c = new_zero(struct console);
	c->master = take_fd(&master);
	c->fifo = take_fd(&fifo);
	fd_watch_set(&c->watch, c->master, FD_READ, on_console_master);
	return c;
}

void console_drain(struct console *c, void (*drained)(void *arg), void *arg)
{
	c->drained = drained;
	c->arg = arg;
	timer_clear(&c->idle);
	if (!c->full)
		fd_watch_set(&c->watch, c->master, FD_READ, on_console_master);
	timer_set(&c->timer, DRAIN_MS, on_console_drained);
}
