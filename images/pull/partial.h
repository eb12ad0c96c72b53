/* partial.h - partial downloads: the first bytes of a blob in <root>/partial/<hex>, so that a later transfer goes on
 * after them.
 *
 * The daemon writes each piece that it reads from the registry, into the page cache. On a slow disk the kernel makes
 * writers wait, which would hold up the loop: after three slow writes in short order nothing more of that blob is
 * written. The bytes that are in the file stay usable. */
#ifndef IMAGES_PULL_PARTIAL_H
#define IMAGES_PULL_PARTIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reactor/err.h"

/* Makes the directory. root is copied. min_free: "5%" or bytes with a unit; INVALID_ARGUMENT: it is neither. INTERNAL.
 */
int partial_open_dir(const char *root, const char *min_free, struct err *e);

struct partial {
	int fd;         /* -1: not open */
	uint64_t bytes; /* that the file has */
	int strain;     /* a measure of how many recent writes were slow */
	bool slow;      /* the disk is too slow: nothing more is written */
};

/* Opens the file of this blob, made when missing. It is emptied when `anew` is set, and when it is longer than `size`.
 * RESOURCE_EXHAUSTED: the rest of the blob would leave less than min_free; INTERNAL. */
int partial_open(struct partial *partial, const char *digest, uint64_t size, bool anew, struct err *e);

/* Appends, unless partial->slow. RESOURCE_EXHAUSTED: the disk is full; INTERNAL. */
int partial_append(struct partial *partial, const void *bytes, size_t n, struct err *e);

void partial_close(struct partial *partial, const char *digest); /* an empty file is removed */
void partial_drop(struct partial *partial, const char *digest);  /* closes and removes; NULL: the file is not open */

/* Each file that was last written age_s ago or earlier; fn may remove it by partial_drop(). */
void partial_each_old(int64_t age_s, void (*fn)(const char *digest));

#endif
