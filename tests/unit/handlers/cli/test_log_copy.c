/* test_log_copy.c - a container's log, from its file to our stdout and stderr. */
#include "handlers/cli/log_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handlers/cli/log_line.h"
#include "reactor/buf.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "tests/missing.h"
#include "tests/tap.h"

enum { TURNS = 100000 };

/* fd 1 and 2 are pipes during a story; TAP goes where stdout was. */
static int out[2], err_[2], real_out, real_err;
static char dir[] = "/tmp/test_cli_log.XXXXXX", path[64], old[64];
static struct cli_log_copy *l;
static int grew, deaf, done;
static enum err_code done_code;

static void on_grew(void *arg) { (void)arg; grew++; }
static void on_deaf(void *arg) { (void)arg; deaf++; }
static void on_done(void *arg, const struct err *e)
{
	(void)arg;
	done++;
	done_code = e ? e->code : ERR_OK;
}

static void begin(void)
{
	struct cli_log_copy_events events = { on_grew, on_deaf, NULL };
	struct err e;

	grew = deaf = done = 0;
	unlink(path);
	unlink(old);
	fflush(stdout);
	if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err_, O_CLOEXEC) < 0)
		abort();
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	fcntl(err_[0], F_SETFL, O_NONBLOCK);
	dup2(out[1], 1);
	dup2(err_[1], 2);
	close(out[1]);
	close(err_[1]);
	l = cli_log_copy_start(path, &events, &e);
	if (!l)
		abort();
}

static void end(void)
{
	cli_log_copy_free(l);
	dup2(real_out, 1);
	dup2(real_err, 2);
	close(out[0]);
	close(err_[0]);
}

static void add(const char *text)
{
	auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		abort();
}

static void turns(int n)
{
	for (int i = 0; i < n; i++)
		loop_turn();
}

/* All that is in a pipe; valid until the next call. */
static const char *got(int fd)
{
	static struct buf b;

	buf_consume(&b, b.len);
	while (buf_read(&b, fd, 65536) > 0)
		;
	return buf_str(&b);
}

static void finish(void)
{
	cli_log_copy_finish(l, on_done);
	for (int i = 0; !done && i < TURNS; i++)
		loop_turn();
}

#define T "2026-01-02T03:04:05.000000006Z "
#define CHECK_IN_STORY(name, cond) bool name = (cond)

static void lines_and_pieces(void)
{
	begin();
	turns(3); /* the file is not there yet */
	add(T "stdout F one\n" T "stderr F two\n" T "stdout P thr");
	turns(3);
	CHECK_IN_STORY(held_back, strcmp(got(out[0]), "one\n") == 0);
	add("ee\n");
	add(T "stdout P  and\n" T "stdout F \n" T "stdout F \n");
	turns(3);
	CHECK_IN_STORY(joined, strcmp(got(out[0]), "three and\n\n") == 0);
	CHECK_IN_STORY(other, strcmp(got(err_[0]), "two\n") == 0);
	add(T "stdout P no end\n");
	finish();
	CHECK_IN_STORY(exact, strcmp(got(out[0]), "no end") == 0);
	end();
	ok(held_back);
	ok(joined);
	ok(other);
	ok(exact);
	ok(grew >= 3);
	ok(done == 1 && done_code == ERR_OK && deaf == 0);
}

static void only_the_last_lines(void)
{
	begin();
	add(T "stdout F 1\n" T "stdout F 2\n" T "stdout F 3\n");
	cli_log_copy_from(l, 2, 0);
	turns(3);
	CHECK_IN_STORY(two, strcmp(got(out[0]), "2\n3\n") == 0);
	add(T "stdout F 4\n");
	if (rename(path, old) < 0)
		abort();
	add(T "stdout F 5\n" T "stdout F 6\n" T "stdout F 7\n");
	finish();
	CHECK_IN_STORY(then_all, strcmp(got(out[0]), "4\n5\n6\n7\n") == 0);
	end();
	ok(two);
	ok(then_all);
}

static void only_lines_since(void)
{
	begin();
	add(T "stdout F 1\n2026-01-02T03:04:06Z stdout F 2\n" T "stdout F 3\n");
	cli_log_copy_from(l, -1, INT64_C(1767323046000000000));
	finish();
	CHECK_IN_STORY(one, strcmp(got(out[0]), "2\n") == 0);
	end();
	ok(one);
}

static void a_rotation_loses_nothing(void)
{
	begin();
	add(T "stdout F 1\n");
	turns(3);
	add(T "stdout F 2\n");
	if (rename(path, old) < 0)
		abort();
	add(T "stdout F 3\n");
	finish();
	CHECK_IN_STORY(all, strcmp(got(out[0]), "1\n2\n3\n") == 0);
	end();
	ok(all);
}

static void bytes_that_are_written_again_come_once(void)
{
	struct stat st;

	begin();
	add(T "stdout F 1\n" T "stdout F 2\n");
	turns(3);
	if (stat(path, &st) < 0 || truncate(path, st.st_size / 2) < 0)
		abort();
	turns(3);
	add(T "stdout F 2\n" T "stdout F 3\n");
	finish();
	CHECK_IN_STORY(once, strcmp(got(out[0]), "1\n2\n3\n") == 0);
	end();
	ok(once);
}

/* A megabyte into a pipe of 64 KiB: the loop goes on turning, and all of it arrives when the reader reads. */
static void a_slow_reader(void)
{
	static char line[1 << 14];
	struct buf all = { 0 };
	bool same = true;

	begin();
	memset(line, 'x', sizeof(line) - 1);
	memcpy(line, T "stdout F ", sizeof(T "stdout F ") - 1);
	line[sizeof(line) - 2] = '\n';
	for (int i = 0; i < 64; i++)
		add(line);
	turns(100);
	cli_log_copy_finish(l, on_done);
	turns(100);
	CHECK_IN_STORY(waits, done == 0);
	for (int i = 0; !done && i < TURNS; i++) {
		buf_read(&all, out[0], 4096);
		loop_turn();
	}
	while (buf_read(&all, out[0], 65536) > 0)
		;
	end();
	ok(waits);
	ok(done == 1);
	ok(all.len == 64 * (sizeof(line) - sizeof(T "stdout F ")));
	for (size_t i = 0; i < all.len; i++)
		same &= all.at[i] == 'x' || all.at[i] == '\n';
	ok(same);
	buf_free(&all);
}

static void nobody_reads(void)
{
	begin();
	close(out[0]);
	add(T "stdout F 1\n" T "stdout F 2\n");
	turns(3);
	add(T "stdout F 3\n");
	turns(3);
	finish();
	end();
	ok(deaf == 1);
	ok(done == 1);
}

static void strange_lines_are_told(void)
{
	begin();
	add("{\"log\":\"docker\"}\n" T "stdout F fine\n" "\n");
	finish();
	CHECK_IN_STORY(good, strcmp(got(out[0]), "fine\n") == 0);
	CHECK_IN_STORY(told, strstr(got(err_[0]), "2 lines of ") != NULL);
	end();
	ok(good);
	ok(told);
}

static void no_such_directory(void)
{
	struct cli_log_copy_events events = { on_grew, on_deaf, NULL };
	struct err e;

	ok(cli_log_copy_start(missing("below/x.log"), &events, &e) == NULL);
	ok(e.code == ERR_INTERNAL);
}

static bool parses(const char *text, struct cli_log_line *line)
{
	return cli_log_line_parse(line, text, strlen(text));
}

static void the_format(void)
{
	struct cli_log_line line;

	ok(parses("2016-10-06T00:17:09.669794202+02:00 stdout P:more:tags  text ", &line));
	ok(!line.ends && !line.is_stderr && line.len == 6 && memcmp(line.bytes, " text ", 6) == 0);
	ok(parses("2016-10-06T00:17:09Z stderr F ", &line));
	ok(line.ends && line.is_stderr && line.len == 0);
	ok(!parses("", &line));
	ok(!parses("2016-10-06T00:17:09Z stderr F", &line));
	ok(!parses("2016-10-06T00:17:09Z stdin F x", &line));
	ok(!parses("2016-10-06T00:17:09Z stdout X x", &line));
	ok(!parses("2016-10-06T00:17:09Z stdout Fx x", &line));
	ok(!parses("stdout F x", &line));
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/c.log", dir);
	snprintf(old, sizeof(old), "%s/c.log.1", dir);
	real_out = dup(1);
	real_err = dup(2);
	the_format();
	lines_and_pieces();
	only_the_last_lines();
	only_lines_since();
	a_rotation_loses_nothing();
	bytes_that_are_written_again_come_once();
	a_slow_reader();
	nobody_reads();
	strange_lines_are_told();
	no_such_directory();
	unlink(path);
	unlink(old);
	rmdir(dir);
	close(real_out);
	close(real_err);
	return tap_end();
}
