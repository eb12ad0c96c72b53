/* report.c - see report.h: arguments and the table; the page is report_page.c. */
#include "bench/report.h"

#include <getopt.h>
#include <stdbool.h>
#include <string.h>
#include <sysexits.h>

#include "bench/report_loop.h"
#include "bench/report_page.h"
#include "bench/significance.h"
#include "bench/stages.h"
#include "reactor/own.h"

static bool same_group(const struct figure *a, const struct figure *b)
{
	return strcmp(a->scenario, b->scenario) == 0 && strcmp(a->mode, b->mode) == 0 && strcmp(a->name, b->name) == 0;
}

static void print_row(struct figures *f, struct figure *at, const char *base, FILE *out)
{
	struct samples *s = &at->samples;
	struct figure *to = base ? figures_find(f, at->scenario, at->mode, at->name, base) : NULL;

	fprintf(out, "  %-18s %5zu %9.2f %9.2f %9.2f %9.2f %9.2f", at->endpoint, s->n, samples_quantile(s, 0.5),
		samples_quantile(s, 0.9), samples_quantile(s, 0.99), samples_quantile(s, 0.999),
		samples_quantile(s, 1));
	if (to && to != at && samples_quantile(&to->samples, 0.5) > 0) {
		struct interval i = significance_ratio(s, &to->samples);

		fprintf(out, "   %5.2f [%.2f %.2f]", samples_quantile(s, 0.5) / samples_quantile(&to->samples, 0.5),
			i.low, i.high);
	}
	fputc('\n', out);
}

void report_table(struct figures *f, const char *base, FILE *out)
{
	const char *scenario = "", *mode = "";

	for (size_t i = 0; i < f->n; i++) {
		struct figure *at = &f->at[i];
		bool shown = false;

		for (size_t k = 0; k < i; k++)
			shown = shown || same_group(&f->at[k], at);
		if (shown)
			continue;
		if (strcmp(scenario, at->scenario) != 0 || strcmp(mode, at->mode) != 0)
			fprintf(out,
				"\n%s, %s\n  %-18s %5s %9s %9s %9s %9s %9s   ratio of p50 to %s [95 %% interval]\n",
				at->scenario, at->mode, "", "n", "p50", "p90", "p99", "p99.9", "max",
				base ? base : "-");
		scenario = at->scenario;
		mode = at->mode;
		fprintf(out, " %s%s%s\n", figure_title(f->arena, at->name), *figure_unit(at->name) ? ", " : "",
			figure_unit(at->name));
		for (size_t k = i; k < f->n; k++)
			if (same_group(&f->at[k], at))
				print_row(f, &f->at[k], base, out);
	}
}

static void print_conditions(const struct figures *f)
{
	const char *key;
	json_t *v;

	json_object_foreach(f->conditions, key, v) {
		auto_free char *text =
			json_is_string(v) ? NULL : json_dumps(v, JSON_ENCODE_ANY | JSON_REAL_PRECISION(3));

		if (strcmp(key, "kind") != 0)
			printf("%-12s %s\n", key, text ? text : json_string_value(v));
	}
}

static void print_errors(const struct figures *f)
{
	json_t *line;
	size_t i;

	json_array_foreach(f->errors, i, line)
		printf("FAILED %s %s %s: %s\n", json_get_str(f->arena, line, "scenario"),
		       json_get_str(f->arena, line, "endpoint"), json_get_str(f->arena, line, "mode"),
		       json_get_str(f->arena, line, "message"));
}

static void print_all(struct figures *f, const char *base)
{
	print_conditions(f);
	report_table(f, base, stdout);
	print_errors(f);
}

int report_main(int argc, char **argv)
{
	enum { BASE, HTML, BEFORE, AFTER, PLOTS };
	static const struct option options[] = { { "base", 1, NULL, BASE },
						 { "html", 1, NULL, HTML },
						 { "before", 1, NULL, BEFORE },
						 { "after", 1, NULL, AFTER },
						 { "plots", 1, NULL, PLOTS },
						 { 0 } };
	struct report_paths paths = { 0 };
	const char *base = NULL,
		   **const texts[] = { &base, &paths.html, &paths.before, &paths.after, &paths.plots };
	struct figures f = { 0 };
	struct err e;
	int c, rc;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1 && c != '?')
		*texts[c] = optarg;
	if (c == '?' || optind >= argc || !paths.before != !paths.after || (paths.plots && !paths.html) ||
	    (strcmp(argv[0], "report") == 0) != (paths.html != NULL)) {
		fputs("usage: crisp-bench table [--base NAME] [--before PAGE --after PAGE] FILE...\n"
		      "       crisp-bench report [--base NAME] [--before PAGE --after PAGE] [--plots DIR] --html OUT "
		      "FILE...\n",
		      stderr);
		return EX_USAGE;
	}
	for (rc = 0; rc == 0 && optind < argc; optind++)
		rc = figures_read(&f, argv[optind], &e);
	if (rc == 0 && !base)
		base = figures_endpoint(&f, "containerd");
	if (rc == 0 && paths.html)
		rc = report_page(&f, &paths, base, &e);
	else if (rc == 0)
		print_all(&f, base);
	if (rc == 0 && !paths.html && paths.before)
		rc = stages_print(paths.before, paths.after, stdout, &e);
	if (rc == 0 && !paths.html && paths.before)
		rc = report_loop(paths.before, paths.after, stdout, &e);
	if (rc < 0)
		fprintf(stderr, "crisp-bench: %s\n", e.msg);
	rc = rc < 0 || json_array_size(f.errors) > 0;
	figures_free(&f);
	return rc;
}
