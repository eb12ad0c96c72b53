/* json.h - jansson, and the few shortcuts that all rooms use. No other header shows jansson.
 *
 * Text from outside is parsed in the loop, so the limits are here: 64 levels, no duplicate keys, valid UTF-8, and the
 * two below. (ARCHITECTURE R20) */
#ifndef REACTOR_JSON_H
#define REACTOR_JSON_H

#include <jansson.h>
#include <stddef.h>

#include "reactor/arena.h"
#include "reactor/err.h"

static inline void json_own_decref_(json_t **json) { json_decref(*json); }
#define auto_json __attribute__((cleanup(json_own_decref_)))

enum {
	JSON_BYTES_MAX = 2 << 20, /* 14 ns of CPU a byte, wherever it stands: 30 ms */
	JSON_VALUES_MAX = 65536,  /* strings, numbers, objects, arrays; a member of an object counts twice */
};

/* A new reference, or NULL with INTERNAL: `what` and the line and column of the fault, or the limit. */
json_t *json_parse(const char *text, size_t len, const char *what, struct err *e);

/* The same without the two limits, for text that crisp itself has written. */
json_t *json_parse_own(const char *text, size_t len, const char *what, struct err *e);

/* The object `key` of an object that crisp itself has written, and that has only plain values before it: what stands
 * behind it is not read. NULL: the text is not of that form. */
json_t *json_parse_early(const char *text, size_t len, const char *key);

/* Compact text with sorted keys, in the arena. */
char *json_text(struct arena *arena, const json_t *json);

/* A member of an object, copied into the arena; "" or 0 when absent or of another type. json may be NULL. */
const char *json_get_str(struct arena *arena, const json_t *json, const char *key);
int64_t json_get_int(const json_t *json, const char *key);

#endif
