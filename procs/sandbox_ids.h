/* sandbox_ids.h - the ids of all sandboxes of this instance, hidden ones too: for what looks after the others'. */
#ifndef PROCS_SANDBOX_IDS_H
#define PROCS_SANDBOX_IDS_H

#include <stddef.h>

#include "reactor/arena.h"

struct sandbox_ids {
	struct arena *arena; /* owns the strings */
	const char **at;     /* owned; NULL-terminated */
	size_t n;
};

struct sandbox_ids sandbox_ids_now(void);
void sandbox_ids_free(struct sandbox_ids *ids);

#endif
