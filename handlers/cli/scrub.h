/* scrub.h - takes out of a text, or of a JSON value, what looks like a secret. For what leaves the node.
 *
 * It knows: the user and the password of a URL and of an image's name; the value behind a name such as password, token
 * or auth, or behind an option --password; what follows the words Bearer and Basic; tokens with the known
 * beginnings (ghp_, eyJ, ...); private keys in PEM. It finds no secret that stands without any sign: what
 * may have such is not to be given away at all. */
#ifndef HANDLERS_CLI_SCRUB_H
#define HANDLERS_CLI_SCRUB_H

#include <stdbool.h>
#include <stddef.h>

#include "reactor/buf.h"
#include "reactor/json.h"

#define SCRUBBED "[removed]"

/* Appends the text, line by line, with SCRUBBED in the place of secrets. A longer line than SCRUB_LINE_MAX is cut
 * there. */
enum { SCRUB_LINE_MAX = 64 << 10 };
void scrub_text(struct buf *out, const char *text, size_t len);

/* Replaces the values of members with such names, at every level. The strings inside are for scrub_text(). */
void scrub_json(json_t *json);

#endif
