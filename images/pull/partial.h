/* partial.h - the beginnings of blobs that are on their way: <root>/partial/<hex>, kept for a resume.
 *
 * Written by the daemon in pieces of a read, into the page cache. A disk so slow that the kernel makes writers wait
 * would hold up the loop: after three slow writes in a short run no more is kept of that blob. What is there stays good
 * for a resume. */
#ifndef IMAGES_PULL_PARTIAL_H
#define IMAGES_PULL_PARTIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reactor/err.h"

/* Makes the directory. root is borrowed for ever; min_free: "5%" or bytes with a unit; INVALID_ARGUMENT: neither.
 * INTERNAL. */
int partial_open_dir(const char *root, const char *min_free, struct err *e);

struct partial {
	int fd;         /* -1: not open */
	uint64_t bytes; /* in it */
	int strain;     /* slow writes lately */
	bool slow;      /* takes no more */
};

/* The file of this blob; longer than `size` it is of no use and emptied, as with `anew`. RESOURCE_EXHAUSTED: the rest
 * of the blob would leave less than min_free; INTERNAL. */
int partial_open(struct partial *p, const char *digest, uint64_t size, bool anew, struct err *e);

/* Appends, unless it is slow. RESOURCE_EXHAUSTED: the disk is full; INTERNAL. */
int partial_append(struct partial *p, const void *bytes, size_t n, struct err *e);

void partial_close(struct partial *p, const char *digest); /* stays on disk, unless it is empty */
void partial_drop(struct partial *p, const char *digest);  /* closed and removed; p may be NULL: it is not open */

/* Each file that was not written for so long; fn may remove it by partial_drop(). */
void partial_each_old(int64_t age_s, void (*fn)(const char *digest));

#endif
