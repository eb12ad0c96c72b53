/* metric.c - see metric.h. Each label value has one series, made at its first use and kept as long as the process
 * lives.
 *
 * Spec: Prometheus text exposition format 0.0.4. Process figures: proc(5); the mapping totals need
 * /proc/self/smaps_rollup (kernel 4.14). */
#include "reactor/metric.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reactor/clock.h"
#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/map.h"
#include "reactor/own.h"

enum kind { KIND_COUNTER, KIND_GAUGE, KIND_HISTOGRAM };

static const struct family {
	enum kind kind;
	const char *name, *label, *help;
} families[METRIC_COUNT] = {
#define COUNTER(id, label, help) { KIND_COUNTER, "crisp_" #id, label, help },
#define GAUGE(id, label, help) { KIND_GAUGE, "crisp_" #id, label, help },
#define HISTOGRAM(id, label, help) { KIND_HISTOGRAM, "crisp_" #id, label, help },
#include "reactor/metrics.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
};

/* Upper bounds in ns, and as text, so that they do not depend on how a double is printed. */
static const struct bound {
	int64_t ns;
	const char *le;
} bounds[] = {
	{ 50000, "5e-05" },      { 100000, "0.0001" },     { 250000, "0.00025" },   { 500000, "0.0005" },
	{ 1000000, "0.001" },    { 2500000, "0.0025" },    { 5000000, "0.005" },    { 10000000, "0.01" },
	{ 25000000, "0.025" },   { 50000000, "0.05" },     { 100000000, "0.1" },    { 250000000, "0.25" },
	{ 500000000, "0.5" },    { 1000000000, "1" },      { 2500000000, "2.5" },   { 5000000000, "5" },
	{ 10000000000, "10" },   { 30000000000, "30" },    { 60000000000, "60" },
};
/* Between two values of labels; it is in no value. */
enum { BETWEEN = 0x1f };
enum { BOUNDS = sizeof(bounds) / sizeof(bounds[0]), SOURCES = 8 };

struct series {
	struct link link; /* in the order of first use */
	double gauge;
	uint64_t count; /* of a counter, or of observations */
	uint64_t sum_ns;
	uint64_t *bucket; /* of a histogram: BOUNDS of them, not cumulative */
	char label_value[];
};

static struct table {
	struct map by_label;
	struct link all; /* of struct series.link */
} tables[METRIC_COUNT];

static void (*sources[SOURCES])(struct buf *out);
static int nsources;

static struct series *series(enum metric_id id, enum kind kind, const char *label_value)
{
	struct table *t = &tables[id];
	const char *key = label_value ? label_value : "";
	struct series *s = map_get(&t->by_label, key);

	assert(families[id].kind == kind && !families[id].label == !label_value);
	if (s)
		return s;
	s = own_must(calloc(1, sizeof(*s) + strlen(key) + 1));
	strcpy(s->label_value, key);
	if (kind == KIND_HISTOGRAM)
		s->bucket = own_must(calloc(BOUNDS, sizeof(*s->bucket)));
	if (!t->all.next)
		list_init(&t->all);
	list_append(&t->all, &s->link);
	map_put(&t->by_label, s->label_value, s);
	return s;
}

void metric_add(enum metric_id id, const char *label_value, uint64_t n)
{
	series(id, KIND_COUNTER, label_value)->count += n;
}

void metric_add2(enum metric_id id, const char *first, const char *second, uint64_t n)
{
	char both[256];

	snprintf(both, sizeof(both), "%.120s%c%.120s", first, BETWEEN, second);
	metric_add(id, both, n);
}

void metric_set(enum metric_id id, const char *label_value, double v)
{
	series(id, KIND_GAUGE, label_value)->gauge = v;
}

void metric_observe_ns(enum metric_id id, const char *label_value, int64_t ns)
{
	struct series *s = series(id, KIND_HISTOGRAM, label_value);
	int i = 0;

	if (ns < 0)
		ns = 0;
	while (i < BOUNDS && ns > bounds[i].ns)
		i++;
	if (i < BOUNDS)
		s->bucket[i]++;
	s->count++;
	s->sum_ns += (uint64_t)ns;
}

void metric_stage(const char *stage, int64_t *since_ns)
{
	int64_t now_ns = loop_mono_ns();

	metric_observe_ns(METRIC_stage_seconds, stage, now_ns - *since_ns);
	*since_ns = now_ns;
}

void metric_source(void (*fn)(struct buf *out))
{
	assert(nsources < SOURCES);
	sources[nsources++] = fn;
}

/* Seconds without double arithmetic: a counter of nanoseconds keeps all its digits. */
static void put_seconds(struct buf *out, uint64_t ns)
{
	buf_printf(out, "%" PRIu64 ".%09" PRIu64, ns / 1000000000, ns % 1000000000);
}

static void put_head(struct buf *out, const char *name, const char *help, const char *type)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* `label="value"`, of two labels both, with the three escapes of the format; nothing for a family without a label. */
static void put_label(struct buf *out, const struct family *f, const struct series *s)
{
	int first;

	if (!f->label)
		return;
	first = (int)strcspn(f->label, ",");
	buf_printf(out, "%.*s=\"", first, f->label);
	for (const char *p = s->label_value; *p; p++) {
		if (*p == BETWEEN && f->label[first])
			buf_printf(out, "\",%s=\"", f->label + first + 1);
		else if (*p == '\n')
			buf_puts(out, "\\n");
		else if (*p == '"' || *p == '\\')
			buf_printf(out, "\\%c", *p);
		else
			buf_append(out, p, 1);
	}
	buf_puts(out, "\"");
}

static void put_sample(struct buf *out, const struct family *f, const struct series *s)
{
	buf_puts(out, f->name);
	if (f->label) {
		buf_puts(out, "{");
		put_label(out, f, s);
		buf_puts(out, "}");
	}
	if (f->kind == KIND_COUNTER)
		buf_printf(out, " %" PRIu64 "\n", s->count);
	else
		buf_printf(out, " %.17g\n", s->gauge);
}

static void put_bucket(struct buf *out, const struct family *f, const struct series *s, const char *le, uint64_t n)
{
	buf_printf(out, "%s_bucket{", f->name);
	put_label(out, f, s);
	buf_printf(out, "%sle=\"%s\"} %" PRIu64 "\n", f->label ? "," : "", le, n);
}

static void put_part(struct buf *out, const struct family *f, const struct series *s, const char *part)
{
	buf_printf(out, "%s_%s%s", f->name, part, f->label ? "{" : "");
	put_label(out, f, s);
	buf_puts(out, f->label ? "} " : " ");
}

static void put_histogram(struct buf *out, const struct family *f, const struct series *s)
{
	uint64_t below = 0;

	for (int i = 0; i < BOUNDS; i++)
		put_bucket(out, f, s, bounds[i].le, below += s->bucket[i]);
	put_bucket(out, f, s, "+Inf", s->count);
	put_part(out, f, s, "sum");
	put_seconds(out, s->sum_ns);
	buf_puts(out, "\n");
	put_part(out, f, s, "count");
	buf_printf(out, "%" PRIu64 "\n", s->count);
}

static void put_family(struct buf *out, enum metric_id id)
{
	static const char *const types[] = { "counter", "gauge", "histogram" };
	const struct family *f = &families[id];
	const struct table *t = &tables[id];

	if (!t->all.next)
		return;
	put_head(out, f->name, f->help, types[f->kind]);
	list_each(it, &t->all) {
		const struct series *s = container_of(it, struct series, link);

		if (f->kind == KIND_HISTOGRAM)
			put_histogram(out, f, s);
		else
			put_sample(out, f, s);
	}
}

static void put_value_ns(struct buf *out, const char *name, const char *type, const char *help, uint64_t ns)
{
	put_head(out, name, help, type);
	buf_printf(out, "%s ", name);
	put_seconds(out, ns);
	buf_puts(out, "\n");
}

static void put_value(struct buf *out, const char *name, const char *type, const char *help, uint64_t v)
{
	put_head(out, name, help, type);
	buf_printf(out, "%s %" PRIu64 "\n", name, v);
}

static void put_cost(struct buf *out, const char *name, const char *help, const struct loop_cost *c)
{
	uint64_t below = 0;
	char max[64];

	put_head(out, name, help, "histogram");
	for (int i = 0; i < LOOP_BUCKETS - 1; i++) /* the last one is open upwards */
		buf_printf(out, "%s_bucket{le=\"%.9g\"} %" PRIu64 "\n", name, (double)(1ull << i) / 1e6,
			   below += c->bucket[i]);
	buf_printf(out, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum ", name, c->count, name);
	put_seconds(out, c->sum_ns);
	buf_printf(out, "\n%s_count %" PRIu64 "\n", name, c->count);
	snprintf(max, sizeof(max), "%s_max", name);
	put_value_ns(out, max, "gauge", "the longest of them so far", c->max_ns);
}

static void put_loop(struct buf *out)
{
	struct loop_stats s;

	loop_stats(&s);
	put_cost(out, "crisp_loop_callback_cpu_seconds", "CPU time of one callback of the event loop", &s.cpu);
	put_cost(out, "crisp_loop_callback_wall_seconds", "wall time of one callback of the event loop", &s.wall);
	put_value(out, "crisp_loop_turns_total", "counter", "turns of the event loop: wake-ups", s.turns);
	put_value_ns(out, "crisp_loop_runqueue_wait_seconds_total", "counter",
		     "time the loop was runnable and waited for a CPU", s.runqueue_wait_ns);
}

/* Fields of smaps_rollup, in bytes. */
struct mapped {
	uint64_t rss, pss, private_clean, private_dirty;
};

static struct mapped read_mapped(void)
{
	auto_file FILE *f = fopen("/proc/self/smaps_rollup", "re");
	struct mapped m = { 0 };
	char line[128], key[32];
	uint64_t kib;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%31[^:]: %" SCNu64 " kB", key, &kib) != 2)
			continue;
		if (strcmp(key, "Rss") == 0)
			m.rss = kib * 1024;
		else if (strcmp(key, "Pss") == 0)
			m.pss = kib * 1024;
		else if (strcmp(key, "Private_Clean") == 0)
			m.private_clean = kib * 1024;
		else if (strcmp(key, "Private_Dirty") == 0)
			m.private_dirty = kib * 1024;
	}
	return m;
}

static uint64_t open_fds(void)
{
	auto_dir DIR *d = opendir("/proc/self/fd");
	struct stat st;
	uint64_t n = 0;

	if (!d)
		return 0;
	if (fstat(dirfd(d), &st) == 0 && st.st_size > 0) /* from kernel 6.2 on the size is the count */
		return (uint64_t)st.st_size - 1;
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	return n - 1; /* the directory itself */
}

/* Field 22 of /proc/self/stat is the start in clock ticks since boot. The name in field 2 may have any byte, so the
 * fields are counted from the last ")". */
static uint64_t start_time_ns(void)
{
	auto_file FILE *f = fopen("/proc/self/stat", "re");
	char line[1024], *at;
	uint64_t ticks = 0;

	if (!f || !fgets(line, sizeof(line), f) || !(at = strrchr(line, ')')))
		return 0;
	if (sscanf(at + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %" SCNu64,
		   &ticks) != 1)
		return 0;
	return (uint64_t)(loop_real_ns() - clock_ns(CLOCK_BOOTTIME)) +
	       ticks * 1000000000 / (uint64_t)sysconf(_SC_CLK_TCK);
}

static void put_process(struct buf *out)
{
	static uint64_t started_ns; /* computed once: the two clocks drift apart, and the value must not change */
	struct mapped m = read_mapped();
	struct rlimit fds = { 0 };

	if (!started_ns)
		started_ns = start_time_ns();
	getrlimit(RLIMIT_NOFILE, &fds);
	put_value_ns(out, "process_cpu_seconds_total", "counter", "CPU time of all threads",
		     (uint64_t)clock_ns(CLOCK_PROCESS_CPUTIME_ID));
	put_value_ns(out, "process_start_time_seconds", "gauge", "start, in seconds since the epoch", started_ns);
	put_value(out, "process_resident_memory_bytes", "gauge", "memory mapped and present (RSS)", m.rss);
	put_value(out, "crisp_process_proportional_bytes", "gauge",
		  "RSS with shared pages divided by their users (PSS)", m.pss);
	put_value(out, "crisp_process_private_bytes", "gauge", "pages that no other process maps (USS)",
		  m.private_clean + m.private_dirty);
	put_value(out, "crisp_process_private_dirty_bytes", "gauge", "the part of USS that no file backs",
		  m.private_dirty);
	put_value(out, "process_open_fds", "gauge", "open file descriptors", open_fds());
	put_value(out, "process_max_fds", "gauge", "limit of open file descriptors", fds.rlim_cur);
}

void metric_text(struct buf *out)
{
	for (int id = 0; id < METRIC_COUNT; id++)
		put_family(out, (enum metric_id)id);
	put_loop(out);
	put_process(out);
	for (int i = 0; i < nsources; i++)
		sources[i](out);
}
