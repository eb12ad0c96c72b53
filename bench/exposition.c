/* exposition.c - see exposition.h. */
#include "bench/exposition.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *next_line(const char *at)
{
	at = strchr(at, '\n');
	return at && at[1] ? at + 1 : NULL;
}

double exposition_value(const char *page, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = page; at; at = next_line(at))
		if (strncmp(at, name, len) == 0 && at[len] == ' ')
			return strtod(at + len, NULL);
	return -1;
}

int exposition_histogram(const char *page, const char *name, struct histogram *out)
{
	char prefix[128], max[128];
	size_t len = (size_t)snprintf(prefix, sizeof(prefix), "%s_bucket{le=\"", name);
	char *end;

	*out = (struct histogram){ 0 };
	if (len >= sizeof(prefix))
		return -1;
	for (const char *at = page; at; at = next_line(at)) {
		if (strncmp(at, prefix, len) != 0)
			continue;
		if (out->n == HISTOGRAM_BUCKETS)
			return -1;
		out->le[out->n] = strtod(at + len, &end); /* C's strtod knows "+Inf" */
		if (strncmp(end, "\"} ", 3) != 0)
			return -1;
		out->below[out->n++] = strtoull(end + 3, NULL, 10);
	}
	snprintf(max, sizeof(max), "%s_max", name);
	out->max = fmax(exposition_value(page, max), 0);
	return out->n && isinf(out->le[out->n - 1]) ? 0 : -1;
}

void histogram_subtract(struct histogram *later, const struct histogram *earlier)
{
	for (size_t i = 0; i < later->n && i < earlier->n; i++)
		later->below[i] -= earlier->below[i];
}

uint64_t histogram_count(const struct histogram *h)
{
	return h->n ? h->below[h->n - 1] : 0;
}

double histogram_quantile(const struct histogram *h, double q)
{
	uint64_t rank = (uint64_t)ceil(q * (double)histogram_count(h));

	for (size_t i = 0; rank && i < h->n; i++)
		if (h->below[i] >= rank)
			return isinf(h->le[i]) || (h->max > 0 && h->max < h->le[i]) ? h->max : h->le[i];
	return 0;
}
