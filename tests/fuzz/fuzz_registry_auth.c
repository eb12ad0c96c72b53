/* fuzz_registry_auth.c - any bytes as a registry's headers WWW-Authenticate, Location and Retry-After.
 *
 * What is read from a challenge, written as a challenge again, reads the same. */
#include "images/registry/auth.h"
#include "images/registry/reply.h"
#include "images/registry/url.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static char *quoted(const char *s, struct arena *a)
{
	char *out = arena_zalloc(a, 2 * strlen(s) + 3), *to = out;

	*to++ = '"';
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			*to++ = '\\';
		*to++ = *s;
	}
	*to = '"';
	return out;
}

static void check_challenge(const char *text, struct arena *a)
{
	struct challenge c, again;

	challenge_parse(&c, text, a);
	must(!c.bearer || *c.realm);
	challenge_parse(&again,
			arena_printf(a, "%sBearer realm=%s,service = %s , scope=%s,error=%s", c.basic ? "basic " : "",
				     quoted(c.realm, a), quoted(c.service, a), quoted(c.scope, a), quoted(c.error, a)),
			a);
	must(again.basic == c.basic && again.bearer == !!*c.realm);
	must(strcmp(again.realm, c.realm) == 0 && strcmp(again.service, c.service) == 0);
	must(strcmp(again.scope, c.scope) == 0 && strcmp(again.error, c.error) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	char *text = arena_strndup(a, (const char *)data, size), *to;
	int64_t wait = retry_after_ms(text, 1700000000);

	must(wait >= 0 && wait <= 60000);
	check_challenge(text, a);
	to = url_resolve("https://registry.example:5000/v2/a/blobs/x?ns=y", text, a);
	if (to) {
		url_no_query(to, a);
		url_same_origin(to, "https://registry.example:5000/");
		url_resolve(to, "../x", a);
	}
	arena_free(a);
	return 0;
}
