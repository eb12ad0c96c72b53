/* convert.c - see convert.h and convert_in.h: the parts that sandboxes and containers share, and all conversions back
 * to protobuf. */
#include "handlers/convert.h"

#include <stdlib.h>
#include <string.h>

#include "handlers/convert_in.h"

enum { SECONDS_MAX = 365 * 24 * 3600 };

struct numbered {
	struct pair pair;
	size_t i;
};

static int by_key_then_order(const void *x, const void *y)
{
	const struct numbered *p = x, *q = y;
	int order = strcmp(p->pair.key, q->pair.key);

	return order ? order : (p->i > q->i) - (p->i < q->i);
}

int64_t convert_seconds(int64_t seconds)
{
	return (seconds < SECONDS_MAX ? seconds : SECONDS_MAX) * 1000;
}

struct pairs convert_pairs(void *entries, size_t n, struct arena *a)
{
	struct map_entry **in = entries;
	struct numbered *sorted = arena_zalloc(a, n * sizeof(*sorted));
	struct pairs out = { arena_zalloc(a, n * sizeof(*out.at)), 0 };

	for (size_t i = 0; i < n; i++)
		sorted[i] = (struct numbered){ { in[i]->key, in[i]->value }, i };
	if (n)
		qsort(sorted, n, sizeof(*sorted), by_key_then_order);
	for (size_t i = 0; i < n; i++)
		if (i + 1 == n || strcmp(sorted[i].pair.key, sorted[i + 1].pair.key) != 0)
			out.at[out.n++] = sorted[i].pair;
	return out;
}

struct strings convert_strings(char **in, size_t n, struct arena *a)
{
	return (struct strings){ arena_memdup(a, in, n * sizeof(*in)), n };
}

struct ints convert_ints(const int64_t *in, size_t n, struct arena *a)
{
	return (struct ints){ arena_memdup(a, in, n * sizeof(*in)), n };
}

struct opt_i64 convert_opt(const Runtime__V1__Int64Value *in)
{
	return in ? (struct opt_i64){ true, in->value } : (struct opt_i64){ 0 };
}

struct id_mappings convert_id_mappings(Runtime__V1__IDMapping **in, size_t n, struct arena *a)
{
	struct id_mappings out = { arena_zalloc(a, n * sizeof(*out.at)), n };

	for (size_t i = 0; i < n; i++)
		out.at[i] = (struct id_mapping){ in[i]->host_id, in[i]->container_id, in[i]->length };
	return out;
}

int convert_enum(int value, int last, const char *what, struct err *e)
{
	if (value < 0 || value > last)
		return err_set(e, ERR_INVALID_ARGUMENT, "%s: unknown value %d", what, value);
	return 0;
}

int convert_profile(struct profile *out, const Runtime__V1__SecurityProfile *in, const char *what, struct err *e)
{
	*out = (struct profile){ .localhost_ref = "" };
	if (!in)
		return 0;
	*out = (struct profile){ true, in->profile_type, in->localhost_ref };
	if (convert_enum(in->profile_type, PROFILE_LOCALHOST, what, e) < 0)
		return -1;
	if (out->type != PROFILE_LOCALHOST && *in->localhost_ref)
		return err_set(e, ERR_INVALID_ARGUMENT, "%s: localhost_ref needs profile_type Localhost",
			       what);
	return 0;
}

int convert_namespaces(struct ns_options *out, const Runtime__V1__NamespaceOption *in, struct arena *a, struct err *e)
{
	if (!in)
		return 0;
	if (convert_enum(in->network, NS_TARGET, "namespace_options.network", e) < 0 ||
	    convert_enum(in->pid, NS_TARGET, "namespace_options.pid", e) < 0 ||
	    convert_enum(in->ipc, NS_TARGET, "namespace_options.ipc", e) < 0)
		return -1;
	out->network = in->network;
	out->pid = in->pid;
	out->ipc = in->ipc;
	out->target_id = in->target_id;
	if (!in->userns_options)
		return 0;
	if (convert_enum(in->userns_options->mode, NS_TARGET, "userns_options.mode", e) < 0)
		return -1;
	out->has_userns = true;
	out->userns_mode = in->userns_options->mode;
	out->uids = convert_id_mappings(in->userns_options->uids, in->userns_options->n_uids, a);
	out->gids = convert_id_mappings(in->userns_options->gids, in->userns_options->n_gids, a);
	return 0;
}

int convert_resources_in(struct resources *out, const Runtime__V1__LinuxContainerResources *in, struct arena *a,
			 struct err *e)
{
	if (!in)
		return 0;
	if (in->memory_limit_in_bytes < 0 || in->cpu_period < 0 || in->cpu_shares < 0 || in->cpu_quota < -1 ||
	    in->memory_swap_limit_in_bytes < -1)
		return err_set(e, ERR_INVALID_ARGUMENT, "resources: a limit is negative");
	if (in->oom_score_adj < -1000 || in->oom_score_adj > 1000)
		return err_set(e, ERR_INVALID_ARGUMENT, "resources.oom_score_adj: %lld is not in -1000..1000",
			       (long long)in->oom_score_adj);
	*out = (struct resources){
		.set = true,
		.cpu_period = in->cpu_period, .cpu_quota = in->cpu_quota, .cpu_shares = in->cpu_shares,
		.memory_limit = in->memory_limit_in_bytes, .oom_score_adj = in->oom_score_adj,
		.memory_swap_limit = in->memory_swap_limit_in_bytes,
		.cpuset_cpus = in->cpuset_cpus, .cpuset_mems = in->cpuset_mems,
		.unified = convert_pairs(in->unified, in->n_unified, a),
	};
	out->hugepages.n = in->n_hugepage_limits;
	out->hugepages.at = arena_zalloc(a, in->n_hugepage_limits * sizeof(*out->hugepages.at));
	for (size_t i = 0; i < in->n_hugepage_limits; i++)
		out->hugepages.at[i] =
			(struct hugepage_limit){ in->hugepage_limits[i]->page_size, in->hugepage_limits[i]->limit };
	return 0;
}

struct selinux_options convert_selinux(const Runtime__V1__SELinuxOption *in)
{
	return in ? (struct selinux_options){ in->user, in->role, in->type, in->level }
		  : (struct selinux_options){ "", "", "", "" };
}

/* ---- back to protobuf ---- */

void *convert_map(const struct pairs *p, const ProtobufCMessageDescriptor *entry, struct arena *a)
{
	struct map_entry **out = arena_zalloc(a, p->n * sizeof(*out));

	for (size_t i = 0; i < p->n; i++) {
		out[i] = arena_zalloc(a, sizeof(**out));
		protobuf_c_message_init(entry, out[i]);
		out[i]->key = (char *)p->at[i].key;
		out[i]->value = (char *)p->at[i].value;
	}
	return out;
}

static Runtime__V1__IDMapping **id_mappings_out(const struct id_mappings *in, struct arena *a)
{
	Runtime__V1__IDMapping **out = arena_zalloc(a, in->n * sizeof(*out));

	for (size_t i = 0; i < in->n; i++) {
		out[i] = NEW_MESSAGE(a, Runtime__V1__IDMapping, runtime__v1__idmapping__init);
		out[i]->host_id = in->at[i].host_id;
		out[i]->container_id = in->at[i].container_id;
		out[i]->length = in->at[i].length;
	}
	return out;
}

Runtime__V1__NamespaceOption *convert_ns_options(const struct ns_options *in, struct arena *a)
{
	Runtime__V1__NamespaceOption *out =
		NEW_MESSAGE(a, Runtime__V1__NamespaceOption, runtime__v1__namespace_option__init);

	out->network = (Runtime__V1__NamespaceMode)in->network;
	out->pid = (Runtime__V1__NamespaceMode)in->pid;
	out->ipc = (Runtime__V1__NamespaceMode)in->ipc;
	out->target_id = (char *)in->target_id;
	if (in->has_userns) {
		Runtime__V1__UserNamespace *u =
			NEW_MESSAGE(a, Runtime__V1__UserNamespace, runtime__v1__user_namespace__init);

		u->mode = (Runtime__V1__NamespaceMode)in->userns_mode;
		u->n_uids = in->uids.n;
		u->uids = id_mappings_out(&in->uids, a);
		u->n_gids = in->gids.n;
		u->gids = id_mappings_out(&in->gids, a);
		out->userns_options = u;
	}
	return out;
}

Runtime__V1__LinuxContainerResources *convert_resources(const struct resources *in, struct arena *a)
{
	Runtime__V1__LinuxContainerResources *out =
		NEW_MESSAGE(a, Runtime__V1__LinuxContainerResources, runtime__v1__linux_container_resources__init);

	out->cpu_period = in->cpu_period;
	out->cpu_quota = in->cpu_quota;
	out->cpu_shares = in->cpu_shares;
	out->memory_limit_in_bytes = in->memory_limit;
	out->memory_swap_limit_in_bytes = in->memory_swap_limit;
	out->oom_score_adj = in->oom_score_adj;
	out->cpuset_cpus = (char *)in->cpuset_cpus;
	out->cpuset_mems = (char *)in->cpuset_mems;
	out->n_unified = in->unified.n;
	out->unified = convert_map(&in->unified, &runtime__v1__linux_container_resources__unified_entry__descriptor, a);
	out->n_hugepage_limits = in->hugepages.n;
	out->hugepage_limits = arena_zalloc(a, in->hugepages.n * sizeof(*out->hugepage_limits));
	for (size_t i = 0; i < in->hugepages.n; i++) {
		Runtime__V1__HugepageLimit *h =
			NEW_MESSAGE(a, Runtime__V1__HugepageLimit, runtime__v1__hugepage_limit__init);

		h->page_size = (char *)in->hugepages.at[i].page_size;
		h->limit = in->hugepages.at[i].limit;
		out->hugepage_limits[i] = h;
	}
	return out;
}

static Runtime__V1__Mount *mount_out(const struct mount_config *in, struct arena *a)
{
	Runtime__V1__Mount *out = NEW_MESSAGE(a, Runtime__V1__Mount, runtime__v1__mount__init);

	out->container_path = (char *)in->container_path;
	out->host_path = (char *)in->host_path;
	out->readonly = in->readonly;
	out->selinux_relabel = in->selinux_relabel;
	out->recursive_read_only = in->recursive_read_only;
	out->propagation = (Runtime__V1__MountPropagation)in->propagation;
	out->n_uidmappings = in->uids.n;
	out->uidmappings = id_mappings_out(&in->uids, a);
	out->n_gidmappings = in->gids.n;
	out->gidmappings = id_mappings_out(&in->gids, a);
	out->image_sub_path = (char *)in->image_sub_path;
	out->n_mount_options = in->mount_options.n;
	out->mount_options = (char **)in->mount_options.at;
	if (*in->image) {
		out->image = NEW_MESSAGE(a, Runtime__V1__ImageSpec, runtime__v1__image_spec__init);
		out->image->image = (char *)in->image;
	}
	return out;
}

Runtime__V1__Mount **convert_mounts(const struct container_config *c, struct arena *a)
{
	Runtime__V1__Mount **out = arena_zalloc(a, c->mounts.n * sizeof(*out));

	for (size_t i = 0; i < c->mounts.n; i++)
		out[i] = mount_out(&c->mounts.at[i], a);
	return out;
}

Runtime__V1__PodSandboxMetadata *convert_sandbox_metadata(const struct sandbox_config *in, struct arena *a)
{
	Runtime__V1__PodSandboxMetadata *out =
		NEW_MESSAGE(a, Runtime__V1__PodSandboxMetadata, runtime__v1__pod_sandbox_metadata__init);

	out->name = (char *)in->name;
	out->uid = (char *)in->uid;
	out->namespace_ = (char *)in->namespace_;
	out->attempt = in->attempt;
	return out;
}

Runtime__V1__ContainerMetadata *convert_container_metadata(const struct container_config *in, struct arena *a)
{
	Runtime__V1__ContainerMetadata *out =
		NEW_MESSAGE(a, Runtime__V1__ContainerMetadata, runtime__v1__container_metadata__init);

	out->name = (char *)in->name;
	out->attempt = in->attempt;
	return out;
}
