/* run_times.h - how long each stage of `crisp run` took. */
#ifndef HANDLERS_CLI_RUN_TIMES_H
#define HANDLERS_CLI_RUN_TIMES_H

#include <stdbool.h>
#include <stdint.h>

/* In order. FIRST_BYTE overlaps START and RUN: the time from StartContainer's request to the first byte of the log that
 * was read. */
#define CLI_RUN_STAGES(X) \
	X(PULL, "pull") X(POD, "pod") X(CREATE, "create") X(START, "start") X(FIRST_BYTE, "first byte") X(RUN, "run") \
	X(REMOVE, "remove")

enum cli_run_stage {
#define X(name, word) CLI_RUN_##name,
	CLI_RUN_STAGES(X)
#undef X
	CLI_RUN_STAGES_END
};

struct cli_run_times {
	int64_t begun_ns, last_ns, starting_ns;
	int64_t ns[CLI_RUN_STAGES_END]; /* 0: the stage did not happen */
};

void cli_run_times_begin(struct cli_run_times *t);
void cli_run_times_end_of(struct cli_run_times *t, enum cli_run_stage stage); /* its begin: the last end */
void cli_run_times_starting(struct cli_run_times *t);
void cli_run_times_first_byte(struct cli_run_times *t); /* only the first call counts */

/* On stderr: one line a stage, in ms, or one JSON object {"pull_ms": 1.2, ..., "total_ms": 3.4}. */
void cli_run_times_print(const struct cli_run_times *t, bool json);

#endif
