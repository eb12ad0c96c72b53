/* fuzz_cli_json.c - JSON files of users: an accepted file is written and read again, with the same result. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api.pb-c.h"
#include "handlers/cli/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *text_of(const ProtobufCMessage *m)
{
	auto_json json_t *j = cli_json_write(m);

	return json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS);
}

static void there_and_back(const ProtobufCMessageDescriptor *d, const json_t *j, struct arena *a)
{
	struct err e;
	ProtobufCMessage *m = cli_json_read(d, j, a, &e);
	char *once = m ? text_of(m) : NULL, *twice;
	auto_json json_t *again = once ? json_parse(once, strlen(once), "own text", &e) : NULL;

	if (!m)
		return;
	m = again ? cli_json_read(d, again, a, &e) : NULL;
	twice = m ? text_of(m) : NULL;
	if (!twice || strcmp(once, twice) != 0)
		abort();
	free(once);
	free(twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct err e;
	auto_json json_t *j = json_parse((const char *)data, size, "input", &e);

	if (j) {
		there_and_back(&runtime__v1__pod_sandbox_config__descriptor, j, a);
		there_and_back(&runtime__v1__container_config__descriptor, j, a);
	}
	arena_free(a);
	return 0;
}
