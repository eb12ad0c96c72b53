/* signature.c - see policy.h: one signature of an image.
 *
 * cosign signs a payload in the form of "simple signing", a JSON document with the digest of the manifest and a name of
 * the image. Spec: cosign SIGNATURE_SPEC.md; containers/image containers-signature(5), "The JSON format". */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

#include "images/policy.h"
#include "reactor/base64.h"
#include "reactor/json.h"
#include "reactor/own.h"

enum { SIGNATURE_MAX = 8 << 10, RSA_BITS_MIN = 2048, RSA_BITS_MAX = 8192 };

static EVP_PKEY *read_key(const char *pem, const char **fault)
{
	BIO *b = own_must(BIO_new_mem_buf(pem, -1));
	EVP_PKEY *key = PEM_read_bio_PUBKEY(b, NULL, NULL, NULL);
	int type = key ? EVP_PKEY_base_id(key) : 0, bits = key ? EVP_PKEY_bits(key) : 0;

	BIO_free(b);
	ERR_clear_error();
	if (!key)
		*fault = "a key of the signature policy is no public key in PEM format";
	else if (type != EVP_PKEY_EC && type != EVP_PKEY_ED25519 && type != EVP_PKEY_RSA)
		*fault = "a key of the signature policy is none of ECDSA, Ed25519 and RSA";
	else if (type == EVP_PKEY_RSA && (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX))
		*fault = "an RSA key of the signature policy has less than 2048 or more than 8192 bits";
	else
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

static bool verifies(EVP_PKEY *key, const char *payload, size_t len, const unsigned char *sig, size_t sig_len)
{
	EVP_MD_CTX *c = own_must(EVP_MD_CTX_new());
	const EVP_MD *md = EVP_PKEY_base_id(key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256();
	bool yes = EVP_DigestVerifyInit(c, NULL, md, NULL, key) == 1 &&
		EVP_DigestVerify(c, sig, sig_len, (const unsigned char *)payload, len) == 1;

	EVP_MD_CTX_free(c);
	ERR_clear_error();
	return yes;
}

/* One key of the rule must have made it. */
static int check_keys(const struct policy_rule *rule, const char *payload, size_t len, const char *base64,
	struct err *e)
{
	unsigned char sig[SIGNATURE_MAX];
	size_t n = strlen(base64);
	ssize_t sig_len = n / 4 * 3 <= sizeof(sig) ? base64_decode(sig, base64, n) : -1;
	bool good = false;

	if (sig_len <= 0)
		return policy_refuse(e, "a signature is no base64");
	for (size_t i = 0; i < rule->keys.n && !good; i++) {
		const char *fault;
		EVP_PKEY *key = read_key(rule->keys.at[i], &fault);

		if (!key)
			return policy_refuse(e, "%s", fault);
		good = verifies(key, payload, len, sig, (size_t)sig_len);
		EVP_PKEY_free(key);
	}
	return good ? 0 : policy_refuse(e, "a signature is there, but of none of the keys that the policy names");
}

/* ---- identity ---- */

/* ref_parse() makes "latest" of no tag; whether the text names one decides here. */
static bool names_one_image(const char *text)
{
	const char *slash = strrchr(text, '/');

	return strchr(text, '@') || strchr(slash ? slash : text, ':');
}

static bool same_repository(const struct ref *x, const struct ref *y)
{
	return strcmp(x->domain, y->domain) == 0 && strcmp(x->repository, y->repository) == 0;
}

static bool same_image(const struct ref *x, const struct ref *y)
{
	return same_repository(x, y) && strcmp(x->tag, y->tag) == 0 && strcmp(x->digest, y->digest) == 0;
}

static bool repo_digest_or_exact(const struct ref *image, const struct ref *claimed, bool one)
{
	return *image->digest ? same_repository(image, claimed) : one && same_image(image, claimed);
}

/* The image's name with the prefix replaced. The prefix ends at a slash, or at the whole repository. */
static bool remapped(const struct policy_rule *rule, const struct ref *image, struct ref *out, struct arena *a)
{
	const char *name = arena_printf(a, "%s/%s", image->domain, image->repository);
	size_t n = strlen(rule->reference);
	struct err ignored;

	*out = *image;
	if (strncmp(name, rule->reference, n) != 0 || (name[n] && name[n] != '/'))
		return true;
	name = arena_printf(a, "%s%s", rule->signed_prefix, name + n);
	if (ref_parse(out, name, a, &ignored) < 0)
		return false;
	out->tag = image->tag;
	out->digest = image->digest;
	return true;
}

static bool identity_fits(const struct policy_rule *rule, const struct ref *image, const char *text, struct arena *a)
{
	struct ref claimed, other = { 0 };
	bool one = names_one_image(text);
	struct err ignored;

	if (ref_parse(&claimed, text, a, &ignored) < 0)
		return false;
	if ((rule->identity == EXACT_REFERENCE || rule->identity == EXACT_REPOSITORY) &&
		ref_parse(&other, rule->reference, a, &ignored) < 0)
		return false;
	switch (rule->identity) {
	case MATCH_REPO_DIGEST_OR_EXACT: return repo_digest_or_exact(image, &claimed, one);
	case MATCH_EXACT: return one && same_image(image, &claimed);
	case MATCH_REPOSITORY: return same_repository(image, &claimed);
	case EXACT_REFERENCE: return one && names_one_image(rule->reference) && same_image(&other, &claimed);
	case EXACT_REPOSITORY: return same_repository(&other, &claimed);
	case REMAP_IDENTITY: return remapped(rule, image, &other, a) && repo_digest_or_exact(&other, &claimed, one);
	}
	return false;
}

static int check_payload(const struct policy_rule *rule, const struct ref *ref, const char *digest, const json_t *j,
	struct arena *a, struct err *e)
{
	const json_t *critical = json_object_get(j, "critical");
	const char *type = json_get_str(a, critical, "type");
	const char *signed_digest = json_get_str(a, json_object_get(critical, "image"), "docker-manifest-digest");
	const char *name = json_get_str(a, json_object_get(critical, "identity"), "docker-reference");
	const char *advice = names_one_image(name) ? "" :
		" (it has no tag, as cosign makes them: signedIdentity must be matchRepository)";

	if (strcmp(type, "cosign container image signature") != 0)
		return policy_refuse(e, "a signature's payload is of the unknown type \"%.100s\"", type);
	if (strcmp(signed_digest, digest) != 0)
		return policy_refuse(e, "a signature is of another image (%.80s)", signed_digest);
	if (!identity_fits(rule, ref, name, a))
		return policy_refuse(e,
			"a signature is for \"%.200s\", which is not the name that the policy asks for%s", name,
			advice);
	return 0;
}

int policy_check_payload(const struct policy_rule *rule, const struct ref *ref, const char *digest, const char *payload,
	size_t len, struct err *e)
{
	struct arena *a = arena_new();
	struct err fault;
	auto_json json_t *j = json_parse(payload, len, "a signature's payload", &fault);
	int rc = j ? check_payload(rule, ref, digest, j, a, e) : policy_refuse(e, "%s", fault.msg);

	arena_free(a);
	return rc;
}

int policy_check_signature(const struct policy_rule *rule, const struct ref *ref, const char *digest,
	const char *payload, size_t len, const char *signature, struct err *e)
{
	if (check_keys(rule, payload, len, signature, e) < 0)
		return -1;
	return policy_check_payload(rule, ref, digest, payload, len, e);
}
