/* bundle.h - config.json of a container's bundle. Spec: OCI runtime-spec, bundle.md. */
#ifndef PROCS_BUNDLE_H
#define PROCS_BUNDLE_H

#include "reactor/err.h"
#include "reactor/json.h"

/* Writes a temporary file and renames it: a reader sees the old or the new file. INVALID_ARGUMENT: a string is not
 * UTF-8; INTERNAL: the disk. */
int bundle_write_config(const char *bundle, const json_t *config, struct err *e);

/* A new reference; NULL with NOT_FOUND (there is no file) or INTERNAL. */
json_t *bundle_read_config(const char *bundle, struct err *e);

/* The same with the member "process" alone, which is enough for an exec: a profile makes config.json long, and stands
 * behind it. */
json_t *bundle_read_process(const char *bundle, struct err *e);

/* The same as text, in the arena; *len without the NUL. NULL as above. */
char *bundle_config_text(const char *bundle, struct arena *arena, size_t *len, struct err *e);

#endif
