/* fuzz_config.c - any text as the configuration file: the result is an error with a line, or a configuration. */
#include <stdint.h>

#include "handlers/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config c;
	struct err e;
	struct arena *a = arena_new();

	if (config_read(&c, (const char *)data, size, "fuzz", &e) == 0)
		config_text(&c, a);
	config_free(&c);
	arena_free(a);
	return 0;
}
