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

#include "procs/hang.h"
#include "procs/keeper/names.h"
#include "procs/keeper/proto.h"
#include "procs/kept_reports.h"
#include "procs/namespaces.h"
#include "procs/process.h"
#include "reactor/child.h"
#include "reactor/fault.h"
#include "reactor/imsg.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/map.h"
#include "reactor/metric.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum { CONNECT_TURN_MS = 100, HOLD_AGAIN_MS = 1000, HAND_OVER_AGAIN_MS = 100 };

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
	bool wants_path;
	bool confirmed;  /* the keeper has this fd, and not only one that was held under the name before */
	pid_t pid;       /* of a process that holds it, which is the anchor where that is known, else the keeper */
	uint32_t number; /* of the fd there */
	int fd;
	char name[];
};

static struct {
	struct sm sm;
	struct keeper_events events;
	const struct namespaces_hooks *namespaces; /* NULL: none was ever asked for */
	char *state; /* directory */
	int lock;    /* of <state>/crispd.lock: it stays open as long as crispd lives, which is all its use */
	uint64_t last_tag;
	unsigned deaths;
	unsigned unsent; /* messages that will not come */
	uint32_t watchdog_s; /* also for later keepers */
	struct timer retry;
	struct timer hold_again; /* set while the keeper had no room for an fd */
	struct map held_by_name;
	struct link held; /* of struct held.link */
} keeper = {
	.sm = { keeper_states, "keeper", "", HELLO }, .lock = -1, .held = { &keeper.held, &keeper.held },
};

static int send_message(struct imsg_chan *chan, uint32_t type, uint64_t tag, const struct buf *body, const int *fds,
			int nfds, struct err *e)
{
	int rc;

	fault_at("send", keeper_message_name(type), "before");
	rc = imsg_send(chan, type, tag, body, fds, nfds, e);
	fault_at("send", keeper_message_name(type), "after");
	return rc;
}

/* -1: it is logged, and the message will not come. */
static int keeper_send(uint32_t type, uint64_t tag, const struct buf *body, const int *fds, int nfds)
{
	struct imsg_chan *chan = child_host_chan();
	struct err e;

	/* UNAVAILABLE: the keeper has just died. on_keeper_gone() follows, and the next keeper gets the tables. */
	if (!chan || send_message(chan, type, tag, body, fds, nfds, &e) == 0 || e.code == ERR_UNAVAILABLE)
		return 0;
	log_error("keeper message=%s error=%s", keeper_message_name(type), log_quote(e.msg));
	keeper.unsent++;
	return -1;
}

static void send_str(uint32_t type, const char *s)
{
	struct buf b = { 0 };

	put_str(&b, s);
	keeper_send(type, 0, &b, NULL, 0);
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
	h->confirmed = false;
	return h;
}

static void on_keeper_hold_again(struct timer *t);

static void hold_later(struct held *h)
{
	h->tag = 0;
	if (!timer_is_set(&keeper.hold_again))
		timer_set(&keeper.hold_again, HOLD_AGAIN_MS, on_keeper_hold_again);
}

static void send_hold(struct held *h)
{
	struct buf b = { 0 };

	h->tag = ++keeper.last_tag;
	h->number = KEEPER_NOT_HELD;
	put_str(&b, h->name);
	put_u32(&b, h->wants_path);
	if (keeper_send(KEEPER_HOLD, h->tag, &b, &h->fd, 1) < 0)
		hold_later(h);
	buf_free(&b);
}

static int ask_hold(const char *name, int fd, bool wants_path, struct err *e)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	struct held *h;

	if (copy < 0)
		return err_os(e, ERR_RESOURCE_EXHAUSTED, "hold %s", name);
	h = held_put(name, copy);
	h->wants_path = wants_path;
	send_hold(h);
	return 0;
}

int keeper_ask_hold(const char *name, int fd, struct err *e)
{
	return ask_hold(name, fd, false, e);
}

int keeper_ask_hold_path(const char *name, int fd, struct err *e)
{
	return ask_hold(name, fd, true, e);
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

bool keeper_has(const char *name)
{
	const struct held *h = map_get(&keeper.held_by_name, name);

	return h && h->confirmed;
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
	return arena_printf(a, "/proc/%d/fd/%u", h->pid, h->number);
}

static void get_place(struct get *g, struct held *h)
{
	pid_t pid = (pid_t)get_u32(g);
	uint32_t number = get_u32(g);

	h->pid = pid;
	h->number = g->bad ? KEEPER_NOT_HELD : number;
}

static void on_keeper_held(struct imsg *m)
{
	struct get g = get_from(m);
	const char *name = get_str(&g);
	bool wants_path = get_u32(&g);
	struct held *h;

	if (!name || m->nfds != 1) {
		log_error("held name=%s error=\"no fd came with it\"", name ? log_quote(name) : "?");
		return;
	}
	h = held_put(name, take_fd(&m->fds[0]));
	h->wants_path = wants_path;
	h->confirmed = true;
	get_place(&g, h);
}

/* What an answer to the last HOLD of that name overtakes is of an earlier fd. */
static void on_keeper_place(const struct imsg *m)
{
	struct get g = get_from(m);
	const char *name = get_str(&g);
	struct held *h = name ? map_get(&keeper.held_by_name, name) : NULL;

	if (h && !h->tag)
		get_place(&g, h);
}

/* While the keeper is away nothing is asked: the next keeper is handed all that is held. */
static void on_keeper_hold_again(struct timer *t)
{
	(void)t;
	list_each(it, &keeper.held) {
		struct held *h = container_of(it, struct held, link);

		if (keeper.sm.now == HERE && h->number == KEEPER_NOT_HELD && !h->tag)
			send_hold(h);
	}
}

static void on_keeper_held_at(const struct imsg *m)
{
	struct get g = get_from(m);

	list_each(it, &keeper.held) {
		struct held *h = container_of(it, struct held, link);

		if (h->tag != m->tag)
			continue;
		h->tag = 0;
		get_place(&g, h);
		h->confirmed |= h->number != KEEPER_NOT_HELD;
		if (h->number != KEEPER_NOT_HELD)
			return;
		log_error("hold name=%s effect=\"asked again\" error=\"the keeper is out of fds\"", h->name);
		return hold_later(h);
	}
}

/* ---- kept processes: the messages; the reports are in kept_reports.c ---- */

static void send_kept(const struct kept_report *k)
{
	struct buf b = { 0 };

	put_str(&b, k->id);
	put_u32(&b, (uint32_t)k->pid);
	put_u32(&b, k->ended);
	put_u32(&b, k->ended ? (uint32_t)k->exit.status : 0);
	put_u64(&b, k->ended ? (uint64_t)k->exit.at_ns : 0);
	keeper_send(KEEPER_KEPT, 0, &b, &k->pidfd, k->pidfd >= 0);
	buf_free(&b);
}

static void send_forget(const char *id)
{
	send_str(KEEPER_FORGET, id);
}

/* ---- namespaces: the messages; the operations are in namespaces.c ---- */

void keeper_ns_listen(const struct namespaces_hooks *hooks)
{
	keeper.namespaces = hooks;
}

/* Frees the body. */
static int ns_tell(uint32_t type, uint64_t tag, struct buf *body, const char *what, struct err *e)
{
	struct imsg_chan *chan = child_host_chan();
	int rc = chan ? send_message(chan, type, tag, body, NULL, 0, e) :
			err_set(e, ERR_UNAVAILABLE, "%s: the keeper is away", what);

	buf_free(body);
	return rc;
}

int keeper_ns_make(uint64_t tag, const struct ns_request *r, const char *path, struct err *e)
{
	struct buf b = { 0 };

	put_str(&b, r->id);
	put_u32(&b, (r->net ? KEEPER_NS_NET : 0u) | (r->ipc ? KEEPER_NS_IPC : 0u) | (r->uts ? KEEPER_NS_UTS : 0u) |
			(r->uids ? KEEPER_NS_USER : 0u));
	ns_put_furniture(&b, r, path);
	return ns_tell(KEEPER_NS_MAKE, tag, &b, "make namespaces", e);
}

int keeper_ns_unpin(uint64_t tag, const char *path, struct err *e)
{
	struct buf b = { 0 };

	put_str(&b, path);
	return ns_tell(KEEPER_NS_DROP, tag, &b, "drop a namespace", e);
}

int keeper_ns_pool(unsigned size, const char *const *sysctls, struct err *e)
{
	struct buf b = { 0 };

	put_u32(&b, size);
	put_strv(&b, sysctls);
	return ns_tell(KEEPER_NS_POOL, 0, &b, "prepare namespaces", e);
}

static void on_ns_done(const struct imsg *m)
{
	struct get g = get_from(m);
	enum err_code code = (enum err_code)get_u32(&g);
	const char *text = get_str(&g);

	if (keeper.namespaces)
		keeper.namespaces->done(m->tag, code, text, get_u32(&g));
}

static void on_ns_pooled(const struct imsg *m)
{
	struct get g = get_from(m);
	uint32_t ready = get_u32(&g), what = get_u32(&g);

	if (keeper.namespaces && !g.bad)
		keeper.namespaces->pooled(ready, what == POOL_USED, what == POOL_MISSED);
}

/* ---- the keeper's watch over this loop ---- */

static void send_watchdog(void)
{
	struct buf b = { 0 };

	put_u32(&b, keeper.watchdog_s);
	keeper_send(KEEPER_WATCHDOG, 0, &b, NULL, 0);
	buf_free(&b);
}

void keeper_watchdog(uint32_t seconds)
{
	keeper.watchdog_s = seconds;
	send_watchdog();
}

/* ---- the channel ---- */

static void on_keeper_welcome(struct imsg *m)
{
	struct get g = get_from(m);
	uint32_t version = get_u32(&g);
	const char *state = get_str(&g);
	uint32_t earlier;

	if (g.bad || !state)
		return;
	/* 0: an older keeper sends none of these. */
	child_host_tells_pids(get_u32(&g) & KEEPER_TELLS_PIDS);
	earlier = get_u32(&g);
	if (earlier && keeper.sm.now == HELLO)
		metric_add(METRIC_restarts_total, NULL, earlier);
	if (version != KEEPER_VERSION)
		log_warn("keeper version=%u ours=%u", version, KEEPER_VERSION);
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
	process_here();
	if (!first)
		send_watchdog();
	if (!first && keeper.namespaces)
		keeper.namespaces->here();
	if (first)
		keeper.events.ready(keeper.events.arg, NULL);
	else
		keeper.events.back(keeper.events.arg);
}

static void keeper_work(struct imsg *m)
{
	switch (m->type) {
	case KEEPER_WELCOME: return on_keeper_welcome(m);
	case KEEPER_HELD: return on_keeper_held(m);
	case KEEPER_HELD_AT: return on_keeper_held_at(m);
	case KEEPER_PLACE: return on_keeper_place(m);
	case KEEPER_KEPT:
	case KEEPER_EXITED: return reports_take(m, m->type == KEEPER_EXITED);
	case KEEPER_NS_DONE: return on_ns_done(m);
	case KEEPER_NS_POOLED: return on_ns_pooled(m);
	case PROCESS_STARTED: case PROCESS_FAILED: return process_told(m);
	case KEEPER_END: return on_keeper_end();
	case KEEPER_PROBE: return (void)keeper_send(KEEPER_TURNS, 0, NULL, NULL, 0);
	case KEEPER_STOOD: return hang_take(m);
	default: log_warn("keeper message=%u unknown", m->type);
	}
}

static void on_keeper_message(void *arg, struct imsg *m)
{
	const char *name = keeper_message_name(m->type);

	(void)arg;
	fault_at("work", name, "before");
	keeper_work(m);
	fault_at("work", name, "after");
}

static void say_hello(enum keeper_hello kind)
{
	struct buf b = { 0 };

	put_u32(&b, KEEPER_VERSION);
	put_u32(&b, kind);
	put_u32(&b, log_format_now());
	keeper_send(KEEPER_HELLO, 0, &b, NULL, 0);
	buf_free(&b);
}

static void on_keeper_retry(struct timer *t);

static void on_keeper_gone(void *arg)
{
	int was = keeper.sm.now;

	(void)arg;
	keeper.deaths++;
	sm_move(&keeper.sm, AWAY);
	if (keeper.namespaces)
		keeper.namespaces->gone();
	process_gone();
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

/* With END the keeper drops what was not handed over, and its anchor too. (ARCHITECTURE K74) */
static void on_keeper_hand_over(struct timer *t)
{
	keeper.unsent = 0;
	list_each(it, &keeper.held)
		send_hold(container_of(it, struct held, link));
	reports_hand_over();
	if (keeper.unsent)
		return timer_set(t, HAND_OVER_AGAIN_MS, on_keeper_hand_over);
	child_host_again();
	process_again();
	keeper_send(KEEPER_END, 0, NULL, NULL, 0);
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
	on_keeper_hand_over(t);
}

void keeper_open(int fd, const struct keeper_events *events)
{
	static const struct reports_hooks hooks = { send_kept, send_forget };

	reports_listen(&hooks);
	keeper.events = *events;
	child_host_open(fd, on_keeper_message, on_keeper_gone, NULL);
	say_hello(HELLO_NEW);
}

unsigned keeper_deaths(void)
{
	return keeper.deaths;
}

bool keeper_here(void)
{
	return keeper.sm.now == HERE;
}

void keeper_ready(void)
{
	keeper_send(KEEPER_READY, 0, NULL, NULL, 0);
}
