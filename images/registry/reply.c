/* reply.c - see reply.h. Errors: distribution-spec "Error Codes", {"errors": [{"code", "message"}]}. */
#include "images/registry/reply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "reactor/http_client.h"
#include "reactor/json.h"
#include "reactor/loop.h"
#include "reactor/utf8.h"

enum { BODY_MAX = 8 << 10, FLOOD = 1 << 20, WAIT_MAX_MS = 60 * 1000 };

int64_t retry_after_ms(const char *value, int64_t now_s)
{
	struct tm tm = { 0 };
	char *end;
	long long s = strtoll(value, &end, 10);

	if (!*value)
		return 0;
	if (end == value || *end) {
		end = strptime(value, "%a, %d %b %Y %H:%M:%S GMT", &tm);
		if (!end)
			return 0;
		s = timegm(&tm) - now_s;
	}
	return s <= 0 ? 0 : s > WAIT_MAX_MS / 1000 ? WAIT_MAX_MS : s * 1000;
}

static const char *header(struct reply *r, const struct http *h, const char *name)
{
	const char *v = http_header(h, name);

	return v ? arena_strdup(r->arena, v) : "";
}

static bool range_number(const char **p, uint64_t *out)
{
	char *end;

	if (**p < '0' || **p > '9')
		return false;
	errno = 0;
	*out = strtoull(*p, &end, 10);
	*p = end;
	return errno == 0;
}

/* "bytes 0-99/200", or an asterisk for the 200. RFC 9110, section 14.4. */
static void reply_range(struct reply *r, const char *p)
{
	uint64_t from, to;

	r->range_from = r->range_to = r->range_of = UINT64_MAX;
	if (strncasecmp(p, "bytes ", 6) != 0)
		return;
	p += 6;
	if (!range_number(&p, &from) || *p++ != '-' || !range_number(&p, &to) || to < from)
		return;
	r->range_from = from;
	r->range_to = to;
	if (*p++ != '/' || !range_number(&p, &r->range_of) || *p)
		r->range_of = UINT64_MAX;
}

void reply_head(struct reply *r, const struct http *h, int status)
{
	reply_free(r);
	r->arena = arena_new();
	r->status = status;
	r->content_type = header(r, h, "Content-Type");
	r->digest = header(r, h, "Docker-Content-Digest");
	r->location = header(r, h, "Location");
	r->challenge = header(r, h, "WWW-Authenticate");
	reply_range(r, header(r, h, "Content-Range"));
	r->retry_after_ms = retry_after_ms(header(r, h, "Retry-After"), loop_real_ns() / 1000000000);
}

bool reply_body(struct reply *r, const void *p, size_t n)
{
	if (r->body.len < BODY_MAX)
		buf_append(&r->body, p, n < BODY_MAX ? n : BODY_MAX);
	r->body_bytes += n;
	return r->body_bytes < FLOOD;
}

bool reply_refuse(struct reply *r, const char *why)
{
	r->refused = why;
	return false;
}

void reply_free(struct reply *r)
{
	buf_free(&r->body);
	arena_free(r->arena);
	*r = (struct reply){ 0 };
}

/* The bytes of the text that are whole characters within the first max. A text that is no UTF-8 is cut anywhere. */
static size_t reply_whole(const char *text, size_t max)
{
	size_t len = strlen(text), last = max;

	if (len <= max)
		return len;
	while (last > 0 && max - last < 3 && ((unsigned char)text[last] & 0xc0) == 0x80)
		last--;
	return utf8_char(text + last, len - last) ? last : max;
}

/* At most 300 bytes of the text, with control characters replaced by blanks. */
static const char *reply_clean(const char *text, struct arena *a)
{
	char *out = arena_strndup(a, text, reply_whole(text, 300));

	for (char *c = out; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
	return out;
}

const char *reply_text(struct reply *r, struct arena *a)
{
	const char *body = buf_str(&r->body), *code, *message;
	const json_t *first;
	auto_json json_t *j = NULL;
	struct err ignored; /* errors of proxies are mostly not JSON */

	if (strncasecmp(r->content_type, "text/html", 9) == 0 || body[strspn(body, " \t\r\n")] == '<')
		return arena_printf(a, "status %d with an html page, not a registry's answer", r->status);
	j = json_parse(body, r->body.len, "error", &ignored);
	first = json_array_get(json_object_get(j, "errors"), 0);
	code = json_get_str(a, first, "code");
	message = json_get_str(a, first, "message");
	if (*code || *message)
		return arena_printf(a, "status %d: %s%s%s", r->status, reply_clean(code, a),
			*code && *message ? ": " : "", reply_clean(message, a));
	if ((!*r->content_type || strncasecmp(r->content_type, "text/plain", 10) == 0) && *body)
		return arena_printf(
			a, "status %d: %s", r->status, reply_clean(arena_strndup(a, body, strcspn(body, "\r\n")), a));
	return arena_printf(a, "status %d", r->status);
}
