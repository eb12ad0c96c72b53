/* fuzz_log_stage.c - a container that writes any bytes into its stdout pipe and reads from it too (ARCHITECTURE L5).
 *
 * Input: steps of { what, n }, with bytes behind a write. The target knows which bytes are still in the pipe. So a move
 * must give those bytes in their order, none twice, and the log has the same bytes as lines. The keeper is the fake of
 * the unit tests. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "procs/log_format.h"
#include "procs/log_stage.h"
#include "tests/fakes/keeper.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PIPE_BYTES = 64 * 1024 };

static int in = -1, out, log_fd; /* the pipe's two ends */
static char waiting[PIPE_BYTES]; /* the bytes in the pipe */
static size_t nwaiting;

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void open_once(void)
{
	int fds[2];
	struct err e;

	if (in >= 0)
		return;
	must(pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
	in = fds[0];
	out = fds[1];
	log_fd = memfd_create("log", MFD_CLOEXEC);
	must(log_fd >= 0 && log_stage_open(&e) == 0);
}

static void gone(size_t n)
{
	nwaiting -= n;
	memmove(waiting, waiting + n, nwaiting);
}

/* A read of a part of a packet drops the packet's rest (O_DIRECT in pipe(2)). */
static void rival_reads(size_t n)
{
	static char bytes[PIPE_BYTES];
	ssize_t got = read(in, bytes, n);
	int left;

	must(got < 0 || memcmp(bytes, waiting, (size_t)got) == 0);
	must(ioctl(in, FIONREAD, &left) == 0 && left >= 0 && (size_t)left <= nwaiting - (size_t)(got > 0 ? got : 0));
	gone(nwaiting - (size_t)left);
}

static void container_writes(const uint8_t *p, size_t n, bool packets)
{
	ssize_t done;

	if (n > sizeof(waiting) - nwaiting)
		return;
	must(fcntl(out, F_SETFL, O_NONBLOCK | (packets ? O_DIRECT : 0)) == 0); /* a packet fills a slot of the pipe */
	done = write(out, p, n);
	if (done > 0)
		memcpy(waiting + nwaiting, p, (size_t)done);
	nwaiting += done > 0 ? (size_t)done : 0;
}

/* The bytes of the log without heads, and with the newlines that F stands for, are those that were moved. The last
 * piece of a move may be P. */
static void check_log(const char *bytes, size_t n)
{
	static char text[2 * LOG_BATCH_MAX + 48 * LOG_CHUNK];
	ssize_t len = pread(log_fd, text, sizeof(text), 0);
	const char *at = text, *end = text + len, *want = bytes;

	must(len >= 0 && (size_t)len < sizeof(text));
	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at)), *tag = memchr(at, ' ', (size_t)(end - at));
		size_t piece;

		must(newline && tag && newline - tag >= 10 && strncmp(tag, " stdout ", 8) == 0 && tag[9] == ' ');
		piece = (size_t)(newline - tag - 10);
		must(piece <= LOG_LINE_MAX && piece <= (size_t)(bytes + n - want) && !memcmp(want, tag + 10, piece));
		want += piece;
		if (tag[8] == 'F')
			must(want < bytes + n && *want++ == '\n');
		at = newline + 1;
	}
	must(want == bytes + n);
	must(ftruncate(log_fd, 0) == 0 && lseek(log_fd, 0, SEEK_SET) == 0);
}

static void move(size_t n)
{
	struct log_stage_target target = { "c1", log_fd, false };
	struct log_stage_moved moved;
	struct err e;

	must(log_stage_move(in, n, &target, &moved, &e) == 0);
	must(moved.n <= n && moved.n <= nwaiting && memcmp(moved.bytes, waiting, moved.n) == 0);
	check_log(moved.bytes, moved.n);
	gone(moved.n);
}

static size_t peek(void)
{
	const char *bytes;
	ssize_t n = log_stage_peek(in, &bytes);

	must(n >= 0 || nwaiting == 0);
	must(n <= 0 || ((size_t)n <= nwaiting && memcmp(bytes, waiting, (size_t)n) == 0));
	if (n <= 0)
		return 0;
	must(log_format_take(bytes, (size_t)n, false) <= (size_t)n);
	return log_format_take(bytes, (size_t)n, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t peeked = 0;

	open_once();
	while (size >= 3) {
		size_t n = (size_t)data[1] | (size_t)data[2] << 8;
		uint8_t what = data[0];

		data += 3;
		size -= 3;
		if (what % 8 < 3) {
			n = n < size ? n : size;
			container_writes(data, n, what % 8 == 2);
			data += n;
			size -= n;
		} else if (what % 8 == 3) {
			peeked = peek();
		} else if (what % 8 == 4) {
			rival_reads(n);
		} else {
			move(what % 8 == 5 ? n : peeked);
		}
	}
	while (nwaiting)
		rival_reads(sizeof(waiting));
	return 0;
}
