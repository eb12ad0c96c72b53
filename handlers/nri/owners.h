/* owners.h - private to handlers/nri/: which plugin has changed what, during one event.
 *
 * What one plugin has set no other may set, unless it takes it away first; then it alone may set it again. To take away
 * what no plugin has set is no claim. Spec: NRI's api.proto, OwningPlugins and Field; pkg/api/owners.go. */
#ifndef HANDLERS_NRI_OWNERS_H
#define HANDLERS_NRI_OWNERS_H

#include <stdbool.h>

#include "nri.pb-c.h"
#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/json.h"

json_t *nri_owners_new(void); /* a new reference */

/* A plugin sets `key` of a field ("": the field has one value) of a container. INVALID_ARGUMENT: another has set it,
 * named with both; or key is not UTF-8. */
int nri_claim(json_t *owners, const char *container, const char *plugin, Nri__Field field, const char *key,
	      struct err *e);
/* The plugin takes it away. */
void nri_release(json_t *owners, const char *container, const char *plugin, Nri__Field field, const char *key);
/* Hooks of several plugins stand beside each other. */
void nri_claim_too(json_t *owners, const char *container, const char *plugin, Nri__Field field);

/* Names of the plugins that have set something of the field, ", " between them, in the arena; NULL: none has. */
const char *nri_owners_of(const json_t *owners, const char *container, Nri__Field field, struct arena *arena);

Nri__OwningPlugins *nri_owners_message(const json_t *owners, struct arena *arena);

#endif
