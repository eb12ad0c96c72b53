/* config_read.h - private to the files handlers/config*.c: the tools by which they read the configuration file.
 *
 * Each function that returns int: -1 with INVALID_ARGUMENT, which names file and line. */
#ifndef HANDLERS_CONFIG_READ_H
#define HANDLERS_CONFIG_READ_H

#include <yaml.h>

#include "handlers/config.h"
#include "handlers/config_keys.h"
#include "reactor/json.h"

/* Where a key was given. */
struct config_place {
	const char *path; /* NULL: nowhere, it has its default */
	size_t line;
};

struct reading {
	struct config *c;
	yaml_document_t *doc;
	const char *path;
	struct config_place *places; /* of each of config_keys */
	struct err *e;
};

/* word: put behind `what`; NULL: none. Always -1. */
int config_fault(struct reading *reading, const yaml_node_t *at, const char *what, const char *word);
/* "unknown key WORD", with a hint of config_key_hint() or "". Always -1. */
int config_unknown(struct reading *reading, const yaml_node_t *key, const char *hint);
const char *config_word(const yaml_node_t *node); /* NULL: it is a list or a map */
yaml_node_t *config_node(struct reading *reading, int index);
int config_check_length(struct reading *reading, const yaml_node_t *node, const char *name, size_t max);
int config_list(struct reading *reading, const char *name, size_t max, struct strings *out, yaml_node_t *node);
int config_switch(struct reading *reading, bool *out, const yaml_node_t *node);

/* The map `runtimes`. further: an earlier file had it too, and what *out has is kept: options replace those of the
 * runtime of the same name. */
int config_runtimes(struct reading *reading, struct runtimes_config *out, yaml_node_t *node, bool further);

/* All values together, once they are read. */
int config_check(const struct reading *reading);

/* New references. */
json_t *config_list_json(const struct strings *list);
json_t *config_runtime_json(const struct runtime_handler *handler); /* options that are as by default are left out */

#endif
