/* sandbox_ns.h - the namespaces of a sandbox: what its containers join, and whether all of them are still there. */
#ifndef PROCS_SANDBOX_NS_H
#define PROCS_SANDBOX_NS_H

#include <stdbool.h>

#include "procs/sandbox.h"
#include "reactor/arena.h"
#include "reactor/err.h"

/* The paths that the OCI runtime joins for a container of this sandbox. Strings in the arena; "" for the host's.
 * INTERNAL when a namespace is gone; UNAVAILABLE while the keeper is away. */
struct spec_namespaces;
int sandbox_namespaces(const struct sandbox *sandbox, struct arena *arena, struct spec_namespaces *out, struct err *e);

/* The same but the PID namespace, which is "": what its box joins (sandbox_box.h). */
int sandbox_namespaces_held(const struct sandbox *sandbox, struct arena *arena, struct spec_namespaces *out,
			    struct err *e);

/* The fd of its user namespace, borrowed; -1: it has none of its own, or that one is gone (sandbox_namespaces()
 * tells). */
int sandbox_userns(const struct sandbox *sandbox);

/* Recovery: a sandbox that was READY by its record in this boot: is all of it still there? Its pause is watched from
 * now on. false: it became NOTREADY. */
bool sandbox_adopt(struct sandbox *sandbox);

#endif
