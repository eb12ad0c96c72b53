/* registry.h - fetches a manifest or a blob of a repository from one of the hosts that serve it.
 *
 * Mirrors are asked in their order, then the server. Credentials are sent when a host asks for them; redirects are
 * followed; failures are retried with back-off; a body that breaks off is continued where it ended.
 * Specs: OCI distribution-spec "Pull"; Docker Registry HTTP API V2; containerd docs/hosts.md. */
#ifndef IMAGES_REGISTRY_H
#define IMAGES_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "images/ref.h"
#include "reactor/err.h"
#include "reactor/fields.h"
#include "reactor/lookup.h"

/* Empty strings where absent. Order of use: username, identity_token, registry_token, auth (as containerd). Ignored
 * when server_address names another host than the image's. */
struct registry_auth {
	const char *username, *password, *auth, *server_address, *identity_token, *registry_token;
	bool node; /* the node's own (login.h): for the server, which is the last of the hosts, and for no mirror */
};

/* A copy in which every NULL is "". NULL of NULL. */
const struct registry_auth *registry_auth_copy(const struct registry_auth *auth, struct arena *arena);

/* A repository with its hosts and the credentials for them. It counts its holders: a pull, and each transfer of a layer
 * that the pull began. */
struct registry;

/* Reads hosts.toml and certificates by `lookup`. UNAVAILABLE: a file system must be asked first, by lookup_start();
 * then the same call goes on. Other errors are those of the configuration. */
int registry_new(struct registry **out, const struct ref *ref, const struct registry_auth *auth,
	struct lookup *lookup, struct err *e);
struct registry *registry_hold(struct registry *registry);
const char *registry_domain(const struct registry *registry); /* of the image: "docker.io" */
void registry_release(struct registry *registry);

struct registry_request {
	const char *method; /* "GET", "HEAD" */
	const char *kind;   /* "manifests", "blobs" */
	const char *name;   /* a tag or a digest */
	uint64_t offset;    /* of a blob: the first byte wanted */
	const struct strings *urls; /* of a foreign layer, asked after the hosts; may be NULL */
	bool once; /* each host is asked once: no further round after a failure that may pass */
	/* Not 0: a part of a blob. It ends before this byte, and head() runs for it. */
	uint64_t end;
	bool part_only; /* a host that answers with the whole blob is passed over */
};

struct registry_answer {
	const char *content_type, *digest; /* Content-Type, Docker-Content-Digest; "" where absent */
	/* Of a part of a blob. whole: the host has no ranges, and data() will get all bytes from `offset` to the blob's
	 * end. blob_bytes: the size of the blob as the host says; UINT64_MAX: it does not say. */
	bool whole;
	uint64_t blob_bytes;
};

struct registry_get; /* one transfer; gone once `done` ran or registry_cancel() returned */

struct registry_events {
	/* registry_cancel() must not be called inside head() and data().
	 *
	 * A manifest begins: data() follows from its first byte on. After a retry head() runs again. Or a part of a
	 * blob (`end`) begins or, after a retry, goes on. head() does not run for whole blobs and may be NULL. */
	void (*head)(void *arg, const struct registry_answer *answer);
	/* The next bytes. A blob's begin at `offset` and have no gap, also over retries. true: all bytes were taken;
	 * false: none was taken, and the transfer pauses until registry_resume(). */
	bool (*data)(void *arg, const void *p, size_t n);
	/* e NULL: complete. Else as pull.h says: NOT_FOUND, UNAUTHENTICATED, PERMISSION_DENIED, UNAVAILABLE; DATA_LOSS:
	 * the registry has no bytes at `offset`; INTERNAL: any other answer. */
	void (*done)(void *arg, const struct err *e);
	void *arg;
};

/* The request is copied. No event runs inside registry_start(). */
struct registry_get *registry_start(
	struct registry *registry, const struct registry_request *request, const struct registry_events *events);
void registry_resume(struct registry_get *get); /* after data() returned false */
void registry_cancel(struct registry_get *get);

#endif
