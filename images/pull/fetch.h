/* fetch.h - brings one layer from the registry through the unpacker into a directory: resumed, verified, shared.
 *
 * There is one machine for all that ask one registry for one blob and expect the same of it (fetch_key()). The
 * compressed bytes are also appended to <root>/partial/<hex of that key>, so that a transfer goes on where it ended
 * after a cancel or after crispd's death. The file is removed when the layer is in place. */
#ifndef IMAGES_PULL_FETCH_H
#define IMAGES_PULL_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "images/digest.h"
#include "images/layer.h"
#include "images/manifest.h"
#include "images/registry.h"
#include "reactor/err.h"

/* Makes the directory of partial downloads. INVALID_ARGUMENT: min_free is not a size. INTERNAL. */
int fetch_open(struct err *e);

struct fetch_spec {
	struct registry *from; /* NULL: */
	const char *path;      /* a file below <root> that has the blob; it is neither changed nor removed */
	const struct descriptor *blob;
	const char *diff_id;
	bool lowest; /* the image's lowest layer: it has no parents, so the unpacker can finish it at once */
};

/* The key of the machine: a digest of the registry's name and of all that the image says of the blob. (ARCHITECTURE
 * I73) */
void fetch_key(const struct fetch_spec *spec, char out[DIGEST_SIZE]);

struct fetch; /* one waiter; gone once `done` ran or fetch_cancel() returned */

/* The layer is in the table of layers. It may be unfinished, or made for another place in an image, because several
 * pulls share the fetch: the caller looks in the table again. Errors: as registry.h and unpack.h say, with the layer's
 * digest. */
typedef void fetch_done(void *arg, const struct err *e, struct layer *layer);

/* All of spec is copied. `done` never runs inside this call. */
struct fetch *fetch_start(const struct fetch_spec *spec, fetch_done *done, void *arg);

/* The transfer ends when this was its last waiter; its partial download is kept for the next try. */
void fetch_cancel(struct fetch *fetch);

/* The same, but the partial download is removed when this was the last waiter: the image cannot be used. */
void fetch_discard(struct fetch *fetch);

uint64_t fetch_bytes(const struct fetch *fetch); /* compressed bytes that have arrived */

bool fetch_is_under_way(const char *key); /* some transfer of it: its partial file is in use */

#endif
