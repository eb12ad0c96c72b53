/* acceptor.c - see acceptor.h. */
#include "reactor/acceptor.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "reactor/list.h"
#include "reactor/log.h"

enum { ACCEPTS_PER_TURN = 16 };

static void on_acceptor_ready(struct fd_watch *w, int events);

static void on_acceptor_pause_over(struct timer *t)
{
	struct acceptor *a = container_of(t, struct acceptor, pause);

	fd_watch_set(&a->watch, a->fd, FD_READ, on_acceptor_ready);
}

static void acceptor_pause(struct acceptor *a)
{
	fd_watch_clear(&a->watch);
	timer_set(&a->pause, ACCEPTOR_PAUSE_MS, on_acceptor_pause_over);
}

static void on_acceptor_ready(struct fd_watch *w, int events)
{
	struct acceptor *a = container_of(w, struct acceptor, watch);

	(void)events;
	for (int i = 0; i < ACCEPTS_PER_TURN && a->fd >= 0; i++) {
		int fd;

		if (a->has_room && !a->has_room(a->arg))
			return acceptor_pause(a);
		fd = accept4(a->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			a->take(a->arg, fd);
			continue;
		}
		if (errno == EAGAIN)
			return;
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		log_warn("%s listen=%s accept=paused pause_ms=%d error=%s", a->what, a->address, ACCEPTOR_PAUSE_MS,
			 log_quote(strerror(errno)));
		return acceptor_pause(a);
	}
}

void acceptor_open(struct acceptor *a, const struct acceptor *as)
{
	a->fd = as->fd;
	a->what = as->what;
	a->address = as->address;
	a->take = as->take;
	a->has_room = as->has_room;
	a->arg = as->arg;
	fd_watch_set(&a->watch, a->fd, FD_READ, on_acceptor_ready);
}

void acceptor_close(struct acceptor *a)
{
	a->fd = -1;
	fd_watch_clear(&a->watch);
	timer_clear(&a->pause);
}
