/* ref.h - image references: the short forms that users write, completed.
 *
 * "busybox" becomes docker.io/library/busybox:latest. "host:5000/a/b@sha256:.." gets no tag. Of name:tag@digest both
 * tag and digest are kept, and the digest decides.
 * Spec: distribution reference grammar (github.com/distribution/reference, regexp.go). */
#ifndef IMAGES_REF_H
#define IMAGES_REF_H

#include "reactor/arena.h"
#include "reactor/err.h"

struct ref {
	const char *domain;     /* "docker.io", "127.0.0.1:5000" */
	const char *repository; /* "library/busybox" */
	const char *tag;        /* "latest" when neither tag nor digest was given; "" when only a digest was */
	const char *digest;     /* "sha256:..." or "" */
};

/* INVALID_ARGUMENT with the text (ref_shown()) and the reason. Strings live in the arena. */
int ref_parse(struct ref *ref, const char *text, struct arena *arena, struct err *e);

/* The text for errors, logs and pages. Where a user and a password stand before the host, as in a URL, they become
 * "***": users paste such text, and messages reach other readers than the password may. In the arena, or `text`. */
const char *ref_shown(const char *text, struct arena *arena);

char *ref_tagged(const struct ref *ref, struct arena *arena); /* domain/repository:tag, NULL without a tag */
char *ref_digested(const struct ref *ref, const char *digest, struct arena *arena); /* domain/repository@digest */

#endif
