/* adjust.c - see adjust.h. A plugin is a program of root; what it sends is checked all the same, so that garbage is an
 * error by name and not a config.json that no runtime understands. Spec: NRI's api.proto, ContainerAdjustment. */
#include "handlers/nri/adjust.h"

#include <string.h>

#include "handlers/convert.h"
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
static int claim(struct answer *x, const char *kind, const char *name, bool take_away)
{
	const char *key = arena_printf(x->all->arena, "%s %s", kind, name);
	const char *owner = json_string_value(json_object_get(x->all->owners, key));

	if (owner && !take_away && strcmp(owner, x->plugin) != 0)
		return err_set(x->e, ERR_INVALID_ARGUMENT, "NRI plugins %s and %s both change %s %.200s", owner,
			       x->plugin, kind, name);
	put(x->all->owners, key, json_string(x->plugin));
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

/* Those that take away come first: "-name" and "name" of one plugin are one change. */
static int change_pairs(struct answer *x, const char *kind, const char *member, const struct pairs *pairs)
{
	json_t *to = pairs->n ? part(x, member, false) : NULL;

	for (int round = 0; round < 2; round++)
		for (size_t i = 0; i < pairs->n; i++) {
			bool minus = pairs->at[i].key[0] == '-';
			const char *name = pairs->at[i].key + minus;
			json_t *value, *checked;

			if (minus != (round == 0))
				continue;
			if (!*name || (strcmp(kind, "env") == 0 && strchr(name, '=')))
				return bad(x, "no name:", name);
			checked = text(x, kind, name);
			if (!checked)
				return -1;
			json_decref(checked);
			value = minus ? json_null() : text(x, kind, pairs->at[i].value);
			if (!value)
				return -1;
			put(to, name, value);
			if (claim(x, kind, name, minus) < 0)
				return -1;
		}
	return 0;
}

static int change_env(struct answer *x, const Nri__ContainerAdjustment *in)
{
	struct pairs env = { arena_zalloc(x->all->arena, (in->n_env + 1) * sizeof(*env.at)), in->n_env };

	for (size_t i = 0; i < in->n_env; i++)
		env.at[i] = (struct pair){ in->env[i]->key, in->env[i]->value };
	return change_pairs(x, "env", "env", &env);
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
	return claim(x, "args", "", again);
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
	return good ? claim(x, "mount", to, minus) : -1;
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
		return claim(x, "device", path, true);
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
	return claim(x, "device", path, false);
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
	return change_hooks(x, "poststop", h->poststop, h->n_poststop);
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
	return claim(x, "rlimit", names[i], false);
}

/* ---- limits ---- */

static int limit(int64_t *out, bool set, int64_t value, int64_t least, const char *what, struct err *e)
{
	if (!set)
		return 0;
	if (value < least)
		return err_set(e, ERR_INVALID_ARGUMENT, "%s: %lld is no limit", what, (long long)value);
	*out = value;
	return 0;
}

static int64_t number(const Nri__OptionalUInt64 *n)
{
	return n ? (int64_t)n->value : 0;
}

static int not_possible(const Nri__LinuxResources *in, struct err *e)
{
	const Nri__LinuxMemory *m = in->memory;
	const Nri__LinuxCPU *c = in->cpu;
	const char *what = m && (m->reservation || m->kernel || m->kernel_tcp || m->swappiness) ?
				   "memory.reservation, kernel, kernel_tcp and swappiness" :
			   m && (m->disable_oom_killer || m->use_hierarchy) ?
				   "memory.disable_oom_killer and use_hierarchy" :
			   c && (c->realtime_runtime || c->realtime_period) ? "cpu.realtime_*" :
			   in->blockio_class ? "blockio_class" :
			   in->rdt_class ? "rdt_class" :
			   in->n_devices ? "device rules" : NULL;

	return what ? err_set(e, ERR_UNIMPLEMENTED, "resources: crisp does not set %s", what) : 0;
}

int nri_limits(struct resources *out, int64_t *pids, const Nri__LinuxResources *in, struct arena *a, struct err *e)
{
	const Nri__LinuxMemory *m = in->memory;
	const Nri__LinuxCPU *c = in->cpu;

	*out = (struct resources){ .set = true, .cpuset_cpus = c ? c->cpus : "", .cpuset_mems = c ? c->mems : "" };
	*pids = -1;
	if (not_possible(in, e) < 0 ||
	    (m && (limit(&out->memory_limit, m->limit, m->limit ? m->limit->value : 0, 0, "memory.limit", e) < 0 ||
		   limit(&out->memory_swap_limit, m->swap, m->swap ? m->swap->value : 0, -1, "memory.swap", e) < 0)))
		return -1;
	if (c && (limit(&out->cpu_shares, c->shares, number(c->shares), 0, "cpu.shares", e) < 0 ||
		  limit(&out->cpu_period, c->period, number(c->period), 0, "cpu.period", e) < 0 ||
		  limit(&out->cpu_quota, c->quota, c->quota ? c->quota->value : 0, -1, "cpu.quota", e) < 0))
		return -1;
	if (in->pids && limit(pids, true, in->pids->limit, 1, "pids.limit", e) < 0)
		return -1;
	out->hugepages.at = arena_zalloc(a, (in->n_hugepage_limits + 1) * sizeof(*out->hugepages.at));
	for (size_t i = 0; i < in->n_hugepage_limits; i++)
		out->hugepages.at[out->hugepages.n++] = (struct hugepage_limit){ in->hugepage_limits[i]->page_size,
										 in->hugepage_limits[i]->limit };
	out->unified = convert_pairs(in->unified, in->n_unified, a);
	return resources_check(out, e);
}

/* Which limit is whose: by the member, as two plugins may set different ones. */
static int claim_limits(struct answer *x, const struct resources *r, int64_t pids)
{
	const struct { bool set; const char *name; } each[] = {
		{ r->memory_limit, "memory.limit" }, { r->memory_swap_limit, "memory.swap" },
		{ r->cpu_shares, "cpu.shares" },     { r->cpu_quota, "cpu.quota" },
		{ r->cpu_period, "cpu.period" },     { *r->cpuset_cpus, "cpu.cpus" },
		{ *r->cpuset_mems, "cpu.mems" },     { pids >= 0, "pids.limit" },
	};

	for (size_t i = 0; i < sizeof(each) / sizeof(*each); i++)
		if (each[i].set && claim(x, "limit", each[i].name, false) < 0)
			return -1;
	for (size_t i = 0; i < r->hugepages.n; i++)
		if (claim(x, "hugepage limit", r->hugepages.at[i].page_size, false) < 0)
			return -1;
	for (size_t i = 0; i < r->unified.n; i++)
		if (claim(x, "unified limit", r->unified.at[i].key, false) < 0)
			return -1;
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
	if (claim_limits(x, &asked, pids) < 0)
		return -1;
	if (pids >= 0)
		put(x->change, "pidsLimit", json_integer(pids));
	/* Copied: the message ends with the answer. */
	struct resources merged = resources_merge(&all->limits, &asked, all->arena);

	fields_copy(resources_fields, &all->limits, &merged, all->arena);
	all->limited = true;
	return 0;
}

/* ---- the whole ---- */

static int change_linux(struct answer *x, const Nri__LinuxContainerAdjustment *l)
{
	const char *not_here;

	if (!l)
		return 0;
	not_here = *l->cgroups_path ? "cgroups_path" : l->io_priority ? "io_priority" :
		   l->seccomp_policy ? "seccomp_policy" : l->n_namespaces ? "namespaces" :
		   l->n_sysctl ? "sysctl" : l->n_net_devices ? "net_devices" : l->scheduler ? "scheduler" :
		   l->rdt ? "rdt" : l->memory_policy ? "memory_policy" : NULL;
	if (not_here)
		return err_set(x->e, ERR_UNIMPLEMENTED, "NRI plugin %s: crisp does not adjust %s", x->plugin, not_here);
	for (size_t i = 0; i < l->n_devices; i++)
		if (change_device(x, l->devices[i]) < 0)
			return -1;
	if (l->oom_score_adj) {
		if (l->oom_score_adj->value < -1000 || l->oom_score_adj->value > 1000)
			return bad(x, "oom_score_adj is not in -1000..1000", "");
		put(x->change, "oomScoreAdj", json_integer(l->oom_score_adj->value));
		if (claim(x, "oom_score_adj", "", false) < 0)
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
		if (claim(x, "CDI device", in->cdi_devices[i]->name, false) < 0)
			return -1;
	}
	all->cdi_devices = (struct strings){ more, all->cdi_devices.n + in->n_cdi_devices };
	return 0;
}

static int change_all(struct answer *x, const Nri__ContainerAdjustment *in)
{
	struct pairs annotations = convert_pairs(in->annotations, in->n_annotations, x->all->arena);

	if (change_pairs(x, "annotation", "annotations", &annotations) < 0 || change_env(x, in) < 0 ||
	    change_args(x, in) < 0 || change_all_hooks(x, in->hooks) < 0)
		return -1;
	for (size_t i = 0; i < in->n_mounts; i++)
		if (change_mount(x, in->mounts[i]) < 0)
			return -1;
	for (size_t i = 0; i < in->n_rlimits; i++)
		if (change_rlimit(x, in->rlimits[i]) < 0)
			return -1;
	return change_linux(x, in->linux) < 0 ? -1 : change_cdi(x, in);
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
	return n + (l ? l->n_devices : 0) + (r ? r->n_hugepage_limits + r->n_unified : 0);
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
	if (change_all(&x, in) < 0)
		return -1;
	return adjust_config(plan, x.change, e);
}

void nri_adjusting_open(struct nri_adjusting *all, const struct resources *limits, struct arena *a)
{
	*all = (struct nri_adjusting){ .arena = a, .changes = own_must(json_array()),
				       .owners = own_must(json_object()) };
	fields_copy(resources_fields, &all->limits, limits, a);
}

void nri_adjusting_close(struct nri_adjusting *all)
{
	json_decref(all->changes);
	json_decref(all->owners);
}
