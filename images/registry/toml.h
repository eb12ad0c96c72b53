/* toml.h - parses the part of TOML that containerd's hosts.toml files use into a JSON tree.
 *
 * Supported: comments, bare and quoted keys, dotted keys, [tables], strings on one line, booleans, decimal integers,
 * arrays over several lines, inline tables. Anything else (floats, dates, multi-line strings, [[arrays of tables]]) is
 * an error with its line. Spec: toml.io/en/v1.0.0. */
#ifndef IMAGES_REGISTRY_TOML_H
#define IMAGES_REGISTRY_TOML_H

#include "reactor/err.h"
#include "reactor/json.h"

/* A new reference to an object whose members stand in the order of the file, or NULL with INTERNAL: "what:LINE: cause".
 */
json_t *toml_parse(const char *text, size_t len, const char *what, struct err *e);

#endif
