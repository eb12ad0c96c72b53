/* config_files.h - private to the files handlers/config*.c: the files that a configuration consists of.
 *
 * Beside FILE.yaml there may be a directory FILE.d; its files *.yaml are read after it, in the order of their names. */
#ifndef HANDLERS_CONFIG_FILES_H
#define HANDLERS_CONFIG_FILES_H

#include <stddef.h>

#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/places.h"

struct config_file {
	const char *path, *text;
	size_t len; /* bytes */
};

struct config_files {
	struct config_file at[1 + CONFIG_PARTS_MAX];
	size_t n;
};

/* The first file is `path` itself. All is in the arena. INVALID_ARGUMENT, with the path: a file cannot be read; one of
 * the directory is no regular file, belongs to another user than root and this one, or may be written by others; there
 * are too many of them, or more than CONFIG_BYTES_MAX bytes together. */
int config_files_read(struct config_files *out, const char *path, struct arena *arena, struct err *e);

#endif
