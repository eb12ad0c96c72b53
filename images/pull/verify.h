/* verify.h - gets the signatures of an image from its registry and checks them against the policy.
 *
 * cosign puts them into the image's repository: a manifest with the tag sha256-<hex>.sig, of which each layer is a
 * payload and has the signature in an annotation. At most 16 of them are looked at. */
#ifndef IMAGES_PULL_VERIFY_H
#define IMAGES_PULL_VERIFY_H

#include "images/policy.h"
#include "images/registry.h"

struct verify; /* gone once `done` ran or verify_cancel() returned */

/* e NULL: every rule of the policy is met. UNKNOWN with the reason SignatureValidationFailed: there is no signature, or
 * none that fits. Other errors are those of registry.h. */
typedef void verify_done(void *arg, const struct err *e);

/* digest: of the manifest or index. policy, ref and digest are borrowed until `done`, which never runs in this call. */
struct verify *verify_start(struct registry *registry, const struct policy *policy, const struct ref *ref,
	const char *digest, verify_done *done, void *arg);
void verify_cancel(struct verify *verify);

#endif
