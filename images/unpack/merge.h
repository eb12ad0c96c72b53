/* merge.h - finishing a layer that is not self-contained: what it lacks comes from the layers below it. */
#ifndef IMAGES_UNPACK_MERGE_H
#define IMAGES_UNPACK_MERGE_H

#include "images/unpack/report.h"
#include "images/unpack/space.h"
#include "images/unpack/view.h"
#include "reactor/err.h"

/* The overlay marks of r->opaque: needs CAP_SYS_ADMIN, which the half that parses does not have. */
int merge_mark_opaque(int tree, const struct report *r, struct err *e);

/* tree: the layer's directory, marked. Makes the missing hard links (copying the target up, which becomes part of this
 * layer, as overlayfs does), whiteouts for an opaque root, and gives invented directories the owner, mode, extended
 * attributes and times of the parents' ones, where the parents have a directory there. Doing it twice does no harm.
 * INVALID_ARGUMENT: a link's target is nowhere, or is a directory; RESOURCE_EXHAUSTED; INTERNAL. */
int merge_finish(int tree, const struct view *parents, struct report *r, const struct space *min_free, struct err *e);

/* The tree `from` once more in the empty directory `to`: directories anew, all else as hard links. */
int merge_clone(int from, int to, struct err *e);

#endif
