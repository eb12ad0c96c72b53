/* log_tail.c - see log_tail.h. The file is read backwards, in blocks. */
#include "handlers/cli/log_tail.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handlers/cli/log_line.h"
#include "reactor/own.h"

enum { BLOCK_BYTES = 64 * 1024, HEAD_BYTES = 256 };

struct block {
	int fd;
	int64_t at; /* offset of the first byte */
	size_t len;
	char bytes[BLOCK_BYTES];
};

static void block_load_before(struct block *b, int64_t end)
{
	int64_t at = end > BLOCK_BYTES ? end - BLOCK_BYTES : 0;
	ssize_t n;

	if (at >= b->at && end <= b->at + (int64_t)b->len)
		return;
	n = pread(b->fd, b->bytes, (size_t)(end - at), at);
	b->at = at;
	b->len = n > 0 ? (size_t)n : 0;
}

/* The offset of the line whose newline is the last byte before `end`. */
static int64_t line_begin(struct block *b, int64_t end)
{
	for (int64_t before = end - 1; before > 0; before = b->at) {
		const char *newline;
		int64_t n;

		if (before <= b->at || before > b->at + (int64_t)b->len)
			block_load_before(b, before);
		n = before - b->at;
		if (n <= 0 || n > (int64_t)b->len) /* the file has become shorter */
			return 0;
		newline = memrchr(b->bytes, '\n', (size_t)n);
		if (newline)
			return b->at + (newline - b->bytes) + 1;
	}
	return 0;
}

/* The line ends a line of the container's output (F). What is no line of a log counts as one. */
static bool line_is_last(int fd, int64_t begin, int64_t end)
{
	char head[HEAD_BYTES];
	ssize_t n = pread(fd, head, end - begin < HEAD_BYTES ? (size_t)(end - begin) : HEAD_BYTES, begin);
	struct cli_log_line line;

	return n <= 0 || !cli_log_line_parse(&line, head, (size_t)n) || line.ends;
}

int64_t cli_log_tail(int fd, int64_t lines)
{
	auto_free struct block *b = new_zero(struct block);
	int64_t end, found = 0;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return 0;
	b->fd = fd;
	end = st.st_size;
	for (bool first = true; end > 0; first = false) {
		int64_t begin = line_begin(b, end);
		bool last = line_is_last(fd, begin, end);

		if ((last || first) && found++ == lines)
			return end;
		end = begin;
	}
	return 0;
}
