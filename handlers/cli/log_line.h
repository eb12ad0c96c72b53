/* log_line.h - one line of a container's log: `<RFC3339Nano> <stdout|stderr> <tags> <bytes>`.
 *
 * Spec: kubelet's CRI log reader, pkg/kubelet/kuberuntime/logs; tags are split by ':' and the first is P or F. */
#ifndef HANDLERS_CLI_LOG_LINE_H
#define HANDLERS_CLI_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>

struct cli_log_line {
	bool is_stderr;
	bool ends; /* F: a newline follows in the container's output; P: more of the line follows */
	const char *bytes; /* within the text */
	size_t len;
};

/* `text` is one line without its newline. false: the line is not in this format. */
bool cli_log_line_parse(struct cli_log_line *out, const char *text, size_t len);

#endif
