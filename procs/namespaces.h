/* namespaces.h - between keeper.c, which has the channel, and namespaces.c, which is keeper_namespaces() of keeper.h;
 * how a runtime is told of a user namespace, and how a pod's directory is open to it alone. */
#ifndef PROCS_NAMESPACES_H
#define PROCS_NAMESPACES_H

#include <stdint.h>
#include <string.h>

#include "procs/keeper.h"
#include "reactor/arena.h"
#include "reactor/dir.h"
#include "reactor/err.h"

/* What keeper.c tells namespaces.c, from the first request on. */
struct namespaces_hooks {
	void (*done)(uint64_t tag, enum err_code code, const char *text); /* KEEPER_NS_DONE */
	void (*gone)(void);                                               /* the keeper died */
	void (*here)(void);                                               /* a keeper is there */
};
void keeper_ns_listen(const struct namespaces_hooks *hooks); /* borrowed for ever */

/* Messages to the keeper; UNAVAILABLE: it is away. `path` of the pin: NULL for none. */
int keeper_ns_make(uint64_t tag, const struct ns_request *request, const char *path, struct err *e);
int keeper_ns_unpin(const char *path, struct err *e);

/* The path of a user namespace as runtimes are told it, in the arena. runc from 1.2 on takes /proc/<N>/<anything> for
 * the mappings of process N (libcontainer/internal/userns: its pattern ends after the number), so the path must not
 * begin that way. Inline: the tests' keeper replaces namespaces.c. (ARCHITECTURE X10) */
static inline const char *ns_user_path(struct arena *arena, const char *path)
{
	return strncmp(path, "/proc/", 6) == 0 ? arena_printf(arena, "/.%s", path) : path;
}

/* Closes a directory of one pod to all other users of the node: 0700, or 0710 for the group of the root of its user
 * namespace, which a runtime has when it goes to rootfs/. Made where it is missing. INTERNAL. (ARCHITECTURE P27) */
static inline int ns_close_dir(const struct ns_options *ns, const char *path, struct err *e)
{
	return dir_close(path, ns_has_user(ns) ? ns_root_gid(ns) : DIR_NO_GROUP, e);
}

#endif
