/* json.c - see json.h. */
#include "reactor/json.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/own.h"

enum { DEPTH_MAX = 64 };

static bool too_deep(const json_t *j, int left)
{
	const char *key;
	json_t *v;
	size_t i;

	if (left == 0)
		return true;
	if (json_is_array(j)) {
		json_array_foreach(j, i, v)
			if (too_deep(v, left - 1))
				return true;
	} else if (json_is_object(j)) {
		json_object_foreach((json_t *)j, key, v)
			if (too_deep(v, left - 1))
				return true;
	}
	return false;
}

/* Counts values by punctuation, so that text from outside is refused before jansson makes anything of it. A member of
 * an object counts twice: jansson takes 1 us to make and free it, and half of that for other values. The count of text
 * that is not JSON means nothing; jansson refuses such text at its first fault. */
static bool json_is_big(const char *text, size_t len)
{
	const char *end = text + len;
	size_t values = 1;

	while (text < end && values <= JSON_VALUES_MAX) {
		char c = *text++;

		values += c == '{' || c == '[' || c == ',' || c == ':';
		if (c != '"')
			continue;
		while (text < end && *text != '"')
			text += *text == '\\' ? 2 : 1;
		text++;
	}
	return values > JSON_VALUES_MAX;
}

json_t *json_parse_own(const char *text, size_t len, const char *what, struct err *e)
{
	json_error_t fault;
	json_t *j = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &fault);

	if (!j) {
		err_set(e, ERR_INTERNAL, "%s: line %d column %d: %s", what, fault.line, fault.column, fault.text);
		return NULL;
	}
	if (too_deep(j, DEPTH_MAX)) {
		json_decref(j);
		err_set(e, ERR_INTERNAL, "%s: nested deeper than %d levels", what, DEPTH_MAX);
		return NULL;
	}
	return j;
}

json_t *json_parse(const char *text, size_t len, const char *what, struct err *e)
{
	if (len > JSON_BYTES_MAX) {
		err_set(e, ERR_INTERNAL, "%s: %zu bytes; %d are allowed", what, len, JSON_BYTES_MAX);
		return NULL;
	}
	if (json_is_big(text, len)) {
		err_set(e, ERR_INTERNAL, "%s: more than %d values", what, JSON_VALUES_MAX);
		return NULL;
	}
	return json_parse_own(text, len, what, e);
}

json_t *json_parse_early(const char *text, size_t len, const char *key)
{
	char member[64];
	int n = snprintf(member, sizeof(member), "\"%s\":", key);
	const char *at = n < (int)sizeof(member) ? memmem(text, len, member, (size_t)n) : NULL;
	json_error_t fault;
	json_t *j;

	/* In a string its quotes would be escaped; and in a deeper object there is another bracket before it. */
	if (!at || *text != '{' || memchr(text + 1, '{', (size_t)(at - text - 1)) ||
	    memchr(text + 1, '[', (size_t)(at - text - 1)))
		return NULL;
	at += n;
	j = json_loadb(at, len - (size_t)(at - text), JSON_REJECT_DUPLICATES | JSON_DISABLE_EOF_CHECK, &fault);
	if (j && (!json_is_object(j) || too_deep(j, DEPTH_MAX)))
		json_decref(take_ptr(&j));
	return j;
}

char *json_text(struct arena *a, const json_t *j)
{
	auto_free char *text = own_must(json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY));

	return arena_strdup(a, text);
}

const char *json_get_str(struct arena *a, const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? arena_strdup(a, s) : "";
}

int64_t json_get_int(const json_t *j, const char *key)
{
	return json_integer_value(json_object_get(j, key));
}
