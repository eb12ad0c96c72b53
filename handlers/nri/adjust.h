/* adjust.h - private to handlers/nri/: the answers of plugins to CreateContainer as one struct adjustment. */
#ifndef HANDLERS_NRI_ADJUST_H
#define HANDLERS_NRI_ADJUST_H

#include "nri.pb-c.h"
#include "procs/adjust.h"
#include "reactor/arena.h"

struct nri_adjusting {
	struct arena *arena;
	json_t *changes; /* owned: procs/adjust.h */
	json_t *owners;	 /* owned: what was changed, and by which plugin */
	bool limited;
	struct resources limits; /* the container's, with what plugins changed */
	struct strings cdi_devices;
};

void nri_adjusting_open(struct nri_adjusting *all, const struct resources *limits, struct arena *arena);
void nri_adjusting_close(struct nri_adjusting *all);

/* Adds one plugin's answer (NULL: nothing); plan, in the form of config.json, is changed by it too. Errors name plugin
 * and member: INVALID_ARGUMENT for what is no valid value, and where another plugin has changed the same; UNIMPLEMENTED
 * for what crisp cannot change. */
int nri_adjust(struct nri_adjusting *all, const char *plugin, const Nri__ContainerAdjustment *in, json_t *plan,
	       struct err *e);

/* Limits of a message; zero and "" where it has none. *pids: -1 where it has none. Shares strings with the message. */
int nri_limits(struct resources *out, int64_t *pids, const Nri__LinuxResources *in, struct arena *arena,
	       struct err *e);

#endif
