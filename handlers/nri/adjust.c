/* adjust.c - see adjust.h. A plugin is a program of root; what it sends is checked all the same, so that garbage is an
 * error by name and not a config.json that no runtime understands. Spec: NRI's api.proto, ContainerAdjustment. */
#include "handlers/nri/adjust.h"

#include <string.h>

#include "handlers/convert.h"
#include "handlers/nri/limits.h"
#include "handlers/nri/merge.h"
#include "handlers/nri/message.h"
#include "handlers/nri/owners.h"
#include "handlers/nri/seccomp.h"
#include "procs/spec.h"
#include "procs/update.h"
#include "reactor/own.h"

enum { CHANGES_MAX = 4096 };

/* What is being added of one plugin. */
struct answer {
	struct nri_adjusting *all;
	const char *plugin;
	json_t *change; /* borrowed */
	struct err *e;
};

static int bad(struct answer *x, const char *what, const char *value)
{
	return err_set(x->e, ERR_INVALID_ARGUMENT, "NRI plugin %s: %s \"%.200s\"", x->plugin, what, value);
}

static void put(json_t *object, const char *key, json_t *value)
{
	own_must(json_object_set_new_nocheck(object, key, own_must(value)) == 0 ? object : NULL);
}

static void add(json_t *list, json_t *value)
{
	own_must(json_array_append_new(list, own_must(value)) == 0 ? list : NULL);
}

/* The list, or the object, of that name among the changes. */
static json_t *part(struct answer *x, const char *name, bool list)
{
	json_t *p = json_object_get(x->change, name);

	if (!p)
		put(x->change, name, p = list ? json_array() : json_object());
	return p;
}

/* One thing is changed by one plugin; a later one that wants it otherwise takes it away first ("-name"). */
static int claim(struct answer *x, Nri__Field field, const char *name, bool take_away)
{
	if (!take_away)
		return nri_claim(x->all->owners, x->all->id, x->plugin, field, name, x->e);
	nri_release(x->all->owners, x->all->id, x->plugin, field, name);
	return 0;
}

/* A new reference; NULL: it is not UTF-8, told. */
static json_t *text(struct answer *x, const char *what, const char *value)
{
	json_t *j = json_string(value);

	if (!j)
		bad(x, "text that is not UTF-8:", what);
	return j;
}

static json_t *texts(struct answer *x, const char *what, char **list, size_t n)
{
	auto_json json_t *out = own_must(json_array());

	for (size_t i = 0; i < n; i++) {
		json_t *j = text(x, what, list[i]);

		if (!j)
			return NULL;
		add(out, j);
	}
	return take_ptr(&out);
}

/* ---- annotations, environment, arguments ---- */

static int check_text(struct answer *x, const char *what, const char *value)
{
	json_t *j = text(x, what, value);

	json_decref(j);
	return j ? 0 : -1;
}

static int change_pair(struct answer *x, Nri__Field field, const char *member, const struct pair *p)
{
	bool minus = p->key[0] == '-';
	const char *name = p->key + minus;
	json_t *value;

	if (!*name || (field == NRI__FIELD__FIELD_ENV && strchr(name, '=')))
		return bad(x, "no name:", name);
	if (check_text(x, member, name) < 0)
		return -1;
	value = minus ? json_null() : text(x, member, p->value);
	if (!value)
		return -1;
	put(part(x, member, false), name, value);
	return claim(x, field, name, minus);
}

/* Those that take away come first: "-name" and "name" of one plugin are one change. */
static int change_pairs(struct answer *x, Nri__Field field, const char *member, const struct pairs *pairs)
{
	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < pairs->n; i++)
			if ((pairs->at[i].key[0] == '-') == (round == 0) &&
			    change_pair(x, field, member, &pairs->at[i]) < 0)
				return -1;
	return 0;
}

static int change_env(struct answer *x, const Nri__ContainerAdjustment *in)
{
	struct pairs env = { arena_zalloc(x->all->arena, (in->n_env + 1) * sizeof(*env.at)), in->n_env };

	for (size_t i = 0; i < in->n_env; i++)
		env.at[i] = (struct pair){ in->env[i]->key, in->env[i]->value };
	return change_pairs(x, NRI__FIELD__FIELD_ENV, "env", &env);
}

static int change_args(struct answer *x, const Nri__ContainerAdjustment *in)
{
	json_t *args;

	if (!in->n_args)
		return 0;
	/* With a first word of "" it takes the arguments of an earlier plugin away, and has its own behind. */
	bool again = in->n_args > 1 && !in->args[0][0];

	if (!in->args[again][0])
		return bad(x, "no command:", in->args[again]);
	args = texts(x, "args", in->args + again, in->n_args - again);
	if (!args)
		return -1;
	put(x->change, "args", args);
	if (again)
		nri_release(x->all->owners, x->all->id, x->plugin, NRI__FIELD__FIELD_ARGS, "");
	return claim(x, NRI__FIELD__FIELD_ARGS, "", false);
}

/* ---- mounts, devices ---- */

static bool is_bind(const Nri__Mount *m)
{
	for (size_t i = 0; i < m->n_options; i++)
		if (strcmp(m->options[i], "bind") == 0 || strcmp(m->options[i], "rbind") == 0)
			return true;
	return false;
}

static int change_mount(struct answer *x, const Nri__Mount *m)
{
	bool minus = m->destination[0] == '-';
	const char *to = m->destination + minus, *type = *m->type || !is_bind(m) ? m->type : "bind";
	json_t *out;

	if (to[0] != '/')
		return bad(x, "mount: no absolute destination:", to);
	to = spec_clean_path(x->all->arena, to);
	if (!to[1])
		return bad(x, "mount: no place for a mount:", to);
	if (!minus && !*type)
		return bad(x, "mount: no type, and no bind:", to);
	if (!minus && strcmp(type, "bind") == 0 && m->source[0] != '/')
		return bad(x, "mount: no absolute source:", m->source);
	out = own_must(json_object());
	add(part(x, "mounts", true), out);
	json_t *destination = text(x, "mount", to), *t = minus ? NULL : text(x, "mount", type);
	json_t *source = text(x, "mount", m->source), *options = texts(x, "mount", m->options, m->n_options);
	bool good = destination && source && options && (minus || t);

	if (good) {
		put(out, "destination", json_incref(destination));
		put(out, "source", json_incref(source));
		put(out, "options", json_incref(options));
	}
	if (good && t)
		put(out, "type", json_incref(t));
	json_decref(destination);
	json_decref(source);
	json_decref(options);
	json_decref(t);
	return good ? claim(x, NRI__FIELD__FIELD_MOUNTS, to, minus) : -1;
}

static int change_device(struct answer *x, const Nri__LinuxDevice *d)
{
	bool minus = d->path[0] == '-';
	const char *path = d->path + minus;
	json_t *out = own_must(json_object()), *checked;

	add(part(x, "devices", true), out);
	if (path[0] != '/')
		return bad(x, "device: no absolute path:", path);
	path = spec_clean_path(x->all->arena, path);
	checked = text(x, "device", path);
	if (!checked)
		return -1;
	put(out, "path", checked);
	if (minus)
		return claim(x, NRI__FIELD__FIELD_DEVICES, path, true);
	if (strlen(d->type) != 1 || !strchr("bcup", d->type[0]))
		return bad(x, "device: type", d->type);
	if (d->major < 0 || d->minor < 0 || d->major > UINT32_MAX || d->minor > UINT32_MAX)
		return bad(x, "device: no device number of", path);
	if (d->file_mode && (d->file_mode->value & 07777) != d->file_mode->value)
		return bad(x, "device: no file mode of", path);
	put(out, "type", json_string(d->type));
	put(out, "major", json_integer(d->major));
	put(out, "minor", json_integer(d->minor));
	if (d->file_mode)
		put(out, "fileMode", json_integer(d->file_mode->value));
	if (d->uid)
		put(out, "uid", json_integer(d->uid->value));
	if (d->gid)
		put(out, "gid", json_integer(d->gid->value));
	return claim(x, NRI__FIELD__FIELD_DEVICES, path, false);
}

/* ---- hooks, rlimits ---- */

static json_t *stage_list(struct answer *x, const char *stage)
{
	json_t *hooks = part(x, "hooks", false), *list = json_object_get(hooks, stage);

	if (!list)
		put(hooks, stage, list = json_array());
	return list;
}

static int change_hooks(struct answer *x, const char *stage, Nri__Hook **list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		json_t *hook = own_must(json_object()), *args, *env, *path;

		add(stage_list(x, stage), hook);
		if (list[i]->path[0] != '/')
			return bad(x, "hook: no absolute path:", list[i]->path);
		if (list[i]->timeout && (list[i]->timeout->value < 1 || list[i]->timeout->value > 3600))
			return bad(x, "hook: no timeout of 1 to 3600 seconds:", list[i]->path);
		path = text(x, "hook", list[i]->path);
		if (!path)
			return -1;
		put(hook, "path", path);
		args = texts(x, "hook", list[i]->args, list[i]->n_args);
		if (!args)
			return -1;
		put(hook, "args", args);
		env = texts(x, "hook", list[i]->env, list[i]->n_env);
		if (!env)
			return -1;
		put(hook, "env", env);
		if (list[i]->timeout)
			put(hook, "timeout", json_integer(list[i]->timeout->value));
	}
	return 0;
}

static int change_all_hooks(struct answer *x, const Nri__Hooks *h)
{
	if (!h)
		return 0;
	if (change_hooks(x, "prestart", h->prestart, h->n_prestart) < 0 ||
	    change_hooks(x, "createRuntime", h->create_runtime, h->n_create_runtime) < 0 ||
	    change_hooks(x, "createContainer", h->create_container, h->n_create_container) < 0 ||
	    change_hooks(x, "startContainer", h->start_container, h->n_start_container) < 0 ||
	    change_hooks(x, "poststart", h->poststart, h->n_poststart) < 0)
		return -1;
	if (change_hooks(x, "poststop", h->poststop, h->n_poststop) < 0)
		return -1;
	if (json_object_get(x->change, "hooks"))
		nri_claim_too(x->all->owners, x->all->id, x->plugin, NRI__FIELD__FIELD_OCI_HOOKS);
	return 0;
}

/* jansson has no number above 2^63-1: "no limit" becomes that one, which no process reaches. */
static json_t *rlimit_number(uint64_t value)
{
	return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

static int change_rlimit(struct answer *x, const Nri__POSIXRlimit *r)
{
	static const char *const names[] = { "AS", "CORE", "CPU", "DATA", "FSIZE", "LOCKS", "MEMLOCK", "MSGQUEUE",
					     "NICE", "NOFILE", "NPROC", "RSS", "RTPRIO", "RTTIME", "SIGPENDING",
					     "STACK" };
	const char *name = strncmp(r->type, "RLIMIT_", 7) == 0 ? r->type + 7 : r->type;
	size_t i = 0;

	while (i < sizeof(names) / sizeof(*names) && strcmp(names[i], name) != 0)
		i++;
	if (i == sizeof(names) / sizeof(*names) || r->soft > r->hard)
		return bad(x, "no rlimit, or its soft limit is above its hard one:", r->type);
	add(part(x, "rlimits", true),
	    json_pack("{s:o,s:o,s:o}", "type", own_must(json_sprintf("RLIMIT_%s", names[i])), "hard",
		      rlimit_number(r->hard), "soft", rlimit_number(r->soft)));
	return claim(x, NRI__FIELD__FIELD_RLIMITS, names[i], false);
}

/* ---- limits, device rules ---- */

static int change_rules(struct answer *x, const Nri__LinuxResources *in)
{
	for (size_t i = 0; i < in->n_devices; i++) {
		const Nri__LinuxDeviceCgroup *d = in->devices[i];
		json_t *out = own_must(json_object());

		add(part(x, "deviceRules", true), out);
		if (strlen(d->type) != 1 || !strchr("abc", d->type[0]))
			return bad(x, "device rule: type", d->type);
		if (d->access[strspn(d->access, "rwm")] || strlen(d->access) > 3)
			return bad(x, "device rule: access", d->access);
		put(out, "allow", json_boolean(d->allow));
		put(out, "type", json_string(d->type));
		if (d->major)
			put(out, "major", json_integer(d->major->value));
		if (d->minor)
			put(out, "minor", json_integer(d->minor->value));
		put(out, "access", json_string(*d->access ? d->access : "rwm"));
	}
	return 0;
}

static int change_limits(struct answer *x, const Nri__LinuxResources *in)
{
	struct nri_adjusting *all = x->all;
	struct resources asked;
	int64_t pids;

	if (!in)
		return 0;
	if (nri_limits(&asked, &pids, in, all->arena, x->e) < 0)
		return err_wrap(x->e, "NRI plugin %s", x->plugin);
	if (nri_limits_claim(all->owners, all->id, x->plugin, &asked, pids, x->e) < 0 || change_rules(x, in) < 0)
		return -1;
	if (pids != NRI_PIDS_UNSET)
		put(x->change, "pidsLimit", json_integer(pids));
	/* Copied: the message ends with the answer. */
	struct resources merged = resources_merge(&all->limits, &asked, all->arena);

	fields_copy(resources_fields, &all->limits, &merged, all->arena);
	all->limited = true;
	return 0;
}

/* ---- the whole ---- */

static int change_sysctl(struct answer *x, const Nri__LinuxContainerAdjustment *l)
{
	struct pairs sysctl = convert_pairs(l->sysctl, l->n_sysctl, x->all->arena);

	return change_pairs(x, NRI__FIELD__FIELD_SYSCTL, "sysctl", &sysctl);
}

static int change_seccomp(struct answer *x, const Nri__LinuxSeccomp *in)
{
	json_t *policy = in ? nri_seccomp(in, x->e) : NULL;

	if (!in)
		return 0;
	if (!policy)
		return err_wrap(x->e, "NRI plugin %s", x->plugin);
	put(x->change, "seccomp", policy);
	return claim(x, NRI__FIELD__FIELD_SECCOMP_POLICY, "", false);
}

static int change_linux(struct answer *x, const Nri__LinuxContainerAdjustment *l)
{
	const char *not_here;

	if (!l)
		return 0;
	not_here = *l->cgroups_path ? "cgroups_path" : l->io_priority ? "io_priority" :
		   l->n_namespaces ? "namespaces" : l->n_net_devices ? "net_devices" :
		   l->scheduler ? "scheduler" : l->rdt ? "rdt" : l->memory_policy ? "memory_policy" : NULL;
	if (not_here)
		return err_set(x->e, ERR_UNIMPLEMENTED, "NRI plugin %s: crisp does not adjust %s", x->plugin, not_here);
	for (int round = 0; round < 2; round++) /* as change_pairs() */
		for (size_t i = 0; i < l->n_devices; i++)
			if ((l->devices[i]->path[0] == '-') == (round == 0) && change_device(x, l->devices[i]) < 0)
				return -1;
	if (change_sysctl(x, l) < 0 || change_seccomp(x, l->seccomp_policy) < 0)
		return -1;
	if (l->oom_score_adj) {
		if (l->oom_score_adj->value < -1000 || l->oom_score_adj->value > 1000)
			return bad(x, "oom_score_adj is not in -1000..1000", "");
		put(x->change, "oomScoreAdj", json_integer(l->oom_score_adj->value));
		if (claim(x, NRI__FIELD__FIELD_OOM_SCORE_ADJ, "", false) < 0)
			return -1;
	}
	return change_limits(x, l->resources);
}

static int change_cdi(struct answer *x, const Nri__ContainerAdjustment *in)
{
	struct nri_adjusting *all = x->all;
	const char **more = arena_zalloc(all->arena, (all->cdi_devices.n + in->n_cdi_devices + 1) * sizeof(*more));

	if (all->cdi_devices.n)
		memcpy(more, all->cdi_devices.at, all->cdi_devices.n * sizeof(*more));
	for (size_t i = 0; i < in->n_cdi_devices; i++) {
		more[all->cdi_devices.n + i] = arena_strdup(all->arena, in->cdi_devices[i]->name);
		if (claim(x, NRI__FIELD__FIELD_CDI_DEVICES, in->cdi_devices[i]->name, false) < 0)
			return -1;
	}
	all->cdi_devices = (struct strings){ more, all->cdi_devices.n + in->n_cdi_devices };
	return 0;
}

static int change_all(struct answer *x, const Nri__ContainerAdjustment *in)
{
	struct pairs annotations = convert_pairs(in->annotations, in->n_annotations, x->all->arena);

	if (change_pairs(x, NRI__FIELD__FIELD_ANNOTATIONS, "annotations", &annotations) < 0 ||
	    change_env(x, in) < 0 || change_args(x, in) < 0 || change_all_hooks(x, in->hooks) < 0)
		return -1;
	for (int round = 0; round < 2; round++) /* as change_pairs() */
		for (size_t i = 0; i < in->n_mounts; i++)
			if ((in->mounts[i]->destination[0] == '-') == (round == 0) &&
			    change_mount(x, in->mounts[i]) < 0)
				return -1;
	for (size_t i = 0; i < in->n_rlimits; i++)
		if (change_rlimit(x, in->rlimits[i]) < 0)
			return -1;
	if (change_linux(x, in->linux) < 0 || change_cdi(x, in) < 0)
		return -1;
	return nri_known(&in->base, x->e) < 0 ? err_wrap(x->e, "NRI plugin %s", x->plugin) : 0;
}

/* Each change is compared with those before it. (ARCHITECTURE G53) */
static size_t count(const Nri__ContainerAdjustment *in)
{
	const Nri__LinuxContainerAdjustment *l = in->linux;
	const Nri__LinuxResources *r = l ? l->resources : NULL;
	const Nri__Hooks *h = in->hooks;
	size_t n = in->n_annotations + in->n_env + in->n_mounts + in->n_rlimits + in->n_cdi_devices;

	if (h)
		n += h->n_prestart + h->n_create_runtime + h->n_create_container + h->n_start_container +
		     h->n_poststart + h->n_poststop;
	for (size_t i = 0; l && l->seccomp_policy && i < l->seccomp_policy->n_syscalls; i++)
		n += l->seccomp_policy->syscalls[i]->n_names + l->seccomp_policy->syscalls[i]->n_args;
	return n + (l ? l->n_devices + l->n_sysctl : 0) + (r ? r->n_hugepage_limits + r->n_unified + r->n_devices : 0);
}

int nri_adjust(struct nri_adjusting *all, const char *plugin, const Nri__ContainerAdjustment *in, json_t *plan,
	       struct err *e)
{
	struct answer x = { .all = all, .plugin = plugin, .e = e };

	if (!in)
		return 0;
	if (count(in) > CHANGES_MAX)
		return err_set(e, ERR_RESOURCE_EXHAUSTED, "NRI plugin %s: more than %d changes of one container",
			       plugin, CHANGES_MAX);
	x.change = own_must(json_object());
	add(all->changes, x.change);
	if (change_all(&x, in) < 0 || adjust_config(plan, x.change, e) < 0)
		return -1;
	nri_merge(all->merged, nri_message_copy(&in->base, all->arena), all->arena);
	return 0;
}

void nri_adjusting_open(struct nri_adjusting *all, const char *id, json_t *owners, const struct resources *limits,
			struct arena *a)
{
	*all = (struct nri_adjusting){ .arena = a, .id = id, .owners = owners, .changes = own_must(json_array()) };
	all->merged = NEW_MESSAGE(a, Nri__ContainerAdjustment, nri__container_adjustment__init);
	fields_copy(resources_fields, &all->limits, limits, a);
}

void nri_adjusting_close(struct nri_adjusting *all)
{
	json_decref(all->changes);
}
