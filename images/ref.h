/* ref.h - image references: what users write, made whole.
 *
 * "busybox" -> docker.io/library/busybox:latest; "host:5000/a/b@sha256:.." keeps its digest; with name:tag@digest both
 * are kept and the digest decides. Spec: distribution reference grammar (github.com/distribution/reference, regexp.go).
 */
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

/* INVALID_ARGUMENT with the text and the reason. Strings live in the arena. */
int ref_parse(struct ref *r, const char *text, struct arena *a, struct err *e);

char *ref_name(const struct ref *r, struct arena *a);   /* domain/repository */
char *ref_tagged(const struct ref *r, struct arena *a); /* domain/repository:tag, NULL without a tag */
char *ref_digested(const struct ref *r, const char *digest, struct arena *a); /* domain/repository@digest */

#endif
