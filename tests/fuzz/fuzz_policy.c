/* fuzz_policy.c - any bytes as a policy.json, as the payload of a signature, and as a signature in base64. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "images/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char key[] = "-----BEGIN PUBLIC KEY-----\n"
			  "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
			  "-----END PUBLIC KEY-----\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const keys[] = { key };
	static const char digest[] = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
	struct arena *a = arena_new();
	const char *text = arena_strndup(a, (const char *)data, size);
	struct policy_rule rule = { .type = POLICY_SIGSTORE, .keys = { (const char **)keys, 1 } };
	struct policy policy;
	struct ref ref;
	struct err e;

	if (ref_parse(&ref, "registry.example/a/b:v1", a, &e) < 0)
		abort();
	if (policy_parse(&policy, (const char *)data, size, "policy.json", &ref, a, &e) == 0 && policy.n == 0)
		abort();
	rule.identity = (enum policy_identity)(size % 6);
	rule.reference = size % 2 ? "registry.example/a" : text;
	rule.signed_prefix = size % 2 ? text : "other.example";
	if (policy_check_payload(&rule, &ref, digest, (const char *)data, size, &e) == 0 && !strstr(text, digest + 7))
		abort();
	if (policy_check_signature(&rule, &ref, digest, "payload", 7, text, &e) == 0)
		abort();
	arena_free(a);
	return 0;
}
