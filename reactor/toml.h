/* toml.h - parses TOML, as in hosts.toml files and configurations of other runtimes, into a JSON tree.
 *
 * Numbers that are no decimal integers, dates and times become strings with their text: hosts.toml has no key with such
 * a value. An error names its line. Spec: toml.io/en/v1.0.0. */
#ifndef REACTOR_TOML_H
#define REACTOR_TOML_H

#include "reactor/err.h"
#include "reactor/json.h"

/* A new reference to an object whose members stand in the order of the file, or NULL with INTERNAL: "what:LINE: cause".
 */
json_t *toml_parse(const char *text, size_t len, const char *what, struct err *e);

/* The same, and *lines, a new reference for toml_line(), in which the tables of the tree are known by their addresses.
 */
json_t *toml_parse_lines(const char *text, size_t len, const char *what, json_t **lines, struct err *e);
int toml_line(const json_t *lines, const json_t *table, const char *key); /* of the key in the table; 0: not known */

#endif
