/* report.c - see report.h: arguments and the table; the page is report_page.c. */
#include "bench/report.h"

#include <getopt.h>
#include <stdbool.h>
#include <string.h>
#include <sysexits.h>

#include "bench/conditions.h"
#include "bench/report_loop.h"
#include "bench/report_page.h"
#include "bench/significance.h"
#include "bench/stages.h"
#include "reactor/own.h"

static bool same_group(const struct figure *a, const struct figure *b)
{
	return strcmp(a->scenario, b->scenario) == 0 && strcmp(a->mode, b->mode) == 0 && strcmp(a->name, b->name) == 0;
}

static void print_quantile(FILE *out, struct samples *s, double q)
{
	if (samples_enough(s->n, q))
		fprintf(out, " %9.2f", samples_quantile(s, q));
	else
		fprintf(out, " %9s", "-");
}

static void print_row(struct figures *f, struct figure *at, const char *base, FILE *out)
{
	struct samples *s = &at->samples;
	struct figure *to = base ? figures_find(f, at->scenario, at->mode, at->name, base) : NULL;

	fprintf(out, "  %-18s %5zu %9.2f", at->endpoint, s->n, samples_quantile(s, 0.5));
	print_quantile(out, s, 0.9);
	print_quantile(out, s, 0.99);
	print_quantile(out, s, 0.999);
	fprintf(out, " %9.2f", samples_quantile(s, 1));
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
	conditions_print(f, stdout);
	report_table(f, base, stdout);
	print_errors(f);
}

static int report_usage(FILE *out, int rc)
{
	fputs("usage:\n" REPORT_USAGE "\n"
	      "  --base NAME     the endpoint that ratios are to (the first one named containerd...)\n"
	      "  --before PAGE   crispd's /metrics before the pods and after them: where the time of a pod start went\n"
	      "  --after PAGE\n"
	      "  --html OUT      the page; it needs gnuplot, and loads nothing from the network\n"
	      "  --plots DIR     each plot as a file of its own too\n"
	      "A quantile stands only where three samples or more are beyond it: p90 of 30, p99 of 300, p99.9 of\n"
	      "3000.\n",
	      out);
	return rc;
}

int report_main(int argc, char **argv)
{
	enum { BASE, HTML, BEFORE, AFTER, PLOTS, HELP };
	static const struct option options[] = { { "base", 1, NULL, BASE },
						 { "html", 1, NULL, HTML },
						 { "before", 1, NULL, BEFORE },
						 { "after", 1, NULL, AFTER },
						 { "plots", 1, NULL, PLOTS },
						 { "help", 0, NULL, HELP },
						 { 0 } };
	struct report_paths paths = { 0 };
	const char *base = NULL,
		   **const texts[] = { &base, &paths.html, &paths.before, &paths.after, &paths.plots };
	struct figures f = { 0 };
	struct err e;
	int c, rc;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1 && c != '?') {
		if (c == HELP)
			return report_usage(stdout, 0);
		*texts[c] = optarg;
	}
	if (c == '?' || optind >= argc || !paths.before != !paths.after || (paths.plots && !paths.html) ||
	    (strcmp(argv[0], "report") == 0) != (paths.html != NULL))
		return report_usage(stderr, EX_USAGE);
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
