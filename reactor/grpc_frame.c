/* grpc_frame.c - see grpc_frame.h. */
#include "reactor/grpc_frame.h"

#include <stdio.h>
#include <string.h>

#include "reactor/be32.h"

void grpc_prefix_write(uint8_t at[GRPC_PREFIX], uint32_t len)
{
	at[0] = 0;
	be32_put(at + 1, len);
}

static enum grpc_read read_prefix(struct grpc_reader *r, uint32_t max)
{
	const uint8_t *p = r->prefix;

	r->body_len = be32_get(p + 1);
	if (p[0] > 1)
		return GRPC_READ_BAD_FLAG;
	if (p[0] == 1)
		return GRPC_READ_COMPRESSED;
	if (r->body_len > max)
		return GRPC_READ_TOO_BIG;
	return r->body_len ? GRPC_READ_MORE : GRPC_READ_MESSAGE;
}

enum grpc_read grpc_reader_feed(struct grpc_reader *r, const uint8_t **at, size_t *len, uint32_t max)
{
	size_t n;

	while (r->prefix_len < GRPC_PREFIX) {
		enum grpc_read what;

		if (*len == 0)
			return GRPC_READ_MORE;
		r->prefix[r->prefix_len++] = *(*at)++;
		(*len)--;
		if (r->prefix_len == GRPC_PREFIX && (what = read_prefix(r, max)) != GRPC_READ_MORE)
			return what;
	}
	/* The memory grows with the received bytes, not with the announced length. */
	n = r->body_len - r->body.len < *len ? r->body_len - r->body.len : *len;
	buf_append(&r->body, *at, n);
	*at += n;
	*len -= n;
	return r->body.len == r->body_len ? GRPC_READ_MESSAGE : GRPC_READ_MORE;
}

const uint8_t *grpc_reader_message(const struct grpc_reader *r)
{
	return r->body.at ? r->body.at : (const uint8_t *)"";
}

void grpc_reader_next(struct grpc_reader *r)
{
	buf_free(&r->body);
	r->prefix_len = 0;
}

bool grpc_reader_is_between(const struct grpc_reader *r)
{
	return r->prefix_len == 0;
}

void grpc_reader_free(struct grpc_reader *r)
{
	buf_free(&r->body);
}

bool grpc_field_is(const uint8_t *text, size_t len, const char *want)
{
	return len == strlen(want) && memcmp(text, want, len) == 0;
}

void grpc_percent_encode(struct buf *out, const char *text)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		bool edge = i == 0 || i == len - 1; /* RFC 9113 8.2.1: a field value has no space at its ends */

		if (c < ' ' || c > '~' || c == '%' || (c == ' ' && edge))
			buf_printf(out, "%%%02X", c);
		else
			buf_append(out, &c, 1);
	}
}

static int hex(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void grpc_percent_decode(char *out, size_t size, const uint8_t *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n + 1 < size; i++) {
		uint8_t c = text[i];

		if (c == '%' && i + 2 < len && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
			c = (uint8_t)(hex(text[i + 1]) << 4 | hex(text[i + 2]));
			i += 2;
		}
		out[n++] = c < ' ' ? '?' : (char)c;
	}
	out[n] = '\0';
}

static const struct unit {
	char name;
	int64_t ms;    /* 0: finer than a millisecond, see per_ms */
	int64_t per_ms;
} units[] = {
	{ 'm', 1, 1 }, { 'S', 1000, 1 }, { 'M', 60000, 1 }, { 'H', 3600000, 1 }, { 'u', 0, 1000 }, { 'n', 0, 1000000 },
};

enum { UNITS = sizeof(units) / sizeof(units[0]), COARSEST = 3, DIGITS = 8, MAX_VALUE = 99999999 };

int64_t grpc_timeout_parse_ms(const uint8_t *text, size_t len)
{
	int64_t v = 0;

	if (len < 2 || len > DIGITS + 1)
		return -1;
	for (size_t i = 0; i + 1 < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		v = v * 10 + (text[i] - '0');
	}
	for (int i = 0; i < UNITS; i++)
		if (units[i].name == (char)text[len - 1])
			return units[i].ms ? v * units[i].ms : (v + units[i].per_ms - 1) / units[i].per_ms;
	return -1;
}

void grpc_timeout_format(char out[GRPC_TIMEOUT_TEXT], int64_t ms)
{
	int64_t v = ms;
	int i = 0;

	while (v > MAX_VALUE && i < COARSEST) {
		i++;
		v = ms / units[i].ms + (ms % units[i].ms != 0);
	}
	snprintf(out, GRPC_TIMEOUT_TEXT, "%u%c", (unsigned)(v < MAX_VALUE ? v : MAX_VALUE), units[i].name);
}
