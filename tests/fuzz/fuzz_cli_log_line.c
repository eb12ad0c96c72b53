/* fuzz_cli_log_line.c - one line of a log file. */
#include <stdint.h>
#include <stdlib.h>

#include "handlers/cli/log_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct cli_log_line line;

	if (cli_log_line_parse(&line, text, size) && (line.bytes < text || line.bytes + line.len != text + size))
		abort();
	return 0;
}
