/* yaml.h - JSON values as YAML for a reader: one key a line, lists and empty maps in one line. */
#ifndef HANDLERS_CLI_YAML_H
#define HANDLERS_CLI_YAML_H

#include "reactor/buf.h"
#include "reactor/json.h"

/* The members of an object, each on lines of their own behind `depth` steps of two blanks. */
void cli_yaml_members(struct buf *out, const json_t *object, int depth);

/* Any value in one line: {a: b}, [a, b]. A word is quoted where YAML, or a program that reads it, could take it for
 * something else. */
void cli_yaml_value(struct buf *out, const json_t *value);

#endif
