/* stats_rpc.c - the usage of containers and pods. Spec: CRI v1 RuntimeService, ContainerStats and PodSandboxStats.
 *
 * Only running containers and READY sandboxes have numbers. Lists leave the others out; a call for one of the others
 * answers with its attributes alone. */
#include <string.h>

#include "handlers/convert.h"
#include "handlers/filter.h"
#include "handlers/listing.h"
#include "handlers/services.h"
#include "images/config.h"
#include "images/snapshot.h"
#include "images/store.h"
#include "procs/cgroup.h"
#include "procs/container.h"
#include "procs/sandbox_files.h"
#include "procs/stats.h"
#include "procs/stats_inside.h"
#include "reactor/log.h"

enum { INTERFACES_MAX = 16, PROCESSES_MAX = 4096 };

static Runtime__V1__UInt64Value *number(uint64_t v, struct arena *a)
{
	Runtime__V1__UInt64Value *out = NEW_MESSAGE(a, Runtime__V1__UInt64Value, runtime__v1__uint64_value__init);

	out->value = v;
	return out;
}

static Runtime__V1__PsiData *psi_line(const struct pressure_line *in, struct arena *a)
{
	Runtime__V1__PsiData *out = NEW_MESSAGE(a, Runtime__V1__PsiData, runtime__v1__psi_data__init);

	/* The kernel counts microseconds; other runtimes answer with nanoseconds, and so does this one. */
	out->total = in->total_us * 1000;
	out->avg10 = in->avg10;
	out->avg60 = in->avg60;
	out->avg300 = in->avg300;
	return out;
}

static Runtime__V1__PsiStats *psi(const struct pressure *in, struct arena *a)
{
	Runtime__V1__PsiStats *out;

	if (!in->set)
		return NULL;
	out = NEW_MESSAGE(a, Runtime__V1__PsiStats, runtime__v1__psi_stats__init);
	out->some = psi_line(&in->some, a);
	out->full = psi_line(&in->full, a);
	return out;
}

static Runtime__V1__CpuUsage *cpu_usage(const struct usage *u, struct cpu_sample *sample, struct arena *a)
{
	Runtime__V1__CpuUsage *out = NEW_MESSAGE(a, Runtime__V1__CpuUsage, runtime__v1__cpu_usage__init);
	uint64_t rate;

	out->timestamp = u->at_ns;
	out->usage_core_nano_seconds = number(u->cpu_ns, a);
	if (stats_rate(sample, loop_mono_ns(), u->cpu_ns, &rate))
		out->usage_nano_cores = number(rate, a);
	out->psi = psi(&u->cpu_pressure, a);
	return out;
}

static Runtime__V1__MemoryUsage *memory_usage(const struct usage *u, struct arena *a)
{
	Runtime__V1__MemoryUsage *out = NEW_MESSAGE(a, Runtime__V1__MemoryUsage, runtime__v1__memory_usage__init);

	out->timestamp = u->at_ns;
	out->working_set_bytes = number(u->working_set_bytes, a);
	if (u->memory_limit != UINT64_MAX)
		out->available_bytes =
			number(u->memory_limit > u->working_set_bytes ? u->memory_limit - u->working_set_bytes : 0, a);
	out->usage_bytes = number(u->memory_bytes, a);
	out->rss_bytes = number(u->rss_bytes, a);
	out->page_faults = number(u->page_faults, a);
	out->major_page_faults = number(u->major_page_faults, a);
	out->psi = psi(&u->memory_pressure, a);
	return out;
}

static Runtime__V1__SwapUsage *swap_usage(const struct usage *u, struct arena *a)
{
	Runtime__V1__SwapUsage *out = NEW_MESSAGE(a, Runtime__V1__SwapUsage, runtime__v1__swap_usage__init);

	out->timestamp = u->at_ns;
	out->swap_usage_bytes = number(u->swap_bytes, a);
	if (u->swap_limit != UINT64_MAX)
		out->swap_available_bytes =
			number(u->swap_limit > u->swap_bytes ? u->swap_limit - u->swap_bytes : 0, a);
	return out;
}

static Runtime__V1__IoUsage *io_usage(const struct usage *u, struct arena *a)
{
	Runtime__V1__IoUsage *out;

	if (!u->io_pressure.set)
		return NULL;
	out = NEW_MESSAGE(a, Runtime__V1__IoUsage, runtime__v1__io_usage__init);
	out->timestamp = u->at_ns;
	out->psi = psi(&u->io_pressure, a);
	return out;
}

/* ---- containers ---- */

static Runtime__V1__ContainerAttributes *container_attributes(const struct container *c, struct arena *a)
{
	Runtime__V1__ContainerAttributes *out =
		NEW_MESSAGE(a, Runtime__V1__ContainerAttributes, runtime__v1__container_attributes__init);

	out->id = (char *)c->id;
	out->metadata = convert_container_metadata(&c->config, a);
	out->n_labels = c->config.labels.n;
	out->labels = convert_map(&c->config.labels, &runtime__v1__container_attributes__labels_entry__descriptor, a);
	out->n_annotations = c->config.annotations.n;
	out->annotations = convert_map(&c->config.annotations,
				       &runtime__v1__container_attributes__annotations_entry__descriptor, a);
	return out;
}

/* A child measures it, at most every ten seconds. NULL before the first measure has ended. */
static Runtime__V1__FilesystemUsage *writable_layer(const struct container *c, struct arena *a)
{
	Runtime__V1__FilesystemUsage *out;
	uint64_t bytes, inodes;
	int64_t at_ns;

	snapshot_usage(c->id, &bytes, &inodes, &at_ns);
	if (!at_ns)
		return NULL;
	out = NEW_MESSAGE(a, Runtime__V1__FilesystemUsage, runtime__v1__filesystem_usage__init);
	out->timestamp = at_ns;
	out->fs_id = NEW_MESSAGE(a, Runtime__V1__FilesystemIdentifier, runtime__v1__filesystem_identifier__init);
	out->fs_id->mountpoint = (char *)images_config()->root;
	out->used_bytes = number(bytes + sandbox_files_share(c), a);
	out->inodes_used = number(inodes, a);
	return out;
}

/* NULL: the container does not run, or has just ended. */
static Runtime__V1__ContainerStats *container_stats(struct container *c, struct arena *a)
{
	Runtime__V1__ContainerStats *out;
	struct usage u;

	if (c->state != CONTAINER_RUNNING)
		return NULL;
	if (stats_of(c, &u, NULL) == STATS_NONE)
		return NULL;
	out = NEW_MESSAGE(a, Runtime__V1__ContainerStats, runtime__v1__container_stats__init);
	out->attributes = container_attributes(c, a);
	out->cpu = u.cpu ? cpu_usage(&u, &c->cpu, a) : NULL;
	out->memory = u.memory ? memory_usage(&u, a) : NULL;
	out->swap = u.memory ? swap_usage(&u, a) : NULL;
	out->io = io_usage(&u, a);
	out->writable_layer = writable_layer(c, a);
	return out;
}

void rpc_container_stats(struct rpc *r, const void *request)
{
	const Runtime__V1__ContainerStatsRequest *in = request;
	Runtime__V1__ContainerStatsResponse out = RUNTIME__V1__CONTAINER_STATS_RESPONSE__INIT;
	struct arena *a = rpc_arena(r);
	struct container *c = rpc_container(r, in->container_id); /* NULL: r was answered */

	if (!c)
		return;
	out.stats = container_stats(c, a);
	if (!out.stats) {
		out.stats = NEW_MESSAGE(a, Runtime__V1__ContainerStats, runtime__v1__container_stats__init);
		out.stats->attributes = container_attributes(c, a);
		out.stats->writable_layer = writable_layer(c, a);
	}
	rpc_reply(r, &out);
}

static void collect_container(void *arg, struct container *c)
{
	if (c->state == CONTAINER_RUNNING)
		listing_add(arg, c->id);
}

static void collect_containers(struct listing *l)
{
	container_each(collect_container, l);
}

static bool stats_filter(const Runtime__V1__ContainerStatsFilter *f, const struct container *c)
{
	Runtime__V1__ContainerFilter same = RUNTIME__V1__CONTAINER_FILTER__INIT;

	if (!f)
		return true;
	same.id = f->id;
	same.pod_sandbox_id = f->pod_sandbox_id;
	same.n_label_selector = f->n_label_selector;
	same.label_selector = (void *)f->label_selector; /* every map has the layout of struct map_entry */
	return filter_container(&same, c);
}

/* The request of the Stream RPC has the same single field as the List's, so one function serves both structs. */
static void *container_item(const void *request, const char *id, struct arena *a)
{
	const Runtime__V1__ListContainerStatsRequest *in = request;
	struct container *c = container_find(id);

	return c && stats_filter(in->filter, c) ? container_stats(c, a) : NULL;
}

/* A thousand containers may each have 256 KiB of annotations, which no client of statistics reads. */
static void container_shrink(void *item)
{
	Runtime__V1__ContainerStats *s = item;

	s->attributes->n_annotations = 0;
}

static const struct listing_kind container_kind = { collect_containers, container_item, container_shrink };
_Static_assert(offsetof(Runtime__V1__StreamContainerStatsRequest, filter) ==
		       offsetof(Runtime__V1__ListContainerStatsRequest, filter),
	       "one layout");

void rpc_list_container_stats(struct rpc *r, const void *request)
{
	listing_reply(r, request, &container_kind);
}

void rpc_stream_container_stats(struct rpc *r, const void *request)
{
	listing_stream(r, request, &container_kind);
}

/* ---- pods ---- */

static Runtime__V1__PodSandboxAttributes *sandbox_attributes(const struct sandbox *s, struct arena *a)
{
	Runtime__V1__PodSandboxAttributes *out =
		NEW_MESSAGE(a, Runtime__V1__PodSandboxAttributes, runtime__v1__pod_sandbox_attributes__init);

	out->id = (char *)s->id;
	out->metadata = convert_sandbox_metadata(&s->config, a);
	out->n_labels = s->config.labels.n;
	out->labels = convert_map(&s->config.labels, &runtime__v1__pod_sandbox_attributes__labels_entry__descriptor, a);
	out->n_annotations = s->config.annotations.n;
	out->annotations = convert_map(&s->config.annotations,
				       &runtime__v1__pod_sandbox_attributes__annotations_entry__descriptor, a);
	return out;
}

static Runtime__V1__NetworkInterfaceUsage *interface_usage(const struct net_usage *in, struct arena *a)
{
	Runtime__V1__NetworkInterfaceUsage *out =
		NEW_MESSAGE(a, Runtime__V1__NetworkInterfaceUsage, runtime__v1__network_interface_usage__init);

	out->name = arena_strdup(a, in->name);
	out->rx_bytes = number(in->rx_bytes, a);
	out->rx_errors = number(in->rx_errors, a);
	out->tx_bytes = number(in->tx_bytes, a);
	out->tx_errors = number(in->tx_errors, a);
	return out;
}

/* The default interface is eth0, the name that CNI was given; where it is missing, the first interface. A pod in the
 * host's network has no interfaces of its own: NULL. */
static Runtime__V1__NetworkUsage *network_usage(const struct sandbox *s, int64_t at_ns, struct arena *a)
{
	struct net_usage found[INTERFACES_MAX];
	Runtime__V1__NetworkUsage *out;
	struct err e;
	int n, first = 0;

	if (!*s->netns_path)
		return NULL;
	n = stats_net(s->netns_path, found, INTERFACES_MAX, &e);
	if (n < 0)
		log_debug("sandbox_network_stats sandbox=%.12s error=%s", s->id, log_quote(e.msg));
	if (n <= 0)
		return NULL;
	for (int i = 0; i < n; i++)
		if (strcmp(found[i].name, "eth0") == 0)
			first = i;
	out = NEW_MESSAGE(a, Runtime__V1__NetworkUsage, runtime__v1__network_usage__init);
	out->timestamp = at_ns;
	out->interfaces = arena_zalloc(a, (size_t)n * sizeof(*out->interfaces));
	for (int i = 0; i < n; i++) {
		if (i == first)
			out->default_interface = interface_usage(&found[i], a);
		else
			out->interfaces[out->n_interfaces++] = interface_usage(&found[i], a);
	}
	return out;
}

/* The containers are counted one by one: the cgroup above them may be a parent that other pods have too. */
static size_t count_processes(const struct sandbox *s)
{
	pid_t pids[PROCESSES_MAX];
	size_t n = s->pause_pid != 0;

	list_each(l, &s->containers) {
		const struct container *c = container_of(l, struct container, of_sandbox);

		if (c->state == CONTAINER_RUNNING)
			n += cgroup_pids(c->cgroup, pids, PROCESSES_MAX);
	}
	return n;
}

static Runtime__V1__ProcessUsage *process_usage(const struct sandbox *s, int64_t at_ns, struct arena *a)
{
	Runtime__V1__ProcessUsage *out = NEW_MESSAGE(a, Runtime__V1__ProcessUsage, runtime__v1__process_usage__init);

	out->timestamp = at_ns;
	out->process_count = number(count_processes(s), a);
	return out;
}

static void put_containers(Runtime__V1__LinuxPodSandboxStats *out, struct sandbox *s, struct arena *a)
{
	size_t n = 0;

	list_each(l, &s->containers)
		n++;
	out->containers = arena_zalloc(a, n * sizeof(*out->containers));
	list_each(l, &s->containers) {
		struct container *c = container_of(l, struct container, of_sandbox);
		Runtime__V1__ContainerStats *stats = c->listed ? container_stats(c, a) : NULL;

		if (stats)
			out->containers[out->n_containers++] = stats;
	}
}

static Runtime__V1__PodSandboxStats *sandbox_stats(struct sandbox *s, struct arena *a)
{
	Runtime__V1__PodSandboxStats *out =
		NEW_MESSAGE(a, Runtime__V1__PodSandboxStats, runtime__v1__pod_sandbox_stats__init);
	Runtime__V1__LinuxPodSandboxStats *l =
		NEW_MESSAGE(a, Runtime__V1__LinuxPodSandboxStats, runtime__v1__linux_pod_sandbox_stats__init);
	enum stats_source source = STATS_GROUP;
	struct usage u;

	out->attributes = sandbox_attributes(s, a);
	out->linux = l;
	if (s->state != SANDBOX_READY)
		return out;
	if (!stats_of_sandbox(s, &u, &source) && !stats_read(s->cgroup, &u, NULL))
		return out;
	if (source == STATS_NONE)
		u = (struct usage){ .at_ns = loop_real_ns() };
	l->cpu = u.cpu ? cpu_usage(&u, &s->cpu, a) : NULL;
	l->memory = u.memory ? memory_usage(&u, a) : NULL;
	l->io = io_usage(&u, a);
	l->network = network_usage(s, u.at_ns, a);
	l->process = process_usage(s, u.at_ns, a);
	put_containers(l, s, a);
	return out;
}

void rpc_pod_sandbox_stats(struct rpc *r, const void *request)
{
	const Runtime__V1__PodSandboxStatsRequest *in = request;
	Runtime__V1__PodSandboxStatsResponse out = RUNTIME__V1__POD_SANDBOX_STATS_RESPONSE__INIT;
	struct sandbox *s = rpc_sandbox(r, in->pod_sandbox_id);

	if (!s)
		return;
	out.stats = sandbox_stats(s, rpc_arena(r));
	rpc_reply(r, &out);
}

static void collect_sandbox(void *arg, struct sandbox *s)
{
	if (s->state == SANDBOX_READY)
		listing_add(arg, s->id);
}

static void collect_sandboxes(struct listing *l)
{
	sandbox_each(collect_sandbox, l);
}

static void *sandbox_item(const void *request, const char *id, struct arena *a)
{
	const Runtime__V1__ListPodSandboxStatsRequest *in = request;
	Runtime__V1__PodSandboxFilter same = RUNTIME__V1__POD_SANDBOX_FILTER__INIT;
	struct sandbox *s = sandbox_find(id);

	if (in->filter) {
		same.id = in->filter->id;
		same.n_label_selector = in->filter->n_label_selector;
		same.label_selector = (void *)in->filter->label_selector;
	}
	return s && s->state == SANDBOX_READY && filter_sandbox(&same, s) ? sandbox_stats(s, a) : NULL;
}

static void sandbox_shrink(void *item)
{
	Runtime__V1__PodSandboxStats *s = item;

	s->attributes->n_annotations = 0;
	for (size_t i = 0; i < s->linux->n_containers; i++)
		container_shrink(s->linux->containers[i]);
}

static const struct listing_kind sandbox_kind = { collect_sandboxes, sandbox_item, sandbox_shrink };
_Static_assert(offsetof(Runtime__V1__StreamPodSandboxStatsRequest, filter) ==
		       offsetof(Runtime__V1__ListPodSandboxStatsRequest, filter),
	       "one layout");

void rpc_list_pod_sandbox_stats(struct rpc *r, const void *request)
{
	listing_reply(r, request, &sandbox_kind);
}

void rpc_stream_pod_sandbox_stats(struct rpc *r, const void *request)
{
	listing_stream(r, request, &sandbox_kind);
}
