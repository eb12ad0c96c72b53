/* exposition.c - see exposition.h. */
#include "bench/exposition.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/samples.h"
#include "reactor/own.h"

int exposition_read(const char *path, struct buf *text, struct err *e)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	if (fd >= 0)
		while ((n = buf_read(text, fd, 65536)) > 0)
			;
	return n < 0 ? err_os(e, ERR_INTERNAL, "%s", path) : 0;
}

static const char *next_line(const char *at)
{
	at = strchr(at, '\n');
	return at && at[1] ? at + 1 : NULL;
}

double exposition_value(const char *page, const char *series)
{
	size_t len = strlen(series);

	for (const char *at = page; at; at = next_line(at))
		if (strncmp(at, series, len) == 0 && at[len] == ' ')
			return strtod(at + len, NULL);
	return -1;
}

double exposition_grown(const char *before, const char *after, const char *series)
{
	return fmax(exposition_value(after, series), 0) - fmax(exposition_value(before, series), 0);
}

static double part(const char *page, const char *name, const char *which, const char *label)
{
	char series[160];

	snprintf(series, sizeof(series), "%s_%s%s%s%s", name, which, *label ? "{" : "", label, *label ? "}" : "");
	return fmax(exposition_value(page, series), 0);
}

int exposition_histogram(const char *page, const char *name, const char *label, struct histogram *out)
{
	char prefix[160];
	size_t len = (size_t)snprintf(prefix, sizeof(prefix), "%s_bucket{%s%sle=\"", name, label, *label ? "," : "");
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
	out->sum = part(page, name, "sum", label);
	out->max = part(page, name, "max", label);
	return out->n && isinf(out->le[out->n - 1]) ? 0 : -1;
}

void histogram_subtract(struct histogram *later, const struct histogram *earlier)
{
	for (size_t i = 0; i < later->n && i < earlier->n; i++)
		later->below[i] -= earlier->below[i];
	later->sum -= earlier->sum;
}

uint64_t histogram_count(const struct histogram *h)
{
	return h->n ? h->below[h->n - 1] : 0;
}

double histogram_mean(const struct histogram *h)
{
	return histogram_count(h) ? h->sum / (double)histogram_count(h) : 0;
}

double histogram_quantile(const struct histogram *h, double q)
{
	uint64_t rank = (uint64_t)ceil(q * (double)histogram_count(h));

	for (size_t i = 0; rank && i < h->n; i++)
		if (h->below[i] >= rank)
			return h->max > 0 && h->max < h->le[i] ? h->max : h->le[i];
	return 0;
}

void histogram_print(const struct histogram *h, double q, FILE *out)
{
	if (samples_enough(histogram_count(h), q))
		fprintf(out, " %8g", histogram_quantile(h, q) * 1e3);
	else
		fprintf(out, " %8s", "-");
}
