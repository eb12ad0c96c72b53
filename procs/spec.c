/* spec.c - see spec.h: root, process, namespaces and annotations; the other parts are in spec/.
 *
 * Spec: OCI runtime-spec 1.0.2, config.md and config-linux.md; CRI v1 ContainerConfig. */
#include "procs/spec.h"

#include <string.h>

#include "procs/adjust.h"
#include "procs/cgroup.h"
#include "procs/hooks.h"
#include "procs/namespaces.h"
#include "procs/spec/part.h"
#include "procs/volume.h"
#include "reactor/utf8.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* ---- args, environment, working directory ---- */

/* command replaces ENTRYPOINT and drops CMD; args alone replace CMD. */
static int make_args(struct spec *s, struct err *e)
{
	const struct container_config *cfg = &s->c->config;
	const struct container_image *image = &s->c->image;
	const struct strings *first = cfg->command.n ? &cfg->command : &image->entrypoint;
	const struct strings *rest = cfg->command.n || cfg->args.n ? &cfg->args : &image->cmd;
	json_t *args = spec_strs(first);

	spec_put(s->process, "args", args);
	for (size_t i = 0; i < rest->n; i++)
		spec_add(args, spec_str(rest->at[i]));
	if (json_array_size(args) == 0)
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "no command: command and args are empty, and the image has no ENTRYPOINT and no CMD");
	if (json_string_length(json_array_get(args, 0)) == 0)
		return err_set(e, ERR_INVALID_ARGUMENT, "no command: the first word is empty");
	return 0;
}

/* The devices of CDI have the last word. */
static void make_env(struct spec *s)
{
	const struct container_config *cfg = &s->c->config;
	const char *hostname = s->c->sandbox->config.hostname;

	map_reserve(&s->env.by_name, s->c->image.env.n + cfg->envs.n + 4);
	spec_set_env(s, DEFAULT_PATH);
	if (cfg->tty)
		spec_set_env(s, "TERM=xterm");
	spec_set_env(s, arena_printf(s->a, "HOSTNAME=%s", hostname[0] ? hostname : s->in->node_name));
	for (size_t i = 0; i < s->c->image.env.n; i++)
		spec_set_env(s, s->c->image.env.at[i]);
	for (size_t i = 0; i < cfg->envs.n; i++)
		spec_set_env_pair(s, &cfg->envs.at[i]);
	spec_cdi_env(s);
}

static int make_cwd(struct spec *s, struct err *e)
{
	const char *asked = s->c->config.working_dir, *image = s->c->image.working_dir;

	if (asked[0] && asked[0] != '/')
		return err_set(e, ERR_INVALID_ARGUMENT, "working_dir \"%s\" is not absolute", asked);
	spec_put(s->process, "cwd", spec_str(spec_clean_path(s->a, asked[0] ? asked : image)));
	return 0;
}

/* ---- namespaces, annotations ---- */

static void add_namespace(json_t *list, const char *type, const char *path)
{
	if (path)
		spec_add(list, json_pack("{s:s,s:o}", "type", type, "path", spec_str(path)));
	else
		spec_add(list, json_pack("{s:s}", "type", type));
}

/* No hostname and no sysctls: they were set in the sandbox's namespaces, and runtimes refuse them for a namespace
 * that is joined by its path. */
static int make_namespaces(struct spec *s, struct err *e)
{
	const struct spec_namespaces *ns = &s->in->namespaces;
	json_t *list = own_must(json_array());

	spec_put(s->linux_, "namespaces", list);
	add_namespace(list, "mount", NULL);
	if (s->userns) {
		if (ns->user[0] == '\0')
			return err_set(e, ERR_INTERNAL, "the sandbox's user namespace is not there");
		add_namespace(list, "user", ns_user_path(s->a, ns->user));
		spec_put(s->linux_, "uidMappings", spec_id_mappings(&s->sec->ns.uids));
		spec_put(s->linux_, "gidMappings", spec_id_mappings(&s->sec->ns.gids));
	}
	if (ns->net[0])
		add_namespace(list, "network", ns->net);
	if (ns->ipc[0])
		add_namespace(list, "ipc", ns->ipc);
	if (ns->uts[0])
		add_namespace(list, "uts", ns->uts);
	if (strcmp(ns->pid, "new") == 0)
		add_namespace(list, "pid", NULL);
	else if (ns->pid[0])
		add_namespace(list, "pid", ns->pid);
	/* On v1 the runtime bind-mounts the container's own groups instead. */
	if (s->host->cgroup_v2 && !s->sec->privileged)
		add_namespace(list, "cgroup", NULL);
	return 0;
}

/* crisp's own come last, so that no annotation of a pod takes their place. (ARCHITECTURE P18, X13) */
static void make_annotations(struct spec *s)
{
	const struct sandbox_config *pod = &s->c->sandbox->config;
	const struct runtime_handler *h = runtime_find(pod->runtime_handler);
	json_t *a = own_must(json_object());

	if (h)
		spec_annotate_allowed(a, h, &pod->annotations, &s->c->config.annotations);

	/* Else crun puts processes and limits into a group below the scope, where neither crispd nor the kubelet reads
	 * counters. */
	if (cgroup_is_scope(s->c->cgroup))
		json_object_set_new(a, "run.oci.systemd.subgroup", json_string(""));
	spec_put(s->root, "annotations", a);
	spec_put(a, "io.kubernetes.cri.container-name", spec_str(s->c->config.name));
	spec_put(a, "io.kubernetes.cri.image-name", spec_str(s->c->image.name));
	spec_annotate_pod(a, s->c->sandbox, false);
}

/* ---- the whole ---- */

int spec_check_text(const json_t *j, const char *where, struct err *e)
{
	const char *key;
	json_t *v;
	size_t i;

	if (json_is_string(j)) {
		if (utf8_valid(json_string_value(j), json_string_length(j)))
			return 0;
		return err_set(e, ERR_INVALID_ARGUMENT, "%s: text that is not UTF-8", where);
	}
	json_array_foreach(j, i, v)
		if (spec_check_text(v, where, e) < 0)
			return -1;
	if (json_is_object(j))
		json_object_foreach((json_t *)j, key, v)
			if (spec_check_text(v, json_is_array(v) || json_is_string(v) ? key : where, e) < 0)
				return -1;
	return 0;
}

static json_t *put_new(json_t *parent, const char *key, json_t *v)
{
	spec_put(parent, key, v);
	return v;
}

static void spec_frame(struct spec *s)
{
	s->root = own_must(json_object());
	spec_put(s->root, "ociVersion", spec_str("1.0.2"));
	s->process = put_new(s->root, "process", json_object());
	s->linux_ = put_new(s->root, "linux", json_object());
	s->mounts = put_new(s->root, "mounts", json_array());
	s->resources = put_new(s->linux_, "resources", json_object());
	s->devices = put_new(s->linux_, "devices", json_array());
	s->device_rules = put_new(s->resources, "devices", json_array());
	spec_put(s->root, "root", json_pack("{s:s,s:b}", "path", "rootfs", "readonly", s->sec->readonly_rootfs));
	spec_put(s->process, "terminal", json_boolean(s->c->config.tty));
	spec_put(s->linux_, "cgroupsPath", spec_str(cgroup_runtime_path(s->a, s->c->cgroup)));
}

/* Behind those of CDI and of the base_spec. A container of the native handler that gets one goes by its fallback. */
static int add_hooks(struct spec *s, struct err *e)
{
	const struct container_config *cfg = &s->c->config;
	const struct hooks_about about = {
		.command = json_string_value(json_array_get(json_object_get(s->process, "args"), 0)),
		.pod = &s->c->sandbox->config.annotations,
		.container = &cfg->annotations,
		.bind_mounts = cfg->mounts.n > 0,
	};
	json_t *given = json_object_get(s->root, "hooks");
	auto_json json_t *hooks = json_is_object(given) ? json_incref(given) : own_must(json_object());

	if (hooks_add(s->c->lookup, &about, hooks, e) < 0)
		return -1;
	if (json_object_size(hooks))
		spec_put(s->root, "hooks", json_incref(hooks));
	return 0;
}

static int apply_adjustment(struct spec *s, struct err *e)
{
	size_t i;
	json_t *change;

	if (!s->c->adjustment)
		return 0;
	json_array_foreach(s->c->adjustment->changes, i, change)
		if (adjust_config(s->root, change, e) < 0)
			return -1;
	return 0;
}

static int spec_fill(struct spec *s, struct err *e)
{
	if (s->sec->privileged && !s->c->sandbox->config.security.privileged)
		return err_set(e, ERR_INVALID_ARGUMENT, "privileged: the sandbox is not");
	make_annotations(s);
	if (spec_cdi(s, e) < 0)
		return -1;
	make_env(s);
	if (make_args(s, e) < 0 || make_cwd(s, e) < 0 || spec_userns(s, e) < 0 || make_namespaces(s, e) < 0 ||
	    spec_user(s, e) < 0)
		return -1;
	spec_put_env(s);
	spec_cdi_groups(s);
	spec_cdi_hooks(s);
	if (spec_caps(s, e) < 0 || spec_confine(s, e) < 0 || spec_seccomp(s, e) < 0 || spec_resources(s, e) < 0)
		return -1;
	if (spec_devices(s, e) < 0 || spec_mounts(s, e) < 0)
		return -1;
	spec_add_base(s->root, runtime_base_spec(s->c->sandbox->config.runtime_handler));
	if (add_hooks(s, e) < 0 || apply_adjustment(s, e) < 0)
		return -1;
	return spec_check_text(s->root, "config.json", e);
}

void spec_look(struct lookup *l, const struct container_config *cfg)
{
	for (size_t i = 0; i < cfg->mounts.n; i++)
		if (cfg->mounts.at[i].host_path[0] == '/' && !*cfg->mounts.at[i].image)
			lookup_add(l, volume_lookup(&cfg->mounts.at[i]), cfg->mounts.at[i].host_path);
	for (size_t i = 0; i < cfg->devices.n; i++)
		if (cfg->devices.at[i].host_path[0] == '/')
			lookup_add(l, LOOKUP_NODE, cfg->devices.at[i].host_path);
	spec_seccomp_look(l, &cfg->security);
	spec_cdi_look(l, cfg);
	hooks_look(l);
}

int spec_make(const struct spec_input *in, json_t **out, struct err *e)
{
	const struct security *sec = &in->container->config.security;
	struct spec s = { .in = in, .c = in->container, .sec = sec, .host = spec_host(), .a = arena_new() };
	int r;

	spec_frame(&s);
	r = spec_fill(&s, e);
	if (r == 0)
		*out = s.root;
	else
		json_decref(s.root);
	json_decref(s.cdi);
	map_free(&s.env.by_name);
	arena_free(s.a);
	return r;
}

json_t *spec_exec_process(const json_t *config, const struct strings *cmd, bool tty)
{
	const json_t *own = json_object_get(config, "process");
	auto_json json_t *p = json_deep_copy(own), *args = spec_exec_words(cmd, tty);
	json_t *env = json_object_get(p, "env");

	if (!json_is_array(env) || !args)
		return NULL;
	if (tty && spec_exec_variable(own))
		spec_add(env, spec_str(spec_exec_variable(own)));
	json_object_update(p, args);
	return take_ptr(&p);
}

json_t *spec_exec_words(const struct strings *cmd, bool tty)
{
	auto_json json_t *p = json_object();
	auto_json json_t *args = spec_strs(cmd);
	struct err e;

	if (spec_check_text(args, "command", &e) < 0)
		return NULL;
	spec_put(p, "args", json_incref(args));
	spec_put(p, "terminal", json_boolean(tty));
	return take_ptr(&p);
}
