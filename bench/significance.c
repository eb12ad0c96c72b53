/* significance.c - see significance.h.
 *
 * Mann and Whitney 1947, section 3: the number of orders of m and n values with U inversions follows
 * f(m, n, u) = f(m - 1, n, u - n) + f(m, n - 1, u). Bootstrap: Efron 1979, percentile method. */
#include "bench/significance.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "reactor/own.h"

enum { RESAMPLES = 2000, EXACT_MAX = 20 };

struct ranked {
	double v;
	bool of_a;
};

static int by_value(const void *x, const void *y)
{
	double a = ((const struct ranked *)x)->v, b = ((const struct ranked *)y)->v;

	return (a > b) - (a < b);
}

/* U of set a; *ties is the sum of t^3 - t over groups of t equal values. */
static double u_of(const struct samples *a, const struct samples *b, double *ties)
{
	size_t n = a->n + b->n;
	auto_free struct ranked *all = own_must(calloc(n, sizeof(*all)));
	double ranks = 0;

	*ties = 0;
	for (size_t i = 0; i < n; i++)
		all[i] = i < a->n ? (struct ranked){ a->v[i], true } : (struct ranked){ b->v[i - a->n], false };
	qsort(all, n, sizeof(*all), by_value);
	for (size_t i = 0, end; i < n; i = end) {
		double t;

		for (end = i + 1; end < n && all[end].v == all[i].v; end++)
			;
		t = (double)(end - i);
		*ties += t * t * t - t;
		for (size_t k = i; k < end; k++)
			if (all[k].of_a)
				ranks += (double)(i + 1 + end) / 2;
	}
	return ranks - (double)a->n * (double)(a->n + 1) / 2;
}

/* P(U <= u) for sets of m and n values without ties. */
static double exact_tail(size_t m, size_t n, double u)
{
	size_t top = m * n;
	/* row i: f(i, j, .) of the current j */
	auto_free double *f = own_must(calloc((m + 1) * (top + 1), sizeof(*f)));
	double all = 0, tail = 0;

	for (size_t i = 0; i <= m; i++)
		f[i * (top + 1)] = 1; /* j = 0: one order, no inversion */
	for (size_t j = 1; j <= n; j++)
		for (size_t i = 1; i <= m; i++)
			for (size_t k = j; k <= top; k++)
				f[i * (top + 1) + k] += f[(i - 1) * (top + 1) + k - j];
	for (size_t k = 0; k <= top; k++) {
		all += f[m * (top + 1) + k];
		tail += (double)k <= u ? f[m * (top + 1) + k] : 0;
	}
	return tail / all;
}

double significance_p(const struct samples *a, const struct samples *b)
{
	double m = (double)a->n, n = (double)b->n, total = m + n, ties, u, variance, z;

	if (!a->n || !b->n)
		return 1;
	u = u_of(a, b, &ties);
	u = fmin(u, m * n - u);
	if (ties == 0 && a->n + b->n <= EXACT_MAX)
		return fmin(1, 2 * exact_tail(a->n, b->n, u));
	variance = m * n / 12 * (total + 1 - ties / (total * (total - 1)));
	if (variance <= 0)
		return 1; /* all values are equal */
	z = fmax(0, m * n / 2 - u - 0.5) / sqrt(variance);
	return erfc(z / sqrt(2));
}

/* ---- bootstrap ---- */

static uint64_t next_random(uint64_t *state) /* Marsaglia 2003, xorshift64 */
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* A resample of sorted values is a list of ranks; its median is the value at the median rank. */
static int by_rank(const void *x, const void *y)
{
	uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;

	return (a > b) - (a < b);
}

static double resampled_median(const struct samples *sorted, uint32_t *ranks, uint64_t *state)
{
	for (size_t i = 0; i < sorted->n; i++)
		ranks[i] = (uint32_t)(next_random(state) % sorted->n);
	qsort(ranks, sorted->n, sizeof(*ranks), by_rank);
	return sorted->v[ranks[(sorted->n - 1) / 2]];
}

static struct samples sorted_copy(const struct samples *s)
{
	struct samples copy = { 0 };

	for (size_t i = 0; i < s->n; i++)
		samples_add(&copy, s->v[i]);
	samples_quantile(&copy, 0.5); /* sorts */
	return copy;
}

struct interval significance_ratio(const struct samples *a, const struct samples *b)
{
	struct samples x = sorted_copy(a), y = sorted_copy(b), ratios = { 0 };
	auto_free uint32_t *ranks = own_must(calloc(a->n + b->n + 1, sizeof(*ranks)));
	struct interval out = { 0 };
	uint64_t state = 88172645463325252u;

	for (int i = 0; i < RESAMPLES && x.n && y.n; i++) {
		double above = resampled_median(&x, ranks, &state), below = resampled_median(&y, ranks, &state);

		if (below > 0)
			samples_add(&ratios, above / below);
	}
	if (ratios.n == RESAMPLES)
		out = (struct interval){ samples_quantile(&ratios, 0.025), samples_quantile(&ratios, 0.975) };
	samples_clear(&x);
	samples_clear(&y);
	samples_clear(&ratios);
	return out;
}
