/* test_ws.c - WebSocket frames of a client, in pieces of every size, and frames that break RFC 6455. */
#include "reactor/ws.h"

#include <stdlib.h>

#include "tests/tap.h"

struct heard {
	size_t n;
	char text[256]; /* "1:[hello]" - opcode, [ first, ] last */
	size_t bytes, sum; /* of the bytes' values */
	struct ws_reader *stop;
};

static void record(void *arg, const struct ws_piece *p)
{
	struct heard *h = arg;
	size_t at = strlen(h->text);

	h->n++;
	h->bytes += p->len;
	for (size_t i = 0; i < p->len; i++)
		h->sum += p->data[i];
	if (at + p->len + 8 < sizeof(h->text))
		snprintf(h->text + at, sizeof(h->text) - at, "%d:%s%.*s%s ", p->opcode, p->first ? "[" : "",
			 (int)p->len, (const char *)p->data, p->last ? "]" : "");
	if (h->stop)
		ws_reader_stop(h->stop);
}

/* A frame as a client sends it: masked. first: FIN and opcode. */
static void put(struct buf *b, uint8_t first, const void *p, size_t n)
{
	static const uint8_t mask[] = { 0x37, 0xfa, 0x21, 0x3d };
	uint8_t head[4] = { first, (uint8_t)(0x80 | (n < 126 ? n : 126)), (uint8_t)(n >> 8), (uint8_t)n };

	buf_append(b, head, n < 126 ? 2 : 4);
	buf_append(b, mask, 4);
	for (size_t i = 0; i < n; i++) {
		uint8_t c = ((const uint8_t *)p)[i] ^ mask[i % 4];

		buf_append(b, &c, 1);
	}
}

static int read_all(struct buf *b, size_t step, struct heard *h)
{
	struct ws_reader r = { 0 };
	struct err e;
	int rc = 0;

	for (size_t at = 0; at < b->len && rc == 0; at += step)
		rc = ws_read(&r, b->at + at, b->len - at < step ? b->len - at : step, record, h, &e);
	buf_free(b);
	return rc < 0 ? -(int)e.code : 0;
}

static void messages(void)
{
	struct heard h = { 0 };
	struct buf b = { 0 };

	put(&b, 0x81, "Hello", 5);
	put(&b, 0x82, "", 0);
	put(&b, 0x82, "0123456789abcdefghij", 20); /* longer than the 8 bytes that are unmasked at once */
	ok(read_all(&b, 1000, &h) == 0);
	is_str(h.text, "1:[Hello] 2:[] 2:[0123456789abcdefghij] ");
}

static void in_single_bytes(void)
{
	struct heard h = { 0 };
	struct buf b = { 0 };

	put(&b, 0x81, "Hello", 5);
	put(&b, 0x89, "ping", 4);
	ok(read_all(&b, 1, &h) == 0);
	is_str(h.text, "1:[H 1:e 1:l 1:l 1:o] 9:[ping] ");
}

static void odd_pieces_keep_the_mask(void)
{
	static char big[300];
	struct heard h = { 0 };
	struct buf b = { 0 };

	memset(big, 'x', sizeof(big));
	put(&b, 0x82, big, sizeof(big));
	put(&b, 0x81, "end", 3);
	ok(read_all(&b, 7, &h) == 0);
	ok(h.bytes == 303 && h.sum == 300 * 'x' + 'e' + 'n' + 'd');
}

static void fragments_with_a_ping_between(void)
{
	struct heard h = { 0 };
	struct buf b = { 0 };

	put(&b, 0x02, "one ", 4);
	put(&b, 0x89, "", 0);
	put(&b, 0x00, "two ", 4);
	put(&b, 0x80, "three", 5);
	put(&b, 0x88, "\x03\xe8", 2);
	ok(read_all(&b, 1000, &h) == 0);
	is_str(h.text, "2:[one  9:[] 2:two  2:three] 8:[\x03\xe8] ");
}

static void the_rest_is_dropped_once_stopped(void)
{
	struct ws_reader r = { 0 };
	struct heard h = { .stop = &r };
	struct buf b = { 0 };
	struct err e;

	put(&b, 0x81, "one", 3);
	put(&b, 0x81, "two", 3);
	ok(ws_read(&r, b.at, b.len, record, &h, &e) == 0 && h.n == 1);
	buf_free(&b);
}

static void hostile_frames(void)
{
	static const struct {
		const char *what;
		size_t n;
		uint8_t bytes[16];
	} bad[] = {
		{ "without a mask", 3, { 0x81, 1, 'x' } },
		{ "an extension", 2, { 0xc1, 0x80 } },
		{ "opcode 3", 2, { 0x83, 0x80 } },
		{ "opcode 11", 2, { 0x8b, 0x80 } },
		{ "a ping of 126 bytes", 2, { 0x89, 0xfe } },
		{ "a ping in pieces", 2, { 0x09, 0x80 } },
		{ "a continuation of nothing", 2, { 0x80, 0x80 } },
		{ "a message inside another", 8, { 0x01, 0x80, 0, 0, 0, 0, 0x81, 0x80 } },
		{ "2^63 bytes", 14, { 0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4 } },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct heard h = { 0 };
		struct buf b = { 0 };

		printf("# %s\n", bad[i].what);
		buf_append(&b, bad[i].bytes, bad[i].n);
		ok(read_all(&b, 1000, &h) == -ERR_INVALID_ARGUMENT);
	}
}

static void lengths_that_we_write(void)
{
	static const struct {
		size_t n, head;
		uint8_t second;
	} cases[] = { { 0, 2, 0 }, { 125, 2, 125 }, { 126, 4, 126 }, { 65535, 4, 126 }, { 65536, 10, 127 } };
	static uint8_t bytes[65536];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct buf b = { 0 };

		ws_put(&b, WS_BINARY, bytes, cases[i].n);
		ok(b.len == cases[i].head + cases[i].n && b.at[0] == 0x82 && b.at[1] == cases[i].second);
		buf_free(&b);
	}
}

static void closing_and_the_accept_key(void)
{
	struct buf b = { 0 };
	char key[WS_ACCEPT_SIZE];

	ws_put_close(&b, WS_NORMAL, "bye");
	ok(b.len == 7 && memcmp(b.at, "\x88\x05\x03\xe8" "bye", 7) == 0);
	buf_free(&b);
	ws_accept_key("dGhlIHNhbXBsZSBub25jZQ==", key); /* RFC 6455, section 1.3 */
	is_str(key, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

int main(void)
{
	messages();
	in_single_bytes();
	odd_pieces_keep_the_mask();
	fragments_with_a_ping_between();
	the_rest_is_dropped_once_stopped();
	hostile_frames();
	lengths_that_we_write();
	closing_and_the_accept_key();
	return tap_end();
}
