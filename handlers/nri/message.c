/* message.c - see message.h. Spec: NRI's api.proto, PodSandbox, Container. */
#include "handlers/nri/message.h"

#include <string.h>

#include "handlers/convert.h"
#include "procs/bundle.h"
#include "procs/cgroup.h"
#include "procs/spec.h"
#include "reactor/own.h"

enum { PART_BYTES = 2 << 20 }; /* a message has room for twice as much */

#define NEW(type, init) NEW_MESSAGE(a, type, init)

static char **texts(const json_t *list, size_t *n, struct arena *a)
{
	char **out = arena_zalloc(a, (json_array_size(list) + 1) * sizeof(*out));
	size_t i;
	json_t *v;

	*n = 0;
	json_array_foreach((json_t *)list, i, v)
		if (json_is_string(v))
			out[(*n)++] = arena_strdup(a, json_string_value(v));
	return out;
}

static char *text(const json_t *o, const char *key, struct arena *a)
{
	return (char *)json_get_str(a, o, key);
}

/* ---- resources ---- */

static Nri__OptionalInt *some(int64_t value, struct arena *a)
{
	Nri__OptionalInt *o = NEW(Nri__OptionalInt, nri__optional_int__init);

	o->value = value;
	return value ? o : NULL;
}

static Nri__OptionalUInt64 *some_u64(int64_t value, struct arena *a)
{
	Nri__OptionalUInt64 *o = NEW(Nri__OptionalUInt64, nri__optional_uint64__init);

	o->value = (uint64_t)value;
	return value > 0 ? o : NULL;
}

Nri__LinuxResources *nri_message_resources(const struct resources *r, struct arena *a)
{
	Nri__LinuxResources *out = NEW(Nri__LinuxResources, nri__linux_resources__init);

	if (!r->set)
		return NULL;
	out->memory = NEW(Nri__LinuxMemory, nri__linux_memory__init);
	out->memory->limit = some(r->memory_limit, a);
	out->memory->swap = some(r->memory_swap_limit, a);
	out->cpu = NEW(Nri__LinuxCPU, nri__linux_cpu__init);
	out->cpu->shares = some_u64(r->cpu_shares, a);
	out->cpu->quota = some(r->cpu_quota, a);
	out->cpu->period = some_u64(r->cpu_period, a);
	out->cpu->cpus = (char *)r->cpuset_cpus;
	out->cpu->mems = (char *)r->cpuset_mems;
	out->hugepage_limits = arena_zalloc(a, (r->hugepages.n + 1) * sizeof(*out->hugepage_limits));
	for (size_t i = 0; i < r->hugepages.n; i++) {
		Nri__HugepageLimit *h = NEW(Nri__HugepageLimit, nri__hugepage_limit__init);

		h->page_size = (char *)r->hugepages.at[i].page_size;
		h->limit = r->hugepages.at[i].limit;
		out->hugepage_limits[out->n_hugepage_limits++] = h;
	}
	out->n_unified = r->unified.n;
	out->unified = convert_map(&r->unified, &nri__linux_resources__unified_entry__descriptor, a);
	return out;
}

/* ---- pods ---- */

Nri__PodSandbox *nri_message_pod(const struct sandbox *s, struct arena *a)
{
	Nri__PodSandbox *p = NEW(Nri__PodSandbox, nri__pod_sandbox__init);
	Nri__LinuxNamespace **net = arena_zalloc(a, sizeof(*net));

	p->id = arena_strdup(a, s->id);
	p->name = (char *)s->config.name;
	p->uid = (char *)s->config.uid;
	p->namespace_ = (char *)s->config.namespace_;
	p->n_labels = s->config.labels.n;
	p->labels = convert_map(&s->config.labels, &nri__pod_sandbox__labels_entry__descriptor, a);
	p->n_annotations = s->config.annotations.n;
	p->annotations = convert_map(&s->config.annotations, &nri__pod_sandbox__annotations_entry__descriptor, a);
	p->runtime_handler = (char *)s->config.runtime_handler;
	p->pid = s->pause_pid > 0 ? (uint32_t)s->pause_pid : 0;
	p->n_ips = s->ips.n;
	p->ips = (char **)s->ips.at;
	p->linux = NEW(Nri__LinuxPodSandbox, nri__linux_pod_sandbox__init);
	p->linux->pod_overhead = nri_message_resources(&s->config.overhead, a);
	p->linux->pod_resources = nri_message_resources(&s->config.resources, a);
	p->linux->cgroup_parent = (char *)s->config.cgroup_parent;
	p->linux->cgroups_path = (char *)s->cgroup;
	if (!*s->netns_path)
		return p;
	net[0] = NEW(Nri__LinuxNamespace, nri__linux_namespace__init);
	net[0]->type = (char *)"network";
	net[0]->path = (char *)s->netns_path;
	p->linux->namespaces = net;
	p->linux->n_namespaces = 1;
	return p;
}

/* ---- containers ---- */

static Nri__Mount **mounts_of(const json_t *list, size_t *n, struct arena *a)
{
	Nri__Mount **out = arena_zalloc(a, (json_array_size(list) + 1) * sizeof(*out));
	size_t i;
	json_t *v;

	json_array_foreach((json_t *)list, i, v) {
		Nri__Mount *m = NEW(Nri__Mount, nri__mount__init);

		m->destination = text(v, "destination", a);
		m->type = text(v, "type", a);
		m->source = text(v, "source", a);
		m->options = texts(json_object_get(v, "options"), &m->n_options, a);
		out[i] = m;
	}
	*n = json_array_size(list);
	return out;
}

static Nri__OptionalUInt32 *optional_of(const json_t *o, const char *key, struct arena *a)
{
	Nri__OptionalUInt32 *out = NEW(Nri__OptionalUInt32, nri__optional_uint32__init);

	out->value = (uint32_t)json_get_int(o, key);
	return json_object_get(o, key) ? out : NULL;
}

static Nri__LinuxDevice **devices_of(const json_t *list, size_t *n, struct arena *a)
{
	Nri__LinuxDevice **out = arena_zalloc(a, (json_array_size(list) + 1) * sizeof(*out));
	size_t i;
	json_t *v;

	json_array_foreach((json_t *)list, i, v) {
		Nri__LinuxDevice *d = NEW(Nri__LinuxDevice, nri__linux_device__init);

		d->path = text(v, "path", a);
		d->type = text(v, "type", a);
		d->major = json_get_int(v, "major");
		d->minor = json_get_int(v, "minor");
		d->file_mode = optional_of(v, "fileMode", a);
		d->uid = optional_of(v, "uid", a);
		d->gid = optional_of(v, "gid", a);
		out[i] = d;
	}
	*n = json_array_size(list);
	return out;
}

static Nri__POSIXRlimit **rlimits_of(const json_t *list, size_t *n, struct arena *a)
{
	Nri__POSIXRlimit **out = arena_zalloc(a, (json_array_size(list) + 1) * sizeof(*out));
	size_t i;
	json_t *v;

	json_array_foreach((json_t *)list, i, v) {
		Nri__POSIXRlimit *r = NEW(Nri__POSIXRlimit, nri__posixrlimit__init);

		r->type = text(v, "type", a);
		r->hard = (uint64_t)json_get_int(v, "hard");
		r->soft = (uint64_t)json_get_int(v, "soft");
		out[i] = r;
	}
	*n = json_array_size(list);
	return out;
}

static struct pairs pairs_of(const json_t *object, struct arena *a)
{
	struct pairs out = { arena_zalloc(a, (json_object_size(object) + 1) * sizeof(*out.at)), 0 };
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)object, key, v)
		if (json_is_string(v))
			out.at[out.n++] = (struct pair){ arena_strdup(a, key), arena_strdup(a, json_string_value(v)) };
	return out;
}

/* As procs/spec/seccomp.c reads a request; NULL: it names none. */
static Nri__SecurityProfile *seccomp_of(const struct security *sec, struct arena *a)
{
	Nri__SecurityProfile *out = NEW(Nri__SecurityProfile, nri__security_profile__init);
	const char *old = sec->seccomp_profile_path;
	bool localhost = strncmp(old, "localhost/", 10) == 0;

	out->profile_type = (Nri__ProfileType)sec->seccomp.type;
	out->localhost_ref = (char *)sec->seccomp.localhost_ref;
	if (sec->privileged)
		return NULL;
	if (sec->seccomp.set)
		return out;
	out->profile_type = localhost ? NRI__PROFILE_TYPE__LOCALHOST : NRI__PROFILE_TYPE__RUNTIME_DEFAULT;
	out->localhost_ref = (char *)(localhost ? old + 10 : "");
	return localhost || strcmp(old, "runtime/default") == 0 || strcmp(old, "docker/default") == 0 ? out : NULL;
}

static Nri__CDIDevice **cdi_of(const struct strings *names, struct arena *a)
{
	Nri__CDIDevice **out = arena_zalloc(a, (names->n + 1) * sizeof(*out));

	for (size_t i = 0; i < names->n; i++) {
		out[i] = NEW(Nri__CDIDevice, nri__cdidevice__init);
		out[i]->name = (char *)names->at[i];
	}
	return out;
}

static Nri__LinuxContainer *linux_of(const json_t *config, const struct resources *resources, struct arena *a)
{
	Nri__LinuxContainer *l = NEW(Nri__LinuxContainer, nri__linux_container__init);
	const json_t *linux_ = json_object_get(config, "linux"), *process = json_object_get(config, "process"), *v;
	const json_t *namespaces = json_object_get(linux_, "namespaces");
	struct pairs sysctl = pairs_of(json_object_get(linux_, "sysctl"), a);
	size_t i;

	l->devices = devices_of(json_object_get(linux_, "devices"), &l->n_devices, a);
	l->resources = nri_message_resources(resources, a);
	l->oom_score_adj = some(json_get_int(process, "oomScoreAdj"), a);
	l->cgroups_path = text(linux_, "cgroupsPath", a);
	l->n_sysctl = sysctl.n;
	l->sysctl = convert_map(&sysctl, &nri__linux_container__sysctl_entry__descriptor, a);
	l->namespaces = arena_zalloc(a, (json_array_size(namespaces) + 1) * sizeof(*l->namespaces));
	json_array_foreach((json_t *)namespaces, i, v) {
		Nri__LinuxNamespace *n = NEW(Nri__LinuxNamespace, nri__linux_namespace__init);

		n->type = text(v, "type", a);
		n->path = text(v, "path", a);
		l->namespaces[l->n_namespaces++] = n;
	}
	return l;
}

static Nri__Container *container_of_config(const struct container_config *c, const json_t *config, struct arena *a)
{
	Nri__Container *out = NEW(Nri__Container, nri__container__init);
	const json_t *process = json_object_get(config, "process");

	out->name = (char *)c->name;
	out->n_labels = c->labels.n;
	out->labels = convert_map(&c->labels, &nri__container__labels_entry__descriptor, a);
	out->args = texts(json_object_get(process, "args"), &out->n_args, a);
	out->env = texts(json_object_get(process, "env"), &out->n_env, a);
	out->mounts = mounts_of(json_object_get(config, "mounts"), &out->n_mounts, a);
	out->rlimits = rlimits_of(json_object_get(process, "rlimits"), &out->n_rlimits, a);
	out->linux = linux_of(config, &c->resources, a);
	out->linux->seccomp_profile = seccomp_of(&c->security, a);
	out->cdi_devices = cdi_of(&c->cdi_devices, a);
	out->n_cdi_devices = c->cdi_devices.n;
	return out;
}

static void put_annotations(Nri__Container *out, const struct pairs *annotations, struct arena *a)
{
	out->n_annotations = annotations->n;
	out->annotations = convert_map(annotations, &nri__container__annotations_entry__descriptor, a);
}

Nri__Image *nri_message_image(const struct container_image *image, struct arena *a)
{
	Nri__Image *out = NEW(Nri__Image, nri__image__init);
	const char *digest = strrchr(image->ref, '@');

	out->name = (char *)image->name;
	out->digest = (char *)(digest ? digest + 1 : "");
	out->config_digest = (char *)image->id;
	return out;
}

static Nri__Container *message_of(const struct container *c, const json_t *config, struct arena *a)
{
	static const Nri__ContainerState states[] = {
		[CONTAINER_CREATED] = NRI__CONTAINER_STATE__CONTAINER_CREATED,
		[CONTAINER_RUNNING] = NRI__CONTAINER_STATE__CONTAINER_RUNNING,
		[CONTAINER_EXITED] = NRI__CONTAINER_STATE__CONTAINER_STOPPED,
		[CONTAINER_UNKNOWN] = NRI__CONTAINER_STATE__CONTAINER_UNKNOWN,
	};
	Nri__Container *out = container_of_config(&c->config, config, a);

	put_annotations(out, &c->config.annotations, a);
	out->id = arena_strdup(a, c->id);
	out->pod_sandbox_id = arena_strdup(a, c->sandbox->id);
	out->state = states[c->state];
	out->pid = c->pid > 0 ? (uint32_t)c->pid : 0;
	out->created_at = c->created_at_ns;
	out->started_at = c->started_at_ns;
	out->finished_at = c->finished_at_ns;
	out->exit_code = c->exit_code;
	out->status_reason = (char *)c->reason;
	out->status_message = (char *)c->message;
	out->user = NEW(Nri__User, nri__user__init);
	out->user->uid = (uint32_t)c->uid;
	out->user->gid = (uint32_t)c->gid;
	out->user->additional_gids = arena_zalloc(a, (c->groups.n + 1) * sizeof(*out->user->additional_gids));
	for (size_t i = 0; i < c->groups.n; i++)
		out->user->additional_gids[out->user->n_additional_gids++] = (uint32_t)c->groups.at[i];
	out->image = nri_message_image(&c->image, a);
	return out;
}

Nri__Container *nri_message_container(const struct container *c, struct arena *a)
{
	struct err e;
	auto_json json_t *config = bundle_read_config(c->bundle, &e);

	if (!config)
		config = nri_plan(c->sandbox, &c->config, &c->image);
	return message_of(c, config, a);
}

/* ---- before a container is made ---- */

static void put_new(json_t *o, const char *key, json_t *v)
{
	own_must(json_object_set_new(o, key, own_must(v)) == 0 ? o : NULL);
}

static json_t *list_of(const struct strings *first, const struct strings *rest)
{
	json_t *out = own_must(json_array());

	for (size_t i = 0; i < first->n; i++)
		json_array_append_new(out, json_string(first->at[i])); /* NULL: not UTF-8, refused later by name */
	for (size_t i = 0; i < rest->n; i++)
		json_array_append_new(out, json_string(rest->at[i]));
	return out;
}

/* As procs/spec.c has it: of one name the last value counts. */
static json_t *plan_env(const struct container_config *c, const struct container_image *image)
{
	auto_json json_t *by_name = own_must(json_object());
	json_t *out = own_must(json_array()), *v;
	const char *name;

	for (size_t i = 0; i < image->env.n; i++) {
		const char *equal = strchr(image->env.at[i], '=');

		if (!equal)
			continue;
		auto_free char *key = own_must(strndup(image->env.at[i], (size_t)(equal - image->env.at[i])));

		json_object_set_new(by_name, key, json_string(equal + 1));
	}
	for (size_t i = 0; i < c->envs.n; i++)
		json_object_set_new(by_name, c->envs.at[i].key, json_string(c->envs.at[i].value));
	json_object_foreach(by_name, name, v)
		json_array_append_new(out, json_sprintf("%s=%s", name, json_string_value(v)));
	return out;
}

/* The request's, and the default ones at other paths. */
static json_t *plan_mounts(const struct sandbox *sandbox, const struct container_config *c)
{
	auto_json json_t *defaults = spec_default_mounts(sandbox, &c->security);
	json_t *out = own_must(json_array()), *m;
	size_t k;

	json_array_foreach(defaults, k, m) {
		const char *to = json_string_value(json_object_get(m, "destination"));
		bool taken = false;

		for (size_t i = 0; i < c->mounts.n; i++)
			taken |= strcmp(c->mounts.at[i].container_path, to) == 0;
		if (!taken)
			json_array_append(out, m);
	}
	for (size_t i = 0; i < c->mounts.n; i++)
		json_array_append_new(out, json_pack("{s:s,s:s,s:s,s:[s,s]}", "destination",
						     c->mounts.at[i].container_path, "type", "bind", "source",
						     c->mounts.at[i].host_path, "options", "rbind",
						     c->mounts.at[i].readonly ? "ro" : "rw"));
	return out;
}

json_t *nri_plan(const struct sandbox *sandbox, const struct container_config *c, const struct container_image *image)
{
	const struct strings *first = c->command.n ? &c->command : &image->entrypoint;
	const struct strings *rest = c->command.n || c->args.n ? &c->args : &image->cmd;
	json_t *plan = own_must(json_object()), *process = own_must(json_object());
	json_t *annotations = own_must(json_object());

	put_new(plan, "process", process);
	put_new(process, "args", list_of(first, rest));
	put_new(process, "env", plan_env(c, image));
	put_new(process, "oomScoreAdj", json_integer(c->resources.oom_score_adj));
	put_new(plan, "mounts", plan_mounts(sandbox, c));
	put_new(plan, "linux", json_pack("{s:[],s:{s:[]}}", "devices", "resources", "devices"));
	put_new(plan, "annotations", annotations);
	for (size_t i = 0; i < c->annotations.n; i++)
		json_object_set_new(annotations, c->annotations.at[i].key, json_string(c->annotations.at[i].value));
	return plan;
}

Nri__Container *nri_message_planned(const char *id, const char *pod_id, const struct container_config *c,
				    const json_t *plan, struct arena *a)
{
	Nri__Container *out = container_of_config(c, plan, a);
	struct pairs pairs = pairs_of(json_object_get(plan, "annotations"), a);

	put_annotations(out, &pairs, a);
	out->id = arena_strdup(a, id);
	out->pod_sandbox_id = arena_strdup(a, pod_id);
	out->state = NRI__CONTAINER_STATE__CONTAINER_CREATED;
	return out;
}

/* ---- the state of the node ---- */

struct gathering {
	struct arena *arena;
	Nri__PodSandbox **pods;
	Nri__Container **containers;
	size_t n_pods, n_containers;
};

static void count_pod(void *arg, struct sandbox *s)
{
	(void)s;
	((struct gathering *)arg)->n_pods++;
}

static void count_container(void *arg, struct container *c)
{
	(void)c;
	((struct gathering *)arg)->n_containers++;
}

static void gather_pod(void *arg, struct sandbox *s)
{
	struct gathering *g = arg;

	g->pods[g->n_pods++] = nri_message_pod(s, g->arena);
}

/* By the record: the files of a thousand containers would hold the loop. */
static void gather_container(void *arg, struct container *c)
{
	struct gathering *g = arg;
	auto_json json_t *plan = nri_plan(c->sandbox, &c->config, &c->image);

	g->containers[g->n_containers++] = message_of(c, plan, g->arena);
}

static Nri__SynchronizeRequest *part_new(struct nri_state *out, struct gathering *g)
{
	Nri__SynchronizeRequest *r =
		NEW_MESSAGE(g->arena, Nri__SynchronizeRequest, nri__synchronize_request__init);

	out->parts[out->n_parts++] = r;
	return r;
}

void *nri_message_copy(const ProtobufCMessage *m, struct arena *a)
{
	ProtobufCAllocator allocator = { arena_take, arena_leave, a };
	size_t len = protobuf_c_message_get_packed_size(m);
	uint8_t *bytes = arena_zalloc(a, len + 1);

	protobuf_c_message_pack(m, bytes);
	return own_must(protobuf_c_message_unpack(m->descriptor, &allocator, len, bytes));
}

void nri_message_state(struct nri_state *out, struct arena *a)
{
	struct gathering g = { .arena = a };
	Nri__SynchronizeRequest *part;
	size_t bytes = 0;

	sandbox_each(count_pod, &g);
	container_each(count_container, &g);
	g.pods = arena_zalloc(a, (g.n_pods + 1) * sizeof(*g.pods));
	g.containers = arena_zalloc(a, (g.n_containers + 1) * sizeof(*g.containers));
	out->parts = arena_zalloc(a, (g.n_pods + g.n_containers + 1) * sizeof(*out->parts));
	out->n_parts = g.n_pods = g.n_containers = 0;
	sandbox_each(gather_pod, &g);
	container_each(gather_container, &g);
	part = part_new(out, &g);
	for (size_t i = 0; i < g.n_pods + g.n_containers; i++) {
		size_t k = i - g.n_pods;
		ProtobufCMessage *m = i < g.n_pods ? &g.pods[i]->base : &g.containers[k]->base;
		size_t len = protobuf_c_message_get_packed_size(m);

		if (bytes && bytes + len > PART_BYTES) {
			part = part_new(out, &g);
			bytes = 0;
		}
		bytes += len;
		m = nri_message_copy(m, a);
		if (i < g.n_pods) {
			g.pods[i] = (void *)m;
			part->pods = part->n_pods++ ? part->pods : &g.pods[i];
		} else {
			g.containers[k] = (void *)m;
			part->containers = part->n_containers++ ? part->containers : &g.containers[k];
		}
	}
}
