/* env.c - process.env: variables in the order in which they came, each name once.
 *
 * A pod in a namespace with 5,000 services has 35,000 variables, so a name is found by its hash. */
#include <string.h>

#include "procs/spec/part.h"
#include "reactor/log.h"
#include "reactor/utf8.h"

struct spec_var {
	const char *word; /* "NAME=VALUE"; NULL: removed */
	struct spec_var *next;
};

/* Bytes that are not UTF-8 cannot stand in config.json: each becomes U+FFFD, as in every other CRI runtime. The log has
 * the variable's name alone, because its value may be a secret. (ARCHITECTURE R40) */
static json_t *spec_lossy(const struct spec *s, const char *text)
{
	size_t left = strlen(text), n = 0;
	char *out;

	if (utf8_valid(text, left))
		return spec_str(text);
	log_warn("env container=%.12s name=%s reason=\"not UTF-8, replaced\"", s->c->id,
		 log_quote(arena_strndup(s->a, text, strcspn(text, "="))));
	out = arena_zalloc(s->a, left * 3 + 1);
	while (left) {
		size_t good = utf8_char(text, left), len = good ? good : 1;

		memcpy(out + n, good ? text : "\xef\xbf\xbd", good ? good : 3);
		n += good ? good : 3;
		text += len;
		left -= len;
	}
	return spec_str(out);
}

static void env_set(struct spec *s, const char *name, const char *word)
{
	struct map_slot *slot = map_at(&s->env.by_name, name);
	struct spec_var *var = slot->value;

	if (!var) {
		slot->value = var = arena_zalloc(s->a, sizeof(*var));
		*(s->env.last ? &s->env.last->next : &s->env.first) = var;
		s->env.last = var;
	}
	var->word = word;
}

static void env_remove(struct spec *s, const char *name)
{
	struct spec_var *var = map_drop(&s->env.by_name, name);

	if (var)
		var->word = NULL;
}

void spec_set_env(struct spec *s, const char *word)
{
	size_t len = strcspn(word, "=");

	if (word[len] == '\0')
		env_remove(s, word);
	else
		env_set(s, arena_strndup(s->a, word, len), word);
}

void spec_set_env_pair(struct spec *s, const struct pair *pair)
{
	size_t name = strlen(pair->key), value = strlen(pair->value);
	char *word = arena_zalloc(s->a, name + value + 2);

	memcpy(word, pair->key, name);
	word[name] = '=';
	memcpy(word + name + 1, pair->value, value);
	env_set(s, pair->key, word);
}

bool spec_has_env(const struct spec *s, const char *name)
{
	return map_get(&s->env.by_name, name) != NULL;
}

void spec_put_env(struct spec *s)
{
	json_t *env = own_must(json_array());

	for (const struct spec_var *var = s->env.first; var; var = var->next)
		if (var->word)
			spec_add(env, spec_lossy(s, var->word));
	spec_put(s->process, "env", env);
	map_free(&s->env.by_name);
}

static bool has_variable(const json_t *env, const char *name)
{
	size_t len = strlen(name), i;
	json_t *v;

	json_array_foreach(env, i, v) {
		const char *word = json_is_string(v) ? json_string_value(v) : "";

		if (strncmp(word, name, len) == 0 && word[len] == '=')
			return true;
	}
	return false;
}

const char *spec_exec_variable(const json_t *process)
{
	bool has = json_is_true(json_object_get(process, "terminal")) ||
		   has_variable(json_object_get(process, "env"), "TERM");

	return has ? NULL : "TERM=xterm";
}
