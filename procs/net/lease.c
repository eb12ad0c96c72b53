/* lease.c - see lease.h. */
#include "procs/net/lease.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reactor/fault.h"
#include "reactor/own.h"

enum { FILE_MAX = 512, LAST_NAME = 40 };

/* The owner is written here first, and linked to the address then: a process that dies in between leaves no empty file
 * of an address, which would be nobody's for ever. The next one that has the lock removes what is left. */
static const char new_name[] = "crisp.new";

static int make_dirs(const char *path)
{
	auto_free char *p = own_must(strdup(path));

	for (char *slash = strchr(p + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (EFFECT(mkdir(p, 0755)) < 0 && errno != EEXIST)
			return -1;
		*slash = '/';
	}
	return EFFECT(mkdir(p, 0755)) < 0 && errno != EEXIST ? -1 : 0;
}

int lease_lock(struct lease_dir *d, const char *path, struct err *e)
{
	auto_fd int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), lock = -1;

	*d = (struct lease_dir){ -1, -1 };
	if (dir < 0 && errno == ENOENT && make_dirs(path) == 0)
		dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_os(e, ERR_INTERNAL, "addresses of host-local in %s", path);
	/* a FIFO of that name must not hold the program */
	lock = openat(dir, "lock", O_CREAT | O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0750);
	if (lock < 0)
		return err_os(e, ERR_INTERNAL, "%s/lock", path);
	if (flock(lock, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK || errno == EINTR ? 0 : err_os(e, ERR_INTERNAL, "lock %s/lock", path);
	*d = (struct lease_dir){ take_fd(&dir), take_fd(&lock) };
	return 1;
}

void lease_unlock(struct lease_dir *d)
{
	if (d->lock >= 0)
		close(take_fd(&d->lock));
	if (d->dir >= 0)
		close(take_fd(&d->dir));
}

bool lease_is_of(const char *text, size_t len, const char *id, const char *ifname)
{
	size_t n = strlen(id), m = strlen(ifname);

	while (len && strchr(" \t\r\n", text[len - 1]))
		len--;
	while (len && strchr(" \t\r\n", *text)) {
		text++;
		len--;
	}
	if (len == n)
		return memcmp(text, id, n) == 0;
	return len == n + 2 + m && memcmp(text, id, n) == 0 && memcmp(text + n, "\r\n", 2) == 0 &&
	       memcmp(text + n + 2, ifname, m) == 0;
}

/* 1: the file is this interface's; 0: it is not, or there is none; -1: errno. */
static int file_is_of(int dir, const char *name, const char *id, const char *ifname)
{
	/* a FIFO or a device that stands there is nobody's lease, and must not hold the program */
	auto_fd int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	char text[FILE_MAX];
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT || errno == ELOOP || errno == ENXIO ? 0 : -1;
	n = read(fd, text, sizeof(text));
	if (n < 0)
		return errno == EISDIR || errno == EAGAIN ? 0 : -1;
	return (size_t)n < sizeof(text) && lease_is_of(text, (size_t)n, id, ifname);
}

/* A failure of writing leaves no file: half an owner would hold the address for ever. */
static int file_write(int dir, const char *name, int flags, const char *text)
{
	const int always = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY; /* see file_is_of() */
	auto_fd int fd = EFFECT(openat(dir, name, always | flags, 0600));
	size_t len = strlen(text);
	ssize_t n;
	int why;

	if (fd < 0)
		return -1;
	n = EFFECT(write(fd, text, len));
	if (n == (ssize_t)len)
		return 0;
	why = n < 0 ? errno : ENOSPC;
	EFFECT(unlinkat(dir, name, 0));
	errno = why;
	return -1;
}

static const char *last_name(size_t set, char out[LAST_NAME])
{
	snprintf(out, LAST_NAME, "last_reserved_ip.%zu", set);
	return out;
}

static bool range_has(const struct net_range *r, const struct net_ip *ip)
{
	return ip->family == r->first.family && net_ip_cmp(&r->first, ip) <= 0 && net_ip_cmp(ip, &r->last) <= 0;
}

/* The range that has the last address given, and *at that address; where there is none, the first range and family
 * 0. */
static size_t last_given(int dir, const struct net_plan *p, size_t set, struct net_ip *at)
{
	const struct net_range_set *s = &p->sets[set];
	char name[LAST_NAME], text[NET_IP_TEXT + 1];
	auto_fd int fd = openat(dir, last_name(set, name), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n > 0) {
		text[n] = '\0';
		if (net_ip_parse(at, text) == 0)
			for (size_t i = 0; i < s->n; i++)
				if (range_has(&s->at[i], at))
					return i;
	}
	at->family = 0;
	return 0;
}

/* The walk of host-local: from the address behind the last one given, over all ranges of the set, until it is back. */
struct lease_walk {
	const struct net_range_set *set;
	size_t range;
	struct net_ip at, start;
};

static bool walk_next(struct lease_walk *w)
{
	const struct net_range *r = &w->set->at[w->range];

	if (!w->at.family) {
		w->at = r->first;
	} else if (net_ip_cmp(&w->at, &r->last) == 0) {
		w->range = (w->range + 1) % w->set->n;
		w->at = w->set->at[w->range].first;
	} else {
		net_ip_next(&w->at);
	}
	if (!w->start.family)
		w->start = w->at;
	else if (net_ip_cmp(&w->at, &w->start) == 0)
		return false;
	return true;
}

/* An address that is free becomes the owner's. 1: taken; 0: none is free; -1: errno. */
static int lease_link(int dir, struct lease_walk *w, char text[NET_IP_TEXT])
{
	while (walk_next(w)) {
		if (net_ip_cmp(&w->at, &w->set->at[w->range].gateway) == 0)
			continue;
		if (EFFECT(linkat(dir, new_name, dir, net_ip_text(&w->at, text), 0)) == 0)
			return 1;
		if (errno != EEXIST)
			return -1;
	}
	return 0;
}

static int lease_take_one(int dir, const struct net_plan *p, size_t nth, const char *owner, struct lease *out,
			  struct err *e)
{
	struct lease_walk w = { .set = &p->sets[nth] };
	char text[NET_IP_TEXT] = "an address", end[NET_IP_TEXT], name[LAST_NAME];
	int ret, why;

	w.range = last_given(dir, p, nth, &w.at);
	EFFECT(unlinkat(dir, new_name, 0));
	ret = file_write(dir, new_name, O_EXCL, owner) < 0 ? -1 : lease_link(dir, &w, text);
	why = errno;
	EFFECT(unlinkat(dir, new_name, 0));
	errno = why;
	if (ret < 0)
		return err_os(e, ERR_INTERNAL, "reserve %s in %s", text, p->leases);
	if (ret == 0)
		return err_set(e, ERR_RESOURCE_EXHAUSTED,
			       "network %.64s has no address left in range set %zu (%s%s to %s)", p->network, nth,
			       w.set->n > 1 ? "first range " : "", net_ip_text(&w.set->at[0].first, text),
			       net_ip_text(&w.set->at[0].last, end));
	*out = (struct lease){ { w.at, w.set->at[w.range].subnet.len }, w.set->at[w.range].gateway };
	/* only the order of the next addresses depends on it */
	if (file_write(dir, last_name(nth, name), O_TRUNC, text) < 0)
		EFFECT(unlinkat(dir, name, 0));
	return 0;
}

int lease_take(const struct lease_dir *d, const struct net_plan *p, const char *id, const char *ifname,
	       struct lease *out, struct err *e)
{
	char owner[FILE_MAX], text[NET_IP_TEXT];

	if ((size_t)snprintf(owner, sizeof(owner), "%s\r\n%s", id, ifname) >= sizeof(owner))
		return err_set(e, ERR_INTERNAL, "the id of a sandbox is too long for host-local");
	for (size_t i = 0; i < p->nsets; i++) {
		if (lease_take_one(d->dir, p, i, owner, &out[i], e) == 0)
			continue;
		while (i-- > 0)
			EFFECT(unlinkat(d->dir, net_ip_text(&out[i].address.ip, text), 0));
		return -1;
	}
	return 0;
}

int lease_find(const char *path, const char *id, const char *ifname, struct net_ip *out, unsigned max, struct err *e)
{
	auto_dir DIR *d = opendir(path);
	struct dirent *entry;
	int n = 0;

	if (!d)
		return errno == ENOENT ? 0 : err_os(e, ERR_INTERNAL, "addresses of host-local in %s", path);
	while ((errno = 0, entry = readdir(d)) && (unsigned)n < max) {
		int mine = net_ip_parse(&out[n], entry->d_name) < 0 ? 0 :
								      file_is_of(dirfd(d), entry->d_name, id, ifname);

		if (mine < 0)
			return err_os(e, ERR_INTERNAL, "%s/%.64s", path, entry->d_name);
		n += mine;
	}
	return errno ? err_os(e, ERR_INTERNAL, "addresses of host-local in %s", path) : n;
}

int lease_give(const struct lease_dir *d, const struct net_ip *ip, const char *id, const char *ifname, struct err *e)
{
	char name[NET_IP_TEXT];
	int mine = file_is_of(d->dir, net_ip_text(ip, name), id, ifname);

	if (mine < 0 || (mine && EFFECT(unlinkat(d->dir, name, 0)) < 0 && errno != ENOENT))
		return err_os(e, ERR_INTERNAL, "free address %s", name);
	return 0;
}

enum lease_state lease_look(const char *path, const struct net_ip *ip, const char *id, const char *ifname)
{
	auto_fd int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[NET_IP_TEXT];
	struct stat st;
	int mine;

	if (dir < 0 || fstatat(dir, net_ip_text(ip, name), &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? LEASE_FREE : LEASE_UNREAD;
	mine = file_is_of(dir, name, id, ifname);
	return mine < 0 ? LEASE_UNREAD : mine ? LEASE_MINE : LEASE_OTHERS;
}

int lease_again(const struct lease_dir *d, const struct net_ip *ip, const char *id, const char *ifname, struct err *e)
{
	char owner[FILE_MAX], name[NET_IP_TEXT];

	if ((size_t)snprintf(owner, sizeof(owner), "%s\r\n%s", id, ifname) >= sizeof(owner))
		return err_set(e, ERR_INTERNAL, "the id of a sandbox is too long for host-local");
	if (file_write(d->dir, net_ip_text(ip, name), O_EXCL, owner) < 0 && errno != EEXIST)
		return err_os(e, ERR_INTERNAL, "reserve %s", name);
	return 0;
}
