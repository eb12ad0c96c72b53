/* ready_config.c - see ready_config.h. */
#include "handlers/cli/ready_config.h"

#include <string.h>

#include "reactor/own.h"
#include "reactor/places.h"
#include "reactor/small_file.h"
#include "reactor/yaml_json.h"

const char *cli_state_dir(const char *address, struct arena *a)
{
	const char *path = strncmp(address, "unix:///", 8) == 0 ? address + 7 : NULL,
		   *slash = path ? strrchr(path, '/') : NULL;

	return slash && slash > path ? arena_strndup(a, path, (size_t)(slash - path)) : NULL;
}

json_t *cli_ready_config(const char *state, const char **file, struct arena *a, struct err *e)
{
	static const char *const none[] = { NULL };
	static const struct yaml_types types = { none, none };
	size_t len, first = strlen(READY_CONFIG_FIRST);
	auto_free char *text = small_file_read(arena_printf(a, "%s/" READY_CONFIG, state), YAML_BYTES_MAX, &len,
					       ERR_INTERNAL, e);

	*file = NULL;
	if (!text)
		return NULL;
	if (strncmp(text, READY_CONFIG_FIRST, first) == 0)
		*file = arena_strndup(a, text + first, strcspn(text + first, "\n"));
	return yaml_parse(text, len, &types, READY_CONFIG, e);
}

const char *cli_config_word(struct arena *a, const json_t *config, const char *section, const char *key,
			    const char *otherwise)
{
	const char *word = json_get_str(a, section ? json_object_get(config, section) : config, key);

	return *word ? word : otherwise;
}
