/* log.c - see shim.h. What shims log comes by the FIFO `log` in the bundle of the task that a shim was started for; the
 * lines go to the log of this daemon at level debug. A shim that finds no reader goes on.
 *
 * Waits on: the FIFOs. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/shim/shim.h"
#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/own.h"

enum { LINE_MAX_BYTES = 2048, READ_MAX = 4096 };

struct shim_log {
	struct link link;
	struct fd_watch watch;
	int fd;
	char id[16];
	struct buf line;
};

static struct link logs = { &logs, &logs }; /* of struct shim_log.link */

static void log_free(struct shim_log *l)
{
	list_drop(&l->link);
	fd_watch_clear(&l->watch);
	close(l->fd);
	buf_free(&l->line);
	free(l);
}

static void log_lines(struct shim_log *l)
{
	const char *text, *end;

	while (l->line.len) {
		text = buf_str(&l->line);
		end = memchr(text, '\n', l->line.len);
		if (!end && l->line.len < LINE_MAX_BYTES)
			return;
		if (!end)
			end = text + l->line.len - 1;
		((char *)l->line.at)[end - text] = '\0';
		log_debug("shim_log id=%s text=%s", l->id, log_quote(text));
		buf_consume(&l->line, (size_t)(end - text) + 1);
	}
}

static void on_shim_log(struct fd_watch *w, int events)
{
	struct shim_log *l = container_of(w, struct shim_log, watch);
	ssize_t n = buf_read(&l->line, l->fd, READ_MAX);

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		return log_free(l);
	log_lines(l);
}

static const char *log_path(const struct shim_task *t, struct arena *a)
{
	return arena_printf(a, "%s/log", t->bundle);
}

int shim_log_make(const struct shim_task *t, struct err *e)
{
	struct arena *a = arena_new();
	const char *path = log_path(t, a);
	int r = EFFECT(mkfifo(path, 0600)) < 0 && errno != EEXIST ? err_os(e, ERR_INTERNAL, "make %s", path) : 0;

	arena_free(a);
	if (r == 0)
		shim_log_open(t);
	return r;
}

void shim_log_open(const struct shim_task *t)
{
	struct arena *a = arena_new();
	auto_fd int fd = open(log_path(t, a), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	struct shim_log *l;
	struct stat st;

	arena_free(a);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode))
		return;
	l = new_zero(struct shim_log);
	l->fd = take_fd(&fd);
	snprintf(l->id, sizeof(l->id), "%.12s", t->id);
	list_append(&logs, &l->link);
	fd_watch_set(&l->watch, l->fd, FD_READ, on_shim_log);
}

/* An end of file comes only behind a writer: this process is one for a moment. Where the shim is another one, none
 * comes. */
void shim_log_settle(const struct shim_task *t)
{
	char path[40], id[sizeof(((struct shim_log *)0)->id)];

	snprintf(id, sizeof(id), "%.12s", t->id);
	list_each(it, &logs) {
		struct shim_log *l = container_of(it, struct shim_log, link);
		int fd;

		if (strcmp(l->id, id) != 0)
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%d", l->fd);
		fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0)
			close(fd);
	}
}

void shim_logs_close(void)
{
	list_each(it, &logs)
		log_free(container_of(it, struct shim_log, link));
}
