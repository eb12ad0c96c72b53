/* watch.c - see watch.h.
 *
 * Each time another directory is watched a new inotify descriptor is made: no event of the old directory can still
 * come, and no old watch has to be removed. */
#include "procs/cni/watch.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { RETRY_MS = 5000 };

/* IN_CREATE tells of symbolic and hard links. A written file is whole at IN_CLOSE_WRITE. */
static const uint32_t CHANGES = IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE;
static const uint32_t LOSS = IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT;

struct cni_watch {
	const char *dir; /* borrowed */
	void (*changed)(void);
	int fd; /* inotify, -1: none */
	struct fd_watch io;
	struct timer retry;
	char missing[NAME_MAX + 1]; /* the name awaited in the watched ancestor; "" when dir itself is watched */
};

static void watch_disarm(struct cni_watch *w)
{
	fd_watch_clear(&w->io);
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

/* Cuts the last name off path and copies it to `name`. */
static void watch_parent_of(char *path, char *name)
{
	char *slash;
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		path[--n] = '\0';
	slash = strrchr(path, '/');
	snprintf(name, NAME_MAX + 1, "%s", slash ? slash + 1 : path);
	if (!slash)
		strcpy(path, ".");
	else
		slash[slash == path] = '\0';
}

/* Watches dir, or its nearest existing ancestor. When the awaited name appeared between the look and the watch, it
 * starts again from dir: the watch would not tell of that name any more. */
static int watch_place(struct cni_watch *w)
{
	char path[PATH_MAX], below[PATH_MAX + NAME_MAX + 2];

	for (;;) {
		snprintf(path, sizeof(path), "%s", w->dir);
		w->missing[0] = '\0';
		watch_disarm(w);
		w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
		if (w->fd < 0)
			return -1;
		while (inotify_add_watch(w->fd, path, CHANGES | LOSS | IN_ONLYDIR) < 0) {
			if ((errno != ENOENT && errno != ENOTDIR) || strcmp(path, "/") == 0 || strcmp(path, ".") == 0)
				return -1;
			watch_parent_of(path, w->missing);
		}
		snprintf(below, sizeof(below), "%s/%s", path, w->missing);
		if (!w->missing[0] || access(below, F_OK) < 0)
			return 0;
	}
}

static void on_watch_events(struct fd_watch *io, int events);
static void on_watch_retry(struct timer *t);

static void watch_arm(struct cni_watch *w)
{
	if (watch_place(w) == 0) {
		fd_watch_set(&w->io, w->fd, FD_READ, on_watch_events);
		return;
	}
	log_warn("cni_watch dir=%s error=%s", w->dir, log_quote(strerror(errno)));
	watch_disarm(w);
	timer_set(&w->retry, RETRY_MS, on_watch_retry);
}

static void on_watch_retry(struct timer *t)
{
	struct cni_watch *w = container_of(t, struct cni_watch, retry);

	watch_arm(w);
	w->changed();
}

static void on_watch_events(struct fd_watch *io, int events)
{
	struct cni_watch *w = container_of(io, struct cni_watch, io);
	_Alignas(struct inotify_event) char bytes[16 * (sizeof(struct inotify_event) + NAME_MAX + 1)];
	bool ours = false, lost = false;
	ssize_t n;

	(void)events;
	while ((n = read(w->fd, bytes, sizeof(bytes))) > 0) {
		const struct inotify_event *ev;

		for (const char *at = bytes; at < bytes + n; at += sizeof(*ev) + ev->len) {
			ev = (const struct inotify_event *)at;
			lost |= (ev->mask & LOSS) != 0;
			ours |= !w->missing[0] || (ev->mask & IN_Q_OVERFLOW) ||
				(ev->len && strcmp(ev->name, w->missing) == 0);
		}
	}
	if (lost || (ours && w->missing[0]))
		watch_arm(w);
	if (lost || ours)
		w->changed();
}

struct cni_watch *cni_watch_open(const char *dir, void (*changed)(void))
{
	struct cni_watch *w = new_zero(struct cni_watch);

	w->dir = dir;
	w->changed = changed;
	w->fd = -1;
	watch_arm(w);
	return w;
}

void cni_watch_close(struct cni_watch *w)
{
	if (!w)
		return;
	watch_disarm(w);
	timer_clear(&w->retry);
	free(w);
}
