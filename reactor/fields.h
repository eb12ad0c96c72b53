/* fields.h - plain structs to JSON and back by one table of their members, so that both directions stay the same.
 *
 * A struct that is kept on disk describes itself:
 *     static const struct field dns_fields[] = { F_STRINGS(struct dns, servers), F_END };
 * Strings are `const char *`, never NULL: "" when absent. A member that the JSON does not name becomes zero or "".
 * A string that is not valid UTF-8 is kept as {"base64": "..."} and comes back byte-identical. */
#ifndef REACTOR_FIELDS_H
#define REACTOR_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "reactor/arena.h"
#include "reactor/buf.h"
#include "reactor/err.h"
#include "reactor/json.h"

struct strings {
	const char **at;
	size_t n;
};

static inline bool strings_have(const struct strings *list, const char *word)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->at[i], word) == 0)
			return true;
	return false;
}

struct pair {
	const char *key, *value;
};

struct pairs {
	struct pair *at;
	size_t n;
};

struct ints {
	int64_t *at;
	size_t n;
};

enum field_kind {
	FIELD_STR, FIELD_I64, FIELD_I32, FIELD_U64, FIELD_U32, FIELD_BOOL, FIELD_STRINGS, FIELD_PAIRS, FIELD_INTS,
	FIELD_STRUCT, /* embedded, described by `sub` */
	FIELD_ARRAY,  /* { T *at; size_t n; }, each described by `sub`, of `size` bytes */
};

struct field {
	const char *name; /* NULL ends the table */
	enum field_kind kind;
	size_t offset;
	const struct field *sub;
	size_t size;
};

#define F_STR(s, m) { #m, FIELD_STR, offsetof(s, m), NULL, 0 }
#define F_I64(s, m) { #m, FIELD_I64, offsetof(s, m), NULL, 0 }
#define F_I32(s, m) { #m, FIELD_I32, offsetof(s, m), NULL, 0 }
#define F_U64(s, m) { #m, FIELD_U64, offsetof(s, m), NULL, 0 }
#define F_U32(s, m) { #m, FIELD_U32, offsetof(s, m), NULL, 0 }
#define F_BOOL(s, m) { #m, FIELD_BOOL, offsetof(s, m), NULL, 0 }
#define F_STRINGS(s, m) { #m, FIELD_STRINGS, offsetof(s, m), NULL, 0 }
#define F_PAIRS(s, m) { #m, FIELD_PAIRS, offsetof(s, m), NULL, 0 }
#define F_INTS(s, m) { #m, FIELD_INTS, offsetof(s, m), NULL, 0 }
#define F_STRUCT(s, m, fields) { #m, FIELD_STRUCT, offsetof(s, m), fields, 0 }
#define F_ARRAY(s, m, fields) { #m, FIELD_ARRAY, offsetof(s, m), fields, sizeof(*((s *)0)->m.at) }
#define F_END { NULL, FIELD_STR, 0, NULL, 0 }

/* Sets every member of the table to zero, false, empty or "". */
void fields_zero(const struct field *table, void *object);

/* A new JSON object; zero, empty and false members are left out. */
json_t *fields_to_json(const struct field *table, const void *object);

/* The same object as text, appended: three times as fast, and without memory for a tree. */
void fields_to_text(struct buf *out, const struct field *table, const void *object);

/* The text of `head`, an object that is not empty, with the object as one more member, which comes last. `head` has no
 * member of this name. */
char *fields_join_text(struct arena *arena, const json_t *head, const char *member, const struct field *table,
		       const void *object);

/* Sets every member of the table in `object`; all memory comes from the arena.
 * A member of another type than the table says is INTERNAL and names it; unknown members are ignored. */
int fields_from_json(const struct field *table, void *object, const json_t *json, struct arena *arena, struct err *e);

/* The same for a text of fields_to_text(), without a tree of JSON values. false: it is another text, which is not
 * damaged for that; `object` then has nothing of use. */
bool fields_parse(const char *text, size_t len, const struct field *table, void *object, struct arena *arena);

/* A deep copy: everything that `to` points to afterwards is in the arena. */
void fields_copy(const struct field *table, void *to, const void *from, struct arena *arena);

/* All members of the table have the same content. */
bool fields_equal(const struct field *table, const void *one, const void *other);

const char *pairs_get(const struct pairs *pairs, const char *key); /* NULL: not there */

#endif
