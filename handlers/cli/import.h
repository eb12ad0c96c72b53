/* import.h - a configuration of crisp from those of containerd (config.toml, versions 1 to 3) and CRI-O (crio.conf).
 */
#ifndef HANDLERS_CLI_IMPORT_H
#define HANDLERS_CLI_IMPORT_H

#include <stdbool.h>

#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/json.h"

struct import {
	json_t *config; /* the keys of crisp; owned */
	struct arena *arena;
	/* What has no counterpart, or only an other one: key and words, and the line of the file that is added. Keys
	 * with empty values are not told. line 0: it is of all files together. */
	void (*tell)(void *arg, int line, const char *what, const char *words);
	void *arg;
	/* private */
	bool crio;
	size_t files;
	json_t *lines; /* of the file that is added */
};

/* config becomes an object. */
void import_open(struct import *import);
void import_close(struct import *import);

/* The text of one file over those before it: a later value replaces an earlier one. INVALID_ARGUMENT: it is not TOML,
 * or is for the other program than the file before. */
int import_add(struct import *import, const char *text, size_t len, const char *file, struct err *e);

/* After the last file: runtimes get type and path. find: the path of a program, or NULL. */
void import_end(struct import *import, const char *(*find)(struct arena *arena, const char *name));

#endif
