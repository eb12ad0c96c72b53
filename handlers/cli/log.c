/* log.c - see log.h.
 *
 *   FOLLOW --cli_log_finish()--> DRAIN --end of the file, all handed on--> DONE
 *
 * Waits on: inotify of the directory (FOLLOW), our stdout or stderr while it is full (FOLLOW, DRAIN), the next turn.
 * The daemon may cut back what it wrote last and write the same bytes again (its log protocol after a crash): the place
 * where we are in the file stays right, because its lines keep their length. */
#include "handlers/cli/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "handlers/cli/log_line.h"
#include "reactor/buf.h"
#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum { READ_BYTES = 64 * 1024, TURNS = 32, PIPE_BYTES = 4096 };

enum state { FOLLOW, DRAIN, DONE };

static const struct sm_state states[] = {
	[FOLLOW] = { "FOLLOW", TO(DRAIN) },
	[DRAIN]  = { "DRAIN",  TO(DONE) },
	[DONE]   = { "DONE",   0 },
};

struct cli_log {
	struct sm sm;
	struct cli_log_events events;
	char *path, *dir;
	int fd;               /* of the log, -1: not there yet */
	int inotify;
	struct fd_watch watch, out_watch;
	struct timer timer;   /* the next turn */
	struct buf in;        /* read, not yet whole lines */
	struct buf out;       /* to be written to out_fd */
	int out_fd;
	bool full;            /* out_fd has no room: out_watch waits for it */
	bool grew, deaf, told;
	size_t strange;       /* lines that are not in the format */
	struct err err;       /* of reading; OK: none */
	void (*done)(void *arg, const struct err *e);
};

static void pump(struct cli_log *l);

static void on_turn(struct timer *t)
{
	pump(container_of(t, struct cli_log, timer));
}

static void on_writable(struct fd_watch *w, int events)
{
	struct cli_log *l = container_of(w, struct cli_log, out_watch);

	(void)events;
	fd_watch_clear(w);
	l->full = false;
	pump(l);
}

/* ---- handing on ---- */

/* Pipes and terminals are blocking ones that we share with others, so their flags stay as they are: a page goes without
 * waiting when poll(2) says that there is room. Files take all. */
static bool has_room(int fd)
{
	struct pollfd p = { fd, POLLOUT, 0 };

	return poll(&p, 1, 0) > 0;
}

static ssize_t write_some(struct cli_log *l)
{
	struct stat st;
	size_t n = l->out.len;
	bool file = fstat(l->out_fd, &st) == 0 && S_ISREG(st.st_mode);

	if (!file && !has_room(l->out_fd)) {
		errno = EAGAIN;
		return -1;
	}
	return write(l->out_fd, l->out.at, file || n < PIPE_BYTES ? n : PIPE_BYTES);
}

/* false: there is no room, and we are called again when there is. */
static bool flush(struct cli_log *l)
{
	while (l->out.len && !l->deaf) {
		ssize_t n = write_some(l);

		if (n >= 0) {
			buf_consume(&l->out, (size_t)n);
		} else if (errno == EAGAIN) {
			fd_watch_set(&l->out_watch, l->out_fd, FD_WRITE, on_writable);
			l->full = true;
			return false;
		} else if (errno != EINTR) {
			l->deaf = true;
		}
	}
	if (l->deaf)
		buf_consume(&l->out, l->out.len);
	return true;
}

/* One line of l->in into l->out. false: there is no whole line, or one of the other stream must wait. */
static bool take_line(struct cli_log *l)
{
	const char *text = (const char *)l->in.at, *end = l->in.len ? memchr(text, '\n', l->in.len) : NULL;
	struct cli_log_line line;
	int fd;

	if (!end)
		return false;
	if (!cli_log_line_parse(&line, text, (size_t)(end - text))) {
		l->strange++;
	} else {
		fd = line.is_stderr ? STDERR_FILENO : STDOUT_FILENO;
		if (l->out.len && l->out_fd != fd)
			return false;
		l->out_fd = fd;
		buf_append(&l->out, line.bytes, line.len);
		if (line.ends)
			buf_puts(&l->out, "\n");
	}
	buf_consume(&l->in, (size_t)(end - text) + 1);
	return true;
}

/* All whole lines that were read are handed on. false: no room. */
static bool hand_on(struct cli_log *l)
{
	do {
		while (take_line(l))
			;
		if (!flush(l))
			return false;
	} while (l->in.len && memchr(l->in.at, '\n', l->in.len));
	return true;
}

/* ---- reading ---- */

/* Opens the file at the path when it is another than the one we have. */
static bool open_next(struct cli_log *l)
{
	auto_fd int fd = open(l->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat now, old;

	if (fd < 0 || fstat(fd, &now) < 0) {
		if (errno != ENOENT)
			err_os(&l->err, ERR_INTERNAL, "open %s", l->path);
		return false;
	}
	if (l->fd >= 0 && fstat(l->fd, &old) == 0 && old.st_dev == now.st_dev && old.st_ino == now.st_ino)
		return false;
	if (l->fd >= 0)
		close(l->fd);
	if (l->in.len) { /* the old file ends in the middle of a line */
		l->strange++;
		buf_consume(&l->in, l->in.len);
	}
	l->fd = take_fd(&fd);
	return true;
}

/* false: all that was written so far is read. */
static bool read_more(struct cli_log *l)
{
	ssize_t n = l->fd >= 0 ? buf_read(&l->in, l->fd, READ_BYTES) : 0;

	if (n > 0) {
		l->grew = true;
		return true;
	}
	if (n < 0)
		err_os(&l->err, ERR_INTERNAL, "read %s", l->path);
	return n == 0 && open_next(l);
}

static void finish(struct cli_log *l)
{
	sm_move(&l->sm, DONE);
	if (l->strange)
		fprintf(stderr, "crisp: %zu lines of %s are not in the CRI log format and were left out\n", l->strange,
			l->path);
	l->done(l->events.arg, l->err.code == ERR_OK ? NULL : &l->err);
}

static void pump(struct cli_log *l)
{
	bool more = true, room = true;

	for (int i = 0; more && room && i < TURNS; i++) {
		room = hand_on(l);
		more = room && read_more(l);
	}
	if (more && room)
		timer_set(&l->timer, 0, on_turn);
	if (l->deaf && !l->told) {
		l->told = true;
		l->events.deaf(l->events.arg);
	}
	if (l->grew) {
		l->grew = false;
		l->events.grew(l->events.arg);
	}
	if (l->sm.now == DRAIN && room && !more)
		finish(l);
}

static void on_inotify(struct fd_watch *w, int events)
{
	struct cli_log *l = container_of(w, struct cli_log, watch);
	char ignored[4096] __attribute__((aligned(8)));

	(void)events;
	while (read(l->inotify, ignored, sizeof(ignored)) > 0)
		;
	if (!timer_is_set(&l->timer) && !l->full)
		pump(l);
}

struct cli_log *cli_log_start(const char *path, const struct cli_log_events *events, struct err *e)
{
	struct cli_log *l = new_zero(struct cli_log);
	char *slash;

	l->sm = (struct sm){ states, "cli_log", "", FOLLOW };
	l->events = *events;
	l->path = own_must(strdup(path));
	l->dir = own_must(strdup(path));
	l->fd = -1;
	slash = strrchr(l->dir, '/');
	if (slash)
		*slash = '\0';
	l->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (l->inotify < 0 ||
	    inotify_add_watch(l->inotify, slash ? l->dir : ".", IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0) {
		err_os(e, ERR_INTERNAL, "watch the directory of %s", path);
		cli_log_free(l);
		return NULL;
	}
	fd_watch_set(&l->watch, l->inotify, FD_READ, on_inotify);
	timer_set(&l->timer, 0, on_turn);
	return l;
}

void cli_log_finish(struct cli_log *l, void (*done)(void *arg, const struct err *e))
{
	sm_move(&l->sm, DRAIN);
	l->done = done;
	fd_watch_clear(&l->watch);
	if (!l->full)
		timer_set(&l->timer, 0, on_turn);
}

void cli_log_free(struct cli_log *l)
{
	fd_watch_clear(&l->watch);
	fd_watch_clear(&l->out_watch);
	timer_clear(&l->timer);
	if (l->fd >= 0)
		close(l->fd);
	if (l->inotify >= 0)
		close(l->inotify);
	buf_free(&l->in);
	buf_free(&l->out);
	free(l->path);
	free(l->dir);
	free(l);
}
