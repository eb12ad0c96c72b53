/* metric.h - every counter, gauge and histogram of the daemon; metrics.def is the one table of them.
 *
 * Text format: Prometheus exposition 0.0.4. Names start with crisp_, except the process figures that every exporter has
 * (process_open_fds, ...). A family has at most two labels, and is not shown before its first value. docs/metrics.md
 * lists them all. */
#ifndef REACTOR_METRIC_H
#define REACTOR_METRIC_H

#include <stdint.h>

#include "reactor/buf.h"

enum metric_id {
#define COUNTER(id, label, help) METRIC_##id,
#define GAUGE(id, label, help) METRIC_##id,
#define HISTOGRAM(id, label, help) METRIC_##id, /* of seconds */
#include "reactor/metrics.def"
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM
	METRIC_COUNT
};

/* label_value: NULL for a family without a label, else a string, copied at its first use. A value is never removed, so
 * the set must be small. */
void metric_add(enum metric_id id, const char *label_value, uint64_t by);
/* For a family with two labels, whose names stand as "FIRST,SECOND" in metrics.def. */
void metric_add2(enum metric_id id, const char *first, const char *second, uint64_t by);
void metric_set(enum metric_id id, const char *label_value, double value);
void metric_observe_ns(enum metric_id id, const char *label_value, int64_t ns);

/* For a machine of several steps: notes in stage_seconds how long the step that began at *since_ns took; the next step
 * begins now. */
void metric_stage(const char *stage, int64_t *since_ns);

/* For figures that are computed when metric_text() runs: fn appends whole lines. At most 8 sources. */
void metric_source(void (*fn)(struct buf *out));

/* Appends all families, the figures of loop and process, and all sources. */
void metric_text(struct buf *out);

#endif
