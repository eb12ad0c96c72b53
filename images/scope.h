/* scope.h - names of registries, namespaces, repositories and images, as policies and credentials name them.
 * Spec: containers-policy.json(5), "docker:". */
#ifndef IMAGES_SCOPE_H
#define IMAGES_SCOPE_H

#include "images/ref.h"
#include "reactor/err.h"

/* How narrow a scope is that has the image in it: 0 it has not; of two scopes the one with the larger number is the
 * more exact. Scopes: "host:5000/name/space/repo:tag" or with "@digest", parts of it up to a slash, down to
 * "host:5000"; and "*.example.com", all hosts below that domain at any port. */
int scope_match(const char *scope, const struct ref *ref);

/* images_config()->allow and ->deny: the more exact scope decides, deny among equals; without `allow` all is allowed
 * that is not denied. PERMISSION_DENIED. (ARCHITECTURE I46) */
int scope_allowed(const struct ref *ref, struct err *e);

#endif
