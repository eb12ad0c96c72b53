/* conf.h - CNI network configuration lists: reading, checking, and what one plugin gets on its stdin.
 *
 * A list is kept in one normal form: a JSON object with name, cniVersion (the newest version that the list and crisp
 * both know) and plugins. The text of that form is what a sandbox's record holds; the same function parses it again.
 * Spec: CNI 1.1.0, sections 1 "network configuration format" and 3 "deriving execution configuration". */
#ifndef PROCS_CNI_CONF_H
#define PROCS_CNI_CONF_H

#include <stdbool.h>
#include <stddef.h>

#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/fields.h"
#include "reactor/json.h"
#include "reactor/lookup.h"

enum cni_conf_kind {
	CNI_CONF_LIST,   /* *.conflist: {"plugins": [...]} */
	CNI_CONF_SINGLE, /* *.conf, *.json: one plugin, wrapped into a list of its name and version */
};

/* A new reference; `what` names the text in errors. NULL with INTERNAL: not JSON, or no usable name, plugin type or
 * cniVersion in it. */
json_t *cni_conf_parse(const char *text, size_t len, enum cni_conf_kind kind, const char *what, struct err *e);

/* The first *.conflist, *.conf or *.json of dir, in the order of bytes, that is no broken file. `file` gets its path,
 * in the arena. e: the fault of the first broken file that was passed over, or code OK. NULL with
 * FAILED_PRECONDITION: no such file, or the fault of the first one, when all of them are broken; UNAVAILABLE: a file
 * system must be asked first, by lookup_start(); then the same call goes on. */
json_t *cni_conf_load(struct lookup *lookup, const char *dir, struct arena *arena, const char **file, struct err *e);

/* Is the list's cniVersion major.minor or newer? */
bool cni_conf_reaches(const json_t *list, int major, int minor);

/* A copy of the list for GC: each plugin has the ids, as attachments of eth0. A new reference. */
json_t *cni_conf_for_gc(const json_t *list, const struct strings *valid);

/* The directories in which plugins of the list that have host-local keep the addresses of this network. */
struct strings cni_conf_places(struct arena *arena, const json_t *list);

const json_t *cni_conf_plugins(const json_t *list); /* an array, never empty */
const char *cni_conf_name(const json_t *list);
const char *cni_plugin_type(const json_t *plugin); /* contains no slash */

/* The path of a plugin's program in the first directory that has it. NULL with INTERNAL: no directory has it, and the
 * text names all of them; or with the path that could not be looked at, which may be there. With the error of `look`
 * when that has no facts. */
typedef const struct looked *cni_facts(void *arg, const char *path, struct err *e);
const char *cni_plugin_path(struct arena *arena, const char *type, const struct strings *bin_dirs, cni_facts *look,
			    void *arg, struct err *e);

/* The text for one plugin's stdin: its own configuration with the list's name and version, prev as prevResult (NULL:
 * none), and as runtimeConfig those members of `capabilities` (an object) that the plugin declares. */
char *cni_conf_stdin(struct arena *arena, const json_t *list, const json_t *plugin, const json_t *capabilities,
		     json_t *prev);

#endif
