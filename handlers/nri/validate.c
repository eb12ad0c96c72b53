/* validate.c - see validate.h. */
#include "handlers/nri/validate.h"

#include <stdio.h>
#include <string.h>

#include "handlers/convert.h"
#include "handlers/nri/owners.h"
#include "handlers/nri/plugin.h"
#include "reactor/words.h"
#include "reactor/yaml_json.h"

#define REQUIRED_PLUGINS "required-plugins.noderesource.dev"

/* ---- the plugins that are there ---- */

struct gathering {
	struct nri_plugins *out;
	struct arena *arena;
};

static void gather(void *arg, const struct nri_plugin_about *about)
{
	struct gathering *g = arg;
	Nri__PluginInstance *p = NEW_MESSAGE(g->arena, Nri__PluginInstance, nri__plugin_instance__init);

	p->index = arena_strdup(g->arena, about->idx);
	p->name = arena_strdup(g->arena, about->base);
	g->out->at[g->out->n++] = p;
}

void nri_plugins_now(struct nri_plugins *out, struct arena *a)
{
	struct gathering g = { out, a };

	*out = (struct nri_plugins){ arena_zalloc(a, (nri_plugins_count() + 1) * sizeof(*out->at)), 0 };
	nri_plugins_each(gather, &g);
}

/* NAME or NN-NAME. */
static bool is_there(const struct nri_plugins *plugins, const char *wanted)
{
	for (size_t i = 0; i < plugins->n; i++) {
		const Nri__PluginInstance *p = plugins->at[i];

		if (strcmp(wanted, p->name) == 0 || (strncmp(wanted, p->index, 2) == 0 && wanted[2] == '-' &&
						     strcmp(wanted + 3, p->name) == 0))
			return true;
	}
	return false;
}

/* ---- annotations ---- */

static const char *annotation(const Nri__PodSandbox *pod, const char *key)
{
	for (size_t i = 0; i < pod->n_annotations; i++)
		if (strcmp(pod->annotations[i]->key, key) == 0)
			return pod->annotations[i]->value;
	return NULL;
}

/* KEY/container.NAME, or KEY/pod, or KEY. NULL: none of them. */
static const char *annotation_for(const Nri__PodSandbox *pod, const char *key, const char *container, struct arena *a)
{
	const char *keys[] = { arena_printf(a, "%s/container.%s", key, container), arena_printf(a, "%s/pod", key),
			       key };

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (annotation(pod, keys[i]))
			return annotation(pod, keys[i]);
	return NULL;
}

/* As Go reads a bool. 1, 0, or -1: neither. */
static int truth(const char *text)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True", NULL };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False", NULL };

	return word_is_one_of(text, yes) ? 1 : word_is_one_of(text, no) ? 0 : -1;
}

/* ---- required plugins ---- */

static int missing(const char *name, struct err *e)
{
	return err_set(e, ERR_FAILED_PRECONDITION, "NRI: the required plugin %.200s is not there", name);
}

static int check_annotated(const char *list, const struct nri_plugins *plugins, struct err *e)
{
	static const char *const none[] = { NULL };
	static const struct yaml_types types = { none, none };
	auto_json json_t *names = yaml_parse(list, strlen(list), &types, "annotation " REQUIRED_PLUGINS, e);
	json_t *v;
	size_t i;

	if (!names) {
		e->code = ERR_INVALID_ARGUMENT;
		return -1;
	}
	if (!json_is_array(names) && !json_is_null(names))
		return err_set(e, ERR_INVALID_ARGUMENT, "annotation %s: not a list of names", REQUIRED_PLUGINS);
	json_array_foreach(names, i, v) {
		const char *name = json_string_value(v);

		if (!name)
			return err_set(e, ERR_INVALID_ARGUMENT, "annotation %s: not a list of names", REQUIRED_PLUGINS);
		if (!is_there(plugins, name))
			return missing(name, e);
	}
	return 0;
}

static int check_required(const struct nri_validator *v, const Nri__PodSandbox *pod, const char *container,
			  const struct nri_plugins *plugins, struct arena *a, struct err *e)
{
	const char *tolerate = *v->tolerate_annotation ? annotation_for(pod, v->tolerate_annotation, container, a)
						       : NULL;
	const char *annotated = annotation_for(pod, REQUIRED_PLUGINS, container, a);

	if (tolerate && truth(tolerate) < 0)
		return err_set(e, ERR_INVALID_ARGUMENT, "annotation %s: \"%.100s\" is neither true nor false",
			       v->tolerate_annotation, tolerate);
	if (tolerate && truth(tolerate))
		return 0;
	for (size_t i = 0; i < v->required_plugins.n; i++)
		if (!is_there(plugins, v->required_plugins.at[i]))
			return missing(v->required_plugins.at[i], e);
	return annotated ? check_annotated(annotated, plugins, e) : 0;
}

/* ---- what plugins have changed ---- */

static bool rejects_seccomp(const struct nri_validator *v, const Nri__SecurityProfile *own)
{
	if (!own || own->profile_type == NRI__PROFILE_TYPE__UNCONFINED)
		return v->reject_seccomp_unconfined;
	return own->profile_type == NRI__PROFILE_TYPE__LOCALHOST ? v->reject_seccomp_custom : v->reject_seccomp_default;
}

static int check_fields(const struct nri_validator *v, const Nri__Container *c, const json_t *owners, struct arena *a,
			struct err *e)
{
	const struct { bool reject; Nri__Field field; const char *what; } each[] = {
		{ v->reject_hooks, NRI__FIELD__FIELD_OCI_HOOKS, "hooks" },
		{ rejects_seccomp(v, c->linux->seccomp_profile), NRI__FIELD__FIELD_SECCOMP_POLICY, "seccomp_policy" },
		{ v->reject_sysctl, NRI__FIELD__FIELD_SYSCTL, "sysctl" },
	};

	for (size_t i = 0; i < sizeof(each) / sizeof(*each); i++) {
		const char *plugins = each[i].reject ? nri_owners_of(owners, c->id, each[i].field, a) : NULL;

		if (plugins)
			return err_set(e, ERR_FAILED_PRECONDITION,
				       "NRI plugin %s: %s is rejected by nri_validator of the configuration", plugins,
				       each[i].what);
	}
	return 0;
}

int nri_validate(const struct nri_validator *v, const Nri__PodSandbox *pod, const Nri__Container *c,
		 const json_t *owners, const struct nri_plugins *plugins, struct err *e)
{
	struct arena *a = arena_new();
	int r = check_fields(v, c, owners, a, e) < 0 ? -1 : check_required(v, pod, c->name, plugins, a, e);

	arena_free(a);
	return r;
}
