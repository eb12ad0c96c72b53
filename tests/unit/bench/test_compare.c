/* test_compare.c - what counts as slower, how figures are named, and what a log must hold. */
#include "bench/compare.h"

#include <stdlib.h>
#include <unistd.h>

#include "bench/conditions.h"
#include "bench/figures.h"
#include "bench/log_check.h"
#include "bench/log_line.h"
#include "bench/plot.h"
#include "reactor/own.h"
#include "tests/tap.h"

/* n values around the median, spread by a tenth of it. */
static struct samples around(double median, int n)
{
	struct samples s = { 0 };

	for (int i = 0; i < n; i++)
		samples_add(&s, median * (0.95 + 0.1 * ((i * 37) % n) / n));
	return s;
}

static enum verdict verdict(double was, double is, int n, int larger_is_better, size_t comparisons)
{
	struct samples a = around(was, n), b = around(is, n);
	double p;
	enum verdict v = compare_samples(&a, &b, larger_is_better, comparisons, &p);

	samples_clear(&a);
	samples_clear(&b);
	return v;
}

static void slower_is_worse(void)
{
	ok(verdict(50, 60, 60, 0, 1) == WORSE);
	ok(verdict(60, 50, 60, 0, 1) == BETTER);
	ok(verdict(50, 60, 60, 1, 1) == BETTER); /* MB/s */
	ok(verdict(50, 50, 60, 0, 1) == SAME);
}

static void chance_and_trifles_do_not_count(void)
{
	ok(verdict(50, 50.5, 2000, 0, 1) == SAME); /* significant, and nothing */
	ok(verdict(50, 60, 3, 0, 1) == SAME);	   /* three against three cannot be */
	ok(verdict(50, 60, 5, 0, 1) == WORSE);	   /* p = 2/252 */
	ok(verdict(50, 60, 5, 0, 50) == SAME);	   /* among fifty comparisons one such is chance */
}

static void units(void)
{
	struct arena *a = arena_new();

	is_str(figure_unit("up"), "ms");
	is_str(figure_unit("uss_kib"), "KiB");
	is_str(figure_unit("lives_per_s"), "1/s");
	is_str(figure_unit("cpu_per_mb"), "ms/MB");
	is_str(figure_title(a, "node_per_pod_kib"), "node per pod");
	ok(figure_larger_is_better("throughput_mb_s") && !figure_larger_is_better("up"));
	arena_free(a);
}

static FILE *scratch(char path[32])
{
	strcpy(path, "/tmp/bench-test.XXXXXX");
	return fdopen(mkstemp(path), "w");
}

static void lines_of_a_run(void)
{
	struct figures f = { 0 };
	char path[32];
	FILE *out = scratch(path);
	struct err e;

	fputs("{\"kind\":\"conditions\",\"cpus\":2,\"cpu\":\"fast\",\"none\":\"\"}\n"
	      "{\"kind\":\"conditions\",\"cpus\":12,\"cpu\":\"fast\"}\n"
	      "{\"kind\":\"conditions\",\"cpus\":2}\n"
	      "{\"kind\":\"run\",\"scenario\":\"s\"}\n"
	      "{\"kind\":\"sample\",\"scenario\":\"s\",\"mode\":\"m\",\"endpoint\":\"a\",\"round\":1,\"up\":3}\n"
	      "{\"kind\":\"sample\",\"scenario\":\"s\",\"mode\":\"m\",\"endpoint\":\"a\",\"round\":2,\"up\":5.5}\n"
	      "{\"kind\":\"sample\",\"scenario\":\"s\",\"mode\":\"m\",\"endpoint\":\"b\",\"round\":2,\"up\":7}\n"
	      "{\"kind\":\"error\",\"endpoint\":\"b\"}\n",
	      out);
	fclose(out);
	ok(figures_read(&f, path, &e) == 0);
	ok(f.n == 2 && f.at[0].samples.n == 2);
	ok(figures_find(&f, "s", "m", "up", "a") && !figures_find(&f, "s", "m", "round", "a"));
	ok(json_array_size(f.errors) == 1 && json_array_size(f.runs) == 1);
	is_str(json_get_str(f.arena, f.conditions, "cpus"), "2; 12");
	is_str(json_get_str(f.arena, f.conditions, "cpu"), "fast");
	ok(!json_object_get(f.conditions, "kind") && !json_object_get(f.conditions, "none"));
	is_str(figures_nth_endpoint(&f, 1), "b");
	ok(!figures_nth_endpoint(&f, 2));
	ok(strcmp(plot_colour(&f, "a"), plot_colour(&f, "b")) != 0);
	is_str(figures_endpoint(&f, "a"), "a");
	ok(figures_endpoint(&f, "containerd") == NULL);
	out = fopen(path, "w");
	fputs("{nonsense\n", out);
	fclose(out);
	ok(figures_read(&f, path, &e) == -1 && strstr(e.msg, path));
	unlink(path);
	figures_free(&f);
}

static void given(struct figures *f, const char *line)
{
	char path[32];
	FILE *out = scratch(path);
	struct err e;

	fprintf(out, "%s\n", line);
	fclose(out);
	ok(figures_read(f, path, &e) == 0);
	unlink(path);
}

static char *differences(const char *before, const char *now)
{
	struct figures old = { 0 }, new = { 0 };
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	given(&old, before);
	given(&new, now);
	conditions_compare(&old, &new, out);
	fclose(out);
	figures_free(&old);
	figures_free(&new);
	return text;
}

static void conditions_that_differ(void)
{
	auto_free char *three = differences("{\"kind\":\"conditions\",\"cpus\":2,\"kernel\":\"6\",\"fs\":\"a\"}",
					    "{\"kind\":\"conditions\",\"cpus\":4,\"kernel\":\"6\",\"cpu\":\"c\"}");
	auto_free char *none = differences("{\"kind\":\"conditions\",\"cpus\":2}", "");

	is_str(three, "conditions that differ, old -> new:\n  cpus         2 -> 4\n  fs           a -> not known\n"
		      "  cpu          not known -> c\n");
	is_str(none, "the new run says nothing of its conditions\n");
}

static void put(FILE *out, long n, const char *tag, size_t from, size_t len)
{
	char line[LOG_LINE_BYTES + 1];

	log_line_make(line, n);
	line[LOG_LINE_BYTES - 1] = '\0';
	fprintf(out, "2026-01-01T00:00:00.1Z stdout %s %.*s\n", tag, (int)len, line + from);
}

static void a_log(void)
{
	struct log_check c;
	char path[32];
	FILE *out = scratch(path);
	struct err e;

	put(out, 0, "F", 0, 100);
	put(out, 1, "P", 0, 40); /* cut in two */
	put(out, 1, "F", 40, 60);
	put(out, 2, "F", 0, 50); /* torn */
	put(out, 4, "F", 0, 100);
	put(out, 4, "F", 0, 100); /* twice */
	fputs("no log line\n", out);
	fclose(out);
	ok(log_check(path, 5, &c, &e) == 0);
	ok(c.lost == 2 && c.damaged == 3); /* 2 and 3 are missing */
	unlink(path);
	ok(log_check(path, 5, &c, &e) == -1);
}

int main(void)
{
	slower_is_worse();
	chance_and_trifles_do_not_count();
	units();
	lines_of_a_run();
	conditions_that_differ();
	a_log();
	return tap_end();
}
