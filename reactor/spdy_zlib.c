/* spdy_zlib.c - see spdy_zlib.h.
 *
 * A block is a 32-bit count and, for each header, name and value with a 32-bit length before them. All blocks of a
 * direction are one deflate stream, flushed after each block. */
#include "reactor/spdy_zlib.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/be32.h"
#include "reactor/own.h"
#include "reactor/spdy.h"

enum { DICTIONARY_SIZE = 1423, DICTIONARY_ADLER = (int)0xe3c6a7c2u };

/* The dictionary is these words, each after its length as in a header block, then one text without a length. */
static const char *const words[] = {
	"options", "head", "post", "put", "delete", "trace", "accept", "accept-charset", "accept-encoding",
	"accept-language", "accept-ranges", "age", "allow", "authorization", "cache-control", "connection",
	"content-base", "content-encoding", "content-language", "content-length", "content-location", "content-md5",
	"content-range", "content-type", "date", "etag", "expect", "expires", "from", "host", "if-match",
	"if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "last-modified", "location",
	"max-forwards", "pragma", "proxy-authenticate", "proxy-authorization", "range", "referer", "retry-after",
	"server", "te", "trailer", "transfer-encoding", "upgrade", "user-agent", "vary", "via", "warning",
	"www-authenticate", "method", "get", "status", "200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie",
	"keep-alive", "origin",
};
static const char text[] =
	"100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
	"203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized"
	"403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
	"Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
	"chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,"
	"text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

const Bytef *spdy_dictionary(size_t *len)
{
	static uint8_t dictionary[DICTIONARY_SIZE];
	uint8_t *at = dictionary;

	*len = DICTIONARY_SIZE;
	if (dictionary[3])
		return dictionary;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		size_t n = strlen(words[i]);

		be32_put(at, (uint32_t)n);
		memcpy(at + 4, words[i], n);
		at += 4 + n;
	}
	assert((size_t)(dictionary + DICTIONARY_SIZE - at) == sizeof(text) - 1);
	memcpy(at, text, sizeof(text) - 1);
	assert(adler32(adler32(0, NULL, 0), dictionary, DICTIONARY_SIZE) == (uLong)(uint32_t)DICTIONARY_ADLER);
	return dictionary;
}

/* The inflated bytes of p, fewer than SPDY_PLAIN_MAX. */
static uint8_t *inflate_block(z_stream *z, const uint8_t *p, size_t n, struct arena *a, size_t *len, struct err *e)
{
	auto_free uint8_t *plain = own_must(malloc(SPDY_PLAIN_MAX));
	size_t dict_len;
	const Bytef *dict = spdy_dictionary(&dict_len);
	int rc = Z_OK;

	z->next_in = (Bytef *)p;
	z->avail_in = (uInt)n;
	z->next_out = plain;
	z->avail_out = SPDY_PLAIN_MAX;
	while (z->avail_in && rc == Z_OK) {
		rc = inflate(z, Z_SYNC_FLUSH);
		if (rc == Z_NEED_DICT)
			rc = inflateSetDictionary(z, dict, (uInt)dict_len);
	}
	*len = SPDY_PLAIN_MAX - z->avail_out;
	if (!z->avail_out || (rc != Z_OK && rc != Z_BUF_ERROR)) {
		err_set(e, ERR_INVALID_ARGUMENT, "spdy: a header block %s",
			z->avail_out ? "is not deflated" : "is too long");
		return NULL;
	}
	return arena_memdup(a, plain, *len);
}

struct cursor {
	const uint8_t *at;
	size_t left;
};

static int take32(struct cursor *c, uint32_t *out)
{
	if (c->left < 4)
		return -1;
	*out = be32_get(c->at);
	c->at += 4;
	c->left -= 4;
	return 0;
}

/* NULs separate several values of one header. The string ends at the first NUL: only the first value is used. */
static const char *take_string(struct cursor *c, struct arena *a)
{
	const char *s;
	uint32_t n;

	if (take32(c, &n) < 0 || n > c->left)
		return NULL;
	s = arena_strndup(a, (const char *)c->at, n);
	c->at += n;
	c->left -= n;
	return s;
}

static bool is_name(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if ((*s >= 'A' && *s <= 'Z') || (unsigned char)*s <= ' ' || (unsigned char)*s >= 127)
			return false;
	return true;
}

int spdy_inflate(z_stream *z, const uint8_t *p, size_t n, struct arena *a, struct pairs *out, struct err *e)
{
	struct cursor c = { 0 };
	uint32_t count;

	*out = (struct pairs){ 0 };
	c.at = inflate_block(z, p, n, a, &c.left, e);
	if (!c.at)
		return -1;
	if (take32(&c, &count) < 0 || count > SPDY_HEADERS_MAX)
		return err_set(e, ERR_INVALID_ARGUMENT, "spdy: a header block without a count, or of too many headers");
	out->at = arena_zalloc(a, (count + 1) * sizeof(*out->at));
	for (; out->n < count; out->n++) {
		struct pair *h = &out->at[out->n];

		h->key = take_string(&c, a);
		h->value = h->key ? take_string(&c, a) : NULL;
		if (!h->value || !is_name(h->key))
			return err_set(e, ERR_INVALID_ARGUMENT,
				       "spdy: a header block is cut short or has a malformed name");
		if (pairs_get(out, h->key))
			return err_set(e, ERR_INVALID_ARGUMENT, "spdy: a header is there twice");
	}
	return 0;
}

static void put_string(struct buf *to, const char *s)
{
	uint8_t len[4];

	be32_put(len, (uint32_t)strlen(s));
	buf_append(to, len, 4);
	buf_puts(to, s);
}

void spdy_deflate(z_stream *z, const struct pairs *headers, struct buf *out)
{
	struct buf plain = { 0 };
	uint8_t count[4];
	uLong bound;
	int rc;

	be32_put(count, (uint32_t)headers->n);
	buf_append(&plain, count, 4);
	for (size_t i = 0; i < headers->n; i++) {
		put_string(&plain, headers->at[i].key);
		put_string(&plain, headers->at[i].value);
	}
	bound = deflateBound(z, plain.len) + 16; /* and the marker of the flush */
	z->next_in = plain.at;
	z->avail_in = (uInt)plain.len;
	z->next_out = buf_room(out, bound);
	z->avail_out = (uInt)bound;
	rc = deflate(z, Z_SYNC_FLUSH);
	assert(rc == Z_OK && !z->avail_in && z->avail_out);
	buf_added(out, bound - z->avail_out);
	buf_free(&plain);
}
