/* words.c - see words.h. */
#include "handlers/stream/words.h"

#include <stdio.h>
#include <string.h>

#include "reactor/json.h"

enum { RESIZE_MAX = 4096 };

static json_t *exit_status(int32_t exit_code)
{
	char number[16], message[64];

	if (!exit_code)
		return json_pack("{s:{}, s:s}", "metadata", "status", "Success");
	snprintf(number, sizeof(number), "%d", exit_code);
	snprintf(message, sizeof(message), "command terminated with non-zero exit code: %d", exit_code);
	return json_pack("{s:{}, s:s, s:s, s:s, s:{s:[{s:s, s:s}]}}", "metadata", "status", "Failure", "reason",
			 "NonZeroExitCode", "message", message, "details", "causes", "reason", "ExitCode", "message",
			 number);
}

/* A runtime's message may be cut inside a character, but JSON must be UTF-8. */
static void make_ascii(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s >= 128 || (unsigned char)*s < ' ')
			*s = '?';
}

void words_status(struct buf *out, int version, const struct err *e, int32_t exit_code)
{
	struct arena *a = arena_new();
	char *message = e ? arena_printf(a, "error executing command in container: %s", e->msg) : NULL;
	auto_json json_t *j = NULL;

	if (message)
		make_ascii(message);
	if (version < STATUS_JSON_SINCE) {
		if (e)
			buf_puts(out, message);
		else if (exit_code)
			buf_printf(out, "command terminated with non-zero exit code: %d", exit_code);
	} else {
		j = e ? json_pack("{s:{}, s:s, s:s, s:s, s:i}", "metadata", "status", "Failure", "reason",
				  "InternalError", "message", message, "code", 500)
		      : exit_status(exit_code);
		buf_puts(out, json_text(a, j));
	}
	arena_free(a);
}

static void one_size(const char *text, size_t len, void (*fn)(void *arg, uint16_t width, uint16_t height), void *arg)
{
	struct err e;
	auto_json json_t *j = json_parse(text, len, "terminal size", &e);
	int64_t width = json_get_int(j, "Width"), height = json_get_int(j, "Height");

	if (width > 0 && height > 0 && width <= UINT16_MAX && height <= UINT16_MAX)
		fn(arg, (uint16_t)width, (uint16_t)height);
}

void words_resize(struct buf *in, const void *p, size_t n, void (*fn)(void *arg, uint16_t width, uint16_t height),
		  void *arg)
{
	const uint8_t *end;

	buf_append(in, p, n);
	while (in->len && (end = memchr(in->at, '}', in->len))) {
		size_t len = (size_t)(end + 1 - in->at);

		one_size((const char *)in->at, len, fn, arg);
		buf_consume(in, len);
	}
	if (in->len > RESIZE_MAX)
		buf_free(in);
}
