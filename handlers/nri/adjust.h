/* adjust.h - private to handlers/nri/: the answers of plugins to CreateContainer as one struct adjustment. */
#ifndef HANDLERS_NRI_ADJUST_H
#define HANDLERS_NRI_ADJUST_H

#include "nri.pb-c.h"
#include "procs/adjust.h"
#include "reactor/arena.h"

struct nri_adjusting {
	struct arena *arena;
	const char *id;	 /* of the container */
	json_t *owners;	 /* borrowed: owners.h */
	json_t *changes; /* owned: procs/adjust.h */
	bool limited;
	struct resources limits; /* the container's, with what plugins changed */
	struct strings cdi_devices;
	Nri__ContainerAdjustment *merged; /* of all plugins, for validators */
};

void nri_adjusting_open(struct nri_adjusting *all, const char *id, json_t *owners, const struct resources *limits,
			struct arena *arena);
void nri_adjusting_close(struct nri_adjusting *all);

/* Adds one plugin's answer (NULL: nothing); plan, in the form of config.json, is changed by it too. Errors name plugin
 * and member: INVALID_ARGUMENT for what is no valid value, and where another plugin has changed the same; UNIMPLEMENTED
 * for what crisp cannot change, and for what its version of NRI does not know. */
int nri_adjust(struct nri_adjusting *all, const char *plugin, const Nri__ContainerAdjustment *in, json_t *plan,
	       struct err *e);

#endif
