/* fuzz_convert.c - any bytes as CRI's two largest requests: decoded, converted to plain structs, to JSON and
 * back; the result must be the same. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "handlers/convert.h"
#include "reactor/fields.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(const struct field *table, const void *config, size_t config_size, struct arena *a)
{
	void *copy = arena_zalloc(a, config_size);

	fields_copy(table, copy, config, a);
	assert(fields_equal(table, config, copy));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Runtime__V1__PodSandboxConfig *pod = runtime__v1__pod_sandbox_config__unpack(NULL, size, data);
	Runtime__V1__ContainerConfig *ctr = runtime__v1__container_config__unpack(NULL, size, data);
	struct arena *a = arena_new();
	struct sandbox_config s;
	struct container_config c;
	struct err e;

	if (pod && convert_sandbox_config(&s, pod, a, &e) == 0)
		round_trip(sandbox_config_fields, &s, sizeof(s), a);
	if (ctr && convert_container_config(&c, ctr, a, &e) == 0)
		round_trip(container_config_fields, &c, sizeof(c), a);
	if (pod)
		runtime__v1__pod_sandbox_config__free_unpacked(pod, NULL);
	if (ctr)
		runtime__v1__container_config__free_unpacked(ctr, NULL);
	arena_free(a);
	return 0;
}
