/* fuzz_fields.c - any text as an object of a record. What fields_parse() takes, jansson takes too, with the same
 * members; and the text that fields_to_text() makes of them is taken again. */
#include <stdint.h>
#include <stdlib.h>

#include "reactor/fields.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct part {
	const char *name;
	int32_t small;
	uint32_t large;
};

struct whole {
	const char *name;
	bool is;
	int64_t number;
	uint64_t big;
	struct strings words;
	struct pairs pairs;
	struct ints ints;
	struct part part;
	struct { struct part *at; size_t n; } parts;
};

static const struct field part_fields[] = {
	F_STR(struct part, name), F_I32(struct part, small), F_U32(struct part, large), F_END
};
static const struct field whole_fields[] = {
	F_STR(struct whole, name),
	F_BOOL(struct whole, is),
	F_I64(struct whole, number),
	F_U64(struct whole, big),
	F_STRINGS(struct whole, words),
	F_PAIRS(struct whole, pairs),
	F_INTS(struct whole, ints),
	F_STRUCT(struct whole, part, part_fields),
	F_ARRAY(struct whole, parts, part_fields),
	F_END,
};

static void must(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new();
	struct whole one, other;
	struct buf text = { 0 };
	json_t *j;
	struct err e;

	if (fields_parse((const char *)data, size, whole_fields, &one, a)) {
		j = json_parse_own((const char *)data, size, "text", &e);
		must(j && fields_from_json(whole_fields, &other, j, a, &e) == 0);
		must(fields_equal(whole_fields, &one, &other));
		json_decref(j);
		fields_to_text(&text, whole_fields, &one);
		must(fields_parse((const char *)text.at, text.len, whole_fields, &other, a));
		must(fields_equal(whole_fields, &one, &other));
		buf_free(&text);
	}
	arena_free(a);
	return 0;
}
