/* hold.c - see hold.h. */
#include "procs/keeper/hold.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procs/keeper/anchor.h"
#include "procs/keeper/channel.h"
#include "procs/keeper/proto.h"
#include "reactor/imsg.h"
#include "reactor/list.h"
#include "reactor/map.h"
#include "reactor/own.h"

struct held {
	struct link link;
	int fd;
	int in_anchor; /* its number there; -1: unknown */
	bool wants_path;
	bool claimed; /* by a crispd of this keeper's life */
	char name[];
};

static struct map by_name;
static struct link all = { &all, &all }; /* of struct held.link */

static void held_free(struct held *h)
{
	map_drop(&by_name, h->name);
	list_drop(&h->link);
	close(h->fd);
	free(h);
}

static struct held *held_new(const char *name, int fd)
{
	size_t size = strlen(name) + 1;
	struct held *h = map_get(&by_name, name);

	if (h)
		held_free(h);
	h = own_must(calloc(1, sizeof(*h) + size));
	memcpy(h->name, name, size);
	h->fd = fd;
	h->in_anchor = -1;
	map_put(&by_name, h->name, h);
	list_append(&all, &h->link);
	return h;
}

/* ---- to crispd ---- */

static void put_place(struct buf *b, const struct held *h)
{
	put_u32(b, (uint32_t)(h->in_anchor >= 0 ? anchor_pid() : getpid()));
	put_u32(b, (uint32_t)(h->in_anchor >= 0 ? h->in_anchor : h->fd));
}

static void held_tell(const struct held *h)
{
	struct buf b = { 0 };

	put_str(&b, h->name);
	put_u32(&b, h->wants_path);
	put_place(&b, h);
	channel_tell(KEEPER_HELD, 0, &b, &h->fd, 1);
	buf_free(&b);
}

static void held_tell_place(const struct held *h)
{
	struct buf b = { 0 };

	put_str(&b, h->name);
	put_place(&b, h);
	channel_tell(KEEPER_PLACE, 0, &b, NULL, 0);
	buf_free(&b);
}

void hold_tell_all(void)
{
	list_each(it, &all)
		held_tell(container_of(it, struct held, link));
}

/* ---- holding ---- */

static struct held *held_begin(const char *name, int fd, bool wants_path)
{
	struct held *h = held_new(name, fd);

	h->claimed = true;
	h->wants_path = wants_path;
	return h;
}

static void held_to_anchor(const struct held *h)
{
	anchor_hold(h->name, h->fd);
	if (h->wants_path)
		anchor_where(h->name);
}

void hold(const char *name, int fd)
{
	const struct held *h = held_begin(name, fd, true);

	held_to_anchor(h);
	held_tell(h);
}

static void hold_claim(const char *name)
{
	struct held *h = map_get(&by_name, name);

	if (h)
		h->claimed = true;
}

void hold_from_crispd(struct imsg *m)
{
	struct get g = get_from(m);
	const char *name = get_str(&g);
	bool wants_path = get_u32(&g);
	const struct held *h;
	struct buf b = { 0 };

	if (!name || g.bad)
		return;
	if (m->nfds == 1) {
		h = held_begin(name, take_fd(&m->fds[0]), wants_path);
		held_to_anchor(h);
		put_place(&b, h);
	} else {
		hold_claim(name); /* what is held under it may be that fd */
		put_u32(&b, 0);
		put_u32(&b, KEEPER_NOT_HELD);
	}
	channel_tell(KEEPER_HELD_AT, m->tag, &b, NULL, 0);
	buf_free(&b);
}

void hold_again(const char *name, int fd)
{
	held_new(name, fd)->in_anchor = fd; /* this process was forked from the anchor */
}

void hold_placed(const char *name, int number)
{
	struct held *h = map_get(&by_name, name);

	if (!h)
		return;
	h->in_anchor = number;
	held_tell_place(h);
}

void hold_anchor_gone(void)
{
	list_each(it, &all) {
		struct held *h = container_of(it, struct held, link);

		if (h->in_anchor < 0)
			continue;
		h->in_anchor = -1;
		held_tell_place(h);
	}
}

/* ---- releasing ---- */

static void held_release(struct held *h)
{
	anchor_release(h->name);
	held_free(h);
}

void hold_release(const char *name)
{
	struct held *h = map_get(&by_name, name);

	if (h)
		held_release(h);
}

void hold_release_all(const char *prefix)
{
	size_t n = strlen(prefix);

	list_each(it, &all) {
		struct held *h = container_of(it, struct held, link);

		if (strncmp(h->name, prefix, n) == 0)
			held_release(h);
	}
}

void hold_release_unclaimed(void)
{
	list_each(it, &all) {
		struct held *h = container_of(it, struct held, link);

		if (!h->claimed)
			held_release(h);
	}
}

bool hold_any(const char *prefix)
{
	list_each(it, &all)
		if (strncmp(container_of(it, struct held, link)->name, prefix, strlen(prefix)) == 0)
			return true;
	return false;
}
