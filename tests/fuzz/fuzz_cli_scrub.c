/* fuzz_cli_scrub.c - a log, or another text that goes into the archive of `crisp debug bundle`. */
#include <stdint.h>
#include <stdlib.h>

#include "handlers/cli/scrub.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf out = { 0 };

	scrub_text(&out, (const char *)data, size);
	/* Each byte can become one SCRUBBED, in either of two passes. */
	if (out.len > (size + 1) * sizeof(SCRUBBED) * sizeof(SCRUBBED) || (size && out.at[out.len - 1] != '\n'))
		abort();
	buf_free(&out);
	return 0;
}
