/* portfwd.c - see portfwd.h.
 *
 *   V4 ---refused, no route---> V6 ---refused, no route, 30 s---> OVER
 *    |                          |
 *    +---connected--------------+---> OPEN ---both halves closed, error, 10 min half-closed and silent---> OVER
 *
 *   INSIDE ---the runtime has connected---> OPEN; ---it failed---> OVER
 *
 * Waits on: the runtime (INSIDE); the socket; a timer (V4, V6: 30 s each; OPEN, half-closed: 10 min; OVER: one turn of
 * the loop). */
#include "procs/portfwd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "procs/console.h"
#include "procs/feed.h"
#include "procs/runtime.h"
#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum { CONNECT_MS = 30000, HALF_CLOSED_MS = 600000, READ_MAX = 32 * 1024 };

enum portfwd_state { V4, V6, INSIDE, OPEN, OVER };
static const struct sm_state portfwd_states[] = {
	[V4]   = { "V4",   TO(V6) | TO(OPEN) | TO(OVER) },
	[V6]   = { "V6",   TO(OPEN) | TO(OVER) },
	[INSIDE] = { "INSIDE", TO(OPEN) | TO(OVER) },
	[OPEN] = { "OPEN", TO(OVER) },
	[OVER] = { "OVER", 0 },
};

struct portfwd {
	struct sm sm;
	int fd[2]; /* V4, V6: made together; once it is OPEN the unused socket is closed and -1 */
	int now;   /* index of fd */
	uint16_t port;
	struct console_socket *socket; /* INSIDE: where the runtime connects */
	struct runtime_op *op;         /* INSIDE: under way */
	struct fd_watch watch;
	struct timer timer;
	struct feed feed;
	bool paused;
	bool we_ended, port_ended; /* which halves of the connection are closed: ours to the port, the port's to us */
	struct err fault;
	const struct portfwd_events *events;
	void *arg;
};

static void on_portfwd_ready(struct fd_watch *w, int events);

static void on_portfwd_over(struct timer *t)
{
	struct portfwd *f = container_of(t, struct portfwd, timer);

	f->events->over(f->arg, f->fault.code == ERR_OK ? NULL : &f->fault);
}

static void portfwd_over(struct portfwd *f)
{
	sm_move(&f->sm, OVER);
	fd_watch_clear(&f->watch);
	feed_drop(&f->feed);
	timer_set(&f->timer, 0, on_portfwd_over);
}

void portfwd_close(struct portfwd *f)
{
	fd_watch_clear(&f->watch);
	timer_clear(&f->timer);
	feed_close(&f->feed);
	if (f->op)
		runtime_cancel(f->op);
	console_unlisten(f->socket);
	for (int i = 0; i < 2; i++)
		if (f->fd[i] >= 0)
			close(f->fd[i]);
	free(f);
}

/* ---- connected ---- */

static void on_portfwd_silent(struct timer *t)
{
	portfwd_over(container_of(t, struct portfwd, timer));
}

static void portfwd_half_closed(struct portfwd *f)
{
	if (f->we_ended && f->port_ended)
		return portfwd_over(f);
	if (f->we_ended || f->port_ended)
		timer_set(&f->timer, HALF_CLOSED_MS, on_portfwd_silent);
}

static void portfwd_watch(struct portfwd *f)
{
	if (f->sm.now == OPEN)
		fd_watch_set(&f->watch, f->fd[f->now], f->paused || f->port_ended ? 0 : FD_READ, on_portfwd_ready);
}

static void on_portfwd_taken(struct feed *feed, size_t n)
{
	struct portfwd *f = container_of(feed, struct portfwd, feed);

	f->events->taken(f->arg, n);
}

static void on_portfwd_fed(struct feed *feed)
{
	struct portfwd *f = container_of(feed, struct portfwd, feed);

	if (f->sm.now != OPEN)
		return;
	shutdown(f->fd[f->now], SHUT_WR);
	f->we_ended = true;
	portfwd_half_closed(f);
}

static void portfwd_read(struct portfwd *f)
{
	static char bytes[READ_MAX];
	ssize_t n = read(f->fd[f->now], bytes, sizeof(bytes));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0)
		return portfwd_over(f);
	if (n == 0) {
		f->port_ended = true;
		f->events->eof(f->arg);
		portfwd_watch(f);
	} else {
		f->events->data(f->arg, bytes, (size_t)n);
	}
	portfwd_half_closed(f);
}

void portfwd_write(struct portfwd *f, const void *p, size_t n)
{
	feed_write(&f->feed, p, n);
}

void portfwd_end(struct portfwd *f)
{
	feed_end(&f->feed);
}

void portfwd_pause(struct portfwd *f, bool paused)
{
	f->paused = paused;
	portfwd_watch(f);
}

/* ---- connecting ---- */

static void portfwd_connect(struct portfwd *f);

static void on_portfwd_timeout(struct timer *t);

/* Connecting failed: on with IPv6, or over. The user of `kubectl port-forward` reads this text. */
static void portfwd_refused(struct portfwd *f, int error)
{
	const char *at = f->now == 0 ? "127.0.0.1" : "[::1]";
	struct err first = f->fault;

	errno = error;
	err_os(&f->fault, ERR_UNAVAILABLE, "connect to %s:%u", at, f->port);
	if (f->now == 0) {
		sm_move(&f->sm, V6);
		f->now = 1;
		return portfwd_connect(f);
	}
	err_set(&f->fault, ERR_UNAVAILABLE, "%s; connect to %s:%u: %s", first.msg, at, f->port, strerror(error));
	portfwd_over(f);
}

static void portfwd_connected(struct portfwd *f)
{
	int other = !f->now;

	sm_move(&f->sm, OPEN);
	f->fault = (struct err){ 0 };
	timer_clear(&f->timer);
	if (f->fd[other] >= 0)
		close(take_fd(&f->fd[other]));
	portfwd_watch(f);
	feed_open(&f->feed, f->fd[f->now]);
}

static void on_portfwd_timeout(struct timer *t)
{
	struct portfwd *f = container_of(t, struct portfwd, timer);

	fd_watch_clear(&f->watch);
	portfwd_refused(f, ETIMEDOUT);
}

static void on_portfwd_ready(struct fd_watch *w, int events)
{
	struct portfwd *f = container_of(w, struct portfwd, watch);
	socklen_t len = sizeof(int);
	int error = 0;

	(void)events;
	if (f->sm.now == OPEN)
		return portfwd_read(f);
	fd_watch_clear(&f->watch);
	getsockopt(f->fd[f->now], SOL_SOCKET, SO_ERROR, &error, &len);
	if (error)
		portfwd_refused(f, error);
	else
		portfwd_connected(f);
}

static void portfwd_connect(struct portfwd *f)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET,
				  .sin_port = htons(f->port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
				   .sin6_port = htons(f->port),
				   .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = f->fd[f->now], rc;

	if (fd < 0) /* a kernel or namespace without that family */
		return portfwd_refused(f, EAFNOSUPPORT);
	rc = f->now == 0 ? connect(fd, (struct sockaddr *)&v4, sizeof(v4))
			 : connect(fd, (struct sockaddr *)&v6, sizeof(v6));
	if (rc < 0 && errno != EINPROGRESS)
		return portfwd_refused(f, errno);
	timer_set(&f->timer, CONNECT_MS, on_portfwd_timeout);
	fd_watch_set(&f->watch, fd, FD_WRITE, on_portfwd_ready);
}

static int tcp_socket(int family)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

	if (fd >= 0)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

/* The daemon must not go on in another network namespace. Where the way back fails the daemon aborts, and the keeper
 * starts it again. */
static int make_sockets(struct portfwd *f, int netns, struct err *e)
{
	static int home = -1;

	if (home < 0)
		home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (home < 0 || (netns >= 0 && setns(netns, CLONE_NEWNET) < 0))
		return err_os(e, ERR_UNAVAILABLE, "enter the network namespace");
	f->fd[0] = tcp_socket(AF_INET);
	f->fd[1] = tcp_socket(AF_INET6);
	if (netns >= 0 && setns(home, CLONE_NEWNET) < 0)
		abort();
	return 0;
}

static void on_portfwd_start(struct timer *t)
{
	struct portfwd *f = container_of(t, struct portfwd, timer);

	if (f->fault.code != ERR_OK)
		portfwd_over(f);
	else
		portfwd_connect(f);
}

static struct portfwd *portfwd_new(uint16_t port, const struct portfwd_events *events, void *arg)
{
	struct portfwd *f = new_zero(struct portfwd);

	f->sm = (struct sm){ portfwd_states, "portfwd", "", V4 };
	f->fd[0] = f->fd[1] = -1;
	f->port = port;
	f->events = events;
	f->arg = arg;
	feed_init(&f->feed, on_portfwd_taken, on_portfwd_fed);
	return f;
}

/* ---- by the runtime ---- */

static void on_portfwd_inside(void *arg, const struct err *e, struct child_result *r)
{
	struct portfwd *f = arg;

	(void)r;
	f->op = NULL;
	if (e)
		err_set(&f->fault, ERR_UNAVAILABLE, "connect to port %u in the sandbox: %s", f->port, e->msg);
	else
		f->fd[0] = console_accept(f->socket, &f->fault);
	console_unlisten(take_ptr(&f->socket));
	if (f->fd[0] < 0)
		return portfwd_over(f);
	portfwd_connected(f);
}

static void on_portfwd_refused(struct timer *t)
{
	portfwd_over(container_of(t, struct portfwd, timer));
}

struct portfwd *portfwd_start_inside(const struct runtime_handler *h, const char *sandbox_id, uint16_t port,
				     const struct portfwd_events *events, void *arg)
{
	struct portfwd *f = portfwd_new(port, events, arg);

	f->sm.now = INSIDE;
	if (!h)
		err_set(&f->fault, ERR_FAILED_PRECONDITION,
			"the runtime handler of the pod is not configured any more");
	else
		f->socket = console_listen(&f->fault);
	if (f->socket)
		f->op = runtime_forward(h, sandbox_id, console_socket_path(f->socket), port, on_portfwd_inside, f);
	else
		timer_set(&f->timer, 0, on_portfwd_refused);
	return f;
}

struct portfwd *portfwd_start(int netns, uint16_t port, const struct portfwd_events *events, void *arg)
{
	struct portfwd *f = portfwd_new(port, events, arg);

	make_sockets(f, netns, &f->fault);
	/* connect(2) itself may fail at once, and `over` must not run inside this call. */
	timer_set(&f->timer, 0, on_portfwd_start);
	return f;
}
