/* foreign.h - who else has something on a network? (ARCHITECTURE S72) */
#ifndef PROCS_NET_FOREIGN_H
#define PROCS_NET_FOREIGN_H

#include <stdbool.h>
#include <stddef.h>

#include "reactor/arena.h"

struct foreign_look { /* borrowed */
	const char *cache;	  /* of libcni, "/var/lib/cni" */
	const char *owner;	  /* `root` of this instance */
	const char *network;
	const char *const *dirs;  /* of host-local, NULL-terminated; one that is missing has nothing */
	const char *mounts;	  /* "/proc/self/mountinfo" */
	const char *const *known; /* the ids of all sandboxes of this instance, sorted */
	size_t n;
};

/* NULL: nobody. Else a sentence in the arena, which names the first id that is not known and where it stands, or what
 * could not be read: what cannot be read may be anybody's. */
const char *foreign_find(struct arena *arena, const struct foreign_look *look);

#endif
