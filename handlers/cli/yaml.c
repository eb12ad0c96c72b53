/* yaml.c - see yaml.h. A quoted word is a JSON string, which YAML takes as it is. */
#include "handlers/cli/yaml.h"

#include <stdlib.h>
#include <string.h>

#include "reactor/own.h"
#include "reactor/words.h"

/* Only what is surely a plain string: a number, a date or a switch would have another type. */
static bool is_plain_word(const char *word)
{
	static const char *const other[] = { "true", "false", "yes", "no", "on", "off", "null", "y", "n", NULL };
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
	static const char more[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789./-";
	char low[8];
	size_t n = strlen(word);

	if (!*word || (*word != '/' && !strchr(letters, *word)) || word[strspn(word, more)])
		return false;
	for (size_t i = 0; i <= n && n < sizeof(low); i++)
		low[i] = word[i] >= 'A' && word[i] <= 'Z' ? (char)(word[i] + 32) : word[i];
	return n >= sizeof(low) || !word_is_one_of(low, other);
}

static void put_word(struct buf *out, const char *word)
{
	auto_json json_t *j = json_string(word);
	auto_free char *quoted = is_plain_word(word) ? NULL : own_must(json_dumps(j, JSON_ENCODE_ANY));

	buf_puts(out, quoted ? quoted : word);
}

void cli_yaml_value(struct buf *out, const json_t *v)
{
	auto_free char *text = NULL;
	const char *key, *comma = "";
	json_t *one;
	size_t i;

	switch (json_typeof(v)) {
	case JSON_OBJECT:
		buf_puts(out, "{");
		json_object_foreach((json_t *)v, key, one) {
			buf_puts(out, comma);
			put_word(out, key);
			buf_puts(out, ": ");
			cli_yaml_value(out, one);
			comma = ", ";
		}
		return buf_puts(out, "}");
	case JSON_ARRAY:
		buf_puts(out, "[");
		json_array_foreach((json_t *)v, i, one) {
			buf_puts(out, comma);
			cli_yaml_value(out, one);
			comma = ", ";
		}
		return buf_puts(out, "]");
	case JSON_STRING: return put_word(out, json_string_value(v));
	default:
		text = own_must(json_dumps(v, JSON_ENCODE_ANY));
		return buf_puts(out, text);
	}
}

void cli_yaml_members(struct buf *out, const json_t *object, int depth)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)object, key, v) {
		buf_printf(out, "%*s", 2 * depth, "");
		put_word(out, key);
		if (json_object_size(v)) {
			buf_puts(out, ":\n");
			cli_yaml_members(out, v, depth + 1);
			continue;
		}
		buf_puts(out, ": ");
		cli_yaml_value(out, v);
		buf_puts(out, "\n");
	}
}
