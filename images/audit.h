/* audit.h - verifies the layers on the disk against the sums that were taken when they were unpacked, and pulls again
 * what is broken.
 *
 * A layer whose content is another is marked (layer_break()), so that no pull takes it. With `repair`, each image that
 * has one is pulled again by the digest in its name: only what is broken is fetched, into a new directory, and then the
 * image's record names that one. Policy, lists and the node's credentials count as in every pull. Containers that run
 * on the old directory keep it, and it goes with the last of them. (ARCHITECTURE I64) */
#ifndef IMAGES_AUDIT_H
#define IMAGES_AUDIT_H

#include <stdbool.h>
#include <stddef.h>

struct audit_finding {
	bool mended;
	const char *text;
};

struct audit_result {
	const struct audit_finding *findings;
	size_t n;
	size_t layers;     /* how many were read */
	size_t unverified; /* how many have no sum: a version made them that took none */
};

struct audit; /* gone once `done` ran or audit_cancel() returned */

/* The result is valid for the call; `done` never runs inside audit_start(). One layer is read at a time, and one image
 * pulled. */
typedef void audit_done(void *arg, const struct audit_result *result);
struct audit *audit_start(bool repair, audit_done *done, void *arg);

/* What was marked stays marked; what was pulled stays. */
void audit_cancel(struct audit *audit);

#endif
