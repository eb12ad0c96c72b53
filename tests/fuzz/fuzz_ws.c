/* fuzz_ws.c - any bytes from a WebSocket client, in pieces whose length is the first byte. The result must not
 * depend on the length of the pieces. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/ws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	uint64_t hash;
	bool open; /* inside a message */
};

static void on_piece(void *arg, const struct ws_piece *p)
{
	struct seen *s = arg;

	if (p->opcode == WS_TEXT || p->opcode == WS_BINARY) {
		if (p->first == s->open)
			abort(); /* messages begin and end in turn */
		s->open = !p->last;
	} else if (p->len > WS_CONTROL_MAX) {
		abort();
	}
	for (size_t i = 0; i < p->len; i++)
		s->hash = s->hash * 31 + p->data[i] + p->opcode;
}

static uint64_t run(const uint8_t *data, size_t size, size_t step)
{
	struct ws_reader r = { 0 };
	struct seen s = { 0 };
	uint8_t *copy = malloc(size + 1);
	struct err e;

	memcpy(copy, data, size);
	for (size_t at = 0; at < size; at += step)
		if (ws_read(&r, copy + at, size - at < step ? size - at : step, on_piece, &s, &e) < 0)
			break;
	free(copy);
	return s.hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	if (run(data + 1, size - 1, size) != run(data + 1, size - 1, data[0] + 1))
		abort();
	return 0;
}
