/* fuzz_flight.c - any bytes as the file of the flight recorder: each line that is read ends with its NUL, and is not
 * longer than a line may be. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/flight.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(void *arg, int64_t at_ns, const char *line)
{
	(void)at_ns;
	if (strlen(line) > FLIGHT_LINE)
		abort();
	++*(size_t *)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t seen = 0;

	size -= size % FLIGHT_SLOT;
	if (flight_read(data, size, look, &seen) != seen || seen > size / FLIGHT_SLOT)
		abort();
	return 0;
}
