/* sandbox_sweep.c - see sandbox_sweep.h.
 *
 * Found are the sandboxes of fds that the keeper holds, and those of directories below `state` and `root`. netns_dir is
 * not searched: other runtimes and other instances of crisp pin their namespaces there too. The link in a sandbox's
 * directory tells which pin is this crisp's (sandbox_files.h). */
#include "procs/sandbox_sweep.h"

#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "procs/keeper.h"
#include "procs/network.h"
#include "procs/sandbox.h"
#include "procs/sandbox_files.h"
#include "reactor/log.h"
#include "reactor/map.h"
#include "reactor/own.h"

enum { IDS_MAX = 4096 };

struct orphans {
	struct map ids; /* id -> the same string, in the arena */
	struct arena *arena;
};

struct orphan {
	char id[ID_SIZE];
	struct arena *arena;
	const char *pin;    /* "": none */
	struct sandbox gone; /* its directories; no sandbox of the table */
};

static void orphan_note(struct orphans *o, const char *id, size_t len)
{
	const char *copy;

	if (len != ID_SIZE - 1 || o->ids.used == IDS_MAX)
		return;
	for (size_t i = 0; i < len; i++)
		if (!isxdigit((unsigned char)id[i]))
			return;
	copy = arena_strndup(o->arena, id, len);
	if (!sandbox_known(copy) && !map_get(&o->ids, copy))
		map_put(&o->ids, copy, (void *)copy);
}

/* "sandbox/<id>/net" */
static void on_orphan_held(void *arg, const char *name, int fd)
{
	const char *id = name + strlen("sandbox/");

	(void)fd;
	orphan_note(arg, id, strcspn(id, "/"));
}

static void note_directories(struct orphans *o, const char *dir)
{
	auto_dir DIR *d = opendir(dir);
	struct dirent *entry;

	while (d && (entry = readdir(d)))
		orphan_note(o, entry->d_name, strlen(entry->d_name));
}

/* What could not be given back is left: the next start finds it by its directory. */
static void orphan_end(struct orphan *n, const struct err *e)
{
	if (e)
		log_warn("orphan_left sandbox=%.12s error=%s", n->id, log_quote(e->msg));
	arena_free(n->arena);
	free(n);
}

static void on_orphan_dropped(void *arg, const struct err *e)
{
	struct orphan *n = arg;
	struct err mine;

	if (!e && sandbox_files_remove(&n->gone, &mine) < 0)
		e = &mine;
	orphan_end(n, e);
}

/* Only the id and the pin are known. That is enough for a DEL with today's configuration to give an address back. */
static void on_orphan_deleted(void *arg, const struct err *e, bool left)
{
	struct orphan *n = arg;

	(void)left;
	if (e && e->code == ERR_UNAVAILABLE)
		return orphan_end(n, e);
	if (e)
		log_warn("orphan_network sandbox=%.12s error=%s", n->id, log_quote(e->msg));
	keeper_namespaces_drop(n->id, n->pin, on_orphan_dropped, n);
}

static void orphan_give_back(const char *id)
{
	struct orphan *n = new_zero(struct orphan);
	const struct sandboxes_config *cfg = sandboxes_config();
	bool held;

	n->arena = arena_new();
	snprintf(n->id, sizeof(n->id), "%s", id);
	n->gone.dir = arena_printf(n->arena, "%s/sandboxes/%s", cfg->state, id);
	n->gone.files = arena_printf(n->arena, "%s/sandbox-files/%s", cfg->root, id);
	n->pin = sandbox_files_pin(n->gone.dir, n->arena);
	held = keeper_copy(arena_printf(n->arena, "sandbox/%s/net", id)) >= 0;
	if (!*n->pin && held) /* an earlier version made no link */
		n->pin = arena_printf(n->arena, "%s/crisp-%s", cfg->netns_dir, id);
	log_warn("orphan sandbox=%.12s pin=%s", id, log_quote(n->pin));
	if (*n->pin)
		network_del_orphan(n->id, n->pin, on_orphan_deleted, n);
	else
		keeper_namespaces_drop(n->id, n->pin, on_orphan_dropped, n);
}

void sandboxes_sweep(void)
{
	struct orphans o = { .arena = arena_new() };

	keeper_each_copy("sandbox/", on_orphan_held, &o);
	note_directories(&o, arena_printf(o.arena, "%s/sandboxes", sandboxes_config()->state));
	note_directories(&o, arena_printf(o.arena, "%s/sandbox-files", sandboxes_config()->root));
	for (struct map_slot *m = map_next(&o.ids, NULL); m; m = map_next(&o.ids, m))
		orphan_give_back(m->key);
	map_free(&o.ids);
	arena_free(o.arena);
}
