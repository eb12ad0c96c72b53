/* samples.c - see samples.h. */
#include "bench/samples.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "reactor/own.h"

void samples_add(struct samples *s, double v)
{
	if (s->n == s->room) {
		s->room = s->room ? s->room * 2 : 64;
		s->v = own_must(reallocarray(s->v, s->room, sizeof(*s->v)));
	}
	s->v[s->n++] = v;
}

void samples_clear(struct samples *s)
{
	free(s->v);
	*s = (struct samples){ 0 };
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double samples_quantile(struct samples *s, double q)
{
	size_t rank;

	assert(q > 0 && q <= 1);
	if (!s->n)
		return 0;
	qsort(s->v, s->n, sizeof(*s->v), by_value);
	/* 0.9 * 10 is a little more than 9 in binary: the grain keeps the rank at 9. */
	rank = (size_t)ceil(q * (double)s->n - 1e-9);
	return s->v[rank ? rank - 1 : 0];
}

bool samples_enough(size_t n, double q)
{
	enum { BEYOND = 3 };

	/* 3000 * (1 - 0.999) is a little less than 3 in binary. */
	return q <= 0.5 || (double)n * (1 - q) > BEYOND - 1e-6;
}
