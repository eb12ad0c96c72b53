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

/* Makes the directory. root is copied. free_text: images.min_free, "5%" or bytes with a unit; INVALID_ARGUMENT: it is
 * neither. INTERNAL. */
int partial_open_dir(const char *root, const char *free_text, struct err *e);

struct partial {
	int fd;         /* -1: not open */
	uint64_t bytes; /* at its opening: those of the blob's beginning that it surely has; then also what was put */
	int strain;     /* a measure of how many recent writes were slow */
	bool slow;      /* the disk is too slow: nothing more is written */
	bool borrowed;
};

/* Opens the file of this blob, made when missing. It is emptied when `anew` is set, and when it is longer than `size`.
 * A file whose bytes did not come in their order has holes: the first of them bounds what it surely has.
 * RESOURCE_EXHAUSTED: the rest of the blob would leave less than min_free; INTERNAL. */
int partial_open(struct partial *partial, const char *digest, uint64_t size, bool anew, struct err *e);

/* Opens a file that has the whole blob and belongs to somebody else. DATA_LOSS: it has another size; INTERNAL. */
int partial_borrow(struct partial *partial, const char *path, uint64_t size, struct err *e);

/* Writes at this offset of the blob, unless partial->slow. RESOURCE_EXHAUSTED: the disk is full; INTERNAL. */
int partial_put(struct partial *partial, uint64_t offset, const void *bytes, size_t n, struct err *e);

void partial_close(struct partial *partial, const char *digest); /* an empty file is removed, if it is not borrowed */
/* Closes and removes; NULL: the file is not open. false: it is still there, which is logged. */
bool partial_drop(struct partial *partial, const char *digest);

/* Each file that was last written age_s ago or earlier, with the disk space that it has; fn may remove it by
 * partial_drop(). */
typedef void partial_fn(void *arg, const char *digest, uint64_t bytes);
void partial_each_old(int64_t age_s, partial_fn *fn, void *arg);

#endif
