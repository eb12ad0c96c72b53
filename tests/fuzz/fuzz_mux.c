/* fuzz_mux.c - any bytes from the other end of a multiplexed connection: whatever pieces they come in, the channels get
 * the same bytes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "reactor/buf.h"
#include "reactor/loop.h"
#include "reactor/mux.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	struct buf bytes; /* each with its channel */
	int gone;
};

static void on_data(void *arg, uint32_t channel, const uint8_t *bytes, size_t len)
{
	struct seen *s = arg;

	for (size_t i = 0; i < len; i++) {
		buf_append(&s->bytes, &channel, sizeof(channel));
		buf_append(&s->bytes, bytes + i, 1);
	}
}

static void on_gone(void *arg, const char *why)
{
	(void)why;
	((struct seen *)arg)->gone++;
}

static void feed(struct seen *s, const uint8_t *data, size_t size, size_t piece)
{
	static const struct mux_events events = { on_data, on_gone };
	struct mux *m;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		abort();
	m = mux_open(pair[0], &events, s);
	while (size && !s->gone) {
		size_t n = piece < size ? piece : size;

		if (write(pair[1], data, n) != (ssize_t)n)
			break;
		data += n;
		size -= n;
		loop_turn();
	}
	close(pair[1]);
	for (int i = 0; i < 4 && !s->gone; i++)
		loop_turn();
	if (s->gone != 1)
		abort();
	(void)m; /* it went with its end */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen whole = { 0 }, pieces = { 0 };

	size = size < 4096 ? size : 4096;
	feed(&whole, data, size, size ? size : 1);
	feed(&pieces, data, size, 7);
	if (whole.bytes.len != pieces.bytes.len ||
	    (whole.bytes.len && memcmp(whole.bytes.at, pieces.bytes.at, whole.bytes.len) != 0))
		abort();
	buf_free(&whole.bytes);
	buf_free(&pieces.bytes);
	return 0;
}
