/* log_format.h - container output as lines of the CRI log format: `<RFC3339Nano> <stdout|stderr> <P|F> <bytes>\n`.
 *
 * F ends a line. P is a piece of a line: the line is over 16 KiB, or its end has not come yet. A reader joins pieces
 * up to the next F, so every byte but the newlines is kept. Spec: kubelet's CRI log reader,
 * pkg/kubelet/kuberuntime/logs. */
#ifndef PROCS_LOG_FORMAT_H
#define PROCS_LOG_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reactor/buf.h"

enum { LOG_LINE_MAX = 16 * 1024, LOG_BATCH_MAX = 256 * 1024 };

/* The number of bytes, of n, that make whole lines or full pieces; with `flush` the unfinished rest counts too. The
 * count ends where the formatted text would pass LOG_BATCH_MAX. */
size_t log_format_take(const char *in, size_t n, bool flush);

/* Appends the lines of n bytes, all with the time at_ns (CLOCK_REALTIME). Any bytes will do: a rest without its newline
 * becomes a piece, and the text of n newlines is 48 n bytes at most. */
void log_format(struct buf *out, const char *in, size_t n, bool is_stderr, int64_t at_ns);

#endif
