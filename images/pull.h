/* pull.h - one image from a registry into the store: resolve, fetch, unpack, record.
 *
 * Concurrent pulls of one reference with the same credentials share one machine (pull/job.h). Pulls of different images
 * share the transfers of their common layers: one machine per digest, many waiters (pull/fetch.h). */
#ifndef IMAGES_PULL_H
#define IMAGES_PULL_H

#include <stdbool.h>
#include <stdint.h>

#include "images/registry.h"
#include "reactor/err.h"

/* Makes the directory of partial downloads. INVALID_ARGUMENT: min_free is not a size. INTERNAL. */
int pull_open(struct err *e);

struct pull; /* one waiter; gone once `done` ran or pull_cancel() returned */

/* id is "sha256:<hex>", valid for the call. Errors:
 *   INVALID_ARGUMENT   the reference is malformed
 *   NOT_FOUND          the registry has no such image, or the image has no variant for this machine
 *   UNAUTHENTICATED, PERMISSION_DENIED   status 401 or 403, after the given credentials were tried
 *   UNAVAILABLE        (reason RegistryUnavailable) status 429 or 5xx, no connection or no address, after retries
 *   DATA_LOSS          a digest or size does not match
 *   RESOURCE_EXHAUSTED a layer over max_layer_bytes, or less than min_free left
 *   INVALID_ARGUMENT / INTERNAL  an unknown kind of manifest, a hostile or damaged layer; each names the cause */
typedef void pull_done(void *arg, const struct err *e, const char *id);

struct pull *pull_start(const char *ref, const struct registry_auth *auth, pull_done *done, void *arg);

/* This waiter leaves. After the last waiter the pull stops; its partial downloads are kept for a later pull. */
void pull_cancel(struct pull *pull);

/* One pull in flight, for progress lines and /debug. */
struct pull_progress {
	const char *ref, *state;
	int layers, layers_done;
	uint64_t bytes_total, bytes_done; /* compressed; total 0: the manifest is not here yet */
};
void pull_each(void (*fn)(void *arg, const struct pull_progress *progress), void *arg);
bool pull_busy(void); /* some pull is in flight: its blobs and layers may be in no image yet */

/* Removes the partial downloads that no transfer uses and that were last written max_age_s ago or earlier. */
void pull_sweep_partials(int64_t max_age_s);

#endif
