/* lookup.c - see lookup.h.
 *
 *   NEW ---lookup_try() knows all, or lookup_start() was told all---> KNOWN
 *    +---lookup_start()---> ASKED ---the child answered for all---> KNOWN
 *                             +---deadline, no child, child ended early---> FAILED
 *
 * Waits on: crisp-lookup (its socket and its end) and one timer (ASKED). A child outlives its lookup: it is forgotten
 * when its socket is closed, which is when the process is gone, also when SIGKILL had to wait for the kernel. */
#include "procs/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "procs/logfile.h"
#include "procs/lookup/proto.h"
#include "reactor/arena.h"
#include "reactor/buf.h"
#include "reactor/child.h"
#include "reactor/imsg.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/map.h"
#include "reactor/own.h"
#include "reactor/sm.h"

/* The kubelet gives a request 2 minutes. A disk that wakes up, or an NFS server behind a slow line, answers in time. */
enum { DEADLINE_MS = 10000, CHILDREN_MAX = 64, CHILDREN_OF_OWNER = 4, LOCAL_MAX = 32, TRIES = 16 };

enum lookup_state { NEW, ASKED, KNOWN, FAILED };
static const struct sm_state lookup_states[] = {
	[NEW] = { "NEW", TO(ASKED) | TO(KNOWN) | TO(FAILED) },
	[ASKED] = { "ASKED", TO(KNOWN) | TO(FAILED) },
	[KNOWN] = { "KNOWN", 0 },
	[FAILED] = { "FAILED", 0 },
};

struct item {
	struct item *next;
	const char *key; /* the kind as a digit, then the path: also the record for the child */
	bool known;
	struct looked fact;
};

struct lookup {
	struct sm sm;
	struct arena *arena;
	const char *owner;
	struct map by_key; /* of struct item */
	struct item *first, **end, *asked; /* asked: the next one that the child answers */
	uint32_t answered;
	struct looker *looker; /* ASKED */
	struct timer timer;
	struct err err;
	lookup_done *done;
	void *arg;
};

/* A child that looks up. */
struct looker {
	struct link link;
	struct child *child; /* NULL: ended or given up */
	int fd;		     /* our end of its socket; -1: the process is gone */
	struct fd_watch watch;
	struct lookup *lookup; /* NULL: it has all facts, or nobody waits any more */
	bool stuck;
	char *owner, *at; /* owned; at: the key at which it is stuck */
};

static const char *program = "";
static struct link lookers = { &lookers, &lookers }; /* of struct looker.link */
static dev_t local[LOCAL_MAX];
static size_t n_local;

/* ---- what does not block ---- */

/* File systems that are in memory or on the node's own disks. NFS, FUSE, 9p and the like are not in it. */
static bool fs_is_local(long type)
{
	static const unsigned types[] = {
		0xef53,	    /* ext4 */
		0x58465342, /* xfs */
		0x9123683e, /* btrfs */
		0x01021994, /* tmpfs, devtmpfs */
		0x858458f6, /* ramfs */
		0x794c7630, /* overlay */
		0xf2f52010, /* f2fs */
		0x2fc12fc1, /* zfs */
		0x73717368, /* squashfs */
		0xe0f5e1e2, /* erofs */
		0x9fa0,	    /* proc */
		0x62656572, /* sysfs */
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if ((unsigned)type == types[i])
			return true;
	return false;
}

static void local_add(const char *dir)
{
	struct statfs fs;
	struct stat st;

	if (n_local < LOCAL_MAX && statfs(dir, &fs) == 0 && fs_is_local(fs.f_type) && stat(dir, &st) == 0)
		local[n_local++] = st.st_dev;
}

/* The daemon's own files are on these file systems: when one of them hangs, the daemon hangs anyway. */
void lookup_open(const char *path, const char *const *more)
{
	static const char *const usual[] = {
		"/", "/dev", "/etc", "/proc", "/run", "/sys", "/tmp", "/usr",
		"/var", "/var/lib", "/var/log", "/var/log/pods", "/var/lib/kubelet",
	};

	program = path;
	n_local = 0;
	for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++)
		local_add(usual[i]);
	for (; *more; more++)
		local_add(*more);
}

static bool is_local(int fd)
{
	struct statx st;

	if (!n_local)
		lookup_open(program, (const char *const[]){ NULL });
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0)
		return false;
	for (size_t i = 0; i < n_local; i++)
		if (local[i] == makedev(st.stx_dev_major, st.stx_dev_minor))
			return true;
	return false;
}

/* A mount or a rename anywhere on the machine meanwhile is EAGAIN too: then the next try goes well. A symbolic link
 * whose time of access is due for an update (relatime: once a day) is EAGAIN until the child has followed it. */
static int open_how(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
	struct open_how how = { .flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve };
	int fd = -1;

	for (int i = 0; i < TRIES && fd < 0 && (i == 0 || errno == EAGAIN); i++)
		fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
	return fd;
}

/* Below dir, which is on a local file system: through no link and no mount, which could lead to another one. EAGAIN:
 * that is not possible. */
static int open_local(int dir, const char *path, uint64_t flags, uint64_t mode)
{
	int fd = open_how(dir, path, flags, mode, RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH);

	if (fd < 0 && (errno == ELOOP || errno == EXDEV))
		errno = EAGAIN;
	return fd;
}

/* Takes dir. */
static int make_local(int dir, const char *path)
{
	auto_fd int at = dir;

	while (*path) {
		size_t len = strcspn(path, "/");
		auto_free char *name = own_must(strndup(path, len));
		int below;

		path += len + strspn(path + len, "/");
		if (mkdirat(at, name, 0755) < 0 && errno != EEXIST)
			return -1;
		below = open_local(at, name, O_PATH, 0);
		if (below < 0)
			return -1;
		close(at);
		at = below;
	}
	return take_fd(&at);
}

/* An O_PATH fd of the deepest directory above path that the caches have; *rest: what is below it. */
static int open_deepest(const char *path, const char **rest)
{
	auto_free char *dir = own_must(strdup(path));
	int at = -1;

	for (char *slash; at < 0 && (slash = strrchr(dir, '/')) && dir[1] && (errno == EAGAIN || errno == ENOENT);) {
		while (slash > dir && slash[-1] == '/')
			slash--;
		slash[slash == dir] = '\0';
		at = open_how(AT_FDCWD, dir, O_PATH, 0, RESOLVE_CACHED);
	}
	*rest = path + strlen(dir);
	*rest += strspn(*rest, "/");
	return at;
}

/* An O_PATH fd; -1: errno, EAGAIN: only a child can tell. */
static int open_path(const char *path, bool make)
{
	int fd = open_how(AT_FDCWD, path, O_PATH, 0, RESOLVE_CACHED);
	auto_fd int at = -1;
	const char *rest;

	if (fd >= 0 || (errno != EAGAIN && (errno != ENOENT || !make)))
		return fd;
	at = open_deepest(path, &rest);
	if (at < 0)
		return -1;
	if (!is_local(at)) {
		errno = EAGAIN;
		return -1;
	}
	fd = open_local(at, *rest ? rest : ".", O_PATH, 0);
	return fd < 0 && errno == ENOENT && make ? make_local(take_fd(&at), rest) : fd;
}

/* A regular file only: open(2) of a device may wait. */
static int open_text(const char *path)
{
	auto_fd int fd = open_path(path, false);
	char self[40];
	struct statx st;

	if (fd < 0)
		return -1;
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st) < 0)
		return -1;
	if (!S_ISREG(st.stx_mode))
		return take_fd(&fd);
	if (!is_local(fd)) {
		errno = EAGAIN;
		return -1;
	}
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	return open(self, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* Below the log directory no link is followed (logfile.h), and no mount is entered: that is left to the child. */
static int open_log(const char *path)
{
	const char *below = logfile_below(path);
	size_t n = (size_t)(below - path);
	auto_free char *dir = own_must(strndup(path, n > 1 ? n - 1 : n));
	auto_fd int at = open_path(dir, true);
	int fd = -1;

	if (at >= 0 && is_local(at))
		fd = logfile_open_at(at, below, true);
	else if (at >= 0)
		errno = EAGAIN;
	if (fd < 0 && errno == EXDEV)
		errno = EAGAIN;
	return fd;
}

static int open_kind(enum lookup_kind kind, const char *path)
{
	switch (kind) {
	case LOOKUP_PLACE:
	case LOOKUP_MOUNT:
		return open_path(path, true);
	case LOOKUP_NODE:
		return open_path(path, false);
	case LOOKUP_TEXT:
		return open_text(path);
	case LOOKUP_LOG:
		return open_log(path);
	}
	errno = EINVAL;
	return -1;
}

/* False: EAGAIN. */
static bool look_now(struct arena *a, enum lookup_kind kind, const char *path, struct looked *out)
{
	auto_fd int fd = open_kind(kind, path);
	char self[40], real[PATH_MAX];
	struct statx st;
	ssize_t n;

	*out = (struct looked){ .fd = -1 };
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (fd < 0 ||
	    statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BASIC_STATS | STATX_MNT_ID, &st) < 0 ||
	    (n = readlink(self, real, sizeof(real) - 1)) < 0) {
		out->error = errno;
		return errno != EAGAIN;
	}
	*out = (struct looked){
		.real = arena_strndup(a, real, (size_t)n), .mode = st.stx_mode,
		.rdev = makedev(st.stx_rdev_major, st.stx_rdev_minor), .uid = st.stx_uid, .gid = st.stx_gid,
		.mount_id = st.stx_mnt_id, .fd = kind == LOOKUP_PLACE || kind == LOOKUP_NODE ? -1 : take_fd(&fd),
	};
	return true;
}

DIR *lookup_open_dir(const char *path)
{
	auto_fd int fd = open_path(path, false), dir = -1;
	DIR *d;

	if (fd >= 0 && !is_local(fd))
		errno = EAGAIN;
	else if (fd >= 0)
		dir = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = dir < 0 ? NULL : fdopendir(dir);
	if (d)
		dir = -1;
	return d;
}

/* ---- the paths of an operation ---- */

struct lookup *lookup_new(const char *owner)
{
	struct arena *a = arena_new();
	struct lookup *l = arena_zalloc(a, sizeof(*l));

	l->arena = a;
	l->owner = arena_strdup(a, owner);
	l->sm = (struct sm){ lookup_states, "lookup", l->owner, NEW };
	l->end = &l->first;
	return l;
}

void lookup_free(struct lookup *l)
{
	if (!l)
		return;
	if (l->looker) {
		l->looker->lookup = NULL;
		child_cancel(take_ptr(&l->looker->child));
	}
	timer_clear(&l->timer);
	for (struct item *i = l->first; i; i = i->next)
		if (i->fact.fd >= 0)
			close(i->fact.fd);
	map_free(&l->by_key);
	arena_free(l->arena);
}

void lookup_add(struct lookup *l, enum lookup_kind kind, const char *path)
{
	const char *key = arena_printf(l->arena, "%d%s", (int)kind, path);
	struct item *i;

	if (map_get(&l->by_key, key))
		return;
	i = arena_zalloc(l->arena, sizeof(*i));
	i->key = key;
	i->fact.fd = -1;
	map_put(&l->by_key, key, i);
	*l->end = i;
	l->end = &i->next;
}

static bool item_try(struct lookup *l, struct item *i)
{
	if (!i->known)
		i->known = look_now(l->arena, (enum lookup_kind)(i->key[0] - '0'), i->key + 1, &i->fact);
	return i->known;
}

bool lookup_try(struct lookup *l)
{
	for (struct item *i = l->first; i; i = i->next)
		if (!item_try(l, i))
			return false;
	sm_move(&l->sm, KNOWN);
	return true;
}

struct looked *lookup_get(struct lookup *l, enum lookup_kind kind, const char *path, struct err *e)
{
	auto_free char *key = own_must(malloc(strlen(path) + 2));
	struct item *i;

	if (!l) {
		err_set(e, ERR_UNAVAILABLE, "%s was not looked up", path);
		return NULL;
	}
	key[0] = (char)('0' + kind);
	memcpy(key + 1, path, strlen(path) + 1);
	if (!map_get(&l->by_key, key))
		lookup_add(l, kind, path);
	i = map_get(&l->by_key, key);
	if (item_try(l, i))
		return &i->fact;
	err_set(e, ERR_UNAVAILABLE, "%s: its file system must be asked first", path);
	return NULL;
}

/* ---- the child ---- */

static void lookup_report(struct lookup *l, const struct err *e)
{
	sm_move(&l->sm, e ? FAILED : KNOWN);
	timer_clear(&l->timer);
	if (l->looker)
		l->looker->lookup = NULL;
	l->looker = NULL;
	l->done(l->arg, e);
}

static void on_lookup_turn(struct timer *t)
{
	struct lookup *l = container_of(t, struct lookup, timer);
	struct err e = l->err;

	lookup_report(l, e.code == ERR_OK ? NULL : &e);
}

static void looker_free_if_gone(struct looker *k)
{
	struct lookup *l = k->lookup;
	struct err e;

	if (k->fd >= 0 || k->child)
		return;
	list_drop(&k->link);
	if (k->stuck)
		log_info("lookup_free path=%s children_stuck=%u", log_quote(k->at + 1), lookup_stuck());
	free(k->owner);
	free(k->at);
	free(k);
	if (!l)
		return;
	l->looker = NULL;
	err_set(&e, ERR_INTERNAL, "%s ended before it had looked up %s", program, l->asked->key + 1);
	lookup_report(l, &e);
}

static void on_looker_ended(void *arg, const struct err *e, struct child_result *r)
{
	struct looker *k = arg;

	(void)r;
	k->child = NULL;
	if (e && k->lookup)
		lookup_report(k->lookup, e);
	looker_free_if_gone(k);
}

static void looker_take(struct looker *k, const struct lookup_fact *f, size_t len, int fd)
{
	struct lookup *l = k->lookup;
	struct item *i = l ? l->asked : NULL;
	auto_fd int given = fd;

	if (!i)
		return;
	if (len < LOOKUP_FACT_MIN || f->version != LOOKUP_VERSION || f->nth != l->answered) {
		struct err e;

		err_set(&e, ERR_INTERNAL, "%s is of another version than this daemon", program);
		return lookup_report(l, &e);
	}
	i->known = true;
	i->fact = (struct looked){
		.error = f->error, .real = arena_strndup(l->arena, f->real, len - offsetof(struct lookup_fact, real)),
		.mode = f->mode, .rdev = f->rdev, .uid = f->uid, .gid = f->gid, .mount_id = f->mount_id,
		.fd = take_fd(&given),
	};
	l->answered++;
	l->asked = i->next;
	if (!l->asked)
		lookup_report(l, NULL);
}

static void on_looker_fact(struct fd_watch *w, int events)
{
	struct looker *k = container_of(w, struct looker, watch);
	static struct lookup_fact f;
	union imsg_control control;
	struct iovec iov = { &f, sizeof(f) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(k->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int fd = -1;

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		if (CMSG_FIRSTHDR(&msg) && CMSG_FIRSTHDR(&msg)->cmsg_type == SCM_RIGHTS)
			memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
		if (msg.msg_flags & MSG_CTRUNC) /* this process has no fd left for the one that was sent */
			f.error = EMFILE;
		return looker_take(k, &f, (size_t)n, fd);
	}
	fd_watch_clear(&k->watch);
	close(take_fd(&k->fd));
	looker_free_if_gone(k);
}

static void on_lookup_deadline(struct timer *t)
{
	struct lookup *l = container_of(t, struct lookup, timer);
	struct looker *k = l->looker;
	struct err e;

	k->stuck = true;
	k->at = own_must(strdup(l->asked->key));
	if (k->child)
		child_cancel(take_ptr(&k->child));
	log_warn("lookup_stuck path=%s children_stuck=%u", log_quote(k->at + 1), lookup_stuck());
	err_set(&e, ERR_DEADLINE_EXCEEDED, "look up %s: its file system did not answer within %d s", l->asked->key + 1,
		DEADLINE_MS / 1000);
	lookup_report(l, &e);
	looker_free_if_gone(k);
}

static int lookup_admit(const struct lookup *l, struct err *e)
{
	unsigned all = 0, of_owner = 0;

	list_each(it, &lookers) {
		struct looker *k = container_of(it, struct looker, link);

		all++;
		of_owner += strcmp(k->owner, l->owner) == 0;
		if (k->stuck)
			for (struct item *i = l->first; i; i = i->next)
				if (!i->known && strcmp(k->at + 1, i->key + 1) == 0)
					return err_set(e, ERR_DEADLINE_EXCEEDED,
						       "look up %s: its file system still does not answer", i->key + 1);
	}
	if (all >= CHILDREN_MAX || of_owner >= CHILDREN_OF_OWNER)
		return err_set(e, ERR_RESOURCE_EXHAUSTED,
			       "look up %s: %u look-ups are under way, %u of them of the same pod", l->first->key + 1,
			       all, of_owner);
	return 0;
}

static int lookup_ask(struct lookup *l, struct err *e)
{
	const char *const argv[] = { program, NULL };
	struct buf in = { 0 };
	struct looker *k;
	int ends[2];

	if (lookup_admit(l, e) < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_os(e, ERR_INTERNAL, "socket for %s", program);
	k = new_zero(struct looker);
	k->owner = own_must(strdup(l->owner));
	k->fd = ends[0];
	k->lookup = l;
	l->looker = k;
	l->asked = l->first;
	for (struct item *i = l->first; i; i = i->next) {
		if (i->fact.fd >= 0)
			close(i->fact.fd);
		i->fact.fd = -1;
		buf_append(&in, i->key, strlen(i->key) + 1);
	}
	list_append(&lookers, &k->link);
	fd_watch_set(&k->watch, k->fd, FD_READ, on_looker_fact);
	k->child = child_start(&(struct child_spec){ .argv = argv, .stdin_data = in.at, .stdin_len = in.len,
		.fds = &(struct child_fd){ ends[1], LOOKUP_SOCKET }, .nfds = 1 }, on_looker_ended, k);
	close(ends[1]);
	buf_free(&in);
	return 0;
}

/* The child is asked for all paths, also for those that are known: an attempt later could need it for another one. */
void lookup_start(struct lookup *l, lookup_done *done, void *arg)
{
	l->done = done;
	l->arg = arg;
	if (lookup_ask(l, &l->err) < 0) {
		timer_set(&l->timer, 0, on_lookup_turn);
		return;
	}
	sm_move(&l->sm, ASKED);
	timer_set(&l->timer, DEADLINE_MS, on_lookup_deadline);
}

unsigned lookup_stuck(void)
{
	unsigned n = 0;

	list_each(it, &lookers)
		n += container_of(it, struct looker, link)->stuck;
	return n;
}
