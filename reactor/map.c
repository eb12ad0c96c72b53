/* map.c - see map.h. Deletion moves the entries that follow into the hole, so there are no tombstones. */
#include "reactor/map.h"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "reactor/own.h"

/* SipHash-1-3 with a key of this process (Aumasson, Bernstein: SipHash, a fast short-input PRF). Keys come from clients
 * and images: with a hash that they know, 50,000 names would fall on one slot, and each look-up would walk over all.
 * The key is the 16 random bytes that the kernel gives to each process: crisp-unpack needs no system call for them.
 * (ARCHITECTURE R21) */
static uint64_t secret[2];

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = (v[1] << 13 | v[1] >> 51) ^ v[0];
	v[0] = v[0] << 32 | v[0] >> 32;
	v[2] += v[3];
	v[3] = (v[3] << 16 | v[3] >> 48) ^ v[2];
	v[0] += v[3];
	v[3] = (v[3] << 21 | v[3] >> 43) ^ v[0];
	v[2] += v[1];
	v[1] = (v[1] << 17 | v[1] >> 47) ^ v[2];
	v[2] = v[2] << 32 | v[2] >> 32;
}

static void sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
}

static uint64_t map_hash(const char *key)
{
	size_t len = strlen(key), left = len;
	uint64_t v[4] = { secret[0] ^ 0x736f6d6570736575, secret[1] ^ 0x646f72616e646f6d,
			  secret[0] ^ 0x6c7967656e657261, secret[1] ^ 0x7465646279746573 };
	uint64_t word;

	for (; left >= sizeof(word); left -= sizeof(word), key += sizeof(word)) {
		memcpy(&word, key, sizeof(word));
		sip_word(v, word);
	}
	word = 0;
	memcpy(&word, key, left);
	sip_word(v, word | (uint64_t)len << 56);
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static size_t map_home(const struct map *m, uint64_t hash)
{
	return (size_t)hash & (m->size - 1);
}

/* The slot that holds key, or the free one where it belongs. */
static struct map_slot *map_find(const struct map *m, const char *key, uint64_t hash)
{
	size_t i = map_home(m, hash);

	while (m->slots[i].key && (m->slots[i].hash != hash || strcmp(m->slots[i].key, key) != 0))
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
	return m->size ? map_find(m, key, map_hash(key))->value : NULL;
}

static void map_resize(struct map *m, size_t size)
{
	struct map old = *m;

	memcpy(secret, (const void *)getauxval(AT_RANDOM), sizeof(secret)); /* before the first key is hashed */
	m->size = size;
	m->slots = own_must(calloc(m->size, sizeof(*m->slots)));
	for (size_t i = 0; i < old.size; i++) {
		size_t at = map_home(m, old.slots[i].hash);

		if (!old.slots[i].key)
			continue;
		while (m->slots[at].key)
			at = (at + 1) & (m->size - 1);
		m->slots[at] = old.slots[i];
	}
	free(old.slots);
}

void map_reserve(struct map *m, size_t n)
{
	size_t size = m->size ? m->size : 16;

	while ((m->used + n) * 4 > size * 3)
		size *= 2;
	if (size > m->size)
		map_resize(m, size);
}

struct map_slot *map_at(struct map *m, const char *key)
{
	struct map_slot *s;
	uint64_t hash;

	map_reserve(m, 1);
	hash = map_hash(key);
	s = map_find(m, key, hash);
	if (!s->key) {
		*s = (struct map_slot){ key, NULL, hash };
		m->used++;
	}
	return s;
}

void map_put(struct map *m, const char *key, void *value)
{
	struct map_slot *s = map_at(m, key);

	s->key = key;
	s->value = value;
}

void *map_drop(struct map *m, const char *key)
{
	struct map_slot *s = m->size ? map_find(m, key, map_hash(key)) : NULL;
	void *value;
	size_t hole, i;

	if (!s || !s->key)
		return NULL;
	value = s->value;
	hole = (size_t)(s - m->slots);
	for (i = (hole + 1) & (m->size - 1); m->slots[i].key; i = (i + 1) & (m->size - 1)) {
		size_t h = map_home(m, m->slots[i].hash);

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
