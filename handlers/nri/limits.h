/* limits.h - private to handlers/nri/: LinuxResources of a plugin as limits of crisp. */
#ifndef HANDLERS_NRI_LIMITS_H
#define HANDLERS_NRI_LIMITS_H

#include "nri.pb-c.h"
#include "procs/cri_config.h"
#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/json.h"

enum { NRI_PIDS_UNLIMITED = -1, NRI_PIDS_UNSET = -2 };

/* Zero and "" where the message has none, and *pids NRI_PIDS_UNSET. Shares strings with the message. INVALID_ARGUMENT:
 * no valid value. UNIMPLEMENTED: crisp does not set it, by its name. Device rules are passed over. */
int nri_limits(struct resources *out, int64_t *pids, const Nri__LinuxResources *in, struct arena *arena,
	       struct err *e);

/* The same for a container that is there: UNIMPLEMENTED for what is only set when a container is made. */
int nri_limits_update(struct resources *out, const Nri__LinuxResources *in, struct arena *arena, struct err *e);

/* Each limit is a field with an owner of its own: two plugins may set different ones. */
int nri_limits_claim(json_t *owners, const char *container, const char *plugin, const struct resources *limits,
		     int64_t pids, struct err *e);

#endif
