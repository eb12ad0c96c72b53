/* fuzz_hosts_toml.c - an operator's hosts.toml. */
#include "images/registry/hosts_toml.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct hosts h;
	struct err e;

	hosts_toml_parse(&h, (const char *)data, size, "/etc/certs.d/x", "registry.example", a, &e);
	arena_free(a);
	return 0;
}
