/* report.h - what is known of a layer beside its files: opaque directories, invented directories, unresolved hard
 * links, and attributes that only the outer half of the program may set. Collected while untarring, handed from the
 * confined half to the other one, and stored beside a layer that is not finished.
 *
 * All paths are canonical and lead through directories only (path.h). */
#ifndef IMAGES_UNPACK_REPORT_H
#define IMAGES_UNPACK_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reactor/arena.h"
#include "reactor/buf.h"
#include "reactor/err.h"
#include "reactor/map.h"

struct report_link {
	const char *path, *target; /* path NULL: a later entry replaced the link */
};

struct report_ima {
	const char *path; /* NULL: a later entry replaced the file */
	const void *value;
	size_t size; /* <= XATTR_SIZE_MAX */
};

struct report {
	struct arena *arena;
	struct map opaque;        /* directories that hide what is below them */
	struct map invented;      /* directories that no entry named: they get the parents' attributes */
	struct map link_at;       /* path -> its struct report_link's index + 1 */
	struct report_link *links; /* hard links whose target the layer lacks, in the tar's order */
	size_t nlinks, room_links;
	struct map ima_at;        /* path -> its struct report_ima's index + 1 */
	struct report_ima *ima;   /* regular files with the attribute security.ima, in the tar's order */
	size_t nima, room_ima;
	uint64_t text_bytes;      /* the length of all names and values together, on which there is a limit */
	/* overlayfs ignores the mark on a layer's root: each name of the lower layers gets a whiteout instead
	 * (ARCHITECTURE X22) */
	bool opaque_root;
};

void report_open(struct report *r);
void report_close(struct report *r);

void report_opaque(struct report *r, const char *path);
void report_invented(struct report *r, const char *path);
void report_named(struct report *r, const char *path); /* an entry named the directory */
void report_link(struct report *r, const char *path, const char *target);
void report_ima(struct report *r, const char *path, const void *value, size_t size);
void report_unlink(struct report *r, const char *path); /* a later entry has the same path */

bool report_self_contained(const struct report *r);

void report_encode(const struct report *r, struct buf *out);

/* Into an opened, empty report. INTERNAL when the bytes are not what report_encode() writes. */
int report_decode(struct report *r, const char *p, size_t n, struct err *e);

#endif
