/* hooks.h - OCI hooks that files of the node give to containers (hooks.d).
 *
 * Specs: oci-hooks(5) of containers-common, "1.0.0 Hook Schema"; OCI runtime-spec config.md, "POSIX-platform Hooks".
 * Files named *.json in the directories are read for each container that is created, so a change needs no reload. A
 * file of a later directory hides the file of the same name in an earlier one. Their order is that of their names in
 * lower case. A file that is malformed or cannot be read is an error for each container: a hook that is left out could
 * be the one that confines it. (ARCHITECTURE G31) */
#ifndef PROCS_HOOKS_H
#define PROCS_HOOKS_H

#include <regex.h>
#include <stdbool.h>

#include "reactor/err.h"
#include "reactor/fields.h"
#include "reactor/json.h"
#include "reactor/lookup.h"

void hooks_open(const struct strings *dirs); /* borrowed for ever */

/* Adds the files that hooks_add() reads, as cdi_look() does: what the directories have is added in a second round. */
void hooks_look(struct lookup *lookup);

/* What the conditions of a file (`when`) are compared with. */
struct hooks_about {
	const char *command;		    /* process.args[0] */
	const struct pairs *pod, *container; /* annotations; where both have a key, the pod's value counts */
	bool bind_mounts;		    /* the request has mounts */
};

/* Appends the hooks whose conditions hold to config.json's `hooks`, an object of lists. FAILED_PRECONDITION names the
 * file that is wrong; INVALID_ARGUMENT the annotation that is too long to be compared. */
int hooks_add(struct lookup *lookup, const struct hooks_about *about, json_t *hooks, struct err *e);

/* The text of one file, checked. A new reference, or NULL with FAILED_PRECONDITION, which names what is wrong. */
json_t *hooks_parse(const char *text, size_t len, const char *what, struct err *e);

/* Compiles a POSIX extended regular expression that may match anywhere in a text of at most HOOK_TEXT_MAX bytes. -1: it
 * is none, or over its bounds (HOOK_PATTERN_MAX bytes, 1000 with all repeats written out, no back-references). */
enum { HOOK_PATTERN_MAX = 256, HOOK_TEXT_MAX = 16384 };
int hooks_regex(regex_t *out, const char *pattern);

#endif
