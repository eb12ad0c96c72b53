/* test_metric.c - the text has the values that were fed, and is valid for a strict reader. */
#include "reactor/metric.h"

#include <ctype.h>
#include <math.h>
#include <regex.h>

#include "reactor/loop.h"
#include "reactor/own.h"
#include "tests/tap.h"

static struct buf text;

static const char *metrics(void)
{
	buf_free(&text);
	metric_text(&text);
	return buf_str(&text);
}

/* ---- a strict reader of the exposition format 0.0.4 ---- */

struct family_seen {
	char name[128], type[16];
	int samples;
};

struct reader {
	struct family_seen seen[128];
	int n;
	const char *fault; /* the first */
	char where[256];
};

static void fault(struct reader *r, const char *what, const char *line)
{
	if (r->fault)
		return;
	r->fault = what;
	snprintf(r->where, sizeof(r->where), "%s", line);
	printf("# %s: %s\n", what, r->where);
}

static bool matches(const char *line, const char *pattern)
{
	regex_t re;
	bool yes;

	regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB);
	yes = regexec(&re, line, 0, NULL, 0) == 0;
	regfree(&re);
	return yes;
}

/* HELP opens a family, TYPE follows at once, and no family comes twice. */
static void read_comment(struct reader *r, const char *line, bool *want_type)
{
	struct family_seen *f = &r->seen[r->n];
	char name[128], type[16];

	if (sscanf(line, "# HELP %127s", name) == 1) {
		for (int i = 0; i < r->n; i++)
			if (strcmp(r->seen[i].name, name) == 0)
				fault(r, "family twice", line);
		if (*want_type)
			fault(r, "HELP without TYPE", line);
		strcpy(f->name, name);
		*want_type = true;
	} else if (sscanf(line, "# TYPE %127s %15s", name, type) == 2) {
		if (!*want_type || strcmp(f->name, name) != 0)
			fault(r, "TYPE without HELP", line);
		strcpy(f->type, type);
		if (strcmp(type, "counter") == 0 && !matches(name, "_total$"))
			fault(r, "counter without _total", line);
		*want_type = false;
		r->n++;
	} else {
		fault(r, "unknown comment", line);
	}
}

static void read_sample(struct reader *r, const char *line)
{
	struct family_seen *f = &r->seen[r->n - 1];
	size_t n = strlen(f->name);
	const char *rest = line + n;

	if (!r->n || strncmp(line, f->name, n) != 0)
		return fault(r, "sample outside its family", line);
	if (!matches(line, "^[a-zA-Z_:][a-zA-Z0-9_:]*(\\{([a-zA-Z_][a-zA-Z0-9_]*=\"([^\"\\]|\\\\[\"n\\])*\",?)+\\})? "
			   "[-+]?([0-9]+(\\.[0-9]+)?(e[-+]?[0-9]+)?|Inf|NaN)$"))
		fault(r, "not a sample", line);
	if (strcmp(f->type, "histogram") == 0 ? !matches(rest, "^(_bucket\\{.*le=\"[^\"]+\"\\}|_sum|_count)[ {]?")
					      : *rest != ' ' && *rest != '{')
		fault(r, "name and type do not agree", line);
	f->samples++;
}

/* Buckets of one label value: bounds and counts rise, +Inf equals _count. */
static void read_bucket(struct reader *r, const char *line, double *bound, double *count)
{
	const char *le = strstr(line, "le=\"");
	double b, c = strtod(strrchr(line, ' '), NULL);

	if (le && strstr(line, "_bucket{")) {
		b = strtod(le + 4, NULL);
		if (!isinf(*bound) && (b <= *bound || c < *count))
			fault(r, "buckets do not rise", line);
		*bound = b;
		*count = c;
	} else if (strstr(line, "_count") && (!isinf(*bound) || c != *count)) {
		fault(r, "+Inf is not the count", line);
	}
}

static bool is_valid(const char *all)
{
	struct reader r = { 0 };
	auto_free char *copy = own_must(strdup(all));
	bool want_type = false;
	double bound = INFINITY, count = 0;

	if (!*all || all[strlen(all) - 1] != '\n')
		fault(&r, "no newline at the end", "");
	for (char *line = copy, *next; *line && strchr(line, '\n'); line = next) {
		next = strchr(line, '\n');
		*next++ = '\0';
		if (line[0] == '#') {
			read_comment(&r, line, &want_type);
		} else {
			read_sample(&r, line);
			if (r.n && strcmp(r.seen[r.n - 1].type, "histogram") == 0)
				read_bucket(&r, line, &bound, &count);
		}
	}
	for (int i = 0; i < r.n; i++)
		if (!r.seen[i].samples)
			fault(&r, "family without a sample", r.seen[i].name);
	return !r.fault;
}

static bool has_line(const char *line)
{
	const char *at = strstr(metrics(), line);

	return at && (at == (char *)text.at || at[-1] == '\n') && at[strlen(line)] == '\n';
}

/* ---- stories ---- */

static void the_reader_sees_faults(void)
{
	ok(is_valid("# HELP a_total x\n# TYPE a_total counter\na_total 1\n"));
	ok(!is_valid("# HELP a_total x\n# TYPE a_total counter\na_total 1"));
	ok(!is_valid("# HELP a x\n# TYPE a counter\na 1\n"));
	ok(!is_valid("# HELP a x\n# TYPE a gauge\na{l=\"x\"y\"} 1\n"));
	ok(!is_valid("# HELP a x\n# TYPE a gauge\nb 1\n"));
	ok(!is_valid("# HELP a x\n# TYPE a gauge\n"));
	ok(!is_valid(
		"# HELP a x\n# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\na_sum 0\na_count 1\n"));
}

static void nothing_fed_is_nothing_shown(void)
{
	ok(is_valid(metrics()));
	ok(!strstr(metrics(), "crisp_rpc_total"));
}

static void counters_add_up_by_label(void)
{
	metric_add(METRIC_rpc_total, "Version", 1);
	metric_add(METRIC_rpc_total, "Status", 40);
	metric_add(METRIC_rpc_total, "Version", 2);
	metric_add(METRIC_http_transfers_total, NULL, UINT64_C(18446744073709551615));
	ok(has_line("crisp_rpc_total{method=\"Version\"} 3"));
	ok(has_line("crisp_rpc_total{method=\"Status\"} 40"));
	ok(has_line("crisp_http_transfers_total 18446744073709551615"));
	ok(is_valid(metrics()));
}

static void gauges_keep_the_last(void)
{
	metric_set(METRIC_http_transfers_open, NULL, 7);
	metric_set(METRIC_http_transfers_open, NULL, 2.5);
	ok(has_line("crisp_http_transfers_open 2.5"));
	metric_set(METRIC_http_transfers_open, NULL, 0);
	ok(has_line("crisp_http_transfers_open 0"));
}

static void observations_fall_into_buckets(void)
{
	metric_observe_ns(METRIC_rpc_seconds, "Status", 50000);        /* on the bound: below it */
	metric_observe_ns(METRIC_rpc_seconds, "Status", 50001);
	metric_observe_ns(METRIC_rpc_seconds, "Status", 61000000000);  /* over the last */
	metric_observe_ns(METRIC_rpc_seconds, "Status", -5);           /* a clock that went back */
	metric_observe_ns(METRIC_rpc_seconds, "Version", 3000000);
	ok(has_line("crisp_rpc_seconds_bucket{method=\"Status\",le=\"5e-05\"} 2"));
	ok(has_line("crisp_rpc_seconds_bucket{method=\"Status\",le=\"0.0001\"} 3"));
	ok(has_line("crisp_rpc_seconds_bucket{method=\"Status\",le=\"60\"} 3"));
	ok(has_line("crisp_rpc_seconds_bucket{method=\"Status\",le=\"+Inf\"} 4"));
	ok(has_line("crisp_rpc_seconds_sum{method=\"Status\"} 61.000100001"));
	ok(has_line("crisp_rpc_seconds_count{method=\"Status\"} 4"));
	ok(has_line("crisp_rpc_seconds_bucket{method=\"Version\",le=\"0.0025\"} 0"));
	ok(has_line("crisp_rpc_seconds_bucket{method=\"Version\",le=\"0.005\"} 1"));
	ok(is_valid(metrics()));
}

static void label_values_are_escaped(void)
{
	metric_add2(METRIC_rpc_failed_total, "a\"b\\c\nd", "INTERNAL", 1);
	ok(has_line("crisp_rpc_failed_total{method=\"a\\\"b\\\\c\\nd\",code=\"INTERNAL\"} 1"));
	ok(is_valid(metrics()));
}

static void a_label_is_copied(void)
{
	char label[] = "Mutable";

	metric_add(METRIC_rpc_total, label, 1);
	label[0] = 'X';
	ok(has_line("crisp_rpc_total{method=\"Mutable\"} 1"));
}

static void nothing(struct timer *t)
{
	(void)t;
	loop_stop();
}

static void the_loop_and_the_process_are_in(void)
{
	struct timer t = { 0 };
	const char *m;

	timer_set(&t, 1, nothing);
	loop_run();
	m = metrics();
	ok(is_valid(m));
	ok(strstr(m, "crisp_loop_callback_cpu_seconds_bucket{le=\"1e-06\"} ") &&
	   strstr(m, "crisp_loop_callback_wall_seconds_max "));
	ok(strstr(m, "crisp_loop_turns_total ") && strstr(m, "crisp_loop_runqueue_wait_seconds_total "));
	ok(strstr(m, "\nprocess_open_fds ") && strstr(m, "\nprocess_start_time_seconds ") &&
	   strstr(m, "\nprocess_cpu_seconds_total "));
	ok(!strstr(m, "\nprocess_resident_memory_bytes 0\n") && !strstr(m, "\ncrisp_process_private_bytes 0\n"));
}

static double value_of(const char *name)
{
	const char *at = strstr(metrics(), name);

	return at ? strtod(at + strlen(name), NULL) : -1;
}

static void process_figures_are_true(void)
{
	double before = value_of("\nprocess_open_fds ");
	auto_fd int fd = dup(1);
	double started = value_of("\nprocess_start_time_seconds "), now = (double)loop_real_ns() / 1e9;

	ok(fd >= 0 && value_of("\nprocess_open_fds ") == before + 1);
	ok(started <= now && started > now - 60);
	ok(value_of("\ncrisp_process_private_bytes ") <= value_of("\nprocess_resident_memory_bytes "));
}

static void extra_source(struct buf *out)
{
	buf_puts(out, "# HELP crisp_extra x\n# TYPE crisp_extra gauge\ncrisp_extra 1\n");
}

static void a_source_comes_last(void)
{
	metric_source(extra_source);
	ok(has_line("crisp_extra 1") && is_valid(metrics()));
}

int main(void)
{
	the_reader_sees_faults();
	nothing_fed_is_nothing_shown();
	counters_add_up_by_label();
	gauges_keep_the_last();
	observations_fall_into_buckets();
	label_values_are_escaped();
	a_label_is_copied();
	the_loop_and_the_process_are_in();
	process_figures_are_true();
	a_source_comes_last();
	buf_free(&text);
	return tap_end();
}
