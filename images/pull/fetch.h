/* fetch.h - one layer: from the registry through the unpacker into a directory; resumed, verified, shared.
 *
 * One machine per blob, whoever waits for it. The compressed bytes are also appended to <root>/partial/<hex>, so that a
 * transfer that was cancelled, or killed with us, goes on where it ended; the file goes when the layer is in place. */
#ifndef IMAGES_PULL_FETCH_H
#define IMAGES_PULL_FETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "images/layer.h"
#include "images/manifest.h"
#include "images/registry.h"
#include "reactor/err.h"

/* Makes the directory of partial downloads. INVALID_ARGUMENT: min_free is not a size. INTERNAL. */
int fetch_open(struct err *e);

struct fetch_spec {
	struct registry *from;
	const struct descriptor *blob;
	const char *diff_id;
	bool lowest; /* it lies at the bottom: nothing below can be missing */
};

struct fetch; /* one waiter; gone once `done` ran or fetch_cancel() returned */

/* l is in the table of layers, perhaps unfinished, or right for another place of it: the caller looks again. Errors: as
 * registry.h and unpack.h say, with the layer's digest. */
typedef void fetch_done(void *arg, const struct err *e, struct layer *l);

/* All of spec is copied. `done` never runs inside this call. */
struct fetch *fetch_start(const struct fetch_spec *spec, fetch_done *done, void *arg);

/* The transfer ends when this was its last waiter; what has come is kept. */
void fetch_cancel(struct fetch *f);

/* The same, but nothing is kept when this was the last waiter: the image is of no use. */
void fetch_discard(struct fetch *f);

uint64_t fetch_bytes(const struct fetch *f); /* compressed bytes that are here */

/* Removes partial files that nobody fetches and that were not written for so long. */
void fetch_sweep_partials(int64_t max_age_s);

#endif
