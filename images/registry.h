/* registry.h - one resource of a repository, from whichever of its hosts has it.
 *
 * Mirrors in order, then the server; credentials on demand; redirects; retries with back-off; a body that breaks off
 * goes on where it ended. Specs: OCI distribution-spec "Pull"; Docker Registry HTTP API V2; containerd docs/hosts.md.
 */
#ifndef IMAGES_REGISTRY_H
#define IMAGES_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "images/ref.h"
#include "reactor/err.h"
#include "reactor/fields.h"

/* Empty strings where absent. Order of use: username, identity_token, registry_token, auth (as containerd). Ignored
 * when server_address names another host than the image's. */
struct registry_auth {
	const char *username, *password, *auth, *server_address, *identity_token, *registry_token;
};

/* A repository with its hosts and the credentials for them. Counted: a pull and the layers it began hold it together.
 */
struct registry;
int registry_new(struct registry **out, const struct ref *ref, const struct registry_auth *auth, struct err *e);
struct registry *registry_hold(struct registry *r);
void registry_release(struct registry *r);

struct registry_request {
	const char *method; /* "GET", "HEAD" */
	const char *kind;   /* "manifests", "blobs" */
	const char *name;   /* a tag or a digest */
	uint64_t offset;    /* of a blob: the first byte wanted */
	const struct strings *urls; /* of a foreign layer, tried after the hosts; may be NULL */
};

struct registry_answer {
	const char *content_type, *digest; /* Content-Type, Docker-Content-Digest; "" where absent */
};

struct registry_get; /* one transfer; gone once `done` ran or registry_cancel() returned */

struct registry_events {
	/* registry_cancel() must not be called inside head() and data().
	 *
	 * A manifest's bytes begin, at its first one: after a retry once more. Not for blobs. May be NULL. */
	void (*head)(void *arg, const struct registry_answer *answer);
	/* The next bytes: a blob's from `offset` on without a gap, over retries. true: all taken; false: none taken,
	 * pause. */
	bool (*data)(void *arg, const void *p, size_t n);
	/* e NULL: complete. Else as pull.h says: NOT_FOUND, UNAUTHENTICATED, PERMISSION_DENIED, UNAVAILABLE; DATA_LOSS:
	 * the registry has no bytes at `offset`; INTERNAL: any other answer. */
	void (*done)(void *arg, const struct err *e);
	void *arg;
};

/* All of q is copied. Nothing runs inside registry_start(). */
struct registry_get *registry_start(
	struct registry *r, const struct registry_request *q, const struct registry_events *ev);
void registry_resume(struct registry_get *g); /* after data() said false */
void registry_cancel(struct registry_get *g);

#endif
