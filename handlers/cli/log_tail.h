/* log_tail.h - where the last lines of a container's log begin. */
#ifndef HANDLERS_CLI_LOG_TAIL_H
#define HANDLERS_CLI_LOG_TAIL_H

#include <stdint.h>

/* The offset behind which the file has the last `lines` lines of the container's output; a line without its end counts.
 * 0 when it has fewer. A log of any size is read only as far as these lines go. */
int64_t cli_log_tail(int fd, int64_t lines);

#endif
