/* fuzz_registry_auth.c - any bytes as a registry's headers WWW-Authenticate, Location and Retry-After. */
#include "images/registry/auth.h"
#include "images/registry/reply.h"
#include "images/registry/url.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	char *text = arena_strndup(a, (const char *)data, size), *to;
	struct challenge c;

	challenge_parse(&c, text, a);
	retry_after_ms(text, 1700000000);
	to = url_resolve("https://registry.example:5000/v2/a/blobs/x?ns=y", text, a);
	if (to) {
		url_no_query(to, a);
		url_same_origin(to, "https://registry.example:5000/");
		url_resolve(to, "../x", a);
	}
	arena_free(a);
	return 0;
}
