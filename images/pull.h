/* pull.h - one image from a registry into the store: resolve, fetch, unpack, record.
 *
 * Concurrent pulls of one reference with the same credentials share one machine (pull/job.h). Pulls of different images
 * share the transfers of their common layers: one machine per digest, many waiters (pull/fetch.h). */
#ifndef IMAGES_PULL_H
#define IMAGES_PULL_H

#include <stdbool.h>
#include <stdint.h>

#include "images/manifest.h"
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

/* The same for an image whose blobs are files below <root>: of an archive that is imported. Manifest, config and layers
 * are verified as those of a registry are. */
struct pull_local {
	const char *blobs;         /* the directory: a blob is <blobs>/<hex of its digest> */
	struct descriptor top;     /* of its manifest or index */
	struct strings names;      /* "docker.io/library/busybox:latest"; at least one */
	const char *source;        /* where the user has it: an absolute path */
	bool docker;               /* in the format of docker save */
};

/* All of local is copied. */
struct pull *pull_start_local(const struct pull_local *local, pull_done *done, void *arg);

bool pull_busy(void); /* some pull is in flight: its blobs and layers may be in no image yet */

/* Each partial download that no transfer uses and that was last written max_age_s ago or earlier, with its disk space;
 * fn may remove it: true, it is not there any more; else it is logged why. */
void pull_each_partial(int64_t max_age_s, void (*fn)(void *arg, const char *digest, uint64_t bytes), void *arg);
bool pull_drop_partial(const char *digest);

#endif
