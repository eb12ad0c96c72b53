/* fuzz_cdi.c - any bytes as a file that describes CDI devices. */
#include "procs/cdi.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* procs/spec/ takes the members from the JSON itself, and relies on their types. */
static void check_edits(const json_t *edits)
{
	const json_t *v;
	size_t i;

	json_array_foreach(json_object_get(edits, "env"), i, v)
		must(json_is_string(v));
	json_array_foreach(json_object_get(edits, "mounts"), i, v)
		must(json_is_string(json_object_get(v, "containerPath")) &&
		     json_is_string(json_object_get(v, "hostPath")));
	json_array_foreach(json_object_get(edits, "deviceNodes"), i, v)
		must(json_is_string(json_object_get(v, "path")));
	json_array_foreach(json_object_get(edits, "hooks"), i, v)
		must(json_is_string(json_object_get(v, "hookName")) && json_is_string(json_object_get(v, "path")));
}

static void one_form(const uint8_t *data, size_t size, enum cdi_form form)
{
	struct err e;
	auto_json json_t *file = cdi_parse((const char *)data, size, "fuzz", form, &e);
	const json_t *device;
	size_t i;

	if (!file)
		return;
	check_edits(json_object_get(file, "containerEdits"));
	json_array_foreach(json_object_get(file, "devices"), i, device)
		check_edits(json_object_get(device, "containerEdits"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	one_form(data, size, CDI_JSON);
	one_form(data, size, CDI_YAML);
	return 0;
}
