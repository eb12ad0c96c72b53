/* fuzz_restored.c - any bytes as the /proc/<pid>/task/<tid>/status of a restored thread: what is allowed has no
 * capability and no id that the request does not give. */
#include "procs/restored.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A request for uid 1234 without rights; a text that passes must say so in its first line of that name. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct restored_limits limits = { .uid = 1234, .gid = 1234, .no_new_privs = true, .seccomp = true,
						.apparmor = "", .selinux = "" };
	char *text = malloc(size + 1);
	struct err e;

	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	if (restored_compare(&limits, text, &e) == 0 && (!strstr(text, "CapEff:") || !strstr(text, "1234")))
		abort();
	free(text);
	return 0;
}
