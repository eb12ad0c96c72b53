/* test_significance.c - p values and intervals against figures worked out elsewhere. */
#include "bench/significance.h"

#include <math.h>
#include <stdbool.h>

#include "tests/tap.h"

static struct samples of(const double *v, size_t n)
{
	struct samples s = { 0 };

	for (size_t i = 0; i < n; i++)
		samples_add(&s, v[i]);
	return s;
}
#define OF(...) of((const double[]){ __VA_ARGS__ }, sizeof((const double[]){ __VA_ARGS__ }) / sizeof(double))

static bool near(double x, double y)
{
	return fabs(x - y) < 1e-6;
}

static void p_is(struct samples a, struct samples b, double want)
{
	ok(near(significance_p(&a, &b), want));
	ok(near(significance_p(&b, &a), want));
	samples_clear(&a);
	samples_clear(&b);
}

/* Two sets of three apart: 2 of the 20 orders are this extreme. Of five: 2 of 252. */
static void small_sets_are_counted_out(void)
{
	p_is(OF(1, 2, 3), OF(4, 5, 6), 0.1);
	p_is(OF(1, 2, 3, 4, 5), OF(6, 7, 8, 9, 10), 2.0 / 252);
	p_is(OF(1), OF(2), 1);
	p_is(OF(1, 4), OF(2, 3), 1);
	/* U = 1 of 3 and 4: orders with U 0 and 1, one each, twice, of 35 */
	p_is(OF(1, 2, 4), OF(3, 5, 6, 7), 4.0 / 35);
}

/* U = 2 (1 and two halves for the 2 of b), mean 8, and three equal values: 3^3 - 3 = 24. */
static void ties_narrow_the_variance(void)
{
	p_is(OF(1, 2, 2, 3), OF(2, 4, 5, 6), erfc(5.5 / sqrt(16.0 / 12 * (9 - 24.0 / 56)) / sqrt(2)));
	p_is(OF(5, 5, 5), OF(5, 5, 5, 5), 1);
}

static void nothing_to_compare(void)
{
	p_is((struct samples){ 0 }, OF(1, 2), 1);
}

/* 0, 1, ... 99 against the same shifted by 50: far from chance; the same against itself: nothing but chance. */
static void large_sets(void)
{
	struct samples a = { 0 }, b = { 0 };

	for (int i = 0; i < 100; i++) {
		samples_add(&a, i);
		samples_add(&b, i + 50);
	}
	ok(significance_p(&a, &b) < 1e-10);
	ok(significance_p(&a, &a) > 0.99);
	samples_clear(&a);
	samples_clear(&b);
}

static void the_interval_holds_the_ratio(void)
{
	struct samples a = { 0 }, b = { 0 }, none = { 0 };
	struct interval i, again;

	for (int k = 0; k < 200; k++) {
		samples_add(&a, 50 + (k * 37) % 11); /* median 55 */
		samples_add(&b, 100 + (k * 37) % 21); /* median 110 */
	}
	i = significance_ratio(&a, &b);
	again = significance_ratio(&a, &b);
	ok(i.low <= 0.5 && 0.5 <= i.high);
	ok(i.low > 0.47 && i.high < 0.53);
	ok(i.low == again.low && i.high == again.high);
	i = significance_ratio(&a, &a);
	ok(i.low <= 1 && i.high >= 1);
	i = significance_ratio(&a, &none);
	ok(i.low == 0 && i.high == 0);
	samples_clear(&a);
	samples_clear(&b);
}

static void one_value_has_no_spread(void)
{
	struct samples a = OF(3), b = OF(2);
	struct interval i = significance_ratio(&a, &b);

	ok(i.low == 1.5 && i.high == 1.5);
	samples_clear(&a);
	samples_clear(&b);
}

int main(void)
{
	small_sets_are_counted_out();
	ties_narrow_the_variance();
	nothing_to_compare();
	large_sets();
	the_interval_holds_the_ratio();
	one_value_has_no_spread();
	return tap_end();
}
