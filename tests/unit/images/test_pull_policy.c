/* test_pull_policy.c - pulls of signed images from a registry that changes while the signature is looked at. */
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "images/pull.h"
#include "reactor/own.h"
#include "tests/unit/images/pull_story.h"

static EVP_PKEY *key;

struct result {
	int calls;
	struct err e;
};

static void on_pulled(void *arg, const struct err *e, const char *id)
{
	struct result *r = arg;

	(void)id;
	r->calls++;
	r->e = e ? *e : (struct err){ 0 };
}

static struct result pull(const char *ref)
{
	struct result r = { 0 };

	pull_start(ref, NULL, on_pulled, &r);
	clock_advance(120 * 1000);
	ok(r.calls == 1);
	return r;
}

static bool unsigned_one(const struct result *r)
{
	return r->e.code == ERR_UNKNOWN && r->e.reason && strcmp(r->e.reason, "SignatureValidationFailed") == 0;
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	ok(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

/* A policy that asks for a signature by `key` of each image. */
static void with_policy(void)
{
	const char *pub = arena_printf(arena, "%s/key.pub", root);
	FILE *f = fopen(pub, "w");

	key = EVP_EC_gen("P-256");
	ok(f && PEM_write_PUBKEY(f, key) == 1 && fclose(f) == 0);
	cfg.signature_policy = arena_printf(arena, "%s/policy.json", root);
	write_file(cfg.signature_policy, arena_printf(arena, "{\"default\":[{\"type\":\"sigstoreSigned\",\"keyPath\":"
		"\"%s\",\"signedIdentity\":{\"type\":\"matchRepository\"}}]}", pub));
}

/* The registry gets a signature of the manifest `digest` of r.example/a. */
static void sign(const char *digest)
{
	const char *payload = arena_printf(arena, "{\"critical\":{\"type\":\"cosign container image signature\","
		"\"image\":{\"docker-manifest-digest\":\"%s\"},\"identity\":{\"docker-reference\":\"r.example/a\"}}}",
		digest), *payload_digest = digest_text(payload, strlen(payload));
	unsigned char sig[256], base64[512];
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	size_t n = sizeof(sig);

	ok(EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, key) == 1 &&
	   EVP_DigestSign(c, sig, &n, (const unsigned char *)payload, strlen(payload)) == 1);
	EVP_MD_CTX_free(c);
	EVP_EncodeBlock(base64, sig, (int)n);
	put_blob(arena_printf(arena, "blobs/%s", payload_digest), payload, "application/octet-stream");
	put_manifest(arena_printf(arena, "sha256-%s.sig", digest_hex(digest)), arena_printf(arena,
		"{\"schemaVersion\":2,\"layers\":[{\"mediaType\":\"application/vnd.dev.cosign.simplesigning.v1+json\","
		"\"digest\":\"%s\",\"size\":%zu,\"annotations\":{\"dev.cosignproject.cosign/signature\":\"%s\"}}]}",
		payload_digest, strlen(payload), (char *)base64), OCI "manifest.v1+json");
}

static void only_what_is_signed(void)
{
	struct result r;

	fresh_registry();
	IMAGE("v2", "not signed");
	r = pull("r.example/a:v2");
	ok(unsigned_one(&r));
	sign(IMAGE("v1", "signed layer"));
	ok(pull("r.example/a:v1").e.code == ERR_OK && pull("r.example/a:v1").e.code == ERR_OK);
}

/* Its next state after the signature is another one than that of an image. */
static void an_artifact_too(void)
{
	const char *d = digest_text("a file", 6), *manifest;
	struct result r;

	put_blob(arena_printf(arena, "blobs/%s", d), "a file", "application/octet-stream");
	manifest = put_manifest("v3", arena_printf(arena, "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"a/b\","
		"\"digest\":\"%s\",\"size\":6},\"layers\":[{\"mediaType\":\"a/c\",\"digest\":\"%s\",\"size\":6,"
		"\"annotations\":{\"org.opencontainers.image.title\":\"f\"}}]}", d, d), OCI "manifest.v1+json");
	fresh_registry();
	r = pull("r.example/a:v3");
	ok(unsigned_one(&r) && !store_find("r.example/a:v3"));
	sign(manifest);
	ok(pull("r.example/a:v3").e.code == ERR_OK && pull("r.example/a:v3").e.code == ERR_OK);
	is_str(store_find("r.example/a:v3")->id, manifest);
}

/* While the signature of what is here is asked for, somebody removes the image, and the tag moves. */
static void serve_and_move(const struct http_request *q, struct fake_answer *out)
{
	serve(q, out);
	if (!strstr(q->url, ".sig") || !store_find("r.example/a:v1"))
		return;
	ok(store_remove("r.example/a:v1", &fault) == 0);
	IMAGE("v1", "of somebody else");
}

static void a_tag_that_moves_behind_the_check(void)
{
	struct result r;

	fake_http_serve(serve_and_move);
	r = pull("r.example/a:v1");
	ok(unsigned_one(&r));
	ok(!store_find("r.example/a:v1"));
	fresh_registry();
	sign(IMAGE("v1", "of somebody else"));
	ok(pull("r.example/a:v1").e.code == ERR_OK);
}

int main(void)
{
	arena = arena_new();
	cfg.root = mkdtemp(root);
	opened();
	with_policy();
	only_what_is_signed();
	an_artifact_too();
	a_tag_that_moves_behind_the_check();
	ok(system(arena_printf(arena, "rm -rf %s", root)) == 0);
	EVP_PKEY_free(key);
	arena_free(arena);
	return tap_end();
}
