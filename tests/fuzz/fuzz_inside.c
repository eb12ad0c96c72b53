/* fuzz_inside.c - what a runtime prints whose sandbox is a container: the answers of `wait` and `events --stats`, or
 * any bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "procs/oci/op.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct runtime_usage usage;
	struct err e;
	int status = 0;

	if (oci_exit_status((const char *)data, size, &status, &e) == 0) {
		if (!WIFEXITED(status) || WEXITSTATUS(status) > 255)
			abort();
	} else if (e.code != ERR_INTERNAL) {
		abort();
	}
	if (oci_usage_read((const char *)data, size, &usage, &e) < 0 && e.code != ERR_INTERNAL)
		abort();
	return 0;
}
