/* annotations.c - annotations of config.json: those by which runtimes know pods, and those of pods and containers that
 * a handler passes on.
 *
 * Runtimes act on some (run.oci.*, dev.gvisor.*), so none is passed on unless its handler allows it by name.
 * (ARCHITECTURE P18, G3) */
#include <fnmatch.h>
#include <string.h>

#include "procs/spec/part.h"

static bool is_allowed(const struct strings *patterns, const char *key)
{
	for (size_t i = 0; i < patterns->n; i++)
		if (fnmatch(patterns->at[i], key, FNM_NOESCAPE) == 0)
			return true;
	return false;
}

static void add_allowed(json_t *a, const struct strings *patterns, const struct pairs *from)
{
	for (size_t i = 0; i < from->n; i++)
		if (is_allowed(patterns, from->at[i].key))
			spec_put(a, from->at[i].key, spec_str(from->at[i].value));
}

void spec_annotate_allowed(json_t *a, const struct runtime_handler *h, const struct pairs *pod,
			   const struct pairs *container)
{
	const struct runtime_options *o = &h->options;

	for (size_t i = 0; i < o->default_annotations.n; i++)
		spec_put(a, o->default_annotations.at[i].key, spec_str(o->default_annotations.at[i].value));
	add_allowed(a, &o->allowed_annotations, pod);
	if (container)
		add_allowed(a, &o->allowed_annotations, container);
}

struct pairs spec_pod_annotations(const struct runtime_handler *h, const struct pairs *pod, struct arena *a)
{
	auto_json json_t *j = own_must(json_object());
	struct pairs out = { 0 };
	const char *key;
	json_t *value;

	spec_annotate_allowed(j, h, pod, NULL);
	out.at = arena_zalloc(a, (json_object_size(j) + 1) * sizeof(*out.at));
	json_object_foreach(j, key, value)
		out.at[out.n++] = (struct pair){ arena_strdup(a, key), arena_strdup(a, json_string_value(value)) };
	return out;
}

/* containerd's names and CRI-O's: runtimes tell by these what is a sandbox, and which one a container belongs to. */
void spec_annotate_pod(json_t *a, const struct sandbox *s, bool is_sandbox)
{
	const struct sandbox_config *pod = &s->config;

	spec_put(a, "io.kubernetes.cri.container-type", spec_str(is_sandbox ? "sandbox" : "container"));
	spec_put(a, "io.kubernetes.cri.sandbox-id", spec_str(s->id));
	spec_put(a, "io.kubernetes.cri.sandbox-name", spec_str(pod->name));
	spec_put(a, "io.kubernetes.cri.sandbox-namespace", spec_str(pod->namespace_));
	spec_put(a, "io.kubernetes.cri.sandbox-uid", spec_str(pod->uid));
	if (!sandbox_boxed(s) && !sandbox_in_runtime(s))
		return;
	spec_put(a, "io.kubernetes.cri-o.ContainerType", spec_str(is_sandbox ? "sandbox" : "container"));
	spec_put(a, "io.kubernetes.cri-o.SandboxID", spec_str(s->id));
	spec_put(a, "io.kubernetes.cri-o.SandboxName", spec_str(pod->name));
	spec_put(a, "io.kubernetes.cri-o.Namespace", spec_str(pod->namespace_));
}
