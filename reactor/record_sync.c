/* record_sync.c - see record_sync.h. */
#include "reactor/record_sync.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/map.h"
#include "reactor/own.h"

struct unsynced {
	char *path;
	bool taken, again; /* again: written while it was taken */
	bool gone;         /* removed while it was taken */
};

static struct map all; /* path -> struct unsynced, which owns the key */
static struct unsynced **taken;
static size_t ntaken;
static void (*listener)(void);

void record_sync_on_ring(void (*fn)(void))
{
	listener = fn;
	if (fn && record_sync_waits())
		fn();
}

bool record_sync_waits(void)
{
	return all.used > ntaken;
}

static void unsynced_free(struct unsynced *u)
{
	map_drop(&all, u->path);
	free(u->path);
	free(u);
}

void record_sync_note(const char *path)
{
	struct unsynced *u = map_get(&all, path);

	if (u) {
		u->again = u->taken;
		u->gone = false;
		return;
	}
	u = new_zero(struct unsynced);
	u->path = own_must(strdup(path));
	map_put(&all, u->path, u);
	if (listener)
		listener();
}

bool record_sync_pending(const char *path)
{
	return map_get(&all, path) != NULL;
}

void record_sync_forget(const char *path)
{
	struct unsynced *u = map_get(&all, path);

	if (u && u->taken)
		u->gone = true;
	else if (u)
		unsynced_free(u);
}

size_t record_sync_take(const char **paths, size_t max)
{
	if (ntaken > 0)
		return 0;
	taken = own_must(calloc(max, sizeof(*taken)));
	for (struct map_slot *s = map_next(&all, NULL); s && ntaken < max; s = map_next(&all, s)) {
		struct unsynced *u = s->value;

		u->taken = true;
		taken[ntaken] = u;
		paths[ntaken++] = u->path;
	}
	if (ntaken == 0) { /* no record_sync_done() follows */
		free(taken);
		taken = NULL;
	}
	return ntaken;
}

static void drop_older(const char *path)
{
	char old[PATH_MAX];

	if (snprintf(old, sizeof(old), "%s.old", path) < (int)sizeof(old) && EFFECT(unlink(old)) < 0 && errno != ENOENT)
		log_warn("record_old path=%s error=%s", log_quote(old), log_quote(strerror(errno)));
}

void record_sync_done(bool synced)
{
	for (size_t i = 0; i < ntaken; i++) {
		struct unsynced *u = taken[i];
		bool over = u->gone || (synced && !u->again);

		if (over && !u->gone)
			drop_older(u->path);
		u->taken = u->again = false;
		if (over)
			unsynced_free(u);
	}
	free(taken);
	taken = NULL;
	ntaken = 0;
}
