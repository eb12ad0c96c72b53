/* hang.c - see hang.h. */
#include "procs/hang.h"

#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "reactor/loop.h"
#include "reactor/metric.h"

enum { LATELY_S = 3600 };

static struct {
	int64_t end_ns, ms; /* ms 0: there was none */
	bool replaced;
	char what[64];
} last;

void hang_take(const struct imsg *m)
{
	struct get g = get_from(m);
	int64_t begin_ns = (int64_t)get_u64(&g), ms = (int64_t)get_u64(&g);
	const char *what = get_str(&g);
	bool replaced = get_u32(&g);

	if (g.bad || !what)
		return;
	last.end_ns = begin_ns + ms * 1000000;
	last.ms = ms;
	last.replaced = replaced;
	snprintf(last.what, sizeof(last.what), "%s", what);
	metric_add(METRIC_hangs_total, replaced ? "replaced" : "resumed", 1);
}

const char *hang_text(struct arena *a, bool *lately)
{
	time_t end = last.end_ns / 1000000000;
	struct tm utc;
	char when[32] = "";

	*lately = last.ms && loop_real_ns() / 1000000000 - end < LATELY_S;
	if (!last.ms)
		return "";
	if (gmtime_r(&end, &utc))
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &utc);
	return arena_printf(a, "crispd did not turn its loop for %lld s until %s (%s)%s", (long long)(last.ms / 1000),
			    when, last.what, last.replaced ? ", and was replaced" : "");
}
