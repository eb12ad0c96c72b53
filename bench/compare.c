/* compare.c - see compare.h. */
#include "bench/compare.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "bench/conditions.h"
#include "bench/figures.h"
#include "bench/significance.h"

static const double moved = 0.03, alpha = 0.05, alpha_least = 0.001;

enum verdict compare_samples(struct samples *before, struct samples *now, int larger_is_better, size_t comparisons,
			     double *p)
{
	double was = samples_quantile(before, 0.5), is = samples_quantile(now, 0.5);
	double limit = fmax(alpha / (double)(comparisons ? comparisons : 1), alpha_least);

	*p = significance_p(before, now);
	if (*p >= limit || was <= 0 || fabs(is / was - 1) < moved)
		return SAME;
	return (is > was) == (larger_is_better != 0) ? BETTER : WORSE;
}

static size_t pairs(const struct figures *before, const struct figures *now)
{
	size_t n = 0;

	for (size_t i = 0; i < now->n; i++) {
		const struct figure *f = &now->at[i];

		n += figures_find(before, f->scenario, f->mode, f->name, f->endpoint) != NULL;
	}
	return n;
}

static enum verdict print_pair(struct figure *was, struct figure *is, size_t comparisons)
{
	static const char *const words[] = { "", "WORSE", "better" };
	struct interval i = significance_ratio(&is->samples, &was->samples);
	double p, old = samples_quantile(&was->samples, 0.5), new = samples_quantile(&is->samples, 0.5);
	enum verdict v =
		compare_samples(&was->samples, &is->samples, figure_larger_is_better(is->name), comparisons, &p);

	printf("%-9s %-16s %-16s %-20s %5zu %5zu %10.3f %10.3f %-5s %5.2f [%.2f %.2f] p=%.2g %s\n", is->scenario,
	       is->mode, is->endpoint, is->name, was->samples.n, is->samples.n, old, new, figure_unit(is->name),
	       old > 0 ? new / old : 0, i.low, i.high, p, words[v]);
	return v;
}

static int compare_figures(struct figures *before, struct figures *now)
{
	size_t n = pairs(before, now), count[3] = { 0 };

	printf("%-9s %-16s %-16s %-20s %5s %5s %10s %10s %-5s %s\n", "scenario", "mode", "endpoint", "figure", "n old",
	       "new", "p50 old", "p50 new", "", "ratio [95 % interval]");
	for (size_t i = 0; i < now->n; i++) {
		struct figure *is = &now->at[i];
		struct figure *was = figures_find(before, is->scenario, is->mode, is->name, is->endpoint);

		if (was)
			count[print_pair(was, is, n)]++;
		else
			printf("%-9s %-16s %-16s %-20s only in the new run\n", is->scenario, is->mode, is->endpoint,
			       is->name);
	}
	printf("%zu compared: %zu worse, %zu better, %zu within chance or 3 %%\n", n, count[WORSE], count[BETTER],
	       count[SAME]);
	return count[WORSE] != 0;
}

static int compare_files(const char *before, const char *now)
{
	struct figures old = { 0 }, new = { 0 };
	struct err e;
	int rc = 1;

	if (figures_read(&old, before, &e) < 0 || figures_read(&new, now, &e) < 0) {
		fprintf(stderr, "crisp-bench: %s\n", e.msg);
	} else {
		conditions_compare(&old, &new, stdout);
		rc = compare_figures(&old, &new);
	}
	figures_free(&old);
	figures_free(&new);
	return rc;
}

int compare_main(int argc, char **argv)
{
	bool help = argc == 2 && strcmp(argv[1], "--help") == 0;

	if (argc == 3)
		return compare_files(argv[1], argv[2]);
	fputs("usage:\n" COMPARE_USAGE
	      "\nA figure is slower when a Mann-Whitney U test says that the difference is no chance, and its median\n"
	      "moved by 3 % or more. Exit code: 1 when a figure is slower.\n",
	      help ? stdout : stderr);
	return help ? 0 : EX_USAGE;
}
