/* http_upgrade.c - what http_upgrade.h has beside that which the engine does itself (http_engine.h). */
#include "reactor/http_upgrade.h"

#include <string.h>
#include <strings.h>

#include "reactor/http_engine.h"

/* A comma-separated list names the word, in any case of letters. */
static bool http_list_has(const char *list, const char *word)
{
	size_t n = strlen(word);

	while (list && *list) {
		size_t len;

		list += strspn(list, " \t,");
		len = strcspn(list, " \t,");
		if (len == n && strncasecmp(list, word, n) == 0)
			return true;
		list += len;
	}
	return false;
}

bool http_ask_upgrades_to(struct http_ask *a, const char *protocol)
{
	return http_list_has(http_engine_upgrade(a), protocol);
}

void http_ask_refuse(struct http_ask *a, int status, const struct pairs *headers, const char *text)
{
	struct buf body = { 0 };

	buf_printf(&body, "%s\n", text);
	http_engine_answer(a, status, "text/plain; charset=utf-8", headers, &body);
	buf_free(&body);
}
