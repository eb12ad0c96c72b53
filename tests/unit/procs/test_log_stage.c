/* test_log_stage.c - a pipe that a rival reads too: the container holds its stdout O_RDWR and may read it at any
 * instruction of a move. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
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

/* A limit of the file size stands in for a full disk. */
static void disk_is_full(bool full)
{
	struct rlimit limit = { full ? 0 : RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_FSIZE, &limit);
}

static bool again(bool is_stderr)
{
	struct log_stage_target target = { "c1", log_fd, is_stderr };
	struct err e;

	return log_stage_again(&target, &e) == 0;
}

static int held_names;

static void on_held(void *arg, const char *name, int fd)
{
	(void)arg;
	(void)name;
	(void)fd;
	held_names++;
}

/* How many pipes of refused bytes the keeper holds. */
static int refused_pipes(void)
{
	held_names = 0;
	keeper_each_copy("container/c1/std", on_held, NULL);
	return held_names;
}

static void refuse(const char *text, bool is_stderr)
{
	struct log_stage_target target = { "c1", log_fd, is_stderr };
	struct log_stage_moved moved;
	struct err e;

	put(text);
	disk_is_full(true);
	ok(log_stage_move(pipe_r, strlen(text), &target, &moved, &e) < 0);
	ok(moved.n == strlen(text) && memcmp(moved.bytes, text, moved.n) == 0);
	disk_is_full(false);
}

static void what_a_log_refuses_waits_and_others_go_on(void)
{
	refuse("refused\n", false);
	ok(log_stage_refused("c1", false) == 8 && log_stage_refused("c1", true) == 0);
	refuse("this too\n", true);
	put("of another stream\n");
	ok(moves(18, "of another stream\n"));
	disk_is_full(true);
	ok(!again(false) && log_stage_refused("c1", false) == 8);
	disk_is_full(false);
	ok(again(true) && again(false) && again(false));
	ok(refused_pipes() == 0);
	is_str(log_text(), "stdout F of another stream\nstderr F this too\nstdout F refused\n");
	refuse("nobody wants it\n", false);
	log_stage_give_up("c1", false);
	ok(refused_pipes() == 0);
	is_str(log_text(), "");
}

static void set_phase(uint32_t phase)
{
	ok(pwrite(keeper_copy("log/intent"), &phase, sizeof(phase), 0) == sizeof(phase));
}

/* The next daemon finds the fds at the keeper. */
static void restart(void)
{
	struct err e;

	ok(log_stage_open(&e) == 0);
}

enum { SPLICING = 1, WRITING = 2, DRAINING = 3 };

static void a_crash_while_the_log_refuses(void)
{
	struct err e;

	ok(keeper_ask_hold("container/c1/log", log_fd, &e) == 0);
	refuse("one\n", false);
	restart();
	ok(log_stage_refused("c1", false) == 4);
	/* amid the write of log_stage_again(), with a part of it in the log; it refuses still, then it takes it */
	disk_is_full(true);
	ok(!again(false));
	disk_is_full(false);
	ok(write(log_fd, "torn", 4) == 4);
	set_phase(WRITING);
	disk_is_full(true);
	restart();
	disk_is_full(false);
	ok(log_stage_refused("c1", false) == 4);
	is_str(log_text(), "");
	set_phase(WRITING);
	restart();
	is_str(log_text(), "stdout F one\n");
	ok(log_stage_refused("c1", false) == 0 && again(false) && refused_pipes() == 0);
	/* after its write, before the pipe is empty */
	refuse("two\n", true);
	disk_is_full(true);
	ok(!again(true));
	disk_is_full(false);
	set_phase(DRAINING);
	restart();
	ok(log_stage_refused("c1", true) == 0 && again(true) && refused_pipes() == 0);
	is_str(log_text(), "");
}

/* crispd is killed amid a move, and its successor finds the disk full. */
static void a_crash_and_then_a_full_disk(void)
{
	struct err e;

	put("x");
	ok(moves(1, "x"));
	is_str(log_text(), "stdout P x\n");
	ok(write(keeper_copy("log/stage_w"), "staged\n", 7) == 7);
	for (uint32_t phase = SPLICING; phase <= WRITING; phase++) {
		set_phase(phase);
		disk_is_full(true);
		restart();
		disk_is_full(false);
		ok(log_stage_refused("c1", false) == 7);
		/* and is killed before the stage has its new pipe */
		ok(keeper_ask_hold("log/stage_r", keeper_copy("container/c1/stdout_refused"), &e) == 0);
	}
	set_phase(WRITING);
	restart();
	put("next\n");
	ok(moves(5, "next\n") && again(false) && refused_pipes() == 0);
	is_str(log_text(), "stdout F next\nstdout F staged\n");
	keeper_ask_release("container/c1/log");
}

static bool moves_err(const char *text)
{
	struct log_stage_target target = { "c1", log_fd, true };
	struct log_stage_moved moved;
	struct err e;

	return log_stage_move(pipe_r, strlen(text), &target, &moved, &e) == 0 && moved.n == strlen(text);
}

/* The bytes that a log has refused are on the way into their own pipe, and both daemons die when the keeper has read
 * none, the first or both of the messages about it: they are not given to the stream that moves next. */
static void both_die_while_bytes_are_set_aside(void)
{
	struct err e;

	ok(keeper_ask_hold("container/c1/log", log_fd, &e) == 0);
	for (int steps = 0; steps < 3; steps++) {
		fake_away = true;
		refuse("one\n", false);
		ok(!log_stage_ready());
		put("two\n");
		ok(!moves_err("two\n"));
		for (int i = 0; i < steps; i++) {
			fake_keeper_reads();
			ok(log_stage_ready() == (i == 1));
		}
		fake_both_die();
		fake_away = false;
		restart();
		ok(again(false) && log_stage_ready() && moves_err("two\n"));
		is_str(log_text(), "stdout F one\nstderr F two\n");
		ok(refused_pipes() == 0);
	}
	keeper_ask_release("container/c1/log");
}

static void stage_is_named(const char *name)
{
	struct err e;

	ok(keeper_ask_hold(name, keeper_copy("log/stage_r"), &e) == 0);
}

/* A crash left the pipe of the stage with the name of a stream too: no other stream's bytes may come from it. */
static void a_pipe_with_two_names(void)
{
	struct err e;

	ok(keeper_ask_hold("container/c1/log", log_fd, &e) == 0);
	stage_is_named("container/c1/stdout_refused");
	restart();
	ok(refused_pipes() == 0);
	/* and the bytes of c1's stderr are in it, refused by its log, when the next crispd comes */
	put("x\n");
	ok(moves_err("x\n"));
	is_str(log_text(), "stderr F x\n");
	stage_is_named("container/c1/stdout_refused");
	ok(write(keeper_copy("log/stage_w"), "staged\n", 7) == 7);
	set_phase(WRITING);
	disk_is_full(true);
	restart();
	disk_is_full(false);
	ok(refused_pipes() == 1 && log_stage_refused("c1", true) == 7 && log_stage_refused("c1", false) == 0);
	ok(again(true));
	is_str(log_text(), "stderr F staged\n");
	/* the log takes them */
	put("y\n");
	ok(moves_err("y\n"));
	is_str(log_text(), "stderr F y\n");
	stage_is_named("container/c1/stderr_refused");
	ok(write(keeper_copy("log/stage_w"), "staged\n", 7) == 7);
	set_phase(WRITING);
	restart();
	ok(refused_pipes() == 0);
	is_str(log_text(), "stderr F staged\n");
	/* as an earlier version left it */
	stage_is_named("container/c1/stdout_refused");
	ok(write(keeper_copy("log/stage_w"), "staged\n", 7) == 7);
	restart();
	put("next\n");
	ok(moves_err("next\n") && log_stage_refused("c1", false) == 7 && again(false));
	is_str(log_text(), "stderr F next\nstdout F staged\n");
	keeper_ask_release("container/c1/log");
}

/* However often it is asked before the keeper answers, it is one pipe that is made. */
static void the_keeper_is_slow(void)
{
	fake_away = true;
	refuse("one\n", false);
	ok(!log_stage_ready() && !log_stage_ready());
	fake_keeper_reads();
	ok(!log_stage_ready() && !log_stage_ready());
	fake_keeper_reads();
	ok(log_stage_ready());
	fake_away = false;
	ok(again(false));
	is_str(log_text(), "stdout F one\n");
}

/* Nobody reads the answers of the keeper any more. */
static void the_daemon_ends(void)
{
	struct err e;

	ok(keeper_ask_hold("container/c1/log", log_fd, &e) == 0);
	for (int steps = 0; steps < 2; steps++) {
		fake_away = true;
		refuse("one\n", false);
		if (steps) {
			fake_keeper_reads();
			ok(!log_stage_ready());
		}
		log_stage_end();
		ok(again(false));
		is_str(log_text(), "stdout F one\n");
		fake_away = false;
		fake_keeper_reads();
		restart();
	}
	keeper_ask_release("container/c1/log");
}

/* Without the size of the log a move could not be repeated. */
static void the_size_of_the_log_cannot_be_read(void)
{
	struct log_stage_target target = { "c1", 1000000, false };
	struct log_stage_moved moved;
	struct err e;

	put("one\n");
	ok(log_stage_move(pipe_r, 4, &target, &moved, &e) < 0 && moved.n == 0);
	ok(moves(4, "one\n"));
	is_str(log_text(), "stdout F one\n");
}

static int splices_to_fail;

/* In the place of the C library's: a system call may lack memory. */
ssize_t splice(int from, off64_t *from_at, int to, off64_t *to_at, size_t len, unsigned flags)
{
	if (splices_to_fail && --splices_to_fail == 0) {
		errno = ENOMEM;
		return -1;
	}
	return syscall(SYS_splice, from, from_at, to, to_at, len, flags);
}

/* One splice moves the bytes into the stage, the next one drops them from there: they are in the log by then. */
static void what_cannot_be_dropped_is_not_written_twice(void)
{
	put("one\n");
	splices_to_fail = 2;
	ok(moves(4, "one\n"));
	ok(splices_to_fail == 0);
	put("two\n");
	ok(moves(4, "two\n"));
	is_str(log_text(), "stdout F one\nstdout F two\n");
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
	signal(SIGXFSZ, SIG_IGN);
	log_fd = mkostemp(log_path, O_APPEND | O_CLOEXEC);
	ok(log_fd >= 0 && pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0);
	pipe_r = fds[0];
	pipe_w = fds[1];
	ok(log_stage_open(&e) == 0);
	what_a_rival_left_is_moved();
	new_bytes_after_a_theft_are_moved_as_they_are();
	nothing_left_moves_nothing();
	what_a_log_refuses_waits_and_others_go_on();
	a_crash_while_the_log_refuses();
	a_crash_and_then_a_full_disk();
	both_die_while_bytes_are_set_aside();
	a_pipe_with_two_names();
	the_keeper_is_slow();
	the_daemon_ends();
	the_size_of_the_log_cannot_be_read();
	more_slots_than_the_stage_has();
	what_cannot_be_dropped_is_not_written_twice();
	end_of_file();
	unlink(log_path);
	return tap_end();
}
