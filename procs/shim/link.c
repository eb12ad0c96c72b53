/* link.c - see shim.h.
 *
 * A connection is made by the first call and lives until its other end closes it. connect(2) to a Unix socket does not
 * wait: it succeeds, nobody listens, or the queue of the listener is full.
 * Waits on: the connections, the calls; a timer of each shim that was told to end. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "procs/keeper.h"
#include "procs/pidstat.h"
#include "procs/shim/shim.h"
#include "reactor/fault.h"
#include "reactor/listen.h"
#include "reactor/log.h"
#include "reactor/own.h"

enum { END_MS = 10000 };

struct shim_link {
	struct link link;
	char *address;
	int fd;                  /* owned by ttrpc */
	struct ttrpc *ttrpc;
	int64_t silent_since_ns; /* 0: no call waits, or one was answered since */
	struct link watches;     /* of struct shim_call.link: shim_call_nothing() */
};

struct shim_call {
	struct shim_link *to; /* NULL: there is no connection */
	struct ttrpc_call *call;
	struct link link;
	struct timer timer;   /* reports what is known at once */
	struct err err;
	ttrpc_done *done;
	void *arg;
};

struct ending {
	struct link link;
	struct timer timer;
	pid_t pid;
	int64_t start_ticks;
};

static struct link links = { &links, &links };	 /* of struct shim_link.link */
static struct link endings = { &endings, &endings }; /* of struct ending.link */

/* ---- connections ---- */

static void link_free(struct shim_link *l)
{
	list_each(it, &l->watches)
		list_drop(it);
	ttrpc_close(l->ttrpc);
	list_drop(&l->link);
	free(l->address);
	free(l);
}

static void on_shim_unreachable(struct timer *timer);

/* Those who wait for it hear it in the next turn. */
static void on_link_gone(void *arg, const struct err *e)
{
	struct shim_link *l = arg;

	log_debug("shim_connection address=%s error=%s", log_quote(l->address), log_quote(e->msg));
	list_each(it, &l->watches) {
		struct shim_call *c = container_of(it, struct shim_call, link);

		list_drop(it);
		c->to = NULL;
		c->err = *e;
		c->err.code = ERR_UNAVAILABLE;
		timer_set(&c->timer, 0, on_shim_unreachable);
	}
	link_free(l);
}

/* Of errno: this process or the node has none left, which says nothing about the shim. (ARCHITECTURE H91) */
static bool is_short(void)
{
	return errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS;
}

/* -1: errno says why. */
static int link_connect(const char *address)
{
	auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct listen_address to;
	struct err e;

	if (listen_parse(address, &to, &e) < 0) {
		errno = EINVAL;
		return -1;
	}
	if (fd < 0 || connect(fd, (struct sockaddr *)&to.sa, to.len) < 0)
		return -1;
	return take_fd(&fd);
}

static struct shim_link *link_find(const char *address)
{
	list_each(it, &links) {
		struct shim_link *l = container_of(it, struct shim_link, link);

		if (strcmp(l->address, address) == 0)
			return l;
	}
	return NULL;
}

/* false: it lives, or nothing is known of it. */
static bool shim_process_is_gone(const struct shim_task *t)
{
	struct pidstat now;

	if (t->shim_pid <= 1)
		return false;
	if (pidstat_read(t->shim_pid, &now))
		return now.start_ticks != t->shim_start_ticks || now.state == 'Z';
	return kill(t->shim_pid, 0) < 0 && errno == ESRCH;
}

/* The socket of a dead shim may listen on, in a child that it has left. (ARCHITECTURE G73) */
static struct shim_link *link_get(const struct shim_task *t, struct err *e)
{
	static const struct ttrpc_events events = { NULL, on_link_gone };
	struct shim_link *l = link_find(t->address);
	int fd;

	if (l)
		return l;
	if (shim_process_is_gone(t)) {
		err_set(e, ERR_UNAVAILABLE, "the process of the shim is gone");
		return NULL;
	}
	fd = link_connect(t->address);
	if (fd < 0) {
		err_os(e, is_short() ? ERR_RESOURCE_EXHAUSTED : ERR_UNAVAILABLE, "the shim at %s", t->address);
		return NULL;
	}
	l = new_zero(struct shim_link);
	l->address = own_must(strdup(t->address));
	list_init(&l->watches);
	l->fd = fd;
	l->ttrpc = ttrpc_open_fd(fd, &events, l);
	list_append(&links, &l->link);
	return l;
}

struct held_name {
	char s[128];
};

static struct held_name held_name(const char *id)
{
	struct held_name n;

	snprintf(n.s, sizeof(n.s), "container/%s/shim", id);
	return n;
}

void shim_link_hold(const struct shim_task *t)
{
	const struct shim_link *l = link_find(t->address);
	struct err e;

	if (l && keeper_ask_hold(held_name(t->id).s, l->fd, &e) < 0)
		log_warn("shim_connection id=%.12s error=%s", t->id, log_quote(e.msg));
}

void shim_link_release(const char *id)
{
	keeper_ask_release(held_name(id).s);
}

/* Also beside a connection, which may be lost already. */
bool shim_is_dead(const struct shim_task *t)
{
	int fd;

	if (shim_process_is_gone(t))
		return true;
	fd = link_connect(t->address);
	if (fd >= 0) {
		close(fd);
		return false;
	}
	return errno == ECONNREFUSED || errno == ENOENT || errno == ENOTDIR || errno == EINVAL;
}

/* ---- calls ---- */

void shim_call_cancel(struct shim_call *c)
{
	timer_clear(&c->timer);
	if (list_linked(&c->link))
		list_drop(&c->link);
	if (c->call)
		ttrpc_call_cancel(c->call);
	free(c);
}

/* A call that could not be sent ends in the next turn, when its connection may be gone. */
static bool link_lives(const struct shim_link *l)
{
	list_each(it, &links)
		if (container_of(it, struct shim_link, link) == l)
			return true;
	return false;
}

static void on_shim_answer(void *arg, const struct err *e, const uint8_t *body, size_t len)
{
	struct shim_call *c = arg;
	ttrpc_done *done = c->done;
	void *to = c->arg;

	c->call = NULL;
	if (link_lives(c->to) && !(e && e->code == ERR_DEADLINE_EXCEEDED))
		c->to->silent_since_ns = 0;
	shim_call_cancel(c);
	done(to, e, body, len);
}

static void on_shim_unreachable(struct timer *timer)
{
	struct shim_call *c = container_of(timer, struct shim_call, timer);
	struct err e = c->err;

	on_shim_answer(c, &e, NULL, 0);
}

static const char *service_name(const struct shim_task *t, enum shim_service service)
{
	if (service == SHIM_SANDBOX)
		return "containerd.runtime.sandbox.v1.Sandbox";
	return t->version == 3 ? "containerd.task.v3.Task" : "containerd.task.v2.Task";
}

/* Without a connection it fails in the next turn. */
static struct shim_call *call_new(const struct shim_task *t, ttrpc_done *done, void *arg)
{
	struct shim_call *c = new_zero(struct shim_call);

	c->done = done;
	c->arg = arg;
	c->to = link_get(t, &c->err);
	if (!c->to)
		timer_set(&c->timer, 0, on_shim_unreachable);
	return c;
}

struct shim_call *shim_call_nothing(const struct shim_task *t, ttrpc_done *done, void *arg)
{
	struct shim_call *c = call_new(t, done, arg);

	if (c->to)
		list_append(&c->to->watches, &c->link);
	return c;
}

struct shim_call *shim_call(const struct shim_task *t, enum shim_service service, const char *method,
			    const struct buf *body, int64_t timeout_ms, ttrpc_done *done, void *arg)
{
	static const struct pair metadata = { "containerd-namespace-ttrpc", SHIM_NAMESPACE };
	struct ttrpc_ask ask = {
		.service = service_name(t, service), .method = method, .body = body->at, .len = body->len,
		.metadata = &metadata, .n = 1, .timeout_ms = timeout_ms,
	};
	struct shim_call *c = call_new(t, done, arg);

	if (!c->to)
		return c;
	if (timeout_ms && !c->to->silent_since_ns)
		c->to->silent_since_ns = loop_mono_ns();
	c->call = ttrpc_call(c->to->ttrpc, &ask, on_shim_answer, c);
	return c;
}

int64_t shim_silent_ms(const struct shim_task *t)
{
	const struct shim_link *l = link_find(t->address);

	return l && l->silent_since_ns ? (loop_mono_ns() - l->silent_since_ns) / 1000000 : 0;
}

/* ---- the process of a shim ---- */

static void kill_process(pid_t pid, int64_t start_ticks, const char *why)
{
	auto_fd int fd = pid > 1 ? pidstat_open(pid, start_ticks) : -1;

	if (fd < 0)
		return;
	log_warn("shim_killed pid=%d why=%s", (int)pid, log_quote(why));
	EFFECT(syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0));
}

void shim_kill(const struct shim_task *t)
{
	static const char why[] = "it does not answer";

	if (t->shim_pid > 1)
		kill_process(t->shim_pid, t->shim_start_ticks, why);
	else
		shim_kill_strays(t->bundle, why);
}

static void on_end_late(struct timer *timer)
{
	struct ending *end = container_of(timer, struct ending, timer);

	kill_process(end->pid, end->start_ticks, "it was told to end and did not");
	list_drop(&end->link);
	free(end);
}

void shim_expect_end(const struct shim_task *t)
{
	struct ending *end = new_zero(struct ending);

	end->pid = t->shim_pid;
	end->start_ticks = t->shim_start_ticks;
	list_append(&endings, &end->link);
	timer_set(&end->timer, END_MS, on_end_late);
}

void shim_links_close(void)
{
	list_each(it, &links)
		link_free(container_of(it, struct shim_link, link));
	list_each(it, &endings) {
		struct ending *end = container_of(it, struct ending, link);

		timer_clear(&end->timer);
		list_drop(it);
		free(end);
	}
}
