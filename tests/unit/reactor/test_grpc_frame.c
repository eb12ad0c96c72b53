/* test_grpc_frame.c - gRPC's wire format: messages, percent-encoding, timeouts. */
#include "reactor/grpc_frame.h"

#include <stdlib.h>

#include "tests/tap.h"

enum { MAX = 1000 };

static enum grpc_read feed(struct grpc_reader *r, const char *bytes, size_t len, size_t *left)
{
	const uint8_t *at = (const uint8_t *)bytes;
	enum grpc_read what = grpc_reader_feed(r, &at, &len, MAX);

	*left = len;
	return what;
}

static void messages_come_whole_or_byte_by_byte(void)
{
	static const char two[] = "\0\0\0\0\3abc\0\0\0\0\0";
	struct grpc_reader r = { 0 };
	size_t left;

	ok(feed(&r, two, 13, &left) == GRPC_READ_MESSAGE && left == 5 && r.body_len == 3);
	ok(memcmp(grpc_reader_message(&r), "abc", 3) == 0 && !grpc_reader_is_between(&r));
	grpc_reader_next(&r);
	ok(grpc_reader_is_between(&r));
	ok(feed(&r, two + 8, 5, &left) == GRPC_READ_MESSAGE && r.body_len == 0 && grpc_reader_message(&r));
	grpc_reader_next(&r);
	for (int i = 0; i < 7; i++)
		ok(feed(&r, two + i, 1, &left) == GRPC_READ_MORE && left == 0);
	ok(feed(&r, two + 7, 1, &left) == GRPC_READ_MESSAGE);
	ok(memcmp(grpc_reader_message(&r), "abc", 3) == 0);
	grpc_reader_free(&r);
}

static void bad_prefixes_are_named(void)
{
	struct grpc_reader r = { 0 };
	size_t left;

	ok(feed(&r, "\1\0\0\0\3abc", 8, &left) == GRPC_READ_COMPRESSED);
	r = (struct grpc_reader){ 0 };
	ok(feed(&r, "\2\0\0\0\3abc", 8, &left) == GRPC_READ_BAD_FLAG);
	r = (struct grpc_reader){ 0 };
	ok(feed(&r, "\0\0\0\3\xe9", 5, &left) == GRPC_READ_TOO_BIG && !r.body.at);
	r = (struct grpc_reader){ 0 };
	ok(feed(&r, "\0\0\0\3\xe8", 5, &left) == GRPC_READ_MORE);
	r = (struct grpc_reader){ 0 };
	ok(feed(&r, "\0\xff\xff\xff\xff", 5, &left) == GRPC_READ_TOO_BIG);
}

static void a_prefix_reads_back(void)
{
	uint8_t at[GRPC_PREFIX];

	grpc_prefix_write(at, 0x01020304);
	ok(memcmp(at, "\0\1\2\3\4", GRPC_PREFIX) == 0);
}

static void encoded_is(const char *text, const char *want)
{
	struct buf b = { 0 };
	char back[64];

	grpc_percent_encode(&b, text);
	is_str(buf_str(&b), want);
	grpc_percent_decode(back, sizeof(back), b.at, b.len);
	if (!strpbrk(text, "\n\t"))
		is_str(back, text);
	buf_free(&b);
}

static void decoded_is(const char *text, const char *want)
{
	char out[64];

	grpc_percent_decode(out, sizeof(out), (const uint8_t *)text, strlen(text));
	is_str(out, want);
}

static void messages_are_percent_encoded(void)
{
	char small[4];

	encoded_is("", "");
	encoded_is("plain text, with ~ and !", "plain text, with ~ and !");
	encoded_is("100%", "100%25");
	encoded_is("caf\u00e9", "caf%C3%A9");
	encoded_is("two\nlines", "two%0Alines");
	encoded_is(" edges ", "%20edges%20");
	encoded_is("\x7f", "%7F");
	decoded_is("%zz%4", "%zz%4");
	decoded_is("%41%c3%A9%", "A\u00e9%");
	decoded_is("a%00b%0d", "a?b?");
	grpc_percent_decode(small, sizeof(small), (const uint8_t *)"abcdef", 6);
	is_str(small, "abc");
}

static int64_t parsed(const char *text)
{
	return grpc_timeout_parse_ms((const uint8_t *)text, strlen(text));
}

static void timeouts_have_six_units(void)
{
	ok(parsed("2H") == 7200000 && parsed("3M") == 180000 && parsed("20S") == 20000 && parsed("5m") == 5);
	ok(parsed("5000u") == 5 && parsed("5001u") == 6 && parsed("1n") == 1 && parsed("0n") == 0);
	ok(parsed("99999999H") == 99999999LL * 3600000);
	ok(parsed("") == -1 && parsed("S") == -1 && parsed("5") == -1 && parsed("5s") == -1 && parsed("-5S") == -1);
	ok(parsed("123456789S") == -1 && parsed("1.5S") == -1 && parsed(" 5S") == -1);
}

static void formatted_is(int64_t ms, const char *want)
{
	char out[GRPC_TIMEOUT_TEXT];

	grpc_timeout_format(out, ms);
	is_str(out, want);
}

static void timeouts_take_the_finest_unit_that_fits(void)
{
	formatted_is(1, "1m");
	formatted_is(99999999, "99999999m");
	formatted_is(100000001, "100001S");
	formatted_is(99999999999, "1666667M");
	formatted_is(INT64_MAX, "99999999H");
}

int main(void)
{
	messages_come_whole_or_byte_by_byte();
	bad_prefixes_are_named();
	a_prefix_reads_back();
	messages_are_percent_encoded();
	timeouts_have_six_units();
	timeouts_take_the_finest_unit_that_fits();
	return tap_end();
}
