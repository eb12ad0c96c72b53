/* config_read.c - see config_read.h. */
#include "handlers/config_read.h"

#include <string.h>

int config_fault(struct reading *r, const yaml_node_t *at, const char *what, const char *word)
{
	return err_set(r->e, ERR_INVALID_ARGUMENT, "%s:%zu: %s%s%s", r->path, at->start_mark.line + 1, what,
		       word ? " " : "", word ? word : "");
}

int config_unknown(struct reading *r, const yaml_node_t *key, const char *hint)
{
	const char *word = config_word(key) ? config_word(key) : "that is no word";

	return err_set(r->e, ERR_INVALID_ARGUMENT, "%s:%zu: unknown key %s%s", r->path, key->start_mark.line + 1, word,
		       hint);
}

const char *config_word(const yaml_node_t *n)
{
	return n->type == YAML_SCALAR_NODE ? (const char *)n->data.scalar.value : NULL;
}

int config_check_length(struct reading *r, const yaml_node_t *n, const char *name, size_t max)
{
	if (max == UNBOUNDED || strlen(config_word(n)) <= max)
		return 0;
	return config_fault(r, n, arena_printf(r->c->arena, "at most %zu bytes are allowed for", max), name);
}

yaml_node_t *config_node(struct reading *r, int index)
{
	return yaml_document_get_node(r->doc, index);
}

int config_list(struct reading *r, const char *name, size_t max, struct strings *out, yaml_node_t *n)
{
	size_t count;

	if (n->type != YAML_SEQUENCE_NODE)
		return config_fault(r, n, "a list is expected", NULL);
	count = (size_t)(n->data.sequence.items.top - n->data.sequence.items.start);
	*out = (struct strings){ arena_zalloc(r->c->arena, count * sizeof(*out->at)), count };
	for (size_t i = 0; i < count; i++) {
		yaml_node_t *item = config_node(r, n->data.sequence.items.start[i]);

		if (!config_word(item))
			return config_fault(r, item, "a word is expected", NULL);
		if (config_check_length(r, item, name, max) < 0)
			return -1;
		out->at[i] = arena_strdup(r->c->arena, config_word(item));
	}
	return 0;
}

int config_switch(struct reading *r, bool *out, const yaml_node_t *n)
{
	*out = strcmp(config_word(n), "true") == 0;
	if (!*out && strcmp(config_word(n), "false") != 0)
		return config_fault(r, n, "true or false is expected, not", config_word(n));
	return 0;
}

json_t *config_list_json(const struct strings *s)
{
	json_t *j = json_array();

	for (size_t i = 0; i < s->n; i++)
		json_array_append_new(j, json_string(s->at[i]));
	return j;
}
