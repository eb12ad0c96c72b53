/* config_text.c - see config.h: a configuration as JSON, which is YAML too, by the same table that reads it. */
#include "handlers/config_read.h"
#include "reactor/own.h"

static json_t *runtimes_json(const struct runtimes_config *runtimes)
{
	json_t *j = json_object();

	for (size_t i = 0; i < runtimes->n; i++)
		json_object_set_new(j, runtimes->handlers[i].name, config_runtime_json(&runtimes->handlers[i]));
	return j;
}

static json_t *value_json(const struct config *c, const struct config_key *k)
{
	const char *member = (const char *)c + k->offset;

	switch (k->kind) {
	case STRING:
	case PATH:
	case PATH_OR_NONE: return json_string(*(const char *const *)member);
	case LIST: return config_list_json((const struct strings *)member);
	case PORT: return json_integer(*(const int32_t *)member);
	case COUNT: return json_integer(*(const uint32_t *)member);
	case SIZE: return json_integer((json_int_t)*(const uint64_t *)member);
	case SWITCH: return json_boolean(*(const bool *)member);
	case LEVEL: return json_string(log_level_name(*(const enum log_level *)member));
	case FORMAT: return json_string(*(const enum log_format *)member == LOG_JSON ? "json" : "text");
	case RUNTIMES: return runtimes_json((const struct runtimes_config *)member);
	}
	return NULL;
}

/* but: keys whose values are those of `but` are left out; NULL: none. */
static json_t *config_json(const struct config *c, const struct config *but)
{
	json_t *j = json_object();

	for (size_t i = 0; i < config_keys_n; i++) {
		const struct config_key *k = &config_keys[i];
		json_t *value = value_json(c, k), *same = but ? value_json(but, k) : NULL, *section;

		if (same && json_equal(value, same)) {
			json_decref(value);
		} else if (!*k->section) {
			json_object_set_new(j, k->name, value);
		} else {
			section = json_object_get(j, k->section);
			if (!section) {
				section = json_object();
				json_object_set_new(j, k->section, section);
			}
			json_object_set_new(section, k->name, value);
		}
		json_decref(same);
	}
	return j;
}

char *config_text(const struct config *c, struct arena *a)
{
	auto_json json_t *j = config_json(c, NULL);

	json_object_set_new(j, "stateDir", json_string(c->state)); /* critest looks for it under this name */
	return json_text(a, j);
}

char *config_text_changed(const struct config *c, struct arena *a)
{
	struct config defaults;
	struct err e;
	auto_json json_t *j = NULL;

	config_load(&defaults, NULL, &e);
	j = config_json(c, &defaults);
	config_free(&defaults);
	return json_text(a, j);
}
