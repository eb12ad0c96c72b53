/* yaml_json.c - see yaml_json.h. */
#include "reactor/yaml_json.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "reactor/own.h"
#include "reactor/words.h"

enum { DEPTH_MAX = 64 };

/* What a plain value may be besides a string. */
enum plain { PLAIN_TEXT, PLAIN_NUMBER, PLAIN_SWITCH };

/* A list or an object that has begun. */
struct level {
	json_t *value; /* owned by the level above, the first one by the reader */
	json_t *key;   /* owned; of an object: the key whose value comes next, or NULL */
	enum plain plain; /* of the value of that key; of a list: of its items */
};

struct reader {
	yaml_parser_t parser;
	const struct yaml_types *types;
	const char *what;
	json_t *root; /* owned */
	struct level levels[DEPTH_MAX];
	size_t depth, values, documents;
};

static int yaml_bad(const struct reader *r, const yaml_mark_t *at, const char *fault, struct err *e)
{
	return err_set(e, ERR_INTERNAL, "%s: line %zu: %s", r->what, at->line + 1, fault);
}

/* NULL: it is no number. */
static json_t *number_of(const char *word)
{
	const char *digits = word + (*word == '-' || *word == '+');
	int base = 10;
	long long n;
	char *end, first;

	if (digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'o')) {
		base = digits[1] == 'x' ? 16 : 8;
		digits += 2;
	} else if (digits[0] == '0' && digits[1]) {
		base = 8;
	}
	first = *digits;
	/* strtoll() would take blanks and another sign. */
	if (!((first >= '0' && first <= '9') || (base == 16 && strchr("abcdefABCDEF", first) && first)))
		return NULL;
	errno = 0;
	n = strtoll(digits, &end, base);
	return *end || errno ? NULL : own_must(json_integer(*word == '-' ? -n : n));
}

static json_t *plain_value(enum plain plain, const char *word)
{
	json_t *number = plain == PLAIN_NUMBER ? number_of(word) : NULL;

	if (number)
		return number;
	if (!*word || strcmp(word, "~") == 0 || strcmp(word, "null") == 0)
		return json_null();
	if (plain == PLAIN_SWITCH && (strcmp(word, "true") == 0 || strcmp(word, "false") == 0))
		return json_boolean(*word == 't');
	return json_string(word); /* NULL: not UTF-8 */
}

/* Takes the reference. */
static int value_put(struct reader *r, const yaml_event_t *ev, json_t *value, struct err *e)
{
	struct level *l = r->depth ? &r->levels[r->depth - 1] : NULL;

	if (!value)
		return yaml_bad(r, &ev->start_mark, "no UTF-8", e);
	if (++r->values > JSON_VALUES_MAX) {
		json_decref(value);
		return yaml_bad(r, &ev->start_mark, "too many values", e);
	}
	if (!l) {
		r->root = value;
	} else if (json_is_array(l->value)) {
		own_must(json_array_append_new(l->value, value) == 0 ? l : NULL);
	} else {
		own_must(json_object_set_new(l->value, json_string_value(l->key), value) == 0 ? l : NULL);
		json_decref(take_ptr(&l->key));
	}
	return 0;
}

static bool is_key(const struct reader *r)
{
	const struct level *l = r->depth ? &r->levels[r->depth - 1] : NULL;

	return l && json_is_object(l->value) && !l->key;
}

static int key_take(struct reader *r, const yaml_event_t *ev, const char *word, struct err *e)
{
	struct level *l = &r->levels[r->depth - 1];

	if (json_object_get(l->value, word))
		return yaml_bad(r, &ev->start_mark, "a key that was there before", e);
	l->key = json_string(word);
	if (!l->key)
		return yaml_bad(r, &ev->start_mark, "no UTF-8", e);
	l->plain = word_is_one_of(word, r->types->numbers)	 ? PLAIN_NUMBER
		   : word_is_one_of(word, r->types->switches) ? PLAIN_SWITCH
							 : PLAIN_TEXT;
	return 0;
}

static enum plain plain_here(const struct reader *r)
{
	return r->depth ? r->levels[r->depth - 1].plain : PLAIN_TEXT;
}

static int scalar_take(struct reader *r, const yaml_event_t *ev, struct err *e)
{
	const char *word = (const char *)ev->data.scalar.value, *tag = (const char *)ev->data.scalar.tag;
	bool is_plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !tag;

	if (ev->data.scalar.anchor)
		return yaml_bad(r, &ev->start_mark, "anchors (&) are not supported", e);
	if (tag && strcmp(tag, YAML_STR_TAG) != 0)
		return yaml_bad(r, &ev->start_mark, "tags (!) are not supported", e);
	if (memchr(word, '\0', ev->data.scalar.length))
		return yaml_bad(r, &ev->start_mark, "a zero byte", e);
	if (is_key(r))
		return key_take(r, ev, word, e);
	return value_put(r, ev, is_plain ? plain_value(plain_here(r), word) : json_string(word), e);
}

static int level_begin(struct reader *r, const yaml_event_t *ev, bool list, struct err *e)
{
	const char *anchor = (const char *)(list ? ev->data.sequence_start.anchor : ev->data.mapping_start.anchor);
	const char *tag = (const char *)(list ? ev->data.sequence_start.tag : ev->data.mapping_start.tag);
	enum plain plain = list ? plain_here(r) : PLAIN_TEXT;
	json_t *value;

	if (anchor || tag)
		return yaml_bad(r, &ev->start_mark, "anchors (&) and tags (!) are not supported", e);
	if (is_key(r))
		return yaml_bad(r, &ev->start_mark, "a key that is no word", e);
	if (r->depth == DEPTH_MAX)
		return yaml_bad(r, &ev->start_mark, "nested too deep", e);
	value = own_must(list ? json_array() : json_object());
	if (value_put(r, ev, value, e) < 0)
		return -1;
	r->levels[r->depth++] = (struct level){ .value = value, .plain = plain };
	return 0;
}

/* 1: the stream has ended. */
static int event_take(struct reader *r, const yaml_event_t *ev, struct err *e)
{
	switch (ev->type) {
	case YAML_STREAM_END_EVENT:
		return 1;
	case YAML_DOCUMENT_START_EVENT:
		return r->documents++ ? yaml_bad(r, &ev->start_mark, "a second document", e) : 0;
	case YAML_ALIAS_EVENT:
		return yaml_bad(r, &ev->start_mark, "aliases (*) are not supported", e);
	case YAML_SCALAR_EVENT:
		return scalar_take(r, ev, e);
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		return level_begin(r, ev, ev->type == YAML_SEQUENCE_START_EVENT, e);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		r->depth--;
		return 0;
	default:
		return 0;
	}
}

static int yaml_read(struct reader *r, struct err *e)
{
	int ended = 0;

	while (ended == 0) {
		yaml_event_t ev;

		if (!yaml_parser_parse(&r->parser, &ev))
			return yaml_bad(r, &r->parser.problem_mark,
					r->parser.problem ? r->parser.problem : "no memory", e);
		ended = event_take(r, &ev, e);
		yaml_event_delete(&ev);
	}
	if (ended > 0 && !r->root)
		return err_set(e, ERR_INTERNAL, "%s: nothing is in it", r->what);
	return ended < 0 ? -1 : 0;
}

json_t *yaml_parse(const char *text, size_t len, const struct yaml_types *types, const char *what, struct err *e)
{
	struct reader r = { .types = types, .what = what };
	int rc;

	if (len > YAML_BYTES_MAX) {
		err_set(e, ERR_INTERNAL, "%s: %zu bytes; %d are allowed", what, len, YAML_BYTES_MAX);
		return NULL;
	}
	own_must(yaml_parser_initialize(&r.parser) ? &r : NULL);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
	rc = yaml_read(&r, e);
	for (size_t i = 0; i < r.depth; i++)
		json_decref(r.levels[i].key);
	yaml_parser_delete(&r.parser);
	if (rc == 0)
		return r.root;
	json_decref(r.root);
	return NULL;
}
