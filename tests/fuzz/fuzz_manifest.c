/* fuzz_manifest.c - any bytes as a registry's index, manifest or config. */
#include "images/manifest.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct image_config c;
	struct strings ids;
	struct manifest m;
	struct err e;

	manifest_parse(&m, (const char *)data, size, "", a, &e);
	config_parse(&c, &ids, (const char *)data, size, a, &e);
	arena_free(a);
	return 0;
}
