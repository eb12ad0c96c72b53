/* policy.h - which images may be used, and whose signatures they need: a policy.json as podman and CRI-O have it.
 *
 * Spec: containers-policy.json(5). Of its requirements insecureAcceptAnything, reject and sigstoreSigned with keys are
 * known. Others (signedBy with GPG, Fulcio, Rekor, PKI) refuse the image by name: to pass them over would accept what
 * the administrator does not trust. As the specification asks, a file with an unknown member is an error. */
#ifndef IMAGES_POLICY_H
#define IMAGES_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "images/ref.h"
#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/fields.h"
#include "reactor/lookup.h"

enum policy_type { POLICY_ACCEPT, POLICY_REJECT, POLICY_SIGSTORE, POLICY_UNSUPPORTED };

enum policy_identity {
	MATCH_REPO_DIGEST_OR_EXACT, /* the default */
	MATCH_EXACT,
	MATCH_REPOSITORY,
	EXACT_REFERENCE,
	EXACT_REPOSITORY,
	REMAP_IDENTITY,
};

struct policy_rule {
	enum policy_type type;
	const char *name;        /* of an unsupported one: "signedBy" */
	struct strings key_paths;
	struct strings keys;     /* public keys in PEM; policy_load() adds those of key_paths */
	enum policy_identity identity;
	const char *reference;     /* EXACT_*: dockerReference, dockerRepository; REMAP_IDENTITY: prefix */
	const char *signed_prefix; /* REMAP_IDENTITY */
};

struct policy {
	const char *scope; /* that decides: "docker.io/library", "" the transport's, NULL: the default of all */
	struct policy_rule *rules; /* all of them must be met; n is 1 at least */
	size_t n;
};

/* Checks the whole text and takes the requirements of the image from it. `file` is its name in errors. INTERNAL. */
int policy_parse(struct policy *out, const char *text, size_t len, const char *file, const struct ref *ref,
	struct arena *a, struct err *e);

/* The policy of images_config()->signature_policy, with its keys; "": one that accepts everything. UNAVAILABLE: a file
 * system must be asked first, by lookup_start(); then the same call goes on. UNKNOWN with the reason
 * SignatureValidationFailed: it refuses the image, is unreadable or malformed. */
int policy_load(struct policy *out, struct lookup *lookup, const struct ref *ref, struct arena *a, struct err *e);

/* The same for an image of an archive or directory of the node, which has no signatures: a requirement of one refuses
 * it. transport: "docker-archive", or "oci-archive" and "oci" with the path in `real`, whose scopes are paths. */
int policy_load_local(struct lookup *lookup, const char *transport, const char *real, struct arena *a, struct err *e);

/* policy_parse() for such an image. */
int policy_parse_local(struct policy *out, const char *text, size_t len, const char *file, const char *transport,
	const char *real, struct arena *a, struct err *e);

bool policy_wants_signature(const struct policy *policy);

/* Does the signature, a simple signing payload and base64, say for one of the rule's keys that the image `digest` is
 * `ref`? Less than 1 ms of CPU a key, of which there are 8 at most. UNKNOWN with the reason SignatureValidationFailed.
 * Spec: cosign, SIGNATURE_SPEC.md. */
int policy_check_signature(const struct policy_rule *rule, const struct ref *ref, const char *digest,
	const char *payload, size_t len, const char *signature, struct err *e);

/* The part of it that reads the payload, of which the signature is known to be good. */
int policy_check_payload(const struct policy_rule *rule, const struct ref *ref, const char *digest, const char *payload,
	size_t len, struct err *e);

/* An error with that reason, which the kubelet shows as the reason of the waiting container. */
int policy_refuse(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
