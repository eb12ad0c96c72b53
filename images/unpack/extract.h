/* extract.h - makes files in one directory from tar entries.
 *
 * A later entry replaces an earlier one of the same name, except that a directory's entry only changes the attributes
 * of an existing directory. Of the extended attributes "user.*", security.capability and POSIX ACLs are set;
 * security.ima, for which this half lacks the capability, goes into the report; trusted.overlay.* is refused; all
 * others (SELinux labels, ...) have a meaning on their own host only, and are left out and counted.
 * Spec: OCI image-spec layer.md "Applying Changesets". */
#ifndef IMAGES_UNPACK_EXTRACT_H
#define IMAGES_UNPACK_EXTRACT_H

#include <stdbool.h>
#include <stdint.h>

#include "images/unpack/contents.h"
#include "images/unpack/report.h"
#include "images/space.h"
#include "images/unpack/tar.h"
#include "reactor/err.h"

enum { EXTRACT_INODES_MAX = 10 << 20, EXTRACT_DEVICES_MAX = 4096 };
enum { EXTRACT_NAMES_MAX = 64 << 20 }; /* bytes of the directory and link names that are kept in memory */

struct extract_spec {
	int root;                /* borrowed, the layer's directory */
	uint64_t max_file_bytes; /* a sparse file's size costs no bytes of tar */
	struct space min_free;
	struct report *report;   /* borrowed */
	struct contents *contents; /* borrowed; gets all regular files. NULL: not wanted */
	bool files_only;         /* files and directories only: INVALID_ARGUMENT for everything else, also whiteouts */
	bool links;              /* with files_only: symbolic and hard links too */
	/* NUL-terminated paths, an empty one at the end, for which whiteouts are made after the tar's last entry.
	 * Untrusted input. NULL: none */
	const char *hidden;
};

struct extracted {
	uint64_t bytes, inodes; /* as written; files rounded up to 4 KiB */
	uint64_t xattrs_left_out;
};

/* All of t's entries. INVALID_ARGUMENT, RESOURCE_EXHAUSTED, INTERNAL, with the entry's name. */
int extract_all(const struct extract_spec *spec, struct tar *t, struct extracted *out, struct err *e);

#endif
