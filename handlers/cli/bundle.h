/* bundle.h - the archive of `crisp debug bundle`: a tar, packed by gzip, of texts without secrets (scrub.h), and of
 * problems.txt, which says what is missing and why.
 *
 * Spec: POSIX.1-2017 pax, "ustar Interchange Format"; RFC 1952. */
#ifndef HANDLERS_CLI_BUNDLE_H
#define HANDLERS_CLI_BUNDLE_H

#include "reactor/buf.h"
#include "reactor/err.h"
#include "reactor/json.h"

struct bundle;

/* A new file at `path`, for its owner only; `dir` is the directory inside of the archive, which has less than 64 bytes.
 * NULL, with INTERNAL: there is one of that name already, or it cannot be made. */
struct bundle *bundle_open(const char *path, const char *dir, struct err *e);

/* One file of the archive, scrubbed; `name` has less than 32 bytes. A text that is empty is left out. */
void bundle_text(struct bundle *bundle, const char *name, const char *text, size_t len);
void bundle_json(struct bundle *bundle, const char *name, json_t *json); /* values are changed in it */

/* A part that is missing, or is not whole. Lines of the text become lines of problems.txt. */
void bundle_problem(struct bundle *bundle, const char *part, const char *text);

/* Writes the end; the bundle is gone. INTERNAL or RESOURCE_EXHAUSTED: something was not written; the file is removed.
 * *problems: how many lines problems.txt has. */
int bundle_close(struct bundle *bundle, size_t *problems, struct err *e);

#endif
