/* fuzz_hooks.c - any bytes as a file of hooks.d: what is taken has the types that procs/hooks.c relies on, and its
 * patterns compile and can be compared. */
#include "procs/hooks.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check(const char *pattern)
{
	regex_t r;

	must(hooks_regex(&r, pattern) == 0);
	(void)regexec(&r, pattern, 0, NULL, 0);
	regfree(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e;
	auto_json json_t *file = hooks_parse((const char *)data, size, "fuzz", &e);
	const json_t *when = json_object_get(file, "when");
	const char *key;
	json_t *v;
	size_t i;

	if (!file)
		return 0;
	must(json_string_value(json_object_get(json_object_get(file, "hook"), "path"))[0] == '/');
	json_array_foreach(json_object_get(file, "stages"), i, v)
		must(json_is_string(v));
	json_array_foreach(json_object_get(when, "commands"), i, v)
		check(json_string_value(v));
	json_object_foreach(json_object_get(when, "annotations"), key, v) {
		check(key);
		check(json_string_value(v));
	}
	return 0;
}
