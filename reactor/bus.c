/* bus.c - see bus.h. sd-bus tells its fd, the events it waits for and its next deadline; bus_rearm() puts them on the
 * loop after each call that may have changed them.
 *
 *   UP ---lost---> AWAY ---pause over, connected---> UP
 *                   |  ^
 *                   +--+ refused: 1 s, 2 s, … 30 s
 *
 * Waits on: the connection's fd, its deadline (UP), the pause (AWAY). */
#include "reactor/bus.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { MESSAGES_A_TURN = 64, FIRST_PAUSE_MS = 1000, LAST_PAUSE_MS = 30000 };

#define SYSTEM_BUS "unix:path=/run/dbus/system_bus_socket"

struct bus {
	struct bus_config cfg;
	const char *address;
	sd_bus *sd; /* while away: the last connection, closed; a message needs one to be made */
	bool away;
	struct fd_watch watch;
	struct timer timer; /* sd-bus's deadline, or the next try */
	int64_t pause_ms;
	bool inside; /* sd_bus_process() runs */
	const char *signal[4]; /* service, path, interface, member */
	bus_signal *on_signal;
	struct link calls; /* of struct bus_call.link */
};

struct bus_call {
	struct bus *bus;
	struct link link;
	sd_bus_slot *slot;  /* NULL: the call was never sent */
	struct timer timer; /* of a call that was never sent: runs `done` in the next turn */
	bus_done *done;
	void *arg;
};

static void bus_process(struct bus *b);
static void on_bus_pause(struct timer *t);

/* ---- watching ---- */

static void on_bus_fd(struct fd_watch *w, int events)
{
	(void)events;
	bus_process(container_of(w, struct bus, watch));
}

static void on_bus_deadline(struct timer *t)
{
	bus_process(container_of(t, struct bus, timer));
}

static void bus_rearm(struct bus *b)
{
	uint64_t until_us = UINT64_MAX;
	int events = sd_bus_get_events(b->sd), fd = sd_bus_get_fd(b->sd);
	int64_t now_us = loop_mono_ns() / 1000;

	if (b->inside)
		return;
	fd_watch_set(&b->watch, fd, (events & POLLIN ? FD_READ : 0) | (events & POLLOUT ? FD_WRITE : 0), on_bus_fd);
	timer_clear(&b->timer);
	if (sd_bus_get_timeout(b->sd, &until_us) >= 0 && until_us != UINT64_MAX)
		timer_set(&b->timer, (int64_t)until_us > now_us ? ((int64_t)until_us - now_us + 999) / 1000 : 0,
			  on_bus_deadline);
}

/* ---- the connection ---- */

static int on_bus_signal(sd_bus_message *m, void *arg, sd_bus_error *ret)
{
	struct bus *b = arg;

	(void)ret;
	b->on_signal(b->cfg.arg, m);
	return 0;
}

static void bus_subscribe(struct bus *b)
{
	int r;

	if (!b->on_signal)
		return;
	r = sd_bus_match_signal_async(b->sd, NULL, b->signal[0], b->signal[1], b->signal[2], b->signal[3],
				      on_bus_signal, NULL, b);
	if (r < 0)
		log_warn("bus_listen member=%s error=%s", b->signal[3], strerror(-r));
}

static int bus_connect(struct bus *b)
{
	sd_bus *sd = NULL;
	int r = sd_bus_new(&sd);

	if (r >= 0)
		r = sd_bus_set_address(sd, b->address);
	if (r >= 0)
		r = sd_bus_set_bus_client(sd, !b->cfg.peer);
	if (r >= 0)
		r = sd_bus_start(sd);
	if (r < 0) {
		sd_bus_unref(sd);
		return r;
	}
	sd_bus_unref(b->sd);
	b->sd = sd;
	b->away = false;
	bus_subscribe(b);
	bus_rearm(b);
	return 0;
}

static void bus_try_later(struct bus *b)
{
	timer_set(&b->timer, b->pause_ms, on_bus_pause);
	b->pause_ms = b->pause_ms * 2 < LAST_PAUSE_MS ? b->pause_ms * 2 : LAST_PAUSE_MS;
}

static void on_bus_pause(struct timer *t)
{
	struct bus *b = container_of(t, struct bus, timer);

	if (bus_connect(b) < 0)
		return bus_try_later(b);
	log_info("bus_back address=%s", b->address);
	b->cfg.again(b->cfg.arg);
}

/* ---- calls ---- */

static void bus_call_free(struct bus_call *c)
{
	timer_clear(&c->timer);
	if (list_linked(&c->link))
		list_drop(&c->link);
	sd_bus_slot_unref(c->slot);
	free(c);
}

static void bus_call_finish(struct bus_call *c, const struct err *e, sd_bus_message *reply)
{
	bus_done *done = c->done;
	void *arg = c->arg;

	bus_call_free(c);
	done(arg, e, reply);
}

static void bus_call_fail_away(struct bus_call *c)
{
	struct err e;

	err_set(&e, ERR_UNAVAILABLE, "the bus %s is away", c->bus->address);
	bus_call_finish(c, &e, NULL);
}

static void on_bus_not_sent(struct timer *t)
{
	bus_call_fail_away(container_of(t, struct bus_call, timer));
}

/* libsystemd makes two errors by itself: Timeout when the call's time is over, NoReply when the connection ended. */
static int on_bus_reply(sd_bus_message *m, void *arg, sd_bus_error *ret)
{
	struct bus_call *c = arg;
	const sd_bus_error *fault = sd_bus_message_get_error(m);
	const char *member = fault && fault->message ? fault->message : "";
	struct err e;

	(void)ret;
	c->bus->pause_ms = FIRST_PAUSE_MS;
	if (!fault) {
		bus_call_finish(c, NULL, m);
	} else if (sd_bus_message_is_method_error(m, SD_BUS_ERROR_TIMEOUT)) {
		err_set(&e, ERR_DEADLINE_EXCEEDED, "%s: no answer over the bus", c->bus->address);
		bus_call_finish(c, &e, NULL);
	} else if (sd_bus_message_is_method_error(m, SD_BUS_ERROR_NO_REPLY)) {
		bus_call_fail_away(c);
	} else {
		err_set(&e, ERR_INTERNAL, "%s (%s)", *member ? member : "refused", fault->name);
		bus_call_finish(c, &e, m);
	}
	return 0;
}

static void bus_lost(struct bus *b, int why)
{
	struct link *l;

	log_warn("bus_lost address=%s error=%s", b->address, strerror(-why));
	fd_watch_clear(&b->watch);
	timer_clear(&b->timer);
	sd_bus_close(b->sd);
	b->away = true;
	bus_try_later(b);
	while ((l = list_first(&b->calls)))
		bus_call_fail_away(container_of(l, struct bus_call, link));
	b->cfg.lost(b->cfg.arg);
}

static void bus_process(struct bus *b)
{
	int r = 1;

	b->inside = true;
	for (int i = 0; i < MESSAGES_A_TURN && r > 0; i++)
		r = sd_bus_process(b->sd, NULL);
	b->inside = false;
	if (r < 0)
		return bus_lost(b, r);
	bus_rearm(b);
	if (r > 0)
		timer_set(&b->timer, 0, on_bus_deadline);
}

sd_bus_message *bus_message(struct bus *b, const char *service, const char *path, const char *interface,
			    const char *member)
{
	sd_bus_message *m = NULL;

	BUS_MUST(sd_bus_message_new_method_call(b->sd, &m, b->cfg.peer ? NULL : service, path, interface, member));
	return m;
}

struct bus_call *bus_call(struct bus *b, sd_bus_message *m, int64_t timeout_ms, bus_done *done, void *arg)
{
	struct bus_call *c = new_zero(struct bus_call);
	int r = -ENOTCONN;

	c->bus = b;
	c->done = done;
	c->arg = arg;
	list_append(&b->calls, &c->link);
	if (!b->away && sd_bus_message_get_bus(m) == b->sd)
		r = sd_bus_call_async(b->sd, &c->slot, m, on_bus_reply, c, (uint64_t)timeout_ms * 1000);
	sd_bus_message_unref(m);
	if (r < 0)
		timer_set(&c->timer, 0, on_bus_not_sent);
	else
		bus_rearm(b);
	return c;
}

void bus_cancel(struct bus_call *c)
{
	bus_call_free(c);
}

void bus_listen(struct bus *b, const char *service, const char *path, const char *interface, const char *member,
		bus_signal *fn)
{
	assert(!b->on_signal);
	b->signal[0] = service;
	b->signal[1] = path;
	b->signal[2] = interface;
	b->signal[3] = member;
	b->on_signal = fn;
	if (b->away)
		return;
	bus_subscribe(b);
	bus_rearm(b);
}

/* ---- open, close ---- */

struct bus *bus_open(const struct bus_config *cfg, struct err *e)
{
	struct bus *b = new_zero(struct bus);
	int r;

	b->cfg = *cfg;
	b->pause_ms = FIRST_PAUSE_MS;
	b->address = cfg->address ? cfg->address : getenv("DBUS_SYSTEM_BUS_ADDRESS");
	if (!b->address)
		b->address = SYSTEM_BUS;
	list_init(&b->calls);
	r = bus_connect(b);
	if (r < 0) {
		err_set(e, ERR_UNAVAILABLE, "the bus %s: %s", b->address, strerror(-r));
		free(b);
		return NULL;
	}
	return b;
}

const char *bus_address(const struct bus *b)
{
	return b->address;
}

void bus_close(struct bus *b)
{
	struct link *l;

	assert(!b->inside);
	while ((l = list_first(&b->calls)))
		bus_call_free(container_of(l, struct bus_call, link));
	fd_watch_clear(&b->watch);
	timer_clear(&b->timer);
	sd_bus_flush_close_unref(b->sd);
	free(b);
}
