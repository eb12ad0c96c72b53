/* fuzz_ref.c - any bytes as an image name. The parts of an accepted name must parse to the same parts. */
#include "images/ref.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	char *text = arena_strndup(a, (const char *)data, size), *again;
	struct ref r, s;
	struct err e;

	if (ref_parse(&r, text, a, &e) == 0) {
		again = *r.digest ? ref_digested(&r, r.digest, a) : ref_tagged(&r, a);
		if (ref_parse(&s, again, a, &e) < 0 || strcmp(r.domain, s.domain) != 0 ||
			strcmp(r.repository, s.repository) != 0)
			abort();
	}
	arena_free(a);
	return 0;
}
