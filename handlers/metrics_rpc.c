/* metrics_rpc.c - ListMetricDescriptors and ListPodSandboxMetrics: the metric families that the kubelet serves at
 * /metrics/cadvisor.
 *
 * The kubelet calls them with its feature gate PodAndContainerStatsFromCRI. CRI's values are integers, so seconds are
 * whole. metrics_rpc.def has the families and their further labels. Spec: CRI v1; github.com/google/cadvisor
 * docs/storage/prometheus.md. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "handlers/convert.h"
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

enum { EXTRA_MAX = 4, INTERFACES_MAX = 16, PROCESSES_MAX = 256, FILES_MAX = 2048 };
enum { NS_PER_S = 1000000000, US_PER_S = 1000000 };

enum family_id {
#define FAMILY(name, type, help, ...) FAMILY_##name,
#include "handlers/metrics_rpc.def"
#undef FAMILY
	FAMILIES
};

static const struct family {
	const char *name, *help;
	Runtime__V1__MetricType type;
	const char *extra[EXTRA_MAX]; /* names of the labels behind base_labels; ended by NULL */
} families[FAMILIES] = {
#define FAMILY(name, type, help, ...) \
	[FAMILY_##name] = { "container_" #name, help, RUNTIME__V1__METRIC_TYPE__##type, { __VA_ARGS__ } },
#include "handlers/metrics_rpc.def"
#undef FAMILY
};

static const char *const base_labels[] = { "container", "id", "image", "namespace", "pod" };
enum { BASE = sizeof(base_labels) / sizeof(base_labels[0]) };

/* ---- descriptors ---- */

static Runtime__V1__MetricDescriptor *descriptor(const struct family *f, struct arena *a)
{
	Runtime__V1__MetricDescriptor *out =
		NEW_MESSAGE(a, Runtime__V1__MetricDescriptor, runtime__v1__metric_descriptor__init);

	out->name = (char *)f->name;
	out->help = (char *)f->help;
	out->label_keys = arena_zalloc(a, (BASE + EXTRA_MAX) * sizeof(*out->label_keys));
	for (size_t i = 0; i < BASE; i++)
		out->label_keys[out->n_label_keys++] = (char *)base_labels[i];
	for (size_t i = 0; i < EXTRA_MAX && f->extra[i]; i++)
		out->label_keys[out->n_label_keys++] = (char *)f->extra[i];
	return out;
}

void rpc_list_metric_descriptors(struct rpc *r, const void *request)
{
	Runtime__V1__ListMetricDescriptorsResponse out = RUNTIME__V1__LIST_METRIC_DESCRIPTORS_RESPONSE__INIT;
	struct arena *a = rpc_arena(r);

	(void)request;
	out.n_descriptors = FAMILIES;
	out.descriptors = arena_zalloc(a, FAMILIES * sizeof(*out.descriptors));
	for (size_t i = 0; i < FAMILIES; i++)
		out.descriptors[i] = descriptor(&families[i], a);
	rpc_reply(r, &out);
}

/* ---- one metric ---- */

struct sink {
	struct arena *arena;
	char **base; /* BASE label values, in the arena */
	Runtime__V1__Metric **at;
	size_t n, room;
};

static void put_labelled(struct sink *k, enum family_id id, uint64_t value, const char *const extra[EXTRA_MAX])
{
	const struct family *f = &families[id];
	Runtime__V1__Metric *m = NEW_MESSAGE(k->arena, Runtime__V1__Metric, runtime__v1__metric__init);

	m->name = (char *)f->name;
	m->metric_type = f->type;
	m->value = NEW_MESSAGE(k->arena, Runtime__V1__UInt64Value, runtime__v1__uint64_value__init);
	m->value->value = value;
	if (!extra[0]) {
		m->n_label_values = BASE;
		m->label_values = k->base;
	} else {
		m->label_values = arena_zalloc(k->arena, (BASE + EXTRA_MAX) * sizeof(*m->label_values));
		memcpy(m->label_values, k->base, BASE * sizeof(*k->base));
		for (m->n_label_values = BASE; m->n_label_values < BASE + EXTRA_MAX && extra[m->n_label_values - BASE];
		     m->n_label_values++)
			m->label_values[m->n_label_values] = (char *)extra[m->n_label_values - BASE];
	}
	if (k->n == k->room) {
		Runtime__V1__Metric **more = arena_zalloc(k->arena, (k->room ? 2 * k->room : 64) * sizeof(*more));

		if (k->n)
			memcpy(more, k->at, k->n * sizeof(*more));
		k->at = more;
		k->room = k->room ? 2 * k->room : 64;
	}
	k->at[k->n++] = m;
}

#define PUT(k, family, value, ...) \
	put_labelled(k, FAMILY_##family, value, (const char *const[EXTRA_MAX]){ __VA_ARGS__ })

/* ---- a container's ---- */

static void put_cpu(struct sink *k, const struct usage *u, const struct usage_more *m)
{
	PUT(k, cpu_usage_seconds_total, u->cpu_ns / NS_PER_S, "total");
	PUT(k, cpu_user_seconds_total, m->user_ns / NS_PER_S, NULL);
	PUT(k, cpu_system_seconds_total, m->system_ns / NS_PER_S, NULL);
	if (!m->periods)
		return; /* the container has no CPU quota */
	PUT(k, cpu_cfs_periods_total, m->periods, NULL);
	PUT(k, cpu_cfs_throttled_periods_total, m->throttled_periods, NULL);
	PUT(k, cpu_cfs_throttled_seconds_total, m->throttled_ns / NS_PER_S, NULL);
	PUT(k, cpu_cfs_burst_periods_total, m->burst_periods, NULL);
	PUT(k, cpu_cfs_burst_seconds_total, m->burst_ns / NS_PER_S, NULL);
}

static void put_memory(struct sink *k, const struct usage *u, const struct usage_more *m)
{
	PUT(k, memory_usage_bytes, u->memory_bytes, NULL);
	PUT(k, memory_working_set_bytes, u->working_set_bytes, NULL);
	PUT(k, memory_rss, u->rss_bytes, NULL);
	PUT(k, memory_cache, m->cache_bytes, NULL);
	PUT(k, memory_mapped_file, m->mapped_file_bytes, NULL);
	PUT(k, memory_kernel_usage, m->kernel_bytes, NULL);
	PUT(k, memory_swap, u->swap_bytes, NULL);
	PUT(k, memory_max_usage_bytes, m->max_bytes, NULL);
	PUT(k, memory_failcnt, m->limit_hits, NULL);
	PUT(k, memory_total_active_file_bytes, m->active_file_bytes, NULL);
	PUT(k, memory_total_inactive_file_bytes, m->inactive_file_bytes, NULL);
	PUT(k, memory_failures_total, u->page_faults, "pgfault", "container");
	PUT(k, memory_failures_total, u->page_faults, "pgfault", "hierarchy");
	PUT(k, memory_failures_total, u->major_page_faults, "pgmajfault", "container");
	PUT(k, memory_failures_total, u->major_page_faults, "pgmajfault", "hierarchy");
	PUT(k, oom_events_total, m->oom_kills, NULL);
}

/* "/dev/vda"; "MAJOR:MINOR" for a device without a name. */
static const char *device_name(const struct io_device *d, struct arena *a)
{
	char path[64], target[512];
	ssize_t n;
	const char *slash;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", d->major, d->minor);
	n = readlink(path, target, sizeof(target) - 1);
	target[n < 0 ? 0 : n] = '\0';
	slash = strrchr(target, '/');
	return slash ? arena_printf(a, "/dev/%s", slash + 1) : arena_printf(a, "%u:%u", d->major, d->minor);
}

static void put_io(struct sink *k, const struct io_devices *io)
{
	for (size_t i = 0; i < io->n; i++) {
		const struct io_device *d = &io->at[i];
		const char *name = device_name(d, k->arena);
		const char *major = arena_printf(k->arena, "%u", d->major),
			   *minor = arena_printf(k->arena, "%u", d->minor);

		PUT(k, fs_reads_bytes_total, d->read_bytes, name);
		PUT(k, fs_reads_total, d->reads, name);
		PUT(k, fs_writes_bytes_total, d->write_bytes, name);
		PUT(k, fs_writes_total, d->writes, name);
		PUT(k, blkio_device_usage_total, d->read_bytes, name, major, minor, "Read");
		PUT(k, blkio_device_usage_total, d->write_bytes, name, major, minor, "Write");
	}
}

/* The writable layer and the file system of all writable layers. Nothing before the first measure (snapshot.h). */
static void put_layer(struct sink *k, const struct container *c)
{
	const char *root = images_config()->root, *name;
	uint64_t bytes, inodes;
	struct statvfs fs;
	struct stat st;
	int64_t at_ns;

	snapshot_usage(c->id, &bytes, &inodes, &at_ns);
	if (!at_ns || statvfs(root, &fs) < 0 || stat(root, &st) < 0)
		return;
	name = device_name(&(struct io_device){ .major = major(st.st_dev), .minor = minor(st.st_dev) }, k->arena);
	PUT(k, fs_usage_bytes, bytes + sandbox_files_share(c), name);
	PUT(k, fs_limit_bytes, fs.f_blocks * fs.f_frsize, name);
	PUT(k, fs_inodes_total, fs.f_files, name);
	PUT(k, fs_inodes_free, fs.f_ffree, name);
}

static void put_pressure(struct sink *k, const struct usage *u)
{
	if (u->cpu_pressure.set) {
		PUT(k, pressure_cpu_waiting_seconds_total, u->cpu_pressure.some.total_us / US_PER_S, NULL);
		PUT(k, pressure_cpu_stalled_seconds_total, u->cpu_pressure.full.total_us / US_PER_S, NULL);
	}
	if (u->memory_pressure.set) {
		PUT(k, pressure_memory_waiting_seconds_total, u->memory_pressure.some.total_us / US_PER_S, NULL);
		PUT(k, pressure_memory_stalled_seconds_total, u->memory_pressure.full.total_us / US_PER_S, NULL);
	}
	if (u->io_pressure.set) {
		PUT(k, pressure_io_waiting_seconds_total, u->io_pressure.some.total_us / US_PER_S, NULL);
		PUT(k, pressure_io_stalled_seconds_total, u->io_pressure.full.total_us / US_PER_S, NULL);
	}
}

/* Files are not counted in a container with more than 255 processes, nor when the pod has more than 2048 open files:
 * that would take too long in one turn of the loop. */
/* elsewhere: they are no processes of this kernel, or not those of the container alone. */
static void put_processes(struct sink *k, const struct container *c, const struct usage_more *m, bool elsewhere,
			  size_t *files_left)
{
	pid_t pids[PROCESSES_MAX];
	size_t n = elsewhere ? m->tasks : cgroup_pids(c->cgroup, pids, PROCESSES_MAX);
	struct open_files open = { .left = *files_left };
	bool all = n < PROCESSES_MAX && !elsewhere;
	struct rlimit limit;

	for (size_t i = 0; i < n && all; i++)
		all = stats_files(pids[i], &open);
	*files_left = open.left;
	PUT(k, processes, n, NULL);
	PUT(k, threads, m->tasks, NULL);
	PUT(k, threads_max, m->tasks_max, NULL);
	if (all) {
		PUT(k, file_descriptors, open.files, NULL);
		PUT(k, sockets, open.sockets, NULL);
	}
	if (!elsewhere && prlimit(c->pid, RLIMIT_NOFILE, NULL, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
		PUT(k, ulimits_soft, limit.rlim_cur, "max_open_files");
}

static void put_spec(struct sink *k, const struct container *c, const struct usage *u)
{
	const struct resources *r = &c->config.resources;

	PUT(k, last_seen, (uint64_t)(u->at_ns / NS_PER_S), NULL);
	PUT(k, start_time_seconds, (uint64_t)(c->started_at_ns / NS_PER_S), NULL);
	PUT(k, spec_cpu_shares, (uint64_t)(r->cpu_shares > 0 ? r->cpu_shares : 1024), NULL);
	PUT(k, spec_cpu_period, (uint64_t)(r->cpu_period > 0 ? r->cpu_period : 100000), NULL);
	if (r->cpu_quota > 0)
		PUT(k, spec_cpu_quota, (uint64_t)r->cpu_quota, NULL);
	PUT(k, spec_memory_limit_bytes, (uint64_t)(r->memory_limit > 0 ? r->memory_limit : 0), NULL);
	PUT(k, spec_memory_reservation_limit_bytes, 0, NULL);
	PUT(k, spec_memory_swap_limit_bytes, (uint64_t)(r->memory_swap_limit > 0 ? r->memory_swap_limit : 0), NULL);
}

static Runtime__V1__ContainerMetrics *container_metrics(struct container *c, size_t *files_left, struct arena *a)
{
	Runtime__V1__ContainerMetrics *out;
	const struct sandbox_config *pod = &c->sandbox->config;
	const char *const labels[BASE] = { c->config.name, c->id, c->image.name, pod->namespace_, pod->name };
	struct sink k = { .arena = a, .base = arena_memdup(a, labels, sizeof(labels)) };
	enum stats_source source;
	struct usage_more m;
	struct usage u;

	if (!c->listed || c->state != CONTAINER_RUNNING)
		return NULL;
	source = stats_of(c, &u, &m);
	if (source == STATS_NONE)
		return NULL;
	if (u.cpu)
		put_cpu(&k, &u, &m);
	if (u.memory)
		put_memory(&k, &u, &m);
	put_io(&k, &m.io);
	put_layer(&k, c);
	put_pressure(&k, &u);
	put_processes(&k, c, &m, source == STATS_RUNTIME, files_left);
	put_spec(&k, c, &u);
	out = NEW_MESSAGE(a, Runtime__V1__ContainerMetrics, runtime__v1__container_metrics__init);
	out->container_id = (char *)c->id;
	out->n_metrics = k.n;
	out->metrics = k.at;
	return out;
}

/* ---- a pod's ---- */

static void put_network(struct sink *k, const struct sandbox *s)
{
	struct net_usage net[INTERFACES_MAX];
	struct err e;
	int n = *s->netns_path ? stats_net(s->netns_path, net, INTERFACES_MAX, &e) : 0;

	if (n < 0)
		log_debug("sandbox_network_stats sandbox=%.12s error=%s", s->id, log_quote(e.msg));
	for (int i = 0; i < n; i++) {
		const char *name = arena_strdup(k->arena, net[i].name);

		PUT(k, network_receive_bytes_total, net[i].rx_bytes, name);
		PUT(k, network_receive_packets_total, net[i].rx_packets, name);
		PUT(k, network_receive_packets_dropped_total, net[i].rx_dropped, name);
		PUT(k, network_receive_errors_total, net[i].rx_errors, name);
		PUT(k, network_transmit_bytes_total, net[i].tx_bytes, name);
		PUT(k, network_transmit_packets_total, net[i].tx_packets, name);
		PUT(k, network_transmit_packets_dropped_total, net[i].tx_dropped, name);
		PUT(k, network_transmit_errors_total, net[i].tx_errors, name);
	}
}

static void put_containers(Runtime__V1__PodSandboxMetrics *out, const struct sandbox *s, struct arena *a)
{
	size_t n = 0, files_left = FILES_MAX;

	list_each(l, &s->containers)
		n++;
	out->container_metrics = arena_zalloc(a, n * sizeof(*out->container_metrics));
	list_each(l, &s->containers) {
		Runtime__V1__ContainerMetrics *m =
			container_metrics(container_of(l, struct container, of_sandbox), &files_left, a);

		if (m)
			out->container_metrics[out->n_container_metrics++] = m;
	}
}

static void *metrics_item(const void *request, const char *id, struct arena *a)
{
	const struct sandbox *s = sandbox_find(id);
	Runtime__V1__PodSandboxMetrics *out;
	struct sink k = { .arena = a };

	(void)request;
	if (!s || s->state != SANDBOX_READY)
		return NULL;
	k.base = arena_memdup(a, (const char *const[BASE]){ "", s->id, "", s->config.namespace_, s->config.name },
			      BASE * sizeof(*k.base));
	put_network(&k, s);
	out = NEW_MESSAGE(a, Runtime__V1__PodSandboxMetrics, runtime__v1__pod_sandbox_metrics__init);
	out->pod_sandbox_id = (char *)s->id;
	out->n_metrics = k.n;
	out->metrics = k.at;
	put_containers(out, s, a);
	return out;
}

static void metrics_collect_one(void *arg, struct sandbox *s)
{
	listing_add(arg, s->id);
}

static void metrics_collect(struct listing *l)
{
	sandbox_each(metrics_collect_one, l);
}

static const struct listing_kind kind = { metrics_collect, metrics_item, NULL };

void rpc_list_pod_sandbox_metrics(struct rpc *r, const void *request)
{
	listing_reply(r, request, &kind);
}

void rpc_stream_pod_sandbox_metrics(struct rpc *r, const void *request)
{
	listing_stream(r, request, &kind);
}
