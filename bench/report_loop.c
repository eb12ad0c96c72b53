/* report_loop.c - see report_loop.h. */
#include "bench/report_loop.h"

#include "bench/exposition.h"
#include "reactor/buf.h"

static int print_loop(const char *before, const char *after, FILE *out, struct err *e)
{
	static const char *const clocks[] = { "cpu", "wall" };
	static const double quantiles[] = { 0.5, 0.99, 0.999 };

	fprintf(out, "\nthe loop's callbacks while the pods were started and removed\n  %-18s %9s %8s %8s %8s %8s\n",
		"ms, not above", "n", "p50", "p99", "p99.9", "max");
	for (size_t i = 0; i < 2; i++) {
		struct histogram h, earlier;
		char name[64];

		snprintf(name, sizeof(name), "crisp_loop_callback_%s_seconds", clocks[i]);
		if (exposition_histogram(after, name, "", &h) < 0 ||
		    exposition_histogram(before, name, "", &earlier) < 0)
			return err_set(e, ERR_INTERNAL, "%s: not on the page", name);
		histogram_subtract(&h, &earlier);
		fprintf(out, "  %-18s %9llu", clocks[i], (unsigned long long)histogram_count(&h));
		for (size_t q = 0; q < 3; q++)
			histogram_print(&h, quantiles[q], out);
		fprintf(out, " %8.3f\n", h.max * 1e3);
	}
	fprintf(out,
		"  max is since the start of crispd\n  crispd used %.2f s of CPU and was runnable without one for %.2f "
		"s\n",
		exposition_grown(before, after, "process_cpu_seconds_total"),
		exposition_grown(before, after, "crisp_loop_runqueue_wait_seconds_total"));
	fprintf(out, "  it slept %.0f times in %.0f turns of the loop\n",
		exposition_grown(before, after, "voluntary_switches_total"),
		exposition_grown(before, after, "crisp_loop_turns_total"));
	return 0;
}

int report_loop(const char *before, const char *after, FILE *out, struct err *e)
{
	struct buf was = { 0 }, is = { 0 };
	int rc = exposition_read(before, &was, e);

	if (rc == 0)
		rc = exposition_read(after, &is, e);
	if (rc == 0)
		rc = print_loop(buf_str(&was), buf_str(&is), out, e);
	buf_free(&was);
	buf_free(&is);
	return rc;
}
