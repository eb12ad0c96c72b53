/* reply.c - see reply.h. Errors: distribution-spec "Error Codes", {"errors": [{"code", "message"}]}. */
#include "images/registry/reply.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "reactor/http_client.h"
#include "reactor/json.h"
#include "reactor/loop.h"

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

static uint64_t range_from(const char *value)
{
	char *end;
	unsigned long long from;

	if (strncasecmp(value, "bytes ", 6) != 0 || value[6] < '0' || value[6] > '9')
		return UINT64_MAX;
	from = strtoull(value + 6, &end, 10);
	return *end == '-' ? from : UINT64_MAX;
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
	r->range_from = range_from(header(r, h, "Content-Range"));
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

/* At most 300 bytes of the text, with control characters replaced by blanks. */
static const char *reply_clean(const char *text, struct arena *a)
{
	char *out = arena_strndup(a, text, 300);

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
