/* sandbox_ids.c - see sandbox_ids.h. */
#include "procs/sandbox_ids.h"

#include <stdlib.h>

#include "procs/sandbox.h"
#include "reactor/own.h"

static void ids_note(void *arg, struct sandbox *s)
{
	struct sandbox_ids *ids = arg;

	if (ids->n % 64 == 0)
		ids->at = own_must(realloc(ids->at, (ids->n + 65) * sizeof(*ids->at)));
	ids->at[ids->n++] = arena_strdup(ids->arena, s->id);
	ids->at[ids->n] = NULL;
}

struct sandbox_ids sandbox_ids_now(void)
{
	struct sandbox_ids ids = { arena_new(), own_must(calloc(1, sizeof(*ids.at))), 0 };

	sandbox_each(ids_note, &ids);
	sandbox_each_hidden(ids_note, &ids);
	return ids;
}

void sandbox_ids_free(struct sandbox_ids *ids)
{
	free(ids->at);
	arena_free(ids->arena);
}
