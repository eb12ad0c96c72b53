/* files.h - the documents of an archive that is imported, and the names in them; for layout.c and docker.c. */
#ifndef IMAGES_IMPORT_FILES_H
#define IMAGES_IMPORT_FILES_H

#include <stdbool.h>
#include <sys/stat.h>

#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/json.h"

/* The document dir/fs/<file>, which is no link. NULL, INVALID_ARGUMENT. */
json_t *layout_json(const char *dir, const char *file, struct err *e);

bool layout_has(const char *dir, const char *file, mode_t type); /* dir/fs/<file> is of this type: S_IFREG, S_IFDIR */

/* The whole name of an image that an archive gives the name, or only the tag, `said`. base: of --name, "": none. NULL,
 * INVALID_ARGUMENT. */
const char *layout_name(const char *said, const char *base, struct arena *arena, struct err *e);

#endif
