/* test_exposition.c - a daemon's figures out of its /metrics page, as metric.c writes it and when it is not that. */
#include "bench/exposition.h"

#include <math.h>
#include <string.h>

#include "bench/stages.h"
#include "reactor/buf.h"
#include "reactor/metric.h"
#include "tests/tap.h"

static const char page[] =
	"# HELP work_seconds time\n# TYPE work_seconds histogram\n"
	"work_seconds_bucket{le=\"0.001\"} 90\nwork_seconds_bucket{le=\"0.002\"} 99\nwork_seconds_bucket{le=\"0.004\"} "
	"99\n"
	"work_seconds_bucket{le=\"+Inf\"} 100\nwork_seconds_sum 1.5\nwork_seconds_count 100\nwork_seconds_max 0.75\n"
	"work_seconds_total 12\nlast 3";

static void values(void)
{
	ok(exposition_value(page, "work_seconds_sum") == 1.5);
	ok(exposition_value(page, "work_seconds_total") == 12);
	ok(exposition_value(page, "last") == 3);
	ok(exposition_value(page, "work_seconds") == -1);
	ok(exposition_value(page, "seconds_sum") == -1);
	ok(exposition_value("", "last") == -1);
}

static void a_quantile_is_the_bound_of_its_bucket(void)
{
	struct histogram h;

	ok(exposition_histogram(page, "work_seconds", "", &h) == 0);
	ok(h.n == 4 && isinf(h.le[3]));
	ok(histogram_count(&h) == 100);
	ok(histogram_quantile(&h, 0.5) == 0.001);
	ok(histogram_quantile(&h, 0.9) == 0.001);
	ok(histogram_quantile(&h, 0.91) == 0.002);
	ok(histogram_quantile(&h, 0.99) == 0.002);
	ok(histogram_quantile(&h, 0.999) == 0.75);
}

static void never_above_the_maximum(void)
{
	struct histogram h;

	ok(exposition_histogram(page, "work_seconds", "", &h) == 0);
	h.max = 0.0015;
	ok(histogram_quantile(&h, 0.99) == 0.0015);
	ok(histogram_quantile(&h, 0.5) == 0.001);
}

static void what_came_between_two_readings(void)
{
	struct histogram before, after;

	ok(exposition_histogram(page, "work_seconds", "", &before) == 0);
	ok(exposition_histogram(page, "work_seconds", "", &after) == 0);
	for (size_t i = 2; i < after.n; i++)
		after.below[i] += 5; /* five more, between 2 and 4 ms */
	histogram_subtract(&after, &before);
	ok(histogram_count(&after) == 5);
	ok(histogram_quantile(&after, 0.5) == 0.004);
	histogram_subtract(&before, &before);
	ok(histogram_count(&before) == 0);
	ok(histogram_quantile(&before, 0.5) == 0);
}

static void pages_it_cannot_use(void)
{
	struct histogram h;

	ok(exposition_histogram(page, "other_seconds", "", &h) == -1);
	ok(exposition_histogram("a_bucket{le=\"1\"} 1\n", "a", "", &h) == -1); /* no open bucket */
	ok(exposition_histogram("a_bucket{le=\"1 1\n", "a", "", &h) == -1);
	ok(exposition_histogram("", "a", "", &h) == -1);
}

static void one_series_of_a_family(void)
{
	static const char labelled[] =
		"s_bucket{stage=\"a\",le=\"1\"} 1\ns_bucket{stage=\"a\",le=\"+Inf\"} 2\ns_sum{stage=\"a\"} 3\n"
		"s_bucket{stage=\"ab\",le=\"1\"} 7\ns_bucket{stage=\"ab\",le=\"+Inf\"} 7\ns_sum{stage=\"ab\"} 3.5\n";
	struct histogram h;

	ok(exposition_histogram(labelled, "s", "stage=\"a\"", &h) == 0);
	ok(histogram_count(&h) == 2 && histogram_mean(&h) == 1.5);
	ok(isinf(histogram_quantile(&h, 0.99))); /* above every bound, and nobody knows the maximum */
	ok(exposition_histogram(labelled, "s", "stage=\"ab\"", &h) == 0);
	ok(histogram_count(&h) == 7 && histogram_mean(&h) == 0.5);
	ok(exposition_histogram(labelled, "s", "stage=\"b\"", &h) == -1);
	ok(exposition_histogram(labelled, "s", "", &h) == -1);
	ok(exposition_grown("", labelled, "s_sum{stage=\"ab\"}") == 3.5);
	ok(exposition_grown("s_sum{stage=\"ab\"} 1\n", labelled, "s_sum{stage=\"ab\"}") == 2.5);
}

static void stages_in_the_order_of_a_life(void)
{
	struct stage stage[STAGES_MAX];
	struct buf before = { 0 }, after = { 0 };

	metric_observe_ns(METRIC_stage_seconds, "cni_del", 1000000);
	metric_observe_ns(METRIC_stage_seconds, "spec", 3000000);
	metric_text(&before);
	metric_observe_ns(METRIC_stage_seconds, "cni_del", 7000000);
	metric_observe_ns(METRIC_stage_seconds, "intent", 2000000);
	metric_text(&after);
	ok(stages_between(buf_str(&before), buf_str(&after), stage) == 2);
	ok(strcmp(stage[0].name, "intent") == 0 && stage[0].of_start);
	ok(strcmp(stage[1].name, "cni_del") == 0 && !stage[1].of_start && histogram_count(&stage[1].seconds) == 1);
	ok(fabs(histogram_mean(&stage[1].seconds) - 0.007) < 1e-9);
	ok(histogram_quantile(&stage[1].seconds, 0.5) == 0.01);
	buf_free(&before);
	buf_free(&after);
}

static void our_own_page(void)
{
	struct buf text = { 0 };
	struct histogram h;

	metric_text(&text);
	ok(exposition_histogram(buf_str(&text), "crisp_loop_callback_cpu_seconds", "", &h) == 0);
	ok(exposition_histogram(buf_str(&text), "crisp_loop_callback_wall_seconds", "", &h) == 0);
	ok(exposition_value(buf_str(&text), "crisp_loop_runqueue_wait_seconds_total") >= 0);
	ok(exposition_value(buf_str(&text), "process_cpu_seconds_total") >= 0);
	buf_free(&text);
}

int main(void)
{
	values();
	a_quantile_is_the_bound_of_its_bucket();
	never_above_the_maximum();
	what_came_between_two_readings();
	pages_it_cannot_use();
	one_series_of_a_family();
	stages_in_the_order_of_a_life();
	our_own_page();
	return tap_end();
}
