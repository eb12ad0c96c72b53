/* config_keys.h - private to the files handlers/config*.c: the keys of the configuration file. */
#ifndef HANDLERS_CONFIG_KEYS_H
#define HANDLERS_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>

enum config_kind { STRING, PATH, PATH_OR_NONE, LIST, PORT, COUNT, SIZE, SWITCH, LEVEL, FORMAT, RUNTIMES };

enum { OTHER_PATH_MAX = 255, UNBOUNDED = 0 };

/* Plugins of NRI look for it there. It is that of an instance with the default `state`. */
#define NRI_SOCKET "/var/run/nri/nri.sock"

struct config_key {
	const char *section; /* "": top level */
	const char *name;
	enum config_kind kind;
	size_t max; /* bytes of a STRING, of a PATH and of each item of a LIST, or UNBOUNDED; of a COUNT the number */
	size_t offset; /* of the value in struct config */
};

extern const struct config_key config_keys[];
extern const size_t config_keys_n;

const struct config_key *config_key_find(const char *section, const char *name); /* NULL: unknown */
bool config_is_section(const char *name);

/* " (did you mean WORD?)" for a key that is unknown in that section, or ""; static, until the next call. */
const char *config_key_hint(const char *section, const char *name);

#endif
