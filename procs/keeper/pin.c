/* pin.c - see pin.h.
 *
 *   QUEUED ---its turn---> unmounted and unlinked ---> done
 *                             +---hidden---> CHILD ---its report---> done
 *
 * A pin is hidden when its directory became a mount of its own after the pin was made: the first `ip netns add` of a
 * host does that to /run/netns. Then the path leads to a copy of the pin. The pin below it cannot be reached by a path,
 * and while it is mounted its file cannot be unlinked (EBUSY). In a mount namespace of its own the child unmounts what
 * hides it, the pin too, and unlinks the file: that removes the mounts upon it in every other mount namespace (Linux
 * 3.18 and later). (ARCHITECTURE K41)
 * Waits on: one timer; the child's report. An umount takes 8 to 30 us; the kernel tears the namespace down later, in a
 * thread of its own. */
#include "procs/keeper/pin.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/keeper/spawn.h"
#include "reactor/fault.h"
#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { BATCH = 50, TURN_MS = 20, PATH_SIZE = 256, LAYERS_MAX = 64 };

struct removal {
	struct link link; /* in `queue`, or in `hidden` */
	int fd;           /* the child's report; -1: none */
	struct fd_watch watch;
	pin_done *done;
	void *arg;
	char path[];
};

static struct link queue = { &queue, &queue };    /* of struct removal.link */
static struct link hidden = { &hidden, &hidden }; /* of struct removal.link: a child is at work */
static struct timer timer;

/* ---- making ---- */

static void make_parents(const char *path)
{
	char dir[PATH_SIZE];

	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
		/* not checked: after a failure the file cannot be made, and that error is reported */
		EFFECT(mkdir(dir, 0755));
	}
}

int pin_file(const char *path, struct err *e)
{
	auto_fd int fd = EFFECT(open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0444));

	if (fd < 0 && errno == ENOENT) {
		make_parents(path);
		fd = EFFECT(open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0444));
	}
	return fd < 0 ? err_os(e, ERR_INTERNAL, "make %s for a network namespace", path) : 0;
}

/* ---- in the child ---- */

static void pin_unmount(const char *path)
{
	for (int i = 0; i < LAYERS_MAX && EFFECT(umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW)) == 0; i++)
		continue;
}

/* -1 with errno: the file is still there, or not seen. */
static int pin_uncover(const char *path)
{
	char dir[PATH_SIZE];

	snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(path, '/') - path), path);
	if (unshare(CLONE_NEWNS) < 0 || EFFECT(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) < 0)
		return -1;
	for (int i = 0; i < LAYERS_MAX; i++) {
		pin_unmount(path);
		if (EFFECT(unlink(path)) == 0)
			return 0;
		if ((errno != EBUSY && errno != ENOENT) ||
		    EFFECT(umount2(dir, MNT_DETACH | UMOUNT_NOFOLLOW)) < 0)
			return -1;
	}
	return -1;
}

struct uncovering {
	const char *path;
	int fd; /* for the report: an int, 0 or errno */
};

static void pin_child(void *arg)
{
	const struct uncovering *u = arg;
	int error = pin_uncover(u->path) < 0 ? errno : 0;

	_exit(write(u->fd, &error, sizeof(error)) != sizeof(error));
}

/* ---- in the keeper ---- */

static void pin_over(struct removal *r, const struct err *e)
{
	pin_done *done = r->done;
	void *arg = r->arg;

	list_drop(&r->link);
	fd_watch_clear(&r->watch);
	if (r->fd >= 0)
		close(r->fd);
	free(r);
	done(arg, e);
}

static void on_pin_report(struct fd_watch *w, int events)
{
	struct removal *r = container_of(w, struct removal, watch);
	int error;
	struct err e;

	(void)events;
	if (read(r->fd, &error, sizeof(error)) != sizeof(error))
		err_set(&e, ERR_INTERNAL, "unmount %s: the child that does it died", r->path);
	else if ((errno = error))
		err_os(&e, ERR_INTERNAL, "unmount %s, which another mount hides", r->path);
	else
		return pin_over(r, NULL);
	pin_over(r, &e);
}

static int pin_start_child(struct removal *r, struct err *e)
{
	struct uncovering u = { .path = r->path };
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_os(e, ERR_INTERNAL, "pipe");
	u.fd = ends[1];
	pid = spawn_fn(pin_child, &u, e);
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return -1;
	}
	r->fd = ends[0];
	fd_watch_set(&r->watch, r->fd, FD_READ, on_pin_report);
	list_drop(&r->link);
	list_append(&hidden, &r->link);
	return 0;
}

/* Decodes a field of mountinfo in place: "\040" is a space (proc(5)). */
static void mountinfo_decode(char *s)
{
	char *to = s;

	for (; *s; s++) {
		if (*s == '\\' && strspn(s + 1, "01234567") >= 3) {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/* Is anything mounted at this path, by any way to it? Read only where the path shows nothing. */
static bool pin_is_mounted(const char *path)
{
	auto_file FILE *f = fopen("/proc/self/mountinfo", "re");
	auto_free char *line = NULL;
	char at[4 * PATH_SIZE];
	size_t size = 0;

	while (f && getline(&line, &size, f) > 0) {
		if (sscanf(line, "%*d %*d %*s %*s %1023s", at) != 1)
			continue;
		mountinfo_decode(at);
		if (strcmp(at, path) == 0)
			return true;
	}
	return false;
}

static void pin_try(struct removal *r)
{
	struct err e;

	pin_unmount(r->path);
	if (EFFECT(unlink(r->path)) == 0)
		return pin_over(r, NULL);
	if (errno == EBUSY || (errno == ENOENT && pin_is_mounted(r->path))) {
		if (pin_start_child(r, &e) == 0)
			return;
	} else if (errno == ENOENT || errno == ENOTDIR) {
		return pin_over(r, NULL);
	} else {
		err_os(&e, ERR_INTERNAL, "unlink %s", r->path);
	}
	pin_over(r, &e);
}

/* 500 namespaces dropped at once stall the making of new ones for 165 ms; 50 every 20 ms do not. (ARCHITECTURE K2) */
static void on_pin_turn(struct timer *t)
{
	for (int i = 0; i < BATCH && !list_empty(&queue); i++)
		pin_try(container_of(list_first(&queue), struct removal, link));
	if (!list_empty(&queue))
		timer_set(t, TURN_MS, on_pin_turn);
}

void pin_remove(const char *path, pin_done *done, void *arg)
{
	struct removal *r = own_must(calloc(1, sizeof(*r) + strlen(path) + 1));

	memcpy(r->path, path, strlen(path) + 1);
	r->fd = -1;
	r->done = done;
	r->arg = arg;
	list_append(&queue, &r->link);
	if (!timer_is_set(&timer))
		timer_set(&timer, 0, on_pin_turn);
}
