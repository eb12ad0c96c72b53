/* metric.h - every counter, gauge and histogram of the daemon; metrics.def is the one table of them.
 *
 * Text format: Prometheus exposition 0.0.4. Names start with crisp_, but for the process figures that every exporter
 * has (process_open_fds, ...). A family has at most one label, and is not shown before it was fed. */
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

/* label_value: NULL for a family without a label, else a string that is copied at its first use. Keep the set small. */
void metric_add(enum metric_id id, const char *label_value, uint64_t by);
void metric_set(enum metric_id id, const char *label_value, double value);
void metric_observe_ns(enum metric_id id, const char *label_value, int64_t ns);

/* Something to be computed only when someone looks: fn appends whole lines. At most 8 of them. */
void metric_source(void (*fn)(struct buf *out));

/* Everything, loop and process figures included. */
void metric_text(struct buf *out);

#endif
