/* inner.h - the confined half of the program: a forked process that reads the layer and writes its files.
 * Its result goes into a memfd, which the outer half reads when the process has ended. */
#ifndef IMAGES_UNPACK_INNER_H
#define IMAGES_UNPACK_INNER_H

#include "images/unpack/extract.h"
#include "images/unpack/inflate.h"
#include "images/unpack/report.h"
#include "reactor/err.h"

struct inner_spec {
	int dir_fd;                 /* borrowed */
	const char *path;           /* below dir_fd: the new directory that becomes the layer */
	struct inflate_spec stream; /* pipe_fd is 0 */
	struct space min_free;
	bool files_only, links;     /* as struct extract_spec has them */
	const char *hidden;
	struct contents *contents;  /* borrowed, empty; gets all regular files, sorted. NULL: not wanted */
	const char *file;           /* not NULL: the blob is no tar, but this file (single.h) */
};

/* Runs the process and waits for its end. On success *out, *report (opened and empty before) and the
 * contents are filled in.
 * Errors of the layer: as inflate_peek(), tar_next() and extract_all() give them. INTERNAL: the process ended in
 * another way. */
int inner_run(const struct inner_spec *s, struct extracted *out, struct report *report, struct err *e);

#endif
