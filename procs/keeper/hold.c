/* hold.c - see hold.h. */
#include "procs/keeper/hold.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procs/keeper/notify.h"
#include "reactor/list.h"
#include "reactor/map.h"
#include "reactor/own.h"

struct held {
	struct link link;
	int fd;
	char name[];
};

static struct map by_name;
static struct link all = { &all, &all }; /* of struct held.link */

static void held_free(struct held *h)
{
	notify_unkeep(h->name);
	map_drop(&by_name, h->name);
	list_drop(&h->link);
	close(h->fd);
	free(h);
}

void hold_again(const char *name, int fd)
{
	size_t size = strlen(name) + 1;
	struct held *h;

	hold_release(name);
	h = own_must(calloc(1, sizeof(*h) + size));
	memcpy(h->name, name, size);
	h->fd = fd;
	map_put(&by_name, h->name, h);
	list_append(&all, &h->link);
}

void hold(const char *name, int fd)
{
	hold_again(name, fd);
	notify_keep(name, fd);
}

void hold_release(const char *name)
{
	struct held *h = map_get(&by_name, name);

	if (h)
		held_free(h);
}

void hold_release_all(const char *prefix)
{
	size_t n = strlen(prefix);

	list_each(it, &all) {
		struct held *h = container_of(it, struct held, link);

		if (strncmp(h->name, prefix, n) == 0)
			held_free(h);
	}
}

void hold_each(void (*fn)(const char *name, int fd))
{
	list_each(it, &all) {
		const struct held *h = container_of(it, struct held, link);

		fn(h->name, h->fd);
	}
}
