/* map.c - see map.h. Deletion moves the entries that follow into the hole, so there are no tombstones. */
#include "reactor/map.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/own.h"

static size_t map_home(const struct map *m, const char *key)
{
	uint64_t h = 1469598103934665603u;

	for (; *key; key++)
		h = (h ^ (unsigned char)*key) * 1099511628211u;
	return (size_t)(h ^ h >> 32) & (m->size - 1);
}

/* The slot that holds key, or the free one where it belongs. */
static struct map_slot *map_find(const struct map *m, const char *key)
{
	size_t i = map_home(m, key);

	while (m->slots[i].key && strcmp(m->slots[i].key, key) != 0)
		i = (i + 1) & (m->size - 1);
	return &m->slots[i];
}

void map_free(struct map *m)
{
	free(m->slots);
	*m = (struct map){ 0 };
}

void *map_get(const struct map *m, const char *key)
{
	return m->size ? map_find(m, key)->value : NULL;
}

static void map_grow(struct map *m)
{
	struct map old = *m;

	m->size = old.size ? old.size * 2 : 16;
	m->slots = own_must(calloc(m->size, sizeof(*m->slots)));
	for (size_t i = 0; i < old.size; i++)
		if (old.slots[i].key)
			*map_find(m, old.slots[i].key) = old.slots[i];
	free(old.slots);
}

void map_put(struct map *m, const char *key, void *value)
{
	struct map_slot *s;

	if ((m->used + 1) * 4 > m->size * 3)
		map_grow(m);
	s = map_find(m, key);
	m->used += !s->key;
	*s = (struct map_slot){ key, value };
}

void *map_drop(struct map *m, const char *key)
{
	struct map_slot *s = m->size ? map_find(m, key) : NULL;
	void *value;
	size_t hole, i;

	if (!s || !s->key)
		return NULL;
	value = s->value;
	hole = (size_t)(s - m->slots);
	for (i = (hole + 1) & (m->size - 1); m->slots[i].key; i = (i + 1) & (m->size - 1)) {
		size_t h = map_home(m, m->slots[i].key);

		/* The entry may fill the hole when its home slot is, cyclically, not in (hole, i]. */
		if (((i - h) & (m->size - 1)) >= ((i - hole) & (m->size - 1))) {
			m->slots[hole] = m->slots[i];
			hole = i;
		}
	}
	m->slots[hole] = (struct map_slot){ 0 };
	m->used--;
	return value;
}

struct map_slot *map_next(const struct map *m, const struct map_slot *s)
{
	size_t i = s ? (size_t)(s - m->slots) + 1 : 0;

	for (; i < m->size; i++)
		if (m->slots[i].key)
			return &m->slots[i];
	return NULL;
}
