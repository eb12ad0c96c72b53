/* namespaces.h - what keeper.c tells namespaces.c, which is keeper_namespaces() of keeper.h; and how a runtime is told
 * of a user namespace. */
#ifndef PROCS_NAMESPACES_H
#define PROCS_NAMESPACES_H

#include <string.h>

#include "reactor/arena.h"
#include "reactor/imsg.h"

void namespaces_on_done(const struct imsg *m); /* KEEPER_NS_DONE */
void namespaces_on_gone(void);                 /* the keeper died */
void namespaces_on_here(void);                 /* a keeper is there: what was to be dropped meanwhile is dropped */

/* The path of a user namespace as runtimes are told it, in the arena. runc from 1.2 on takes /proc/<N>/<anything> for
 * the mappings of process N (libcontainer/internal/userns: its pattern ends after the number), so the path must not
 * begin that way. Inline: the tests' keeper replaces namespaces.c. */
static inline const char *ns_user_path(struct arena *arena, const char *path)
{
	return strncmp(path, "/proc/", 6) == 0 ? arena_printf(arena, "/.%s", path) : path;
}

#endif
