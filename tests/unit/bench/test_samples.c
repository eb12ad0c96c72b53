/* test_samples.c - quantiles are values that were measured. */
#include "bench/samples.h"
#include "tests/tap.h"

static void nothing_measured(void)
{
	struct samples s = { 0 };

	ok(samples_quantile(&s, 0.5) == 0);
	samples_clear(&s);
}

static void one_value_is_every_quantile(void)
{
	struct samples s = { 0 };

	samples_add(&s, 7.5);
	ok(samples_quantile(&s, 0.001) == 7.5);
	ok(samples_quantile(&s, 0.5) == 7.5);
	ok(samples_quantile(&s, 1) == 7.5);
	samples_clear(&s);
	ok(s.n == 0 && s.v == NULL);
}

static void ranks_of_a_thousand(void)
{
	struct samples s = { 0 };

	for (int i = 0; i < 1000; i++)
		samples_add(&s, (i * 7919) % 1000 + 1); /* 1 to 1000, each once, in no order */
	ok(samples_quantile(&s, 0.5) == 500);
	ok(samples_quantile(&s, 0.9) == 900);
	ok(samples_quantile(&s, 0.99) == 990);
	ok(samples_quantile(&s, 0.999) == 999);
	ok(samples_quantile(&s, 1) == 1000);
	samples_clear(&s);
}

static void between_two_it_is_the_upper_rank(void)
{
	struct samples s = { 0 };

	for (int i = 1; i <= 10; i++)
		samples_add(&s, i);
	ok(samples_quantile(&s, 0.9) == 9);
	ok(samples_quantile(&s, 0.91) == 10);
	ok(samples_quantile(&s, 0.99) == 10);
	samples_clear(&s);
}

static void more_may_come_after_a_look(void)
{
	struct samples s = { 0 };

	samples_add(&s, 3);
	samples_add(&s, 1);
	ok(samples_quantile(&s, 1) == 3);
	samples_add(&s, 2);
	ok(samples_quantile(&s, 0.5) == 2);
	samples_clear(&s);
}

static void a_tail_needs_values_beyond_it(void)
{
	ok(samples_enough(1, 0.5));
	ok(samples_enough(30, 0.9) && !samples_enough(29, 0.9));
	ok(samples_enough(300, 0.99) && !samples_enough(299, 0.99) && !samples_enough(10, 0.99));
	ok(samples_enough(3000, 0.999) && !samples_enough(2999, 0.999));
}

int main(void)
{
	nothing_measured();
	one_value_is_every_quantile();
	ranks_of_a_thousand();
	between_two_it_is_the_upper_rank();
	more_may_come_after_a_look();
	a_tail_needs_values_beyond_it();
	return tap_end();
}
