/* watch.c - see watch.h.
 *
 *   LOOK --found--> PLACED --events--> (all of the directory: told; the awaited name: LOOK)
 *    |  ^              |
 *    |  +--once more---+ (an ancestor was found: the awaited name may have come before the watch)
 *    +--error, or found on a file system without events--> RETRY --some seconds--> LOOK, and told
 *
 * Waits on: lookup.h (LOOK), inotify (PLACED), a timer (RETRY). Each time another directory is watched a new inotify
 * descriptor is made: no event of the old directory can still come, and no old watch has to be removed. */
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
#include "reactor/lookup.h"
#include "reactor/loop.h"
#include "reactor/own.h"

/* POLL_MS: inotify(7) does not tell what others do on a file system of a server. */
enum { RETRY_MS = 5000, POLL_MS = 10000 };

/* IN_CREATE tells of symbolic and hard links. A written file is whole at IN_CLOSE_WRITE. */
static const uint32_t CHANGES = IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE;
static const uint32_t LOSS = IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT;

struct cni_watch {
	const char *dir; /* borrowed */
	void (*changed)(void);
	int fd; /* inotify, -1: none */
	struct fd_watch io;
	struct timer retry;
	struct lookup *looking;
	char placed[PATH_MAX];	    /* the directory that is watched; "": none */
	char missing[NAME_MAX + 1]; /* the name awaited in it; "" when dir itself is watched */
	struct err said;	    /* the last error in the log */
};

static void watch_disarm(struct cni_watch *w)
{
	fd_watch_clear(&w->io);
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
	w->placed[0] = '\0';
}

/* Cuts the last name off the absolute path and copies it to `name`. */
static void watch_parent_of(char *path, char *name)
{
	char *slash;
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		path[--n] = '\0';
	slash = strrchr(path, '/');
	snprintf(name, NAME_MAX + 1, "%s", slash + 1);
	slash[slash == path] = '\0';
}

static void on_watch_events(struct fd_watch *io, int events);
static void on_watch_looked(void *arg, const struct err *e);
static void watch_look(struct cni_watch *w);

static void on_watch_retry(struct timer *t)
{
	struct cni_watch *w = container_of(t, struct cni_watch, retry);

	watch_look(w);
	w->changed();
}

static void watch_failed(struct cni_watch *w, const struct err *e)
{
	if (w->said.code != e->code || strcmp(w->said.msg, e->msg) != 0)
		log_warn("cni_watch dir=%s error=%s", w->dir, log_quote(e->msg));
	w->said = *e;
	watch_disarm(w);
	timer_set(&w->retry, RETRY_MS, on_watch_retry);
}

/* Through /proc/self/fd no file system is asked for the path again. */
static int watch_place(struct cni_watch *w, const struct looked *f, const char *path, struct err *e)
{
	char self[40];

	watch_disarm(w);
	w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	snprintf(self, sizeof(self), "/proc/self/fd/%d", f->fd);
	if (w->fd < 0 || inotify_add_watch(w->fd, self, CHANGES | LOSS | IN_ONLYDIR) < 0)
		return err_os(e, ERR_INTERNAL, "watch %s", path);
	snprintf(w->placed, sizeof(w->placed), "%s", path);
	fd_watch_set(&w->io, w->fd, FD_READ, on_watch_events);
	return 0;
}

/* Finds dir or its nearest existing ancestor. 1: a child is asked; -1: e. */
static int watch_find(struct cni_watch *w, char *path, char *missing, const struct looked **found, struct err *e)
{
	snprintf(path, PATH_MAX, "%s", w->dir);
	missing[0] = '\0';
	for (;;) {
		*found = lookup_get(w->looking, LOOKUP_DIR, path, e);
		if (!*found) {
			lookup_start(w->looking, on_watch_looked, w);
			return 1;
		}
		errno = (*found)->error;
		if (!errno)
			return 0;
		if ((errno != ENOENT && errno != ENOTDIR) || strcmp(path, "/") == 0)
			return err_os(e, ERR_INTERNAL, "watch %s", path);
		watch_parent_of(path, missing);
	}
}

/* A watch upon an ancestor is placed first and looked at afterwards: from then on no name comes unseen. */
static void watch_step(struct cni_watch *w)
{
	char path[PATH_MAX], missing[NAME_MAX + 1];
	const struct looked *f;
	struct err e;
	int found = watch_find(w, path, missing, &f, &e);
	bool again;

	if (found > 0)
		return;
	again = found == 0 && f->local && missing[0] && strcmp(path, w->placed) != 0;
	if (found < 0 || (f->local && strcmp(path, w->placed) != 0 && watch_place(w, f, path, &e) < 0)) {
		watch_failed(w, &e);
	} else if (!f->local) {
		watch_disarm(w);
		timer_set(&w->retry, POLL_MS, on_watch_retry);
	} else {
		strcpy(w->missing, missing);
		w->said.code = ERR_OK;
	}
	lookup_free(take_ptr(&w->looking));
	if (again)
		watch_look(w);
}

static void on_watch_looked(void *arg, const struct err *e)
{
	struct cni_watch *w = arg;

	if (!e)
		return watch_step(w);
	watch_failed(w, e);
	lookup_free(take_ptr(&w->looking));
}

static void watch_look(struct cni_watch *w)
{
	timer_clear(&w->retry);
	lookup_free(w->looking);
	w->looking = lookup_new("cni_watch");
	watch_step(w);
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
	if (lost)
		watch_disarm(w);
	if (lost || (ours && w->missing[0]))
		watch_look(w);
	if (lost || ours)
		w->changed();
}

struct cni_watch *cni_watch_open(const char *dir, void (*changed)(void))
{
	struct cni_watch *w = new_zero(struct cni_watch);

	w->dir = dir;
	w->changed = changed;
	w->fd = -1;
	watch_look(w);
	return w;
}

void cni_watch_close(struct cni_watch *w)
{
	if (!w)
		return;
	watch_disarm(w);
	timer_clear(&w->retry);
	lookup_free(w->looking);
	free(w);
}
