/* yaml_json.h - a YAML document from outside as the JSON that it stands for. Library: libyaml.
 *
 * A plain value of YAML has no type that all programs agree on ("no", "0755", "1.10"). Here the member that it belongs
 * to decides: the caller names those that are numbers and those that are true or false; all others are strings, as they
 * stand in the file. Quoted values are always strings; an empty plain value, ~ and null are null.
 * Spec: YAML 1.1 as the programs in Go read it (octal numbers begin with 0 or 0o). */
#ifndef REACTOR_YAML_JSON_H
#define REACTOR_YAML_JSON_H

#include <stddef.h>

#include "reactor/err.h"
#include "reactor/json.h"

enum { YAML_BYTES_MAX = 256 << 10 };

/* Names of members, each list ended by NULL; the items of a list of that name are meant too. */
struct yaml_types {
	const char *const *numbers, *const *switches;
};

/* A new reference, or NULL with INTERNAL: `what`, the line, and the fault. Refused besides what is no YAML: a second
 * document, anchors and aliases, tags but !!str, keys that are no plain words or come twice, more than JSON_VALUES_MAX
 * values, 64 levels, or YAML_BYTES_MAX bytes. Work and memory grow with the text only. */
json_t *yaml_parse(const char *text, size_t len, const struct yaml_types *types, const char *what, struct err *e);

#endif
