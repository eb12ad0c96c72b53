/* words.c - see words.h. */
#include "handlers/stream/words.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "reactor/json.h"

enum { RESIZE_MAX = 4096, TRIES = 8 };

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

static bool one_size(const uint8_t *text, size_t len, void (*fn)(void *arg, uint16_t width, uint16_t height),
		     void *arg)
{
	struct err e;
	auto_json json_t *j = json_parse((const char *)text, len, "terminal size", &e);
	int64_t width = json_get_int(j, "Width"), height = json_get_int(j, "Height");

	if (width <= 0 || height <= 0 || width > UINT16_MAX || height > UINT16_MAX)
		return false;
	fn(arg, (uint16_t)width, (uint16_t)height);
	return true;
}

/* The number of bytes up to the last '}' and with it; 0: there is none. */
static size_t last_end(const uint8_t *p, size_t n)
{
	const uint8_t *end = n ? memrchr(p, '}', n) : NULL;

	return end ? (size_t)(end + 1 - p) : 0;
}

/* Text that is no size is passed over a few times only: a client may send nothing else. */
void words_resize(struct buf *in, const void *p, size_t n, void (*fn)(void *arg, uint16_t width, uint16_t height),
		  void *arg)
{
	size_t whole, end;

	buf_append(in, p, n);
	whole = end = last_end(in->at, in->len);
	for (int i = 0; i < TRIES && end; i++) {
		size_t begin = last_end(in->at, end - 1);

		if (one_size(in->at + begin, end - begin, fn, arg))
			break;
		end = begin;
	}
	if (whole)
		buf_consume(in, whole);
	if (in->len > RESIZE_MAX)
		buf_free(in);
}
