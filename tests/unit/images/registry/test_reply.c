/* test_reply.c - what a registry says of an error, as a part of our own message. */
#include <string.h>

#include "images/registry/reply.h"
#include "reactor/utf8.h"
#include "tests/tap.h"

static const char *text_of(const char *body, struct arena *a)
{
	struct reply r = { .status = 500, .content_type = "text/plain" };
	const char *text;

	buf_puts(&r.body, body);
	text = reply_text(&r, a);
	buf_free(&r.body);
	return text;
}

static void a_long_text_is_cut_between_characters(void)
{
	static const char *const characters[] = { "x", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x90\x90" };
	struct arena *a = arena_new();
	char body[400];

	for (size_t i = 0; i < 4; i++)
		for (size_t before = 290; before <= 300; before++) {
			const char *text;

			memset(body, 'a', before);
			body[before] = '\0';
			for (int n = 0; n < 20; n++)
				strcat(body, characters[i]);
			text = text_of(body, a);
			if (!utf8_valid(text, strlen(text)) || strlen(text) < strlen("status 500: ") + 297 ||
			    strlen(text) > strlen("status 500: ") + 300)
				ok(!"it is cut between characters");
		}
	is_str(text_of("short\x01text\nsecond line", a), "status 500: short text");
	arena_free(a);
}

int main(void)
{
	a_long_text_is_cut_between_characters();
	return tap_end();
}
