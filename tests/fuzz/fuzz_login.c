/* fuzz_login.c - any bytes as docker's config.json, and as the answer of a credential helper. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "images/login.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct registry_auth auth;
	struct login_entry entry;
	struct ref ref;
	struct err e;

	if (ref_parse(&ref, size % 2 ? "busybox" : "registry.example:5000/a/b:v1", a, &e) < 0)
		abort();
	if (login_parse(&entry, (const char *)data, size, "config.json", &ref, a, &e) == 0 &&
		(strchr(entry.helper, '/') || strlen(entry.helper) > 64 || (*entry.helper && !*entry.server)))
		abort();
	if (login_helper_answer(&auth, (const char *)data, size, "x", a, &e) == 0 && !*auth.password &&
		!*auth.identity_token)
		abort();
	arena_free(a);
	return 0;
}
