/* log_writer_main.c - log-writer MODE LINES, for a container: writes numbered lines to standard output, then sleeps for
 * ever.
 *
 * MODE: "bulk" writes 64 KiB at a time, "line" one line at a time. Linked statically: the image has no libraries. */
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "bench/log_line.h"

enum { BULK = 65536, BEFORE_US = 500000 };

static int write_all(const char *at, size_t len)
{
	while (len) {
		ssize_t n = write(STDOUT_FILENO, at, len);

		if (n < 0)
			return -1;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int main(int argc, char **argv)
{
	long lines = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
	size_t most = argc == 3 && strcmp(argv[1], "line") == 0 ? LOG_LINE_BYTES : BULK, len, n;
	char *text;

	if (lines <= 0)
		return 64;
	/* All lines are made before the first write: making a line takes longer than moving it. */
	len = (size_t)lines * LOG_LINE_BYTES;
	text = malloc(len + 1);
	if (!text)
		return 1;
	for (long i = 0; i < lines; i++)
		log_line_make(text + i * LOG_LINE_BYTES, i);
	usleep(BEFORE_US);
	for (size_t at = 0; at < len; at += n) {
		n = len - at < most ? len - at : most;
		if (write_all(text + at, n) < 0)
			return 1;
	}
	for (;;)
		pause();
}
