/* outlet.c - see outlet.h. */
#include "handlers/cli/outlet.h"

#include <errno.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reactor/list.h"

/* When poll(2) reports room, a pipe takes a page without blocking. */
enum { PIPE_BYTES = 4096 };

static bool fd_has_room(int fd)
{
	struct pollfd p = { fd, POLLOUT, 0 };

	return poll(&p, 1, 0) > 0;
}

ssize_t cli_write_some(int fd, struct buf *b)
{
	struct stat st;
	bool file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	ssize_t n;

	if (!file && !fd_has_room(fd)) {
		errno = EAGAIN;
		return -1;
	}
	n = write(fd, b->at, file || b->len < PIPE_BYTES ? b->len : PIPE_BYTES);
	if (n > 0)
		buf_consume(b, (size_t)n);
	return n;
}

static void outlet_flush(struct cli_outlet *o);

static void on_outlet_ready(struct fd_watch *w, int events)
{
	struct cli_outlet *o = container_of(w, struct cli_outlet, watch);

	(void)events;
	outlet_flush(o);
	o->moved(o);
}

static void outlet_flush(struct cli_outlet *o)
{
	while (o->bytes.len && !o->deaf)
		if (cli_write_some(o->fd, &o->bytes) < 0 && errno != EINTR) {
			if (errno == EAGAIN)
				return fd_watch_set(&o->watch, o->fd, FD_WRITE, on_outlet_ready);
			o->deaf = true;
		}
	fd_watch_clear(&o->watch);
	buf_free(&o->bytes);
}

void cli_outlet_put(struct cli_outlet *o, const void *p, size_t n)
{
	bool waits = o->bytes.len > 0;

	if (o->deaf)
		return;
	buf_append(&o->bytes, p, n);
	if (!waits)
		outlet_flush(o);
}

void cli_outlet_close(struct cli_outlet *o)
{
	fd_watch_clear(&o->watch);
	buf_free(&o->bytes);
}
