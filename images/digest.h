/* digest.h - "sha256:<64 hex>" names for bytes.
 * Spec: OCI image-spec, descriptor.md "Digests". sha512 is not supported: no registry in use serves it. */
#ifndef IMAGES_DIGEST_H
#define IMAGES_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

enum { DIGEST_HEX = 64, DIGEST_SIZE = 7 + DIGEST_HEX + 1 }; /* a whole digest with its NUL */

struct digest_state; /* a running sha256 */

bool digest_valid(const char *s);         /* "sha256:" and 64 lower-case hex digits, nothing else */
const char *digest_hex(const char *digest); /* the part after the colon; digest must be valid */

/* "<dir>/<hex>" in a static buffer, valid until the next call. */
const char *digest_path(const char *dir, const char *digest);

struct digest_state *digest_new(void);
void digest_update(struct digest_state *state, const void *p, size_t n);
void digest_final(struct digest_state *state, char out[DIGEST_SIZE]); /* frees state */
void digest_free(struct digest_state *state);
void digest_of(const void *p, size_t n, char out[DIGEST_SIZE]);

#endif
