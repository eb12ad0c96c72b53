/* fuzz_shim.c - what the program of a shim prints when it is told to start, and what a shim answers, or any bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "procs/shim/op.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct runtime_usage usage;
	struct shim_answer answer;
	struct err e;

	if (shim_answer_parse((const char *)data, size, &answer, &e) == 0) {
		if (strncmp(answer.address, "unix:///", 8) != 0 || answer.version < 2 || answer.version > 3)
			abort();
	} else if (e.code != ERR_INTERNAL && e.code != ERR_UNIMPLEMENTED && e.code != ERR_INVALID_ARGUMENT) {
		abort();
	}
	if (shim_usage_read((const char *)data, size, &usage, &e) < 0 && e.code != ERR_INTERNAL)
		abort();
	return size && shim_number(data, size, data[0]) == 0x1122334455667788 ? -1 : 0;
}
