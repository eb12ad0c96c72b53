/* namespaces.h - between keeper.c, which has the channel, and namespaces.c, which is keeper_namespaces() of keeper.h;
 * how a runtime is told of a user namespace, and how a pod's directory is open to it alone. */
#ifndef PROCS_NAMESPACES_H
#define PROCS_NAMESPACES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "procs/keeper.h"
#include "reactor/arena.h"
#include "reactor/dir.h"
#include "reactor/err.h"
#include "reactor/imsg.h"
#include "reactor/own.h"

/* What keeper.c tells namespaces.c, from the first request on. */
struct namespaces_hooks {
	void (*done)(uint64_t tag, enum err_code code, const char *text, bool left); /* KEEPER_NS_DONE */
	void (*pooled)(unsigned ready, bool used, bool missed);                      /* KEEPER_NS_POOLED */
	void (*gone)(void);                                                          /* the keeper died */
	void (*here)(void);                                                          /* another keeper is there */
};
void keeper_ns_listen(const struct namespaces_hooks *hooks); /* borrowed for ever */

/* Messages to the keeper; UNAVAILABLE: it is away. `path` of the pin: NULL for none. */
int keeper_ns_make(uint64_t tag, const struct ns_request *request, const char *path, struct err *e);
int keeper_ns_unpin(uint64_t tag, const char *path, struct err *e);
int keeper_ns_pool(unsigned size, const char *const *sysctls, struct err *e);

/* As the kernel wants it, "0 100000 65536\n": first id inside, first id outside, length (user_namespaces(7)). */
static inline void ns_map_text(struct buf *text, const struct id_mappings *m)
{
	for (size_t i = 0; i < m->n; i++)
		buf_printf(text, "%u %u %u\n", m->at[i].container_id, m->at[i].host_id, m->at[i].length);
}

static inline void ns_put_map(struct buf *b, const struct id_mappings *m)
{
	struct buf text = { 0 };

	if (m)
		ns_map_text(&text, m);
	put_str(b, m ? buf_str(&text) : NULL);
	buf_free(&text);
}

/* What the namespaces of a NS_MAKE get, behind id and bits. */
static inline void ns_put_furniture(struct buf *b, const struct ns_request *r, const char *path)
{
	auto_free const char **sysctls = own_must(calloc(2 * r->sysctls.n + 1, sizeof(*sysctls)));

	for (size_t i = 0; i < r->sysctls.n; i++) {
		sysctls[2 * i] = r->sysctls.at[i].key;
		sysctls[2 * i + 1] = r->sysctls.at[i].value;
	}
	put_str(b, path);
	put_str(b, r->uts && r->hostname && r->hostname[0] ? r->hostname : NULL);
	put_strv(b, sysctls);
	ns_put_map(b, r->uids);
	ns_put_map(b, r->gids);
}

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
