/* test_log_stage.c - a pipe that a rival reads too: the container holds its stdout O_RDWR and may read it at any
 * instruction of a move. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procs/keeper.h"
#include "procs/log_stage.h"
#include "reactor/log.h"
#include "tests/fakes/keeper.h"
#include "tests/tap.h"

static char log_path[] = "/tmp/test_log_stage.XXXXXX";
static int pipe_r, pipe_w, log_fd;

static void put(const char *text)
{
	ok(write(pipe_w, text, strlen(text)) == (ssize_t)strlen(text));
}

/* The rival's read of n bytes. */
static void steal(size_t n)
{
	char bytes[4096];

	ok(read(pipe_r, bytes, n) == (ssize_t)n);
}

static size_t peek(void)
{
	const char *bytes;
	ssize_t n = log_stage_peek(pipe_r, &bytes);

	return n > 0 ? (size_t)n : 0;
}

static bool moves(size_t n, const char *want)
{
	struct log_stage_target target = { "c1", log_fd, false };
	struct log_stage_moved moved;
	struct err e;

	return log_stage_move(pipe_r, n, &target, &moved, &e) == 0 && moved.n == strlen(want) &&
	       memcmp(moved.bytes, want, moved.n) == 0;
}

/* The log without its timestamps, which is emptied. */
static char *log_text(void)
{
	static char text[8192];
	char line[512], *to = text;
	FILE *f = fopen(log_path, "r");

	*to = '\0';
	while (f && fgets(line, sizeof(line), f))
		to = stpcpy(to, strchr(line, ' ') + 1);
	if (f)
		fclose(f);
	ok(truncate(log_path, 0) == 0);
	return text;
}

static void what_a_rival_left_is_moved(void)
{
	put("one\ntwo\nthree\n");
	ok(peek() == 14);
	steal(5);
	ok(moves(14, "wo\nthree\n"));
	is_str(log_text(), "stdout F wo\nstdout F three\n");
}

static void new_bytes_after_a_theft_are_moved_as_they_are(void)
{
	put("first\n");
	ok(peek() == 6);
	steal(6);
	put("second line\n");
	ok(moves(6, "second"));
	ok(moves(6, " line\n"));
	is_str(log_text(), "stdout P second\nstdout F  line\n");
}

static void nothing_left_moves_nothing(void)
{
	put("gone\n");
	ok(peek() == 5);
	steal(5);
	ok(moves(5, ""));
	is_str(log_text(), "");
	put("next\n");
	ok(moves(peek(), "next\n")); /* and nothing is left in the stage */
	is_str(log_text(), "stdout F next\n");
}

/* In packet mode every write fills a slot of the pipe, however short it is, and the stage has fewer slots. */
static void more_slots_than_the_stage_has(void)
{
	size_t n = 0, all = 0;

	ok(fcntl(pipe_w, F_SETPIPE_SZ, 1 << 20) == 1 << 20);
	if (fcntl(pipe_w, F_SETFL, O_NONBLOCK | O_DIRECT) < 0)
		return (void)printf("# SKIP no packet mode\n");
	while (write(pipe_w, "x", 1) == 1)
		n++;
	ok(n > 100 && fcntl(pipe_w, F_SETFL, O_NONBLOCK) == 0);
	for (size_t tries = 0; all < n && tries < n; tries++) {
		struct log_stage_target target = { "c1", -1, false };
		struct log_stage_moved moved;
		struct err e;

		if (log_stage_move(pipe_r, LOG_CHUNK, &target, &moved, &e) < 0 || moved.n == 0)
			break;
		all += moved.n;
	}
	ok(all == n);
}

static void end_of_file(void)
{
	const char *bytes;

	close(pipe_w);
	ok(log_stage_peek(pipe_r, &bytes) == 0);
	ok(moves(10, ""));
}

int main(void)
{
	struct err e;
	int fds[2];

	log_open("test", LOG_LEVEL_ERROR);
	log_fd = mkostemp(log_path, O_APPEND | O_CLOEXEC);
	ok(log_fd >= 0 && pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
	pipe_r = fds[0];
	pipe_w = fds[1];
	ok(log_stage_open(&e) == 0);
	what_a_rival_left_is_moved();
	new_bytes_after_a_theft_are_moved_as_they_are();
	nothing_left_moves_nothing();
	more_slots_than_the_stage_has();
	end_of_file();
	unlink(log_path);
	return tap_end();
}
