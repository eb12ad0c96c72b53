/* json.h - jansson, and the few shortcuts that all rooms use. No other header shows jansson.
 *
 * Text from outside is parsed here, so the limits are here: 64 levels, no duplicate keys, valid UTF-8. */
#ifndef REACTOR_JSON_H
#define REACTOR_JSON_H

#include <jansson.h>
#include <stddef.h>

#include "reactor/arena.h"
#include "reactor/err.h"

static inline void json_own_decref_(json_t **json) { json_decref(*json); }
#define auto_json __attribute__((cleanup(json_own_decref_)))

/* A new reference, or NULL with INTERNAL: `what` and the line and column of the fault. */
json_t *json_parse(const char *text, size_t len, const char *what, struct err *e);

/* Compact text with sorted keys, in the arena. */
char *json_text(struct arena *arena, const json_t *json);

/* A member of an object, copied into the arena; "" or 0 when absent or of another type. json may be NULL. */
const char *json_get_str(struct arena *arena, const json_t *json, const char *key);
int64_t json_get_int(const json_t *json, const char *key);

#endif
