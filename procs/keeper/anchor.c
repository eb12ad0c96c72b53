/* anchor.c - see anchor.h.
 *
 *   an item: MARKED ---sent---> KNOWN ---changed---> MARKED
 *            MARKED ---released: that is sent, or nothing had been sent---> gone
 *
 * Waits on: the channel, for messages, and for room while an item is marked. Messages carry the state of an item and
 * not a change, so however often an item changes while the anchor does not read, one message is enough. */
#include "procs/keeper/anchor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procs/pidstat.h"
#include "reactor/fault.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/map.h"
#include "reactor/own.h"

struct item {
	struct link marked; /* in `marked` while the anchor is to be told */
	bool process, known, gone; /* known: the anchor has an entry of that name */
	bool dirty, ask;           /* its state, and a question, are to be sent */
	bool find;                 /* its state is that the anchor may have seen its end */
	int fd; /* held: borrowed; of a process: own, while marked; -1: none */
	pid_t pid;
	int status;
	uint64_t start_ticks;
	uint64_t question; /* held: number of the last one */
	int64_t at_ns;
	char name[];
};

static struct {
	int fd; /* -1: no anchor */
	pid_t pid;
	struct fd_watch watch;
	struct anchor_events events;
	struct map held, kept; /* of struct item by name */
	struct link marked;
	int state; /* enum anchor_state */
	bool tell_state;
	uint64_t questions; /* the number of the last one */
} anchor = { .fd = -1, .marked = { &anchor.marked, &anchor.marked } };

static struct map *item_map(bool process)
{
	return process ? &anchor.kept : &anchor.held;
}

static void item_close(struct item *i)
{
	if (i->process && i->fd >= 0)
		close(i->fd);
	if (i->process)
		i->fd = -1;
}

static void item_free(struct item *i)
{
	map_drop(item_map(i->process), i->name);
	if (list_linked(&i->marked))
		list_drop(&i->marked);
	item_close(i);
	free(i);
}

static struct item *item_get(bool process, const char *name)
{
	struct item *i = map_get(item_map(process), name);
	size_t size = strlen(name) + 1;

	if (i)
		return i;
	i = own_must(calloc(1, sizeof(*i) + size));
	memcpy(i->name, name, size);
	i->process = process;
	i->fd = -1;
	map_put(item_map(process), i->name, i);
	return i;
}

/* ---- to the anchor ---- */

static bool item_send(const struct item *i)
{
	struct anchor_message m = {
		.type = !i->process ? i->gone ? ANCHOR_RELEASE : ANCHOR_HOLD
			: i->gone   ? ANCHOR_FORGET
			: i->find   ? ANCHOR_FIND : ANCHOR_KEEP,
	};

	if (i->gone && !i->known)
		return true;
	memcpy(m.name, i->name, strlen(i->name));
	if (!i->gone) {
		m.pid = i->pid;
		m.status = i->status;
		m.start_ticks = i->start_ticks;
		m.at_ns = i->at_ns;
	}
	return anchor_send(anchor.fd, &m, &i->fd, !i->gone && i->fd >= 0) == 0;
}

static bool item_ask(const struct item *i)
{
	struct anchor_message m = { .type = i->process ? ANCHOR_ASK : ANCHOR_WHERE };

	if (!i->process)
		m.start_ticks = i->question;
	memcpy(m.name, i->name, strlen(i->name));
	return anchor_send(anchor.fd, &m, NULL, 0) == 0;
}

static bool state_send(void)
{
	return anchor_send(anchor.fd, &(struct anchor_message){ .type = ANCHOR_STATE, .status = anchor.state }, NULL,
			   0) == 0;
}

static void anchor_lost(void)
{
	log_error("anchor_gone effect=\"exits and output are lost if both daemons die now; restart crisp-keeper\"");
	fd_watch_clear(&anchor.watch);
	close(take_fd(&anchor.fd));
	while (!list_empty(&anchor.marked))
		list_drop(list_first(&anchor.marked));
	for (int process = 0; process < 2; process++)
		for (struct map_slot *s; (s = map_next(item_map(process), NULL));)
			item_free(s->value);
	anchor.events.gone();
}

static bool flush_one(void)
{
	struct item *i;

	if (anchor.tell_state) {
		anchor.tell_state = !state_send();
		return !anchor.tell_state;
	}
	i = container_of(list_first(&anchor.marked), struct item, marked);
	if (i->dirty && !item_send(i))
		return false;
	i->dirty = false;
	item_close(i);
	if (i->gone) {
		item_free(i);
		return true;
	}
	i->known = true;
	if (i->ask && !item_ask(i))
		return false;
	i->ask = false;
	list_drop(&i->marked);
	return true;
}

static void on_anchor_ready(struct fd_watch *w, int events);

/* An error other than EAGAIN is followed by end of file, which on_anchor_ready() reads. */
static void anchor_flush(void)
{
	bool all = true;

	while (all && (anchor.tell_state || !list_empty(&anchor.marked)))
		all = flush_one();
	fd_watch_set(&anchor.watch, anchor.fd, all ? FD_READ : FD_READ | FD_WRITE, on_anchor_ready);
}

static void item_mark(struct item *i, bool dirty)
{
	i->dirty |= dirty;
	if (!list_linked(&i->marked))
		list_append(&anchor.marked, &i->marked);
	anchor_flush();
}

/* A name that is too long for a message belongs to no part of crisp. */
static bool anchor_takes(const char *name)
{
	return anchor.fd >= 0 && strlen(name) < ANCHOR_NAME_SIZE;
}

void anchor_hold(const char *name, int fd)
{
	struct item *i;

	if (!anchor_takes(name))
		return;
	i = item_get(false, name);
	i->fd = fd;
	i->gone = i->ask = false;
	i->question = ++anchor.questions;
	item_mark(i, true);
}

void anchor_where(const char *name)
{
	struct item *i = anchor_takes(name) ? map_get(&anchor.held, name) : NULL;

	if (!i || i->gone)
		return;
	i->ask = true;
	item_mark(i, false);
}

pid_t anchor_pid(void)
{
	return anchor.fd < 0 ? 0 : anchor.pid;
}

static void item_drop(struct map *map, const char *name)
{
	struct item *i = map_get(map, name);

	if (!i)
		return;
	item_close(i);
	i->gone = true;
	i->ask = false;
	item_mark(i, true);
}

void anchor_release(const char *name)
{
	item_drop(&anchor.held, name);
}

void anchor_keep(const char *id, pid_t pid, int64_t start_ticks, int pidfd, int status, int64_t at_ns)
{
	struct pidstat now;
	struct item *i;

	if (!anchor_takes(id))
		return;
	i = item_get(true, id);
	item_close(i);
	i->gone = i->ask = i->find = false;
	i->pid = pid;
	i->status = status;
	i->at_ns = at_ns;
	i->start_ticks = (uint64_t)start_ticks;
	if (!start_ticks && !at_ns && pidstat_read(pid, &now))
		i->start_ticks = (uint64_t)now.start_ticks;
	i->fd = at_ns || pidfd < 0 ? -1 : fcntl(pidfd, F_DUPFD_CLOEXEC, 3);
	item_mark(i, true);
}

void anchor_forget(const char *id)
{
	item_drop(&anchor.kept, id);
}

bool anchor_find(const char *id, pid_t pid, uint64_t start_ticks)
{
	struct item *i;

	if (!anchor_takes(id))
		return false;
	i = item_get(true, id);
	item_close(i);
	i->gone = false;
	i->find = i->ask = true;
	i->pid = pid;
	i->at_ns = 0;
	i->start_ticks = start_ticks;
	item_mark(i, true);
	return true;
}

bool anchor_ask(const char *id)
{
	struct item *i = anchor_takes(id) ? map_get(&anchor.kept, id) : NULL;

	if (!i || i->gone)
		return false;
	i->ask = true;
	item_mark(i, false);
	return true;
}

void anchor_tell_state(enum anchor_state state)
{
	anchor.state = (int)state;
	anchor.tell_state = anchor.fd >= 0;
	if (anchor.tell_state)
		anchor_flush();
}

/* ---- from the anchor ---- */

/* An answer to an earlier question may be of an fd that the anchor does not hold any more. */
static void on_place(const struct anchor_message *m)
{
	const struct item *i = map_get(&anchor.held, m->name);

	if (i && !i->gone && !i->ask && i->question == m->start_ticks && m->number >= 0)
		anchor.events.placed(m->name, m->number);
}

static void on_anchor_ready(struct fd_watch *w, int events)
{
	struct anchor_message m;
	int fds[ANCHOR_FDS_MAX], rc = 0;
	size_t nfds;

	(void)w;
	while (anchor.fd >= 0 && (rc = anchor_receive(anchor.fd, &m, fds, &nfds)) > 0) {
		for (size_t i = 0; i < nfds; i++)
			close(fds[i]);
		fault_at("work", anchor_type_name(m.type), "before");
		if (m.type == ANCHOR_KEEP)
			anchor.events.ended(&m);
		else if (m.type == ANCHOR_PLACE)
			on_place(&m);
		fault_at("work", anchor_type_name(m.type), "after");
	}
	if (rc < 0)
		return anchor_lost();
	if (anchor.fd >= 0 && events & FD_WRITE)
		anchor_flush();
}

/* ---- the table ---- */

static void on_record(const struct anchor_message *m)
{
	bool process = m->type == ANCHOR_KEEP;
	struct item *i;

	if ((!process && m->type != ANCHOR_HOLD) || !m->name[0] || (!process && m->number < 0))
		return;
	if (m->number >= 0)
		fcntl(m->number, F_SETFD, FD_CLOEXEC);
	i = item_get(process, m->name);
	i->known = true;
	i->pid = m->pid;
	i->status = m->status;
	i->start_ticks = m->start_ticks;
	i->at_ns = m->at_ns;
	if (process)
		anchor.events.kept(m, m->number);
	else
		anchor.events.held(m->name, i->fd = m->number);
}

bool anchor_is_parent(void)
{
	return getenv(ANCHOR_ENV) != NULL;
}

int anchor_open(const struct anchor_events *events, struct err *e)
{
	struct anchor_message m;
	ssize_t n;

	anchor.events = *events;
	anchor.fd = ANCHOR_CHANNEL_FD;
	anchor.pid = getppid();
	fcntl(ANCHOR_CHANNEL_FD, F_SETFD, FD_CLOEXEC);
	while ((n = read(ANCHOR_TABLE_FD, &m, sizeof(m))) == sizeof(m)) {
		m.name[ANCHOR_NAME_SIZE - 1] = '\0';
		on_record(&m);
	}
	close(ANCHOR_TABLE_FD);
	if (n)
		return err_set(e, ERR_INTERNAL, "the table of the anchor ends in a record");
	unsetenv(ANCHOR_ENV);
	anchor_flush();
	return 0;
}
