/* sandbox_sweep.c - see sandbox_sweep.h. netns_dir is not searched: other runtimes and other instances of crisp pin
 * their namespaces there too. */
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
#include "reactor/own.h"

enum { IDS_MAX = 4096 };

struct orphans {
	struct arena *arena;
	const char *at[IDS_MAX];
	size_t n;
};

struct orphan {
	char id[ID_SIZE], netns_path[512];
};

static void orphan_note(struct orphans *o, const char *id, size_t len)
{
	const char *copy = arena_strndup(o->arena, id, len);

	if (len != ID_SIZE - 1 || sandbox_known(copy) || o->n == IDS_MAX)
		return;
	for (size_t i = 0; i < len; i++)
		if (!isxdigit((unsigned char)copy[i]))
			return;
	if (o->n == 0 || strcmp(o->at[o->n - 1], copy) != 0)
		o->at[o->n++] = copy;
}

/* "sandbox/<id>/net" */
static void on_orphan_held(void *arg, const char *name, int fd)
{
	const char *id = name + strlen("sandbox/");

	(void)fd;
	orphan_note(arg, id, strcspn(id, "/"));
}

static void on_orphan_deleted(void *arg, const struct err *e, bool left)
{
	struct orphan *n = arg;

	(void)left;
	if (e)
		log_warn("orphan_network sandbox=%.12s error=%s", n->id, log_quote(e->msg));
	keeper_namespaces_drop(n->id, n->netns_path);
	free(n);
}

/* Only the id and the pin are known. That is enough for a DEL with today's configuration to give an address back. */
static void sweep_namespaces(struct orphans *o)
{
	keeper_each_copy("sandbox/", on_orphan_held, o);
	for (size_t i = 0; i < o->n; i++) {
		struct orphan *n = new_zero(struct orphan);

		log_warn("orphan namespaces=%.12s", o->at[i]);
		snprintf(n->id, sizeof(n->id), "%s", o->at[i]);
		snprintf(n->netns_path, sizeof(n->netns_path), "%s/crisp-%s", sandboxes_config()->netns_dir, n->id);
		network_del_orphan(n->id, n->netns_path, on_orphan_deleted, n);
	}
}

static void note_directories(struct orphans *o, const char *dir)
{
	auto_dir DIR *d = opendir(dir);
	struct dirent *entry;

	while (d && (entry = readdir(d)))
		orphan_note(o, entry->d_name, strlen(entry->d_name));
}

static void sweep_files(struct orphans *o)
{
	const char *dir = arena_printf(o->arena, "%s/sandboxes", sandboxes_config()->state);
	const char *files = arena_printf(o->arena, "%s/sandbox-files", sandboxes_config()->root);

	note_directories(o, dir);
	note_directories(o, files);
	for (size_t i = 0; i < o->n; i++) {
		struct sandbox gone = { .dir = arena_printf(o->arena, "%s/%s", dir, o->at[i]),
			.files = arena_printf(o->arena, "%s/%s", files, o->at[i]) };

		log_warn("orphan sandbox_files=%.12s", o->at[i]);
		sandbox_files_remove(&gone);
	}
}

void sandboxes_sweep(void)
{
	struct orphans *o = new_zero(struct orphans);

	o->arena = arena_new();
	sweep_namespaces(o);
	o->n = 0;
	sweep_files(o);
	arena_free(o->arena);
	free(o);
}
