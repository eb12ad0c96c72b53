/* fuzz_cdi.c - any bytes as a file that describes CDI devices. */
#include "procs/cdi.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e;

	json_decref(cdi_parse((const char *)data, size, "fuzz", &e));
	return 0;
}
