/* fuzz_stats.c - any bytes as each of the kernel's texts: every parser stays in bounds and keeps its contract. */
#include "procs/stats_text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	uint64_t v = 0, other = 0;
	const struct stats_want want[] = { { "anon", &v }, { "file", &other } };
	struct net_usage net[3];
	struct io_devices io = { .n = 0 };
	struct pressure p = { 0 };
	size_t n;

	memcpy(text, data, size);
	text[size] = '\0';
	stats_number(text, &v);
	stats_flat(text, want, 2);
	stats_pressure(text, &p);
	stats_io_v2(text, &io);
	stats_io_v1(text, false, &io);
	stats_io_v1(text, true, &io);
	assert(io.n <= IO_DEVICES_MAX);
	n = stats_net_dev(text, net, 3);
	assert(n <= 3);
	for (size_t i = 0; i < n; i++)
		assert(strnlen(net[i].name, sizeof(net[i].name)) < sizeof(net[i].name) &&
		       strcmp(net[i].name, "lo") != 0);
	free(text);
	return 0;
}
