/* test_spdy.c - frames written and read back, in pieces of every size; and frames that break SPDY/3.1. */
#include "reactor/spdy.h"

#include <stdlib.h>
#include <zlib.h>

#include "reactor/arena.h"
#include "reactor/spdy_zlib.h"
#include "tests/tap.h"

struct heard {
	size_t n;
	struct spdy_frame last;
	char headers[512], data[256];
	size_t len;
	struct spdy_reader *stop; /* at the first frame */
};

static void record(void *arg, const struct spdy_frame *f)
{
	struct heard *h = arg;

	h->n++;
	h->last = *f;
	for (size_t i = 0; i < f->headers.n; i++)
		snprintf(h->headers + strlen(h->headers), sizeof(h->headers) - strlen(h->headers), "%s=%s ",
			 f->headers.at[i].key, f->headers.at[i].value);
	if (f->type == SPDY_DATA && h->len + f->len < sizeof(h->data)) {
		memcpy(h->data + h->len, f->len ? f->data : (const uint8_t *)"", f->len);
		h->len += f->len;
	}
	if (h->stop)
		spdy_reader_stop(h->stop);
}

static int read_all(const void *p, size_t n, struct heard *h)
{
	struct spdy_reader *r = spdy_reader_new();
	struct err e;
	int rc = spdy_read(r, p, n, record, h, &e);

	spdy_reader_free(r);
	return rc < 0 ? -(int)e.code : 0;
}

static struct pair some[] = { { "streamtype", "stdin" }, { "port", "80" }, { "requestid", "" } };
static const struct pairs headers = { some, 3 };

/* Every kind once. */
static void write_some(struct buf *out)
{
	struct spdy_writer *w = spdy_writer_new();

	spdy_put_headers(w, out, SPDY_SYN_STREAM, 1, false, &headers);
	spdy_put_headers(w, out, SPDY_SYN_REPLY, 1, false, &headers);
	spdy_put_data(out, 1, false, "hello", 5);
	spdy_put_data(out, 1, true, "", 0);
	spdy_put_ping(out, 7);
	spdy_put_window_update(out, 1, 1000);
	spdy_put_reset(out, 1, SPDY_CANCEL);
	spdy_put_goaway(out, 1, 0);
	spdy_writer_free(w);
}

static void what_is_written_can_be_read(void)
{
	struct buf out = { 0 };
	struct heard h = { 0 };

	write_some(&out);
	ok(read_all(out.at, out.len, &h) == 0);
	ok(h.n == 8 && h.last.type == SPDY_GOAWAY && h.last.stream == 1);
	is_str(h.headers, "streamtype=stdin port=80 requestid= streamtype=stdin port=80 requestid= ");
	ok(h.len == 5 && memcmp(h.data, "hello", 5) == 0);
	buf_free(&out);
}

static void in_single_bytes(void)
{
	struct spdy_reader *r = spdy_reader_new();
	struct buf out = { 0 };
	struct heard h = { 0 };
	struct err e;
	int rc = 0;

	write_some(&out);
	for (size_t i = 0; i < out.len; i++)
		rc |= spdy_read(r, out.at + i, 1, record, &h, &e);
	ok(rc == 0 && h.n == 12); /* five pieces of data instead of one */
	ok(h.len == 5 && memcmp(h.data, "hello", 5) == 0);
	spdy_reader_free(r);
	buf_free(&out);
}

static void fin_comes_with_the_last_piece(void)
{
	struct spdy_reader *r = spdy_reader_new();
	struct buf out = { 0 };
	struct heard h = { 0 };
	struct err e;

	spdy_put_data(&out, 3, true, "abcd", 4);
	ok(spdy_read(r, out.at, out.len - 1, record, &h, &e) == 0 && h.n == 1 && !h.last.fin);
	ok(spdy_read(r, out.at + out.len - 1, 1, record, &h, &e) == 0 && h.n == 2 && h.last.fin);
	spdy_reader_free(r);
	buf_free(&out);
}

static void what_it_does_not_know_is_skipped(void)
{
	static const uint8_t credential[] = { 0x80, 3, 0, 10, 0, 0, 0, 3, 'x', 'y', 'z', 0x80,
					      3,    0, 6, 0,  0, 0, 4, 0, 0,   0,   9 };
	struct heard h = { 0 };

	ok(read_all(credential, sizeof(credential), &h) == 0);
	ok(h.n == 1 && h.last.type == SPDY_PING && h.last.value == 9);
}

static void settings(void)
{
	static const uint8_t window[] = { 0x80, 3, 0, 4, 0, 0, 0, 20, 0, 0, 0, 2, 0,    0,
					  0,    4, 0, 0, 0, 1, 0, 0,  0, 7, 0, 0, 0x10, 0 };
	static const uint8_t lies[] = { 0x80, 3, 0, 4, 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff };
	struct heard h = { 0 };

	ok(read_all(window, sizeof(window), &h) == 0 && h.last.type == SPDY_SETTINGS && h.last.value == 4096);
	ok(read_all(lies, sizeof(lies), &h) == 0 && h.last.value == 0);
}

static void the_rest_is_dropped_once_stopped(void)
{
	struct spdy_reader *r = spdy_reader_new();
	struct buf out = { 0 };
	struct heard h = { .stop = r };
	struct err e;

	write_some(&out);
	ok(spdy_read(r, out.at, out.len, record, &h, &e) == 0 && h.n == 1);
	ok(spdy_read(r, out.at, out.len, record, &h, &e) == 0 && h.n == 1);
	spdy_reader_free(r);
	buf_free(&out);
}

static void hostile_frames(void)
{
	static const struct {
		const char *what;
		size_t n;
		uint8_t bytes[24];
	} bad[] = {
		{ "version 2", 8, { 0x80, 2, 0, 1, 0, 0, 0, 10 } },
		{ "a SYN_STREAM of 16 MiB", 8, { 0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff } },
		{ "a SYN_STREAM of 9 bytes", 8, { 0x80, 3, 0, 1, 0, 0, 0, 9 } },
		{ "a PING of 3 bytes", 8, { 0x80, 3, 0, 6, 0, 0, 0, 3 } },
		{ "a RST_STREAM of 4 bytes", 8, { 0x80, 3, 0, 3, 0, 0, 0, 4 } },
		{ "headers that are not deflated", 24, { 0x80, 3, 0, 1, 0, 0, 0,   16,  0,   0,   0,   1,
							 0,    0, 0, 0, 0, 0, 'G', 'E', 'T', ' ', '/', ' ' } },
		{ "an HTTP request",
		  16,
		  { 'G' | 0x80, 'E', 'T', ' ', '/', ' ', 'H', 'T', 'T', 'P', '/', '1', '.', '1', '\r', '\n' } },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct heard h = { 0 };

		printf("# %s\n", bad[i].what);
		ok(read_all(bad[i].bytes, bad[i].n, &h) == -ERR_INVALID_ARGUMENT && h.n == 0);
	}
}

/* A SYN_STREAM whose header block inflates to these bytes. */
static int read_block(const void *plain, size_t n, struct heard *h)
{
	size_t dict_len, bound = n + n / 100 + 128;
	const Bytef *dict = spdy_dictionary(&dict_len);
	struct buf frame = { 0 };
	uint8_t head[18] = { 0x80, 3, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1 };
	z_stream z = { 0 };
	int rc;

	deflateInit(&z, 9);
	deflateSetDictionary(&z, dict, (uInt)dict_len);
	buf_append(&frame, head, sizeof(head));
	z.next_in = (Bytef *)plain;
	z.avail_in = (uInt)n;
	z.next_out = buf_room(&frame, bound);
	z.avail_out = (uInt)bound;
	deflate(&z, Z_SYNC_FLUSH);
	buf_added(&frame, bound - z.avail_out);
	deflateEnd(&z);
	frame.at[6] = (uint8_t)((frame.len - 8) >> 8);
	frame.at[7] = (uint8_t)(frame.len - 8);
	rc = read_all(frame.at, frame.len, h);
	buf_free(&frame);
	return rc;
}

static void hostile_headers(void)
{
	static char bomb[SPDY_PLAIN_MAX + 1];
	struct heard h = { 0 };

	ok(read_block("\0\0\0\1\0\0\0\1a\0\0\0\2bc", 15, &h) == 0);
	is_str(h.headers, "a=bc ");
	h.n = 0;
	ok(read_block("\0\0", 2, &h) == -ERR_INVALID_ARGUMENT);                                        /* no count */
	/* one header is missing */
	ok(read_block("\0\0\0\2\0\0\0\1a\0\0\0\1b", 14, &h) == -ERR_INVALID_ARGUMENT);
	/* a length beyond the block */
	ok(read_block("\0\0\0\1\0\0\0\1a\xff\xff\xff\xff" "b", 14, &h) == -ERR_INVALID_ARGUMENT);
	ok(read_block("\0\0\0\1\0\0\0\0\0\0\0\1b", 13, &h) == -ERR_INVALID_ARGUMENT);                 /* no name */
	ok(read_block("\0\0\0\1\0\0\0\1A\0\0\0\1b", 14, &h) == -ERR_INVALID_ARGUMENT);                /* capitals */
	ok(read_block("\0\0\0\2\0\0\0\1a\0\0\0\1b\0\0\0\1a\0\0\0\1c", 24, &h) == -ERR_INVALID_ARGUMENT); /* twice */
	ok(read_block("\0\0\0\xff", 4, &h) == -ERR_INVALID_ARGUMENT);                                 /* too many */
	/* too long once inflated */
	ok(read_block(bomb, sizeof(bomb), &h) == -ERR_INVALID_ARGUMENT);
	ok(h.n == 0);
}

int main(void)
{
	what_is_written_can_be_read();
	in_single_bytes();
	fin_comes_with_the_last_piece();
	what_it_does_not_know_is_skipped();
	settings();
	the_rest_is_dropped_once_stopped();
	hostile_frames();
	hostile_headers();
	return tap_end();
}
