/* map.h - a table from string to pointer; owns neither. Open addressing, doubles when three quarters are
 * used. The hash has a key of this process, so that nobody outside of it can make keys collide. */
#ifndef REACTOR_MAP_H
#define REACTOR_MAP_H

#include <stddef.h>
#include <stdint.h>

struct map_slot {
	const char *key; /* NULL: free */
	void *value;
	uint64_t hash; /* of key: comparing it first saves a cache miss for each foreign key on the way */
};

struct map {
	struct map_slot *slots;
	size_t size, used; /* slots allocated, entries held */
};

/* A zeroed map is valid and empty. Keys are borrowed: they must live as long as their entry. */
void map_free(struct map *map);
void *map_get(const struct map *map, const char *key);           /* NULL: not there */
void map_put(struct map *map, const char *key, void *value);      /* value is not NULL; replaces key and value */

/* The slot of key, which is made if it is not there: its value is NULL then, and the caller sets it before the map is
 * used again. Valid until the map changes. */
struct map_slot *map_at(struct map *map, const char *key);

/* Room for n more entries at once: a map that grows to 50,000 entries moves each of them twice on the way. */
void map_reserve(struct map *map, size_t n);

void *map_drop(struct map *map, const char *key);                 /* the value that was there, or NULL */

/* The first entry for slot NULL, else the next one; NULL at the end. In no order. The map must not change meanwhile:
 *     for (struct map_slot *s = map_next(m, NULL); s; s = map_next(m, s)) */
struct map_slot *map_next(const struct map *map, const struct map_slot *slot);

#endif
