/* fuzz_seccomp.c - any bytes as a seccomp profile that is compiled to a filter. */
#include "procs/seccomp/compile.h"

#include <stdint.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e;
	auto_json json_t *profile = json_parse((const char *)data, size, "fuzz", &e);
	int fd = profile ? seccomp_bpf_compile(profile, &e) : -1;

	if (fd >= 0)
		close(fd);
	return 0;
}
