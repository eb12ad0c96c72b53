/* keeper.c - see keeper.h.
 *
 *   HELLO ---WELCOME, HELD..., KEPT..., END---> HERE ---channel ends---> AWAY
 *   AWAY ---a new keeper listens---> RETURN ---END---> HERE          RETURN ---channel ends---> AWAY
 *   HELLO ---channel ends---> AWAY (ready with UNAVAILABLE)
 *
 * Waits on: the keeper's messages; in AWAY one timer, by which it tries to connect to <state>/keeper.sock until a new
 * keeper listens there. While the keeper is away the tables of this file are the only copy: RETURN hands all of them to
 * the new keeper. (ARCHITECTURE K4) */
#include "procs/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "procs/keeper/proto.h"
#include "procs/namespaces.h"
#include "reactor/child.h"
#include "reactor/imsg.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/map.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum { CONNECT_TURN_MS = 100, STATUS_LOST = -1 };

enum keeper_state { HELLO, HERE, AWAY, RETURN };

static const struct sm_state keeper_states[] = {
	[HELLO]  = { "HELLO",  TO(HERE) | TO(AWAY) },
	[HERE]   = { "HERE",   TO(AWAY) },
	[AWAY]   = { "AWAY",   TO(RETURN) },
	[RETURN] = { "RETURN", TO(HERE) | TO(AWAY) },
};

struct held {
	struct link link;
	uint64_t tag;    /* of the last HOLD, whose answer counts; 0: no answer is awaited */
	uint32_t number; /* of the fd in the keeper */
	int fd;
	char name[];
};

struct kept_entry {
	struct link link;
	struct kept_report kept;
	char id[];
};

static struct {
	struct sm sm;
	struct keeper_events events;
	const struct namespaces_hooks *namespaces; /* NULL: none was ever asked for */
	pid_t pid;
	char *state; /* directory */
	int lock;    /* of <state>/crispd.lock: it stays open as long as crispd lives, which is all its use */
	uint64_t last_tag;
	struct timer retry;
	struct timer tell; /* set while a watch may have to be told of an exit */
	struct map held_by_name, kept_by_id;
	struct link held, kept, watches; /* of struct held, kept_entry, exit_watch */
} keeper = {
	.sm = { keeper_states, "keeper", "", HELLO }, .lock = -1,
	.held = { &keeper.held, &keeper.held }, .kept = { &keeper.kept, &keeper.kept },
	.watches = { &keeper.watches, &keeper.watches },
};

static void send_to_keeper(uint32_t type, uint64_t tag, const struct buf *body, const int *fds, int nfds)
{
	struct imsg_chan *chan = child_host_chan();
	struct err e;

	/* UNAVAILABLE: the keeper has just died. on_keeper_gone() follows, and the next keeper gets the tables. */
	if (chan && imsg_send(chan, type, tag, body, fds, nfds, &e) < 0 && e.code != ERR_UNAVAILABLE)
		log_error("keeper message=%u error=%s", type, log_quote(e.msg));
}

static void send_str(uint32_t type, const char *s)
{
	struct buf b = { 0 };

	put_str(&b, s);
	send_to_keeper(type, 0, &b, NULL, 0);
	buf_free(&b);
}

/* ---- fds ---- */

static void held_free(struct held *h)
{
	map_drop(&keeper.held_by_name, h->name);
	list_drop(&h->link);
	close(h->fd);
	free(h);
}

/* Takes fd. */
static struct held *held_put(const char *name, int fd)
{
	struct held *h = map_get(&keeper.held_by_name, name);

	if (h) {
		close(h->fd);
	} else {
		h = own_must(calloc(1, sizeof(*h) + strlen(name) + 1));
		memcpy(h->name, name, strlen(name) + 1);
		map_put(&keeper.held_by_name, h->name, h);
		list_append(&keeper.held, &h->link);
	}
	h->fd = fd;
	h->tag = 0;
	h->number = KEEPER_NOT_HELD;
	return h;
}

static void send_hold(struct held *h)
{
	struct buf b = { 0 };

	h->tag = ++keeper.last_tag;
	h->number = KEEPER_NOT_HELD;
	put_str(&b, h->name);
	send_to_keeper(KEEPER_HOLD, h->tag, &b, &h->fd, 1);
	buf_free(&b);
}

void keeper_ask_hold(const char *name, int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (copy < 0) {
		log_error("hold name=%s error=%s", name, log_quote(strerror(errno)));
		return;
	}
	send_hold(held_put(name, copy));
}

void keeper_ask_release(const char *name)
{
	struct held *h = map_get(&keeper.held_by_name, name);

	if (!h)
		return;
	send_str(KEEPER_RELEASE, name);
	held_free(h);
}

static void release_local(const char *prefix)
{
	size_t n = strlen(prefix);

	list_each(it, &keeper.held) {
		struct held *h = container_of(it, struct held, link);

		if (strncmp(h->name, prefix, n) == 0)
			held_free(h);
	}
}

void keeper_ask_release_all(const char *prefix)
{
	send_str(KEEPER_RELEASE_ALL, prefix);
	release_local(prefix);
}

int keeper_copy(const char *name)
{
	const struct held *h = map_get(&keeper.held_by_name, name);

	return h ? h->fd : -1;
}

void keeper_each_copy(const char *prefix, void (*fn)(void *arg, const char *name, int fd), void *arg)
{
	size_t n = strlen(prefix);

	list_each(it, &keeper.held) {
		const struct held *h = container_of(it, struct held, link);

		if (strncmp(h->name, prefix, n) == 0)
			fn(arg, h->name, h->fd);
	}
}

const char *keeper_path(struct arena *a, const char *name)
{
	const struct held *h = map_get(&keeper.held_by_name, name);

	if (!h || h->number == KEEPER_NOT_HELD || keeper.sm.now != HERE)
		return NULL;
	return arena_printf(a, "/proc/%d/fd/%u", keeper.pid, h->number);
}

static void on_keeper_held(struct imsg *m)
{
	struct get g = get_from(m);
	const char *name = get_str(&g);
	uint32_t number = get_u32(&g);

	if (g.bad || !name || m->nfds != 1) {
		log_error("held name=%s error=\"no fd came with it\"", name ? log_quote(name) : "?");
		return;
	}
	held_put(name, take_fd(&m->fds[0]))->number = number;
}

static void on_keeper_held_at(const struct imsg *m)
{
	struct get g = get_from(m);
	uint32_t number = get_u32(&g);

	list_each(it, &keeper.held) {
		struct held *h = container_of(it, struct held, link);

		if (h->tag != m->tag)
			continue;
		h->tag = 0;
		h->number = number;
		if (number == KEEPER_NOT_HELD)
			log_error("hold name=%s error=\"the keeper is out of fds\"", h->name);
		return;
	}
}

/* ---- kept processes ---- */

static void kept_free(struct kept_entry *k)
{
	map_drop(&keeper.kept_by_id, k->id);
	list_drop(&k->link);
	if (k->kept.pidfd >= 0)
		close(k->kept.pidfd);
	free(k);
}

static struct kept_entry *kept_put(const char *id)
{
	struct kept_entry *k = map_get(&keeper.kept_by_id, id);

	if (k) {
		if (k->kept.pidfd >= 0)
			close(k->kept.pidfd);
	} else {
		k = own_must(calloc(1, sizeof(*k) + strlen(id) + 1));
		memcpy(k->id, id, strlen(id) + 1);
		map_put(&keeper.kept_by_id, k->id, k);
		list_append(&keeper.kept, &k->link);
	}
	k->kept = (struct kept_report){ .id = k->id, .pidfd = -1 };
	return k;
}

/* One exit in each turn of the loop, because the callback may set and clear other watches. */
static void on_keeper_tell(struct timer *t)
{
	list_each(it, &keeper.watches) {
		struct exit_watch *w = container_of(it, struct exit_watch, link);
		const struct kept_entry *k = map_get(&keeper.kept_by_id, w->id);
		struct exit_record r;

		if (!k || !k->kept.ended)
			continue;
		r = k->kept.exit;
		list_drop(&w->link);
		timer_set(t, 0, on_keeper_tell);
		w->fn(w, &r);
		return;
	}
}

void keeper_watch_exit(struct exit_watch *w, const char *id,
		       void (*fn)(struct exit_watch *w, const struct exit_record *r))
{
	const struct kept_entry *k = map_get(&keeper.kept_by_id, id);

	keeper_unwatch_exit(w);
	snprintf(w->id, sizeof(w->id), "%s", id);
	w->fn = fn;
	list_append(&keeper.watches, &w->link);
	if (k && k->kept.ended)
		timer_set(&keeper.tell, 0, on_keeper_tell);
}

void keeper_unwatch_exit(struct exit_watch *w)
{
	if (list_linked(&w->link))
		list_drop(&w->link);
}

void keeper_ask_forget(const char *id)
{
	struct kept_entry *k = map_get(&keeper.kept_by_id, id);

	if (!k)
		return;
	send_str(KEEPER_FORGET, k->id);
	kept_free(k);
}

const struct kept_report *keeper_report(const char *id)
{
	const struct kept_entry *k = map_get(&keeper.kept_by_id, id);

	return k ? &k->kept : NULL;
}

void keeper_each_report(void (*fn)(void *arg, const struct kept_report *k), void *arg)
{
	list_each(it, &keeper.kept)
		fn(arg, &container_of(it, struct kept_entry, link)->kept);
}

/* KEEPER_KEPT and KEEPER_EXITED. */
static void on_keeper_kept(struct imsg *m)
{
	struct get g = get_from(m);
	const char *id = get_str(&g);
	pid_t pid = (pid_t)get_u32(&g);
	bool ended = get_u32(&g);
	int status = (int)get_u32(&g);
	int64_t at_ns = (int64_t)get_u64(&g);
	struct kept_entry *k;

	if (g.bad || !id)
		return;
	k = m->type == KEEPER_EXITED ? map_get(&keeper.kept_by_id, id) : kept_put(id);
	if (!k)
		return; /* forgotten meanwhile */
	k->kept.pid = pid;
	k->kept.ended = ended;
	if (m->nfds == 1)
		k->kept.pidfd = take_fd(&m->fds[0]);
	if (!ended)
		return;
	if (k->kept.pidfd >= 0)
		close(take_fd(&k->kept.pidfd));
	k->kept.exit = (struct exit_record){ k->id, pid, status, at_ns };
	timer_set(&keeper.tell, 0, on_keeper_tell);
}

static void send_kept(const struct kept_report *k)
{
	struct buf b = { 0 };

	put_str(&b, k->id);
	put_u32(&b, (uint32_t)k->pid);
	put_u32(&b, k->ended);
	put_u32(&b, k->ended ? (uint32_t)k->exit.status : 0);
	put_u64(&b, k->ended ? (uint64_t)k->exit.at_ns : 0);
	send_to_keeper(KEEPER_KEPT, 0, &b, &k->pidfd, k->pidfd >= 0);
	buf_free(&b);
}

/* ---- namespaces: the messages; the operations are in namespaces.c ---- */

void keeper_ns_listen(const struct namespaces_hooks *hooks)
{
	keeper.namespaces = hooks;
}

static void put_sysctls(struct buf *b, const struct pairs *p)
{
	auto_free const char **v = own_must(calloc(2 * p->n + 1, sizeof(*v)));

	for (size_t i = 0; i < p->n; i++) {
		v[2 * i] = p->at[i].key;
		v[2 * i + 1] = p->at[i].value;
	}
	put_strv(b, v);
}

/* "0 100000 65536\n": first id inside, first id outside, length (user_namespaces(7)). */
static void put_map(struct buf *b, const struct id_mappings *m)
{
	struct buf text = { 0 };

	for (size_t i = 0; m && i < m->n; i++)
		buf_printf(&text, "%u %u %u\n", m->at[i].container_id, m->at[i].host_id, m->at[i].length);
	put_str(b, m ? buf_str(&text) : NULL);
	buf_free(&text);
}

int keeper_ns_make(uint64_t tag, const struct ns_request *r, const char *path, struct err *e)
{
	struct imsg_chan *chan = child_host_chan();
	struct buf b = { 0 };
	int rc;

	if (!chan)
		return err_set(e, ERR_UNAVAILABLE, "make namespaces: the keeper is away");
	put_str(&b, r->id);
	put_u32(&b, (r->net ? KEEPER_NS_NET : 0u) | (r->ipc ? KEEPER_NS_IPC : 0u) | (r->uts ? KEEPER_NS_UTS : 0u) |
			(r->uids ? KEEPER_NS_USER : 0u));
	put_str(&b, path);
	put_str(&b, r->uts && r->hostname && r->hostname[0] ? r->hostname : NULL);
	put_sysctls(&b, &r->sysctls);
	put_map(&b, r->uids);
	put_map(&b, r->gids);
	rc = imsg_send(chan, KEEPER_NS_MAKE, tag, &b, NULL, 0, e);
	buf_free(&b);
	return rc;
}

int keeper_ns_unpin(const char *path, struct err *e)
{
	struct imsg_chan *chan = child_host_chan();
	struct buf b = { 0 };
	int rc;

	if (!chan)
		return err_set(e, ERR_UNAVAILABLE, "drop a namespace: the keeper is away");
	put_str(&b, path);
	rc = imsg_send(chan, KEEPER_NS_DROP, 0, &b, NULL, 0, e);
	buf_free(&b);
	return rc;
}

static void on_ns_done(const struct imsg *m)
{
	struct get g = get_from(m);
	enum err_code code = (enum err_code)get_u32(&g);
	const char *text = get_str(&g);

	if (keeper.namespaces)
		keeper.namespaces->done(m->tag, code, text);
}

/* ---- the channel ---- */

static void on_keeper_welcome(struct imsg *m)
{
	struct get g = get_from(m);
	uint32_t version = get_u32(&g), pid = get_u32(&g);
	const char *state = get_str(&g);

	if (g.bad || !state)
		return;
	if (version != KEEPER_VERSION)
		log_warn("keeper version=%u ours=%u", version, KEEPER_VERSION);
	keeper.pid = (pid_t)pid;
	free(keeper.state);
	keeper.state = own_must(strdup(state));
	if (m->nfds == 1 && keeper.lock < 0)
		keeper.lock = take_fd(&m->fds[0]);
}

static void on_keeper_end(void)
{
	bool first = keeper.sm.now == HELLO;

	if (keeper.sm.now != HELLO && keeper.sm.now != RETURN)
		return;
	sm_move(&keeper.sm, HERE);
	if (keeper.namespaces)
		keeper.namespaces->here();
	if (first)
		keeper.events.ready(keeper.events.arg, NULL);
	else
		keeper.events.back(keeper.events.arg);
}

static void on_keeper_message(void *arg, struct imsg *m)
{
	(void)arg;
	switch (m->type) {
	case KEEPER_WELCOME: return on_keeper_welcome(m);
	case KEEPER_HELD: return on_keeper_held(m);
	case KEEPER_HELD_AT: return on_keeper_held_at(m);
	case KEEPER_KEPT:
	case KEEPER_EXITED: return on_keeper_kept(m);
	case KEEPER_NS_DONE: return on_ns_done(m);
	case KEEPER_END: return on_keeper_end();
	default: log_warn("keeper message=%u unknown", m->type);
	}
}

static void say_hello(enum keeper_hello kind)
{
	struct buf b = { 0 };

	put_u32(&b, KEEPER_VERSION);
	put_u32(&b, kind);
	send_to_keeper(KEEPER_HELLO, 0, &b, NULL, 0);
	buf_free(&b);
}

static void on_keeper_retry(struct timer *t);

static void on_keeper_gone(void *arg)
{
	int was = keeper.sm.now;

	(void)arg;
	sm_move(&keeper.sm, AWAY);
	if (keeper.namespaces)
		keeper.namespaces->gone();
	if (was == HELLO) {
		struct err e;

		err_set(&e, ERR_UNAVAILABLE, "the keeper died before it answered");
		return keeper.events.ready(keeper.events.arg, &e);
	}
	timer_set(&keeper.retry, CONNECT_TURN_MS, on_keeper_retry);
	if (was == HERE)
		keeper.events.gone(keeper.events.arg);
}

static int connect_to_new(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	auto_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/%s", keeper.state, KEEPER_SOCKET);
	if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -1;
	return take_fd(&fd);
}

static void on_keeper_retry(struct timer *t)
{
	int fd = connect_to_new();

	if (fd < 0) {
		timer_set(t, CONNECT_TURN_MS, on_keeper_retry);
		return;
	}
	sm_move(&keeper.sm, RETURN);
	child_host_open(fd, on_keeper_message, on_keeper_gone, NULL);
	say_hello(HELLO_SURVIVOR);
	list_each(it, &keeper.held)
		send_hold(container_of(it, struct held, link));
	list_each(it, &keeper.kept)
		send_kept(&container_of(it, struct kept_entry, link)->kept);
	send_to_keeper(KEEPER_END, 0, NULL, NULL, 0);
}

void keeper_open(int fd, const struct keeper_events *events)
{
	keeper.events = *events;
	child_host_open(fd, on_keeper_message, on_keeper_gone, NULL);
	say_hello(HELLO_NEW);
}

bool keeper_here(void)
{
	return keeper.sm.now == HERE;
}

void keeper_ready(void)
{
	send_to_keeper(KEEPER_READY, 0, NULL, NULL, 0);
}
