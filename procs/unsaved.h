/* unsaved.h - records of containers and sandboxes that could not be saved: memory counts, and the save is tried again
 * each second until it succeeds. The first failure of a round ends it: what refused one record refuses the others
 * too. */
#ifndef PROCS_UNSAVED_H
#define PROCS_UNSAVED_H

#include <stdbool.h>

#include "reactor/err.h"
#include "reactor/list.h"

/* A part of the object; zero at first. */
struct unsaved {
	struct link link; /* linked while the record is to be saved */
	const char *kind; /* static: "container", "sandbox" */
	const char *id;   /* borrowed from the object */
	int (*save)(struct unsaved *unsaved, struct err *e); /* calls unsaved_drop() when it succeeds */
};

/* The save failed with `why`, which is logged. The three other members are set. */
void unsaved_add(struct unsaved *unsaved, const struct err *why);
void unsaved_drop(struct unsaved *unsaved); /* it was saved, or its object goes; allowed when it was not added */
bool unsaved_waits(const struct unsaved *unsaved);

#endif
