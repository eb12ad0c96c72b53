/* fuzz_cni.c - texts of administrators and plugins: conflists, results, error objects, quantities.
 * The normal form of an accepted list must be accepted too, since records hold it. The plugin's stdin that is made of
 * the list must be JSON. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "procs/cni/args.h"
#include "procs/cni/conf.h"
#include "procs/cni/result.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void as_list(const char *text, size_t len, enum cni_conf_kind kind, struct arena *a)
{
	struct err e;
	auto_json json_t *list = cni_conf_parse(text, len, kind, "fuzz", &e), *again = NULL, *input = NULL;
	const char *normal, *stdin_text;

	if (!list)
		return must(memchr(e.msg, '\0', sizeof(e.msg)) != NULL);
	normal = json_text(a, list);
	again = cni_conf_parse(normal, strlen(normal), CNI_CONF_LIST, "again", &e);
	must(again && json_equal(list, again));
	stdin_text = cni_conf_stdin(a, list, json_array_get(cni_conf_plugins(list), 0), list, list);
	input = json_loads(stdin_text, 0, NULL);
	must(input && json_equal(json_object_get(input, "name"), json_object_get(list, "name")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct arena *a = arena_new();
	struct err e;
	auto_json json_t *result = cni_result_parse(text, size, &e);

	as_list(text, size, CNI_CONF_LIST, a);
	as_list(text, size, CNI_CONF_SINGLE, a);
	if (result) {
		struct strings ips = cni_result_ips(result, "eth0", a);

		for (size_t i = 0; i < ips.n; i++)
			must(ips.at[i][0] && !strchr(ips.at[i], '/'));
	}
	cni_result_error(&e, "exit status 1", text, size, text, size);
	must(strlen(e.msg) < 1000 && !strpbrk(e.msg, "\n\r"));
	must(cni_quantity(arena_strndup(a, text, size)) >= -1);
	arena_free(a);
	return 0;
}
