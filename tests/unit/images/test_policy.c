/* test_policy.c - policy.json: which requirements count for an image; scopes; names and keys of signatures. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <time.h>

#include "images/config.h"
#include "images/policy.h"
#include "images/scope.h"
#include "reactor/own.h"
#include "tests/tap.h"

#define DIGEST "sha256:1111111111111111111111111111111111111111111111111111111111111111"
#define REJECT "[{\"type\":\"reject\"}]"
#define ACCEPT "[{\"type\":\"insecureAcceptAnything\"}]"

static struct arena *arena;
static struct images_config cfg;
static struct err fault;

/* Takes the place of images/config.c. */
const struct images_config *images_config(void)
{
	return &cfg;
}

static struct ref ref_of(const char *text)
{
	struct ref r;

	ok(ref_parse(&r, text, arena, &fault) == 0);
	return r;
}

static bool in(const char *scope, const char *image)
{
	struct ref r = ref_of(image);

	return scope_match(scope, &r) > 0;
}

static void scopes(void)
{
	ok(in("docker.io", "busybox") && in("docker.io/library", "busybox") &&
	   in("docker.io/library/busybox", "busybox"));
	ok(in("docker.io/library/busybox:latest", "busybox") && !in("docker.io/library/busybox:1", "busybox"));
	ok(!in("docker.io/lib", "busybox") && !in("busybox", "busybox") && !in("", "busybox") &&
	   !in("docker.io/", "busybox"));
	ok(in("a.test:5000", "a.test:5000/x") && !in("a.test", "a.test:5000/x"));
	ok(in("*.test", "a.test:5000/x") && in("*.test", "b.a.test/x") && !in("*.test", "test:1/x") &&
	   !in("*.est", "a.test/x"));
	ok(in("a.test/x@" DIGEST, "a.test/x@" DIGEST) && !in("a.test/x@" DIGEST, "a.test/x"));
	ok(!in("*.", "a.test/x") && !in("*.test/x", "a.test/x"));
	/* Other spellings of the same host. */
	ok(in("a.test", "A.Test/x") && in("a.test/x", "a.test:443/x") && in("*.test", "B.A.TEST:443/x"));
	ok(in("a.test:443", "a.test:443/x") && in("a.test:443/x:1", "a.test/x:1") && !in("a.test", "a.test:1443/x"));
	ok(in("A.test/x", "a.test/x") && in("*.TEST", "a.test/x") && !in("a.test/x:V1", "a.test/x:v1"));
	ok(!in(arena_printf(arena, "a.test/%0700d", 1), "a.test/x") && !in(":443", "a.test/x"));
	ok(in("a.test/x", "a.test:0443/x") && in("a.test:5000", "a.test:0005000/x"));
	ok(in("a.test:05000", "a.test:5000/x"));
	ok(!in("a.test:500", "a.test:5000/x") && in("docker.io/library", "INDEX.docker.io/busybox"));
	/* Addresses. */
	ok(in("127.0.0.1:5000", "127.1:05000/x") && in("127.0.0.1:5000", "2130706433:5000/x"));
	ok(in("127.0.0.1:5000", "0x7f.0.0.1:5000/x") && in("0177.1:5000/x", "127.0.0.1:5000/x"));
	ok(in("127.0.0.1:5000", "[::ffff:7f00:1]:5000/x") && in("[::1]:5000", "[0:0:0:0:0:0:0:1]:05000/x"));
	ok(in("[2001:DB8::1]", "[2001:db8:0::1]:443/x") && !in("[2001:db8::1]", "[2001:db8::2]/x"));
	ok(!in("127.0.0.1:5000", "127.0.0.2:5000/x") && !in("127.0.0.1", "127.0.0.1.test/x"));
}

static bool allowed(const char *image)
{
	struct ref r = ref_of(image);

	return scope_allowed(&r, &fault) == 0;
}

static void allow_and_deny(void)
{
	static const char *const allow[] = { "a.test", "b.test/x/y", "*.c.test" };
	static const char *const deny[] = { "a.test/x", "b.test", "c.c.test" };

	ok(allowed("any.test/x"));
	cfg.deny = (struct strings){ (const char **)deny, 3 };
	ok(allowed("any.test/x") && !allowed("a.test/x") && !allowed("a.test/x/z:1") && allowed("a.test/xx"));
	cfg.allow = (struct strings){ (const char **)allow, 3 };
	ok(!allowed("any.test/x") && fault.code == ERR_PERMISSION_DENIED && strstr(fault.msg, "not in registry.allow"));
	ok(allowed("a.test/b") && !allowed("a.test/x") && strstr(fault.msg, "registry.deny has a.test/x"));
	ok(allowed("b.test/x/y") && !allowed("b.test/x/z") && allowed("d.c.test/x") && !allowed("c.c.test/x"));
	cfg.allow = cfg.deny = (struct strings){ 0 };
}

static struct policy policy;

static int parse(const char *text, const char *image)
{
	struct ref r = ref_of(image);

	return policy_parse(&policy, text, strlen(text), "/p.json", &r, arena, &fault);
}

static void the_most_exact_scope_decides(void)
{
	const char *text = "{\"default\":" REJECT ",\"transports\":{\"docker\":{\"\":" ACCEPT ",\"a.test/x/y\":" ACCEPT
			   ",\"a.test/x\":" REJECT ",\"*.test\":" REJECT "},\"dir\":{\"\":" ACCEPT "}}}";

	ok(parse(text, "a.test/x/y:1") == 0 && policy.rules[0].type == POLICY_ACCEPT);
	is_str(policy.scope, "a.test/x/y");
	ok(parse(text, "a.test/x:1") == 0 && policy.rules[0].type == POLICY_REJECT);
	ok(parse(text, "b.test/x:1") == 0);
	is_str(policy.scope, "*.test");
	ok(parse(text, "c.example/x:1") == 0 && policy.rules[0].type == POLICY_ACCEPT);
	is_str(policy.scope, "");
	ok(parse("{\"default\":" REJECT "}", "a.test/x") == 0 && !policy.scope && policy.n == 1);
	ok(parse("{\"default\":" ACCEPT ",\"transports\":{\"atomic\":{\"a.test\":" REJECT "}}}", "a.test/x") == 0 &&
	   !policy.scope);
}

static enum policy_type local(const char *text, const char *transport, const char *path)
{
	ok(policy_parse_local(&policy, text, strlen(text), "/p.json", transport, path, arena, &fault) == 0);
	return policy.rules[0].type;
}

static void archives_have_scopes_of_their_own(void)
{
	const char *text = "{\"default\":" REJECT ",\"transports\":{\"docker\":{\"\":" ACCEPT "},"
		"\"docker-archive\":{\"\":" ACCEPT ",\"/a\":" REJECT "},\"oci\":{\"/a/b\":" ACCEPT "},"
		"\"oci-archive\":{\"\":" ACCEPT ",\"/a\":" REJECT ",\"/a/b\":" ACCEPT "}}}";

	ok(local(text, "docker-archive", "") == POLICY_ACCEPT);
	ok(local(text, "oci-archive", "/x") == POLICY_ACCEPT && local(text, "oci-archive", "/a/x") == POLICY_REJECT);
	ok(local(text, "oci-archive", "/a/b") == POLICY_ACCEPT &&
	   local(text, "oci-archive", "/a/b/x") == POLICY_ACCEPT);
	ok(local(text, "oci-archive", "/a/bc") == POLICY_REJECT && local(text, "oci-archive", "/ab") == POLICY_ACCEPT);
	ok(local(text, "oci", "/a/b") == POLICY_ACCEPT && local(text, "oci", "/a") == POLICY_REJECT && !policy.scope);
}

static bool bad(const char *text, const char *why)
{
	bool is = parse(text, "a.test/x") < 0 && strstr(fault.msg, why);

	if (!is)
		printf("# %s\n", fault.msg);
	return is;
}

static void what_is_no_policy(void)
{
	ok(bad("{}", "default: an array"));
	ok(bad("[]", "object is expected") && bad("{", "line 1"));
	ok(bad("{\"default\":[]}", "default: an array of 1 to 16"));
	ok(bad("{\"default\":" REJECT ",\"more\":1}", "more: unknown member"));
	ok(bad("{\"default\":[{\"type\":\"reject\",\"x\":1}]}", "x: unknown member"));
	ok(bad("{\"default\":[{\"type\":\"Reject\"}]}", "unknown type"));
	ok(bad("{\"default\":[1]}", "unknown type"));
	ok(bad("{\"default\":" REJECT ",\"transports\":1}", "object is expected"));
	ok(bad("{\"default\":" REJECT ",\"transports\":{\"docker\":[]}}", "object of scopes"));
	ok(bad("{\"default\":" REJECT ",\"transports\":{\"oci\":{\"\":[{}]}}}", "unknown type"));
#define SIGSTORE(members) "{\"default\":[{\"type\":\"sigstoreSigned\"" members "}]}"
	ok(bad(SIGSTORE(""), "one of keyPath"));
	ok(bad(SIGSTORE(",\"keyPath\":\"/k\",\"keyPaths\":[\"/k\"]"), "one of keyPath"));
	ok(bad(SIGSTORE(",\"keyPath\":1"), "must be a text") && bad(SIGSTORE(",\"keyPaths\":[]"), "one at least"));
	ok(bad(SIGSTORE(",\"keyData\":\"%\""), "base64") &&
	   bad(SIGSTORE(",\"keyPath\":\"/k\",\"z\":1"), "z: unknown member"));
	ok(bad(SIGSTORE(",\"keyPath\":\"/k\",\"signedIdentity\":{\"type\":\"x\"}"), "its type is unknown"));
	ok(bad(SIGSTORE(",\"keyPath\":\"/k\",\"signedIdentity\":{\"type\":\"exactReference\"}"), "dockerReference: "));
	ok(bad(SIGSTORE(",\"keyPath\":\"/k\",\"signedIdentity\":{\"type\":\"matchExact\",\"y\":1}"), "y: unknown"));
	ok(parse(SIGSTORE(",\"keyPath\":\"/k\",\"rekorPublicKeyData\":\"x\""), "a.test/x") == 0);
	ok(policy.rules[0].type == POLICY_UNSUPPORTED);
	ok(parse(SIGSTORE(",\"fulcio\":{}"), "a.test/x") == 0 && policy.rules[0].type == POLICY_UNSUPPORTED);
	ok(parse("{\"default\":[{\"type\":\"signedBy\",\"keyType\":\"GPGKeys\"}]}", "a.test/x") == 0 &&
	   policy.rules[0].type == POLICY_UNSUPPORTED);
}

static bool fits(enum policy_identity identity, const char *reference, const char *image, const char *claimed)
{
	const char *text = arena_printf(arena, "{\"critical\":{\"type\":\"cosign container image signature\",\"image\":"
		"{\"docker-manifest-digest\":\"" DIGEST "\"},\"identity\":{\"docker-reference\":\"%s\"}}}", claimed);
	struct policy_rule rule = { .type = POLICY_SIGSTORE, .identity = identity, .reference = reference,
		.signed_prefix = "real.test" };
	struct ref r = ref_of(image);

	return policy_check_payload(&rule, &r, DIGEST, text, strlen(text), &fault) == 0;
}

static void names_of_signatures(void)
{
	const char *at = "a.test/x@" DIGEST;

	ok(fits(MATCH_REPO_DIGEST_OR_EXACT, NULL, "a.test/x:1", "a.test/x:1") &&
	   fits(MATCH_REPO_DIGEST_OR_EXACT, NULL, at, "a.test/x"));
	ok(!fits(MATCH_REPO_DIGEST_OR_EXACT, NULL, "a.test/x:1", "a.test/x:2") &&
	   !fits(MATCH_REPO_DIGEST_OR_EXACT, NULL, at, "a.test/y"));
	/* No tag is no "latest". */
	ok(!fits(MATCH_REPO_DIGEST_OR_EXACT, NULL, "a.test/x", "a.test/x") &&
	   !fits(MATCH_EXACT, NULL, "a.test/x", "a.test/x"));
	ok(fits(MATCH_REPO_DIGEST_OR_EXACT, NULL, "a.test/x", "a.test/x:latest"));
	ok(fits(MATCH_EXACT, NULL, at, at) && !fits(MATCH_EXACT, NULL, at, "a.test/x:1"));
	ok(fits(MATCH_REPOSITORY, NULL, "busybox:1", "index.docker.io/library/busybox") &&
	   !fits(MATCH_REPOSITORY, NULL, "busybox", "a.test/busybox"));
	ok(fits(EXACT_REFERENCE, "b.test/y:1", "a.test/x", "b.test/y:1") &&
	   !fits(EXACT_REFERENCE, "b.test/y:1", "a.test/x", "b.test/y:2"));
	ok(!fits(EXACT_REFERENCE, "b.test/y", "a.test/x", "b.test/y"));
	ok(fits(EXACT_REPOSITORY, "b.test/y", "a.test/x", "b.test/y:7") &&
	   !fits(EXACT_REPOSITORY, "b.test/y", "a.test/x", "b.test/z"));
	ok(fits(REMAP_IDENTITY, "a.test", "a.test/x:1", "real.test/x:1") &&
	   !fits(REMAP_IDENTITY, "a.test", "a.test/x:1", "a.test/x:1"));
	ok(fits(REMAP_IDENTITY, "a.te", "a.test/x:1", "a.test/x:1") &&
	   !fits(REMAP_IDENTITY, "a.test", "a.test/x:1", "real.test/x:2"));
	ok(!fits(MATCH_REPOSITORY, NULL, "a.test/x", "") && !fits(MATCH_REPOSITORY, NULL, "a.test/x", "A B"));
	ok(fault.code == ERR_UNKNOWN && strcmp(fault.reason, "SignatureValidationFailed") == 0);
}

/* The CPU time of one turn: a payload against as many keys as a policy may name, the last of which fits. */
static void the_cost_of_a_signature(void)
{
	enum { KEYS = 8, TIMES = 20 };
	const char *payload = "x";
	unsigned char sig[256], base64[512];
	const char *keys[KEYS];
	size_t n = sizeof(sig);
	EVP_PKEY *key = NULL;
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	struct policy_rule rule = { .type = POLICY_SIGSTORE, .keys = { keys, KEYS } };
	struct ref r = ref_of("a.test/x");
	clock_t begun;

	for (int i = 0; i < KEYS; i++) {
		BIO *b = BIO_new(BIO_s_mem());
		char *text;
		long len;

		EVP_PKEY_free(key);
		key = EVP_EC_gen("P-256");
		PEM_write_bio_PUBKEY(b, key);
		len = BIO_get_mem_data(b, &text);
		keys[i] = arena_strndup(arena, text, (size_t)len);
		BIO_free(b);
	}
	ok(EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, key) == 1 &&
	   EVP_DigestSign(c, sig, &n, (const unsigned char *)payload, 1) == 1);
	EVP_EncodeBlock(base64, sig, (int)n);
	begun = clock();
	for (int i = 0; i < TIMES; i++) {
		policy_check_signature(&rule, &r, DIGEST, payload, 1, (char *)base64, &fault);
		ok(strstr(fault.msg, "payload") != NULL); /* the signature is good, and what it signs is no document */
	}
	printf("# a payload and %d keys: %.2f ms of CPU\n", KEYS,
	       (double)(clock() - begun) * 1000 / CLOCKS_PER_SEC / TIMES);
	policy_check_signature(&rule, &r, DIGEST, "y", 1, (char *)base64, &fault);
	ok(strstr(fault.msg, "of none of the keys") != NULL);
	base64[0] = '%';
	policy_check_signature(&rule, &r, DIGEST, payload, 1, (char *)base64, &fault);
	ok(strstr(fault.msg, "no base64") != NULL);
	policy_check_signature(&rule, &r, DIGEST, payload, 1, "", &fault);
	ok(strstr(fault.msg, "no base64") != NULL);
	EVP_PKEY_free(key);
	EVP_MD_CTX_free(c);
}

int main(void)
{
	arena = arena_new();
	scopes();
	allow_and_deny();
	the_most_exact_scope_decides();
	archives_have_scopes_of_their_own();
	what_is_no_policy();
	names_of_signatures();
	the_cost_of_a_signature();
	arena_free(arena);
	return tap_end();
}
