/* fuzz_words.c - any bytes as a client's terminal sizes: a sequence of JSON objects, in pieces whose length is the
 * first byte. The buffered part must stay bounded, and the length of the pieces must not change the result. */
#include <stdint.h>
#include <stdlib.h>

#include "handlers/stream/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { KEPT_MAX = 64 << 10 };

static void on_size(void *arg, uint16_t width, uint16_t height)
{
	uint64_t *hash = arg;

	if (!width || !height)
		abort();
	*hash = *hash * 31 + (uint64_t)width * 65536 + height;
}

static uint64_t run(const uint8_t *data, size_t size, size_t step)
{
	struct buf in = { 0 };
	uint64_t hash = 0;

	for (size_t at = 0; at < size; at += step) {
		words_resize(&in, data + at, size - at < step ? size - at : step, on_size, &hash);
		if (in.len > KEPT_MAX)
			abort();
	}
	buf_free(&in);
	return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	run(data + 1, size - 1, size - 1);
	run(data + 1, size - 1, (size_t)data[0] + 1);
	return 0;
}
