/* content.h - manifests and configs by digest: <root>/blobs/<hex>. The compressed layers are not kept.
 *
 * Every read is verified against the digest, so a blob that a power cut emptied counts as missing. */
#ifndef IMAGES_CONTENT_H
#define IMAGES_CONTENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reactor/arena.h"
#include "reactor/err.h"

/* Makes the directory and removes unfinished files. root is copied. INTERNAL: the directory is not usable. */
int content_open(const char *root, struct err *e);

/* The caller has checked that the bytes have this digest. A blob that exists already is success. INTERNAL: it cannot be
 * written. */
int content_put(const char *digest, const void *p, size_t n, struct err *e);

/* The bytes, with a NUL after them, in the arena. NULL: missing, not readable now, or damaged: then it is removed. */
char *content_get(const char *digest, struct arena *a, size_t *len);

uint64_t content_space(const char *digest); /* disk space of one blob; 0: it is missing */
bool content_remove(const char *digest); /* true: it is not there any more; else it is logged why */
void content_each(void (*fn)(void *arg, const char *digest), void *arg); /* fn may remove it */
/* Of all blobs together: disk space, each rounded up to 4 KiB as layers count it; and how many there are. */
uint64_t content_bytes(void);
uint64_t content_inodes(void);

#endif
