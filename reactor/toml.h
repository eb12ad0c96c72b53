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

#endif
