/* digest.c - see digest.h. sha256 by OpenSSL, which uses the CPU's SHA instructions where the CPU has them. */
#include "images/digest.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "reactor/own.h"

static const char prefix[] = "sha256:";
enum { PREFIX = sizeof(prefix) - 1 };

bool digest_valid(const char *s)
{
	return strncmp(s, prefix, PREFIX) == 0 && strlen(s + PREFIX) == DIGEST_HEX &&
		strspn(s + PREFIX, "0123456789abcdef") == DIGEST_HEX;
}

const char *digest_hex(const char *digest)
{
	return digest + PREFIX;
}

const char *digest_path(const char *dir, const char *digest)
{
	static char path[PATH_MAX + DIGEST_SIZE];

	snprintf(path, sizeof(path), "%s/%s", dir, digest_hex(digest));
	return path;
}

/* A struct digest_state is an EVP_MD_CTX under another name: so digest.h needs no header of OpenSSL. */
static EVP_MD_CTX *ctx(struct digest_state *d)
{
	return (EVP_MD_CTX *)d;
}

struct digest_state *digest_new(void)
{
	EVP_MD_CTX *c = own_must(EVP_MD_CTX_new());

	if (EVP_DigestInit_ex(c, EVP_sha256(), NULL) != 1)
		abort(); /* out of memory: OpenSSL always has sha256 */
	return (struct digest_state *)c;
}

void digest_update(struct digest_state *d, const void *p, size_t n)
{
	EVP_DigestUpdate(ctx(d), p, n);
}

void digest_final(struct digest_state *d, char out[DIGEST_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char raw[DIGEST_HEX / 2];

	EVP_DigestFinal_ex(ctx(d), raw, NULL);
	digest_free(d);
	memcpy(out, prefix, PREFIX);
	for (size_t i = 0; i < sizeof(raw); i++) {
		out[PREFIX + 2 * i] = digits[raw[i] >> 4];
		out[PREFIX + 2 * i + 1] = digits[raw[i] & 15];
	}
	out[PREFIX + DIGEST_HEX] = '\0';
}

void digest_free(struct digest_state *d)
{
	EVP_MD_CTX_free(ctx(d));
}

void digest_of(const void *p, size_t n, char out[DIGEST_SIZE])
{
	struct digest_state *d = digest_new();

	digest_update(d, p, n);
	digest_final(d, out);
}
