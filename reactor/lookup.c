/* lookup.c - see lookup.h.
 *
 *   NEW ---lookup_try() knows all---> KNOWN
 *    +---lookup_start()---> WAITING ---there is room for a child---> ASKED ---the child answered for all---> KNOWN
 *                           ^ |                                        |
 *  KNOWN ---the next round--+ +---other children hang, deadline--------+---deadline, no child, ended early---> FAILED
 *
 * Waits on: other children, which end or turn out to be slow (WAITING); crisp-lookup (its socket and its end) and one
 * timer (ASKED). A child outlives its lookup: it is forgotten when its socket is closed, which is when the process is
 * gone, also when SIGKILL had to wait for the kernel. */
#include "reactor/lookup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reactor/lookup/proto.h"
#include "reactor/lookup_local.h"
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
#include "reactor/small_file.h"

/* A client gives a request 2 minutes. A disk that wakes up, or an NFS server behind a slow line, answers in time. */
enum { DEADLINE_MS = 10000, CHILDREN_MAX = 64, CHILDREN_OF_OWNER = 4 };

/* A child that has worked for SLOW_MS hangs, perhaps. While others of its kind wait, it is looked at each LOOK_MS. */
enum { SLOW_MS = 1000, LOOK_MS = 200 };

enum lookup_state { NEW, WAITING, ASKED, KNOWN, FAILED };
static const struct sm_state lookup_states[] = {
	[NEW] = { "NEW", TO(WAITING) | TO(KNOWN) | TO(FAILED) },
	[WAITING] = { "WAITING", TO(ASKED) | TO(KNOWN) | TO(FAILED) },
	[ASKED] = { "ASKED", TO(KNOWN) | TO(FAILED) },
	[KNOWN] = { "KNOWN", TO(WAITING) | TO(KNOWN) },
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
	struct item *first, **end;
	struct item **round; /* where the first one stands that no child was asked for so far */
	struct item *asked;  /* the next one that the child answers */
	uint32_t answered;   /* in this round */
	struct link waiting;   /* in `waiting`; WAITING */
	struct looker *looker; /* ASKED */
	struct timer timer;    /* the deadline */
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
	int64_t since_ns;
	bool stuck;	       /* past its deadline */
	char *owner, *at; /* owned; at: the key at which it is stuck */
};

static const char *program = "";
static struct link lookers = { &lookers, &lookers }; /* of struct looker.link */
static struct link waiting = { &waiting, &waiting }; /* of struct lookup.waiting, in the order of their calls */
static struct timer waiting_timer;

void lookup_open(const char *path, const char *const *more)
{
	program = path;
	lookup_local_open(more);
}

/* ---- the paths of an operation ---- */

struct lookup *lookup_new(const char *owner)
{
	struct arena *a = arena_new();
	struct lookup *l = arena_zalloc(a, sizeof(*l));

	l->arena = a;
	l->owner = arena_strdup(a, owner);
	l->sm = (struct sm){ lookup_states, "lookup", l->owner, NEW };
	l->end = l->round = &l->first;
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
	if (list_linked(&l->waiting))
		list_drop(&l->waiting);
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
		i->known = lookup_local(l->arena, (enum lookup_kind)(i->key[0] - '0'), i->key + 1, &i->fact);
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

bool lookup_missing(struct lookup *l, enum lookup_kind kind, const char *path)
{
	struct err ignored;
	const struct looked *f = lookup_get(l, kind, path, &ignored);

	return f && (f->error == ENOENT || f->error == ENOTDIR);
}

char *lookup_read(struct lookup *l, const char *path, size_t max_bytes, size_t *len_bytes, enum err_code code,
		  struct err *e)
{
	const struct looked *f = lookup_get(l, LOOKUP_TEXT, path, e);

	if (!f)
		return NULL;
	errno = f->error;
	if (f->error)
		err_os(e, code, "read %s", path);
	else if (!S_ISREG(f->mode))
		err_set(e, code, "%s: not a regular file of at most %zu bytes", path, max_bytes);
	else if (lseek(f->fd, 0, SEEK_SET) == 0)
		return small_file_read_fd(f->fd, path, max_bytes, len_bytes, code, e);
	else
		err_os(e, code, "read %s", path);
	return NULL;
}

/* ---- the child ---- */

static void waiting_look(void);

static void lookup_report(struct lookup *l, const struct err *e)
{
	if (list_linked(&l->waiting))
		list_drop(&l->waiting);
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
	waiting_look();
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
		.dev = f->dev, .ino = f->ino, .size_bytes = f->size_bytes, .mtime_ns = f->mtime_ns, .local = f->local,
		.fd = take_fd(&given),
	};
	if (f->local && !f->error)
		lookup_learn(f->dev);
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

	if (!k) {
		err_set(&e, ERR_DEADLINE_EXCEEDED, "look up %s: other look-ups did not end within %d s",
			(*l->round)->key + 1, DEADLINE_MS / 1000);
		return lookup_report(l, &e);
	}
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

enum admission { REFUSED, LATER, ADMITTED };

/* Children that work for a moment only are no reason to refuse another one: it waits for them. */
static enum admission lookup_admit(const struct lookup *l, struct err *e)
{
	unsigned all = 0, slow = 0, of_owner = 0, slow_of_owner = 0;

	list_each(it, &lookers) {
		struct looker *k = container_of(it, struct looker, link);
		bool same_owner = strcmp(k->owner, l->owner) == 0;
		bool is_slow = loop_mono_ns() - k->since_ns >= SLOW_MS * INT64_C(1000000);

		all++;
		slow += is_slow;
		of_owner += same_owner;
		slow_of_owner += same_owner && is_slow;
		if (k->stuck)
			for (struct item *i = l->first; i; i = i->next)
				if (!i->known && strcmp(k->at + 1, i->key + 1) == 0) {
					err_set(e, ERR_DEADLINE_EXCEEDED,
						"look up %s: its file system still does not answer", i->key + 1);
					return REFUSED;
				}
	}
	if (all < CHILDREN_MAX && of_owner < CHILDREN_OF_OWNER)
		return ADMITTED;
	if (slow < CHILDREN_MAX && slow_of_owner < CHILDREN_OF_OWNER)
		return LATER;
	err_set(e, ERR_RESOURCE_EXHAUSTED,
		"look up %s: %u look-ups wait for file systems that do not answer, %u of them of one owner",
		(*l->round)->key + 1, slow, slow_of_owner);
	return REFUSED;
}

static int lookup_ask(struct lookup *l, struct err *e)
{
	const char *const argv[] = { program, NULL };
	struct buf in = { 0 };
	struct looker *k;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_os(e, ERR_INTERNAL, "socket for %s", program);
	sm_move(&l->sm, ASKED);
	k = new_zero(struct looker);
	k->owner = own_must(strdup(l->owner));
	k->fd = ends[0];
	k->since_ns = loop_mono_ns();
	k->lookup = l;
	l->looker = k;
	l->asked = *l->round;
	l->answered = 0;
	for (struct item *i = l->asked; i; i = i->next) {
		if (i->fact.fd >= 0)
			close(i->fact.fd);
		i->fact.fd = -1;
		buf_append(&in, i->key, strlen(i->key) + 1);
	}
	l->round = l->end;
	list_append(&lookers, &k->link);
	fd_watch_set(&k->watch, k->fd, FD_READ, on_looker_fact);
	k->child = child_start(&(struct child_spec){ .argv = argv, .stdin_data = in.at, .stdin_len = in.len,
		.fds = &(struct child_fd){ ends[1], LOOKUP_SOCKET }, .nfds = 1,
		.stage = "lookup" }, on_looker_ended, k);
	close(ends[1]);
	buf_free(&in);
	return 0;
}

static void on_waiting_look(struct timer *t)
{
	(void)t;
	waiting_look();
}

static void waiting_look(void)
{
	list_each(it, &waiting) {
		struct lookup *l = container_of(it, struct lookup, waiting);
		enum admission admission = lookup_admit(l, &l->err);

		if (admission == LATER)
			continue;
		list_drop(&l->waiting);
		if (admission == REFUSED || lookup_ask(l, &l->err) < 0)
			timer_set(&l->timer, 0, on_lookup_turn);
	}
	if (list_empty(&waiting))
		timer_clear(&waiting_timer);
	else
		timer_set(&waiting_timer, LOOK_MS, on_waiting_look);
}

/* The child is asked for all paths of the round, also for those that are known: an attempt later could need it for
 * another one. */
void lookup_start(struct lookup *l, lookup_done *done, void *arg)
{
	l->done = done;
	l->arg = arg;
	l->err.code = ERR_OK;
	sm_move(&l->sm, WAITING);
	if (!*l->round)
		return timer_set(&l->timer, 0, on_lookup_turn);
	timer_set(&l->timer, DEADLINE_MS, on_lookup_deadline);
	list_append(&waiting, &l->waiting);
	waiting_look();
}

unsigned lookup_stuck(void)
{
	unsigned n = 0;

	list_each(it, &lookers)
		n += container_of(it, struct looker, link)->stuck;
	return n;
}
