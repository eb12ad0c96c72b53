/* merge.h - finishes a layer that is not self-contained: the parts that it lacks come from the layers below it. */
#ifndef IMAGES_UNPACK_MERGE_H
#define IMAGES_UNPACK_MERGE_H

#include "images/unpack/report.h"
#include "images/space.h"
#include "images/unpack/view.h"
#include "reactor/err.h"

/* Sets overlayfs's mark on the directories report->opaque. This needs CAP_SYS_ADMIN, which the confined half does not
 * have. */
int merge_mark_opaque(int tree, const struct report *report, struct err *e);

/* Sets security.ima on the files report->ima, for the same reason. What the kernel or the file system does not allow is
 * left out, and *left_out grows by it. */
int merge_set_ima(int tree, const struct report *report, uint64_t *left_out, struct err *e);

/* tree: the layer's directory, already marked. Makes the missing hard links (their target is copied up from a parent
 * into this layer, as overlayfs does) and the whiteouts for an opaque root. Invented directories get the owner, mode,
 * extended attributes and times of the parents' directory of the same path, if there is one. Once for each tree: the
 * whiteouts of an opaque root hide what a link's target was found by.
 * INVALID_ARGUMENT: a link's target is in no layer, or is a directory; RESOURCE_EXHAUSTED; INTERNAL. */
int merge_finish(int tree, const struct view *parents, struct report *report, const struct space *min_free,
		 struct err *e);

/* Copies the tree `from` into the empty directory `to`: directories are made, all other files are hard links. */
int merge_clone(int from, int to, struct err *e);

#endif
