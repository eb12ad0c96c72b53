/* fuzz_spdy.c - any bytes from a SPDY peer, in two pieces; the first byte is the place of the cut. The user of the
 * connection writes, ends, resets and reads as the callbacks require. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/spdy_mux.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct spdy_mux *mux;
static size_t sent;

static void on_send(void *arg, const void *p, size_t n)
{
	(void)arg;
	sent += n + *(const uint8_t *)p;
}

static void on_open(void *arg, uint32_t stream, const struct pairs *headers)
{
	(void)arg;
	for (size_t i = 0; i < headers->n; i++)
		sent += strlen(headers->at[i].key) + strlen(headers->at[i].value);
	spdy_mux_write(mux, stream, "welcome", 7);
	if (headers->n == 3)
		spdy_mux_reset(mux, stream, SPDY_REFUSED_STREAM);
}

static void on_data(void *arg, uint32_t stream, const void *p, size_t n)
{
	static char big[100000];

	(void)arg;
	switch (*(const uint8_t *)p) {
	case 'b':
		return spdy_mux_write(mux, stream, big, sizeof(big));
	case 'f':
		return spdy_mux_fin(mux, stream);
	case 'r':
		return spdy_mux_reset(mux, stream, SPDY_CANCEL);
	case 's':
		return spdy_mux_stop(mux);
	case 'o':
		return spdy_mux_fin(mux, stream + 2);
	default:
		return spdy_mux_taken(mux, stream, n);
	}
}

static void on_end(void *arg, uint32_t stream)
{
	(void)arg;
	spdy_mux_write(mux, stream, "bye", 3);
	spdy_mux_fin(mux, stream);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct spdy_mux_events events = { on_send, on_open, on_data, on_end, on_end, on_end };
	size_t cut;
	struct err e;

	if (size < 1)
		return 0;
	cut = data[0] < size - 1 ? data[0] : size - 1;
	mux = spdy_mux_new(&events, NULL);
	if (spdy_mux_read(mux, data + 1, cut, &e) == 0)
		spdy_mux_read(mux, data + 1 + cut, size - 1 - cut, &e);
	spdy_mux_goaway(mux);
	spdy_mux_free(mux);
	return 0;
}
