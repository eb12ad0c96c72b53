/* fuzz_oci_log.c - the log of an OCI runtime: lines of JSON, or any bytes. oci_log_words() makes one short line of
 * it. */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "procs/oci/program.h"
#include "reactor/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	const char *words = oci_log_words(a, (const char *)data, size);

	if (strlen(words) > 500)
		abort();
	for (; *words; words++)
		if (iscntrl((unsigned char)*words))
			abort();
	arena_free(a);
	return 0;
}
