/* pool.c - see pool.h.
 *
 *   WAIT ---idle for IDLE_MS, not full---> MAKING ---report with an fd---> WAIT
 *     ^                                      +---report of a failure, child gone---> WAIT, for RETRY_MS
 *     +--- pool_wait(): the idle time begins anew
 *
 * Waits on: one timer, and one message of a child (ns_child.c) at a time. */
#include "procs/keeper/pool.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "procs/keeper/channel.h"
#include "procs/keeper/ns_child.h"
#include "procs/keeper/proto.h"
#include "procs/keeper/spawn.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { IDLE_MS = 10, RETRY_MS = 5000 };

static struct {
	int fds[POOL_MAX]; /* owned */
	unsigned n, size;
	const char **sysctls; /* of each of them: key, value, ..., NULL; owned, with its strings */
	int report; /* of the child at work; -1: none */
	bool stale; /* what the child makes is of a pool that was thrown away */
	struct fd_watch watch;
	struct timer timer;
} pool = { .report = -1 };

static void pool_tell(enum keeper_pool what)
{
	struct buf b = { 0 };

	put_u32(&b, pool.n);
	put_u32(&b, what);
	channel_tell(KEEPER_NS_POOLED, 0, &b, NULL, 0);
	buf_free(&b);
}

static void on_pool_idle(struct timer *t);

static void pool_later(int ms)
{
	if (pool.n < pool.size && pool.report < 0)
		timer_set(&pool.timer, ms, on_pool_idle);
}

static void pool_failed(const char *why)
{
	log_warn("netns_pool ready=%u size=%u error=%s", pool.n, pool.size, log_quote(why));
	pool_later(RETRY_MS);
}

static void on_pool_report(struct fd_watch *w, int events)
{
	struct ns_report r = { .code = ERR_INTERNAL, .text = "the child that makes a namespace died" };
	int fds[NS_KINDS], n = ns_read_report(pool.report, &r, fds);
	bool good = r.code == ERR_OK && n == 1 && !pool.stale && pool.n < pool.size;

	(void)events;
	fd_watch_clear(w);
	close(take_fd(&pool.report));
	for (int i = good; i < n; i++)
		close(fds[i]);
	if (good) {
		pool.fds[pool.n++] = fds[0];
		pool_tell(POOL_FILLED);
	}
	if (r.code != ERR_OK)
		return pool_failed(r.text);
	pool_later(pool.stale ? IDLE_MS : 0);
	pool.stale = false;
}

static void on_pool_idle(struct timer *t)
{
	const struct ns_make wanted = { .id = "", .bits = KEEPER_NS_NET, .sysctls = pool.sysctls };
	struct ns_making m = { &wanted, -1, getpid(), -1 };
	struct err e;
	int ends[2];

	(void)t;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return pool_failed("socketpair");
	m.fd = ends[1];
	if (spawn_fn(ns_child, &m, &e) < 0) {
		close(ends[0]);
		close(ends[1]);
		return pool_failed(e.msg);
	}
	close(ends[1]);
	pool.report = ends[0];
	fd_watch_set(&pool.watch, pool.report, FD_READ, on_pool_report);
}

void pool_wait(void)
{
	if (pool.size)
		pool_later(IDLE_MS);
}

static const char *value_of(const char *const *sysctls, const char *key)
{
	for (; sysctls && sysctls[0]; sysctls += 2)
		if (strcmp(sysctls[0], key) == 0)
			return sysctls[1];
	return NULL;
}

/* What is set in the pool cannot be set back: nobody knows the kernel's own value. */
static bool pool_suits(const char *const *sysctls)
{
	for (const char **s = pool.sysctls; s && s[0]; s += 2)
		if (!value_of(sysctls, s[0]))
			return false;
	return true;
}

static bool pool_has(const char *const *sysctls)
{
	for (; sysctls && sysctls[0]; sysctls += 2) {
		const char *value = value_of(pool.sysctls, sysctls[0]);

		if (!value || strcmp(value, sysctls[1]) != 0)
			return false;
	}
	return true;
}

int pool_take(const char *const *sysctls, bool *set)
{
	*set = false;
	if (!pool.size)
		return -1;
	if (!pool.n || !pool_suits(sysctls)) {
		pool_tell(POOL_MISSED);
		return -1;
	}
	pool.n--;
	*set = pool_has(sysctls);
	pool_tell(POOL_USED);
	return pool.fds[pool.n];
}

static void pool_furnish(const char *const *sysctls)
{
	const char **copy = NULL;
	size_t n = 0;

	while (sysctls && sysctls[n])
		n++;
	if (n > 0)
		copy = own_must(calloc(n + 1, sizeof(*copy)));
	for (size_t i = 0; i < n; i++)
		copy[i] = own_must(strdup(sysctls[i]));
	for (size_t i = 0; pool.sysctls && pool.sysctls[i]; i++)
		free((void *)pool.sysctls[i]);
	free(pool.sysctls);
	pool.sysctls = copy;
}

void pool_resize(const struct imsg *m)
{
	struct get g = get_from(m);
	uint32_t size = get_u32(&g);
	bool malformed = g.bad;
	auto_free const char **sysctls = get_strv(&g); /* an older crispd sends none: NULL */
	struct err e;

	if (malformed || size > POOL_MAX || ns_sysctls_check(sysctls, KEEPER_NS_NET, &e) < 0)
		return;
	pool_furnish(sysctls);
	while (pool.n)
		close(pool.fds[--pool.n]);
	pool.size = size;
	pool.stale = pool.report >= 0;
	timer_clear(&pool.timer);
	pool_tell(POOL_FILLED);
	pool_later(IDLE_MS);
}
