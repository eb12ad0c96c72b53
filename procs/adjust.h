/* adjust.h - what plugins of the node (NRI) change in a container before it is made.
 *
 * One list of changes, each applied to config.json behind all that crisp, the base_spec and hooks.d put there, and
 * before it is decided which way the container goes. handlers/nri/ makes them of plugins' answers, with checked types.
 * Limits are not among the changes: they become those of the container, so that later updates know them. */
#ifndef PROCS_ADJUST_H
#define PROCS_ADJUST_H

#include "procs/cri_config.h"
#include "reactor/err.h"
#include "reactor/json.h"

/* One plugin's changes are an object with some of these members:
 *   annotations  { key: value, or null: taken away }
 *   env          the same, by the variable's name
 *   args         [ words ]
 *   mounts       [ mount of config.json; without type: taken away ]
 *   devices      [ device of config.json; without type: taken away ]
 *   deviceRules  [ rule of linux.resources.devices of config.json ], behind those that are there
 *   sysctl       as annotations
 *   seccomp      linux.seccomp of config.json, in the place of the container's
 *   rlimits      [ rlimit of config.json ]
 *   hooks        { stage: [ hooks ] }
 *   oomScoreAdj, pidsLimit  numbers */
struct adjustment {
	const char *id;		      /* of the container: plugins were told this one */
	json_t *changes;	      /* a list of such objects; borrowed */
	const struct resources *limits; /* of the container, in the place of those of its config; NULL: no change */
	struct strings cdi_devices;   /* beside those of its config */
};

/* INVALID_ARGUMENT: config has no place for a change. config may be any object of the form of config.json. */
int adjust_config(json_t *config, const json_t *change, struct err *e);

#endif
