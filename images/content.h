/* content.h - manifests and configs by digest: <root>/blobs/<hex>. Layers are not kept: their directories are.
 *
 * What is read is verified, so a blob that a power cut emptied is simply not there. */
#ifndef IMAGES_CONTENT_H
#define IMAGES_CONTENT_H

#include <stddef.h>
#include <stdint.h>

#include "reactor/arena.h"
#include "reactor/err.h"

/* Makes the directory, drops left-overs of writes. root is borrowed for ever. INTERNAL: not usable. */
int content_open(const char *root, struct err *e);

/* The bytes must have this digest; there already is fine. INTERNAL: the disk refuses. */
int content_put(const char *digest, const void *p, size_t n, struct err *e);

/* The bytes with a NUL behind them, in the arena. NULL: not there, or damaged. */
char *content_get(const char *digest, struct arena *a, size_t *len);

void content_remove(const char *digest); /* gone already is fine */
void content_each(void (*fn)(void *arg, const char *digest), void *arg); /* fn may remove it */
uint64_t content_bytes(void);

#endif
