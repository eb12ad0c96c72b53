/* ahead.h - buffers that a thread fills before they are read, so that a layer is decompressed while its files are
 * written. (ARCHITECTURE I81) */
#ifndef IMAGES_UNPACK_AHEAD_H
#define IMAGES_UNPACK_AHEAD_H

#include <stdint.h>
#include <sys/types.h>

#include "reactor/err.h"

/* Fills up to `room` bytes: how many, 0 at the end, -1. Called by the thread, and not again after 0 or -1. */
typedef ssize_t ahead_fill(void *arg, uint8_t *to, size_t room, struct err *e);

struct ahead;

/* Starts the thread, which calls `seal` first; returns when that has ended. NULL: the error of `seal`, or INTERNAL. */
struct ahead *ahead_start(size_t buffer_bytes, int (*seal)(struct err *e), ahead_fill *fill, void *arg, struct err *e);

/* The next buffer, which stays valid until the next call. As ahead_fill. */
ssize_t ahead_next(struct ahead *a, const uint8_t **p, struct err *e);

/* Waits until the thread has ended: at most for the `fill` that it is in. What it has filled is lost. */
void ahead_stop(struct ahead *a);

#endif
