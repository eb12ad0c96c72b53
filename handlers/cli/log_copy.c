/* log_copy.c - see log_copy.h.
 *
 *   FOLLOW --cli_log_copy_finish()--> DRAIN --end of the file, all written--> DONE
 *
 * Waits on: inotify of the directory (FOLLOW), stdout or stderr while it is full (FOLLOW, DRAIN), the next turn.
 * After a crash the daemon may cut off the end of the log and write the same lines again (log_stage.h). The read
 * position stays right, because the lines keep their length. */
#include "handlers/cli/log_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "handlers/cli/log_line.h"
#include "handlers/cli/log_tail.h"
#include "handlers/cli/log_time.h"
#include "handlers/cli/outlet.h"
#include "reactor/buf.h"
#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum { READ_BYTES = 64 * 1024, TURNS = 32 };

enum state { FOLLOW, DRAIN, DONE };

static const struct sm_state states[] = {
	[FOLLOW] = { "FOLLOW", TO(DRAIN) },
	[DRAIN]  = { "DRAIN",  TO(DONE) },
	[DONE]   = { "DONE",   0 },
};

struct cli_log_copy {
	struct sm sm;
	struct cli_log_copy_events events;
	char *path, *dir;
	int fd;               /* of the log; -1: the file does not exist yet */
	int inotify;
	struct fd_watch watch, out_watch;
	struct timer timer;   /* the next turn */
	int64_t tail;         /* lines of the first file; below 0: all */
	int64_t since_ns;
	struct buf in;        /* bytes read; the last line may be incomplete */
	struct buf out;       /* to be written to out_fd */
	int out_fd;
	bool full;            /* out_fd has no room: out_watch waits for it */
	bool grew, deaf, told;
	size_t strange;       /* lines that are not in the format */
	struct err err;       /* a failure to open or read; OK: none */
	void (*done)(void *arg, const struct err *e);
};

static void log_copy_pump(struct cli_log_copy *l);

static void on_log_copy_turn(struct timer *t)
{
	log_copy_pump(container_of(t, struct cli_log_copy, timer));
}

static void on_log_copy_writable(struct fd_watch *w, int events)
{
	struct cli_log_copy *l = container_of(w, struct cli_log_copy, out_watch);

	(void)events;
	fd_watch_clear(w);
	l->full = false;
	log_copy_pump(l);
}

/* ---- writing ---- */

/* false: no room; on_log_copy_writable() goes on when there is. */
static bool log_copy_flush(struct cli_log_copy *l)
{
	while (l->out.len && !l->deaf) {
		if (cli_write_some(l->out_fd, &l->out) >= 0)
			continue;
		if (errno == EAGAIN) {
			fd_watch_set(&l->out_watch, l->out_fd, FD_WRITE, on_log_copy_writable);
			l->full = true;
			return false;
		}
		l->deaf = errno != EINTR;
	}
	if (l->deaf)
		buf_consume(&l->out, l->out.len);
	return true;
}

static bool is_too_old(const struct cli_log_copy *l, const char *text, size_t n)
{
	const char *space = l->since_ns ? memchr(text, ' ', n) : NULL;

	return space && cli_log_time(text, (size_t)(space - text)) < l->since_ns;
}

/* Moves one line from l->in to l->out. false: no whole line, or a line for the other stream while l->out is not empty.
 */
static bool take_line(struct cli_log_copy *l)
{
	const char *text = (const char *)l->in.at, *end = l->in.len ? memchr(text, '\n', l->in.len) : NULL;
	struct cli_log_line line;
	int fd;

	if (!end)
		return false;
	if (!cli_log_line_parse(&line, text, (size_t)(end - text))) {
		l->strange++;
	} else if (!is_too_old(l, text, (size_t)(end - text))) {
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

/* Writes all whole lines that were read. false: no room. */
static bool log_copy_write_lines(struct cli_log_copy *l)
{
	do {
		while (take_line(l))
			;
		if (!log_copy_flush(l))
			return false;
	} while (l->in.len && memchr(l->in.at, '\n', l->in.len));
	return true;
}

/* ---- reading ---- */

/* Opens the file at the path if it is not the file that is already open. The user of this program is root, and a pod
 * may put a link or a FIFO in the place of its log. */
static bool open_next(struct cli_log_copy *l)
{
	auto_fd int fd = open(l->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK);
	struct stat now, old;

	if (fd < 0 || fstat(fd, &now) < 0) {
		if (errno != ENOENT)
			err_os(&l->err, ERR_INTERNAL, "open %s", l->path);
		return false;
	}
	if (!S_ISREG(now.st_mode)) {
		err_set(&l->err, ERR_INTERNAL, "%s is not a regular file", l->path);
		return false;
	}
	if (l->fd >= 0 && fstat(l->fd, &old) == 0 && old.st_dev == now.st_dev && old.st_ino == now.st_ino)
		return false;
	if (l->fd >= 0)
		close(l->fd);
	if (l->in.len) { /* the old file ended in the middle of a line */
		l->strange++;
		buf_consume(&l->in, l->in.len);
	}
	l->fd = take_fd(&fd);
	if (l->tail >= 0)
		lseek(l->fd, cli_log_tail(l->fd, l->tail), SEEK_SET);
	l->tail = -1;
	return true;
}

/* false: the end of the newest file was reached, or an error. */
static bool read_more(struct cli_log_copy *l)
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

static void log_copy_end(struct cli_log_copy *l)
{
	sm_move(&l->sm, DONE);
	if (l->strange)
		fprintf(stderr, "crisp: %zu lines of %s are not in the CRI log format and were left out\n", l->strange,
			l->path);
	l->done(l->events.arg, l->err.code == ERR_OK ? NULL : &l->err);
}

static void log_copy_pump(struct cli_log_copy *l)
{
	bool more = true, room = true;

	for (int i = 0; more && room && i < TURNS; i++) {
		room = log_copy_write_lines(l);
		more = room && read_more(l);
	}
	if (more && room)
		timer_set(&l->timer, 0, on_log_copy_turn);
	if (l->deaf && !l->told) {
		l->told = true;
		l->events.deaf(l->events.arg);
	}
	if (l->grew) {
		l->grew = false;
		l->events.grew(l->events.arg);
	}
	if (l->sm.now == DRAIN && room && !more)
		log_copy_end(l);
}

static void on_log_copy_inotify(struct fd_watch *w, int events)
{
	struct cli_log_copy *l = container_of(w, struct cli_log_copy, watch);
	char ignored[4096] __attribute__((aligned(8)));

	(void)events;
	while (read(l->inotify, ignored, sizeof(ignored)) > 0)
		;
	if (!timer_is_set(&l->timer) && !l->full)
		log_copy_pump(l);
}

struct cli_log_copy *cli_log_copy_start(const char *path, const struct cli_log_copy_events *events, struct err *e)
{
	struct cli_log_copy *l = new_zero(struct cli_log_copy);
	char *slash;

	l->sm = (struct sm){ states, "cli_log_copy", "", FOLLOW };
	l->events = *events;
	l->path = own_must(strdup(path));
	l->dir = own_must(strdup(path));
	l->fd = -1;
	l->tail = -1;
	slash = strrchr(l->dir, '/');
	if (slash)
		*slash = '\0';
	l->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (l->inotify < 0 ||
	    inotify_add_watch(l->inotify, slash ? l->dir : ".", IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0) {
		err_os(e, ERR_INTERNAL, "watch the directory of %s", path);
		cli_log_copy_free(l);
		return NULL;
	}
	fd_watch_set(&l->watch, l->inotify, FD_READ, on_log_copy_inotify);
	timer_set(&l->timer, 0, on_log_copy_turn);
	return l;
}

void cli_log_copy_from(struct cli_log_copy *l, int64_t tail, int64_t since_ns)
{
	l->tail = tail;
	l->since_ns = since_ns;
}

void cli_log_copy_finish(struct cli_log_copy *l, void (*done)(void *arg, const struct err *e))
{
	sm_move(&l->sm, DRAIN);
	l->done = done;
	fd_watch_clear(&l->watch);
	if (!l->full)
		timer_set(&l->timer, 0, on_log_copy_turn);
}

void cli_log_copy_free(struct cli_log_copy *l)
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
