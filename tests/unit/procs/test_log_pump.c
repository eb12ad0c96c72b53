/* test_log_pump.c - real FIFOs and a real log file, a fake keeper; the loop is turned until what is waited for is
 * there. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procs/keeper.h"
#include "procs/log_pump.h"
#include "procs/log_stage.h"
#include "reactor/logfile.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "tests/fakes/keeper.h"
#include "tests/tap.h"

static char dir[] = "/tmp/test_log_pump.XXXXXX", log_path[256];
static int drained;

static void on_drained(void *arg)
{
	(void)arg;
	drained++;
}

/* The log without its timestamps. */
static char *log_text(void)
{
	static char text[1 << 20];
	char *to = text, line[20000];
	FILE *f = fopen(log_path, "r");

	*to = '\0';
	while (f && fgets(line, sizeof(line), f))
		to = stpcpy(to, strchr(line, ' ') + 1);
	if (f)
		fclose(f);
	return text;
}

static bool log_becomes(const char *want)
{
	for (int64_t end_ns = loop_mono_ns() + 20000000000; loop_mono_ns() < end_ns;) {
		loop_turn();
		if (strcmp(log_text(), want) == 0)
			return true;
	}
	printf("# log: %s\n", log_text());
	return false;
}

static struct log_pump *open_pump(void)
{
	struct err e;
	struct log_pump *p = log_pump_open("c1", dir, log_path, -1, &e);

	ok(p != NULL);
	return p;
}

static void drain_and_close(struct log_pump *p)
{
	drained = 0;
	log_pump_drain(p, on_drained, NULL);
	ok(drained == 0);
	for (int64_t end_ns = loop_mono_ns() + 4000000000; !drained && loop_mono_ns() < end_ns;)
		loop_turn();
	ok(drained == 1);
	log_pump_close(p);
	unlink(log_path);
}

static void put(int fd, const char *text)
{
	ok(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static void lines_of_both_streams(void)
{
	struct log_pump *p = open_pump();
	struct err e;
	int out = log_pump_writer(p, false, &e), err = log_pump_writer(p, true, &e);

	put(out, "one\ntwo\n");
	ok(log_becomes("stdout F one\nstdout F two\n"));
	put(err, "oops\n");
	ok(log_becomes("stdout F one\nstdout F two\nstderr F oops\n"));
	put(out, "prompt> "); /* no newline comes: after a moment it is there all the same */
	ok(log_becomes("stdout F one\nstdout F two\nstderr F oops\nstdout P prompt> \n"));
	put(out, "yes\nlast");
	close(out);
	close(err);
	ok(log_becomes("stdout F one\nstdout F two\nstderr F oops\nstdout P prompt> \nstdout F yes\nstdout P last\n"));
	drain_and_close(p);
}

static void no_descriptor_is_left(void)
{
	struct log_pump *p;
	struct err e;
	int out, fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

	fake_no_fds = true;
	ok(log_pump_open("c1", dir, log_path, fd, &e) == NULL && e.code == ERR_RESOURCE_EXHAUSTED);
	fake_no_fds = false;
	p = open_pump();
	out = log_pump_writer(p, false, &e);
	put(out, "one\n");
	ok(log_becomes("stdout F one\n"));
	fake_no_fds = true;
	ok(log_pump_reopen(p, fd, &e) < 0 && e.code == ERR_RESOURCE_EXHAUSTED);
	fake_no_fds = false;
	close(fd);
	put(out, "two\n"); /* to the old file */
	ok(log_becomes("stdout F one\nstdout F two\n"));
	close(out);
	drain_and_close(p);
}

static void restart_takes_up_what_waits(void)
{
	int fd;
	static struct log_reader dead;
	struct log_pump *p = open_pump(), *again;
	struct err e;
	int out = log_pump_writer(p, false, &e);
	char renamed[300];

	put(out, "before\n");
	ok(log_becomes("stdout F before\n"));
	/* This daemon is dead: a reader that is paused for ever keeps it from moving anything. Its successor finds the
	 * same fds at the keeper. */
	log_pump_listen(p, &dead);
	log_pump_pause(p, &dead, true);
	put(out, "while away\n");
	again = open_pump();
	ok(log_becomes("stdout F before\nstdout F while away\n"));
	snprintf(renamed, sizeof(renamed), "%s.1", log_path);
	ok(rename(log_path, renamed) == 0);
	put(out, "still the old file\n");
	for (int i = 0; i < 1000; i++)
		loop_turn();
	fd = logfile_open(log_path, &e);
	ok(log_pump_reopen(again, fd, &e) == 0);
	close(fd);
	put(out, "new file\n");
	ok(log_becomes("stdout F new file\n"));
	unlink(renamed);
	close(out);
	drain_and_close(again);
	keeper_ask_release_all("container/");
}

static int read_bytes;

static void on_bytes(struct log_reader *r, bool is_stderr, const void *bytes, size_t n)
{
	(void)r;
	(void)bytes;
	read_bytes += is_stderr ? 0 : (int)n;
}

static void without_a_file_readers_still_see(void)
{
	struct err e;
	struct log_reader r = { .fn = on_bytes };
	struct log_pump *p = log_pump_open("c2", dir, "", -1, &e);
	int out = log_pump_writer(p, false, &e);

	log_pump_listen(p, &r);
	put(out, "abc");
	for (int i = 0; i < 1000000 && read_bytes < 3; i++)
		loop_turn();
	ok(read_bytes == 3);
	log_pump_unlisten(p, &r);
	ok(log_pump_reopen(p, -1, &e) < 0 && e.code == ERR_FAILED_PRECONDITION);
	close(out);
	drain_and_close(p);
}

/* A file size limit stands in for a full disk: the container waits, then goes on, and no line is torn. */
static void full_disk_holds_and_goes_on(void)
{
	struct log_pump *p = open_pump();
	struct rlimit small = { 60, RLIM_INFINITY }, all = { RLIM_INFINITY, RLIM_INFINITY };
	struct err e;
	int out = log_pump_writer(p, false, &e);

	put(out, "fits\n");
	ok(log_becomes("stdout F fits\n"));
	setrlimit(RLIMIT_FSIZE, &small);
	put(out, "does not fit\n");
	for (int i = 0; i < 1000; i++)
		loop_turn();
	is_str(log_text(), "stdout F fits\n");
	ok(log_pump_refused(p) == 13);
	setrlimit(RLIMIT_FSIZE, &all);
	put(out, "after\n");
	ok(log_becomes("stdout F fits\nstdout F does not fit\nstdout F after\n"));
	close(out);
	drain_and_close(p);
}

/* The container ended while the disk was full; there is room again when its log is closed. */
static void the_last_lines_of_a_full_disk(void)
{
	struct log_pump *p = open_pump();
	struct rlimit small = { 60, RLIM_INFINITY }, all = { RLIM_INFINITY, RLIM_INFINITY };
	struct err e;
	int out = log_pump_writer(p, false, &e);

	put(out, "fits\n");
	ok(log_becomes("stdout F fits\n"));
	setrlimit(RLIMIT_FSIZE, &small);
	put(out, "is refused\n");
	for (int i = 0; i < 1000; i++)
		loop_turn();
	put(out, "stays in the FIFO\nand so on");
	close(out);
	drained = 0;
	log_pump_drain(p, on_drained, NULL);
	for (int64_t end_ns = loop_mono_ns() + 4000000000; !drained && loop_mono_ns() < end_ns;)
		loop_turn();
	ok(drained == 1);
	ok(log_pump_refused(p) == 11 + 27);
	is_str(log_text(), "stdout F fits\n");
	setrlimit(RLIMIT_FSIZE, &all);
	log_pump_close(p);
	is_str(log_text(), "stdout F fits\nstdout F is refused\nstdout F stays in the FIFO\n"
			   "stdout P and so on\n");
	unlink(log_path);
}

/* What the log refused in the life of an earlier daemon, from a pipe whose bytes the test moves itself. */
static void refused_before(void)
{
	struct log_stage_target target = { "c1", logfile_open(log_path, NULL), false };
	struct log_stage_moved moved;
	struct err e;
	int fds[2];

	ok(pipe2(fds, O_NONBLOCK) == 0);
	put(fds[1], "is refused\n");
	ok(log_stage_move(fds[0], 11, &target, &moved, &e) < 0 && log_stage_refused("c1", false) == 11);
	close(fds[0]);
	close(fds[1]);
	close(target.log_fd);
}

/* The container ended while the disk was full, and so did the daemon. The next one goes on when there is room. */
static void a_full_disk_over_the_end_and_a_restart(void)
{
	struct rlimit none = { 0, RLIM_INFINITY }, all = { RLIM_INFINITY, RLIM_INFINITY };
	struct log_pump *p;
	struct err e;
	int out;

	setrlimit(RLIMIT_FSIZE, &none);
	refused_before();
	p = open_pump();
	out = log_pump_writer(p, false, &e);
	put(out, "stays in the FIFO\nand so on");
	close(out);
	drained = 0;
	log_pump_drain_late(p, on_drained, NULL);
	for (int64_t end_ns = loop_mono_ns() + 4100000000; loop_mono_ns() < end_ns;)
		loop_turn();
	ok(drained == 0 && log_pump_refused(p) == 11 + 27);
	is_str(log_text(), "");
	setrlimit(RLIMIT_FSIZE, &all);
	for (int64_t end_ns = loop_mono_ns() + 4000000000; !drained && loop_mono_ns() < end_ns;)
		loop_turn();
	ok(drained == 1 && log_pump_refused(p) == 0);
	is_str(log_text(), "stdout F is refused\nstdout F stays in the FIFO\nstdout P and so on\n");
	log_pump_close(p);
	unlink(log_path);
}

/* The service stops while the keeper has no anchor: what the keeper holds goes with it. */
static void the_daemon_ends_while_bytes_wait(void)
{
	struct log_pump *p = open_pump();
	struct rlimit none = { 0, RLIM_INFINITY }, all = { RLIM_INFINITY, RLIM_INFINITY };
	struct err e;
	int out = log_pump_writer(p, false, &e);

	setrlimit(RLIMIT_FSIZE, &none);
	put(out, "is refused\n");
	for (int64_t end_ns = loop_mono_ns() + 4000000000; !log_pump_refused(p) && loop_mono_ns() < end_ns;)
		loop_turn();
	ok(log_pump_refused(p) == 11);
	setrlimit(RLIMIT_FSIZE, &all);
	log_pumps_end();
	is_str(log_text(), "stdout F is refused\n");
	close(out);
	drain_and_close(p);
}

static void turn_100_times(void)
{
	for (int i = 0; i < 100; i++)
		loop_turn();
}

/* Both daemons could die, and the next crispd would find the old file. */
static void no_byte_into_a_file_that_the_keeper_has_not(void)
{
	struct log_pump *p = open_pump();
	struct err e;
	int out = log_pump_writer(p, false, &e), fd;
	char renamed[300];

	put(out, "one\n");
	ok(log_becomes("stdout F one\n"));
	snprintf(renamed, sizeof(renamed), "%s.1", log_path);
	ok(rename(log_path, renamed) == 0);
	fd = logfile_open(log_path, &e);
	fake_away = true;
	ok(log_pump_reopen(p, fd, &e) == 0 && !log_pump_reopened(p));
	put(out, "two\n");
	turn_100_times();
	is_str(log_text(), "");
	fake_keeper_reads();
	ok(log_pump_reopened(p));
	ok(log_becomes("stdout F two\n"));
	/* the keeper does not come back: the file before is taken again */
	ok(rename(log_path, renamed) == 0);
	close(fd);
	fd = logfile_open(log_path, &e);
	ok(log_pump_reopen(p, fd, &e) == 0);
	put(out, "three\n");
	turn_100_times();
	log_pump_reopen_undo(p);
	ok(rename(renamed, log_path) == 0);
	fake_away = false;
	fake_keeper_reads();
	ok(log_becomes("stdout F two\nstdout F three\n"));
	close(fd);
	close(out);
	drain_and_close(p);
}

/* A pump that cannot be taken up, for want of descriptors, is one for the next daemon. */
static void what_cannot_be_taken_up_stays(void)
{
	struct log_pump *p = open_pump();
	static struct log_reader dead;
	struct err e;
	int out = log_pump_writer(p, false, &e);

	log_pump_listen(p, &dead);
	log_pump_pause(p, &dead, true); /* this daemon is dead */
	put(out, "one\n");
	keeper_ask_release("container/c1/stdout");
	fake_no_fds = true;
	ok(log_pump_open("c1", dir, log_path, -1, &e) == NULL && e.code == ERR_RESOURCE_EXHAUSTED);
	fake_no_fds = false;
	ok(keeper_copy("container/c1/stderr") >= 0 && keeper_copy("container/c1/log") >= 0);
	p = open_pump();
	ok(log_becomes("stdout F one\n"));
	put(out, "two\n");
	ok(log_becomes("stdout F one\nstdout F two\n"));
	close(out);
	drain_and_close(p);
	keeper_ask_release_all("container/");
}

/* Of a start that was put back while the keeper was away: its FIFOs are unlinked, and still held. */
static void what_an_earlier_start_left(void)
{
	struct log_pump *p = open_pump();
	char path[160];
	struct err e;
	int out;

	snprintf(path, sizeof(path), "%s/stdout", dir);
	ok(unlink(path) == 0);
	log_pump_forget("c1");
	ok(keeper_copy("container/c1/stdout") == -1 && keeper_copy("container/c1/log") == -1);
	p = open_pump(); /* the first daemon's pump is never closed, as it died */
	out = log_pump_writer(p, false, &e);
	ok(out >= 0);
	put(out, "again\n");
	ok(log_becomes("stdout F again\n"));
	close(out);
	drain_and_close(p);
}

/* The lines of a stream again: a piece that waited for its rest, because we had no time, stands with it. */
static bool joined_log_becomes(const char *want)
{
	static char text[1 << 20];

	for (int64_t end_ns = loop_mono_ns() + 20000000000; loop_mono_ns() < end_ns;) {
		char *to = text, *save, *line;

		loop_turn();
		*to = '\0';
		for (line = strtok_r(log_text(), "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
			to = stpcpy(to, line + strlen("stdout F "));
			if (strncmp(line, "stdout F ", 9) == 0)
				to = stpcpy(to, "\n");
		}
		if (strcmp(text, want) == 0)
			return true;
	}
	return false;
}

/* 600 KB of lines, as fast as the FIFO takes them; then a piece, which a daemon that is in no hurry leaves there. */
static void a_bulk_writer_gets_room(void)
{
	static char text[600000 + 10];
	const size_t len = 600000;
	struct log_pump *p = open_pump();
	struct err e;
	int out = log_pump_writer(p, false, &e), small = fcntl(out, F_GETPIPE_SZ);
	size_t at = 0;

	fcntl(out, F_SETFL, O_NONBLOCK);
	for (size_t i = 0; i < len / 60; i++)
		snprintf(text + i * 60, 61, "%058zu.\n", i);
	ok(fcntl(out, F_GETPIPE_SZ) == small);
	for (int i = 0; i < 1000000 && at < len; i++) {
		ssize_t n = write(out, text + at, len - at);

		at += n > 0 ? (size_t)n : 0;
		loop_turn();
	}
	ok(at == len);
	ok(joined_log_becomes(text));
	ok(fcntl(out, F_GETPIPE_SZ) > small);
	put(out, "piece");
	strcpy(text + len, "piece");
	ok(joined_log_becomes(text));
	ok(strcmp(strrchr(log_text(), 's'), "stdout P piece\n") == 0);
	close(out);
	drain_and_close(p);
}

/* A process of the container that holds its stdout O_RDWR: it writes for ever, or reads and throws the bytes away. */
static pid_t process(int fd, bool writes)
{
	pid_t pid = fork();
	char bytes[4096];

	if (pid != 0)
		return pid;
	alarm(60);
	memset(bytes, 'y', sizeof(bytes));
	for (size_t i = 1; i < sizeof(bytes); i += 2)
		bytes[i] = '\n';
	while ((writes ? write(fd, bytes, sizeof(bytes)) : read(fd, bytes, 300)) > 0)
		;
	_exit(1);
}

/* Three readers of its own stdout beside a writer, as any container may run them: the daemon takes what they leave. */
static void a_container_reads_its_own_output(void)
{
	struct err e;
	struct log_reader r = { .fn = on_bytes };
	struct log_pump *p = log_pump_open("c3", dir, "", -1, &e);
	int out = log_pump_writer(p, false, &e);
	pid_t pids[4];

	for (int i = 0; i < 4; i++)
		pids[i] = process(out, i == 0);
	log_pump_listen(p, &r);
	read_bytes = 0;
	for (int64_t end_ns = loop_mono_ns() + 40000000000; read_bytes < 100000 && loop_mono_ns() < end_ns;)
		loop_turn();
	for (int i = 0; i < 4; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	ok(read_bytes >= 100000);
	log_pump_unlisten(p, &r);
	close(out);
	drain_and_close(p);
}

static bool tee_loses;

/* In the place of the C library's. A reader that takes the bytes between the kernel's look and its lock makes tee(2)
 * answer 0. */
ssize_t tee(int from, int to, size_t len, unsigned flags)
{
	if (tee_loses) {
		tee_loses = false;
		return 0;
	}
	return syscall(SYS_tee, from, to, len, flags);
}

static void a_race_for_the_bytes_is_no_end(void)
{
	struct log_pump *p = open_pump();
	struct err e;
	int out = log_pump_writer(p, false, &e);

	tee_loses = true;
	put(out, "one\n");
	ok(log_becomes("stdout F one\n"));
	ok(!tee_loses);
	put(out, "two\n");
	ok(log_becomes("stdout F one\nstdout F two\n"));
	close(out);
	drain_and_close(p);
}

static void descendant_that_holds_the_pipe_is_not_waited_for(void)
{
	struct log_pump *p = open_pump();
	struct err e;
	int out = log_pump_writer(p, false, &e);
	int64_t begun_ns = loop_mono_ns();

	put(out, "x\n");
	drain_and_close(p);
	ok(loop_mono_ns() - begun_ns > 1900000000 && loop_mono_ns() - begun_ns < 4000000000);
	close(out);
}

int main(void)
{
	struct err e;

	log_open("test", LOG_LEVEL_ERROR);
	signal(SIGXFSZ, SIG_IGN);
	ok(mkdtemp(dir) != NULL);
	snprintf(log_path, sizeof(log_path), "%s/deep/er/c1.log", dir);
	ok(log_pumps_open(&e) == 0);
	lines_of_both_streams();
	no_descriptor_is_left();
	without_a_file_readers_still_see();
	full_disk_holds_and_goes_on();
	the_last_lines_of_a_full_disk();
	a_bulk_writer_gets_room();
	a_container_reads_its_own_output();
	a_race_for_the_bytes_is_no_end();
	descendant_that_holds_the_pipe_is_not_waited_for();
	a_full_disk_over_the_end_and_a_restart();
	the_daemon_ends_while_bytes_wait();
	no_byte_into_a_file_that_the_keeper_has_not();
	what_cannot_be_taken_up_stays();
	what_an_earlier_start_left();
	restart_takes_up_what_waits(); /* last: the first daemon's pump is never closed, as it died */
	ok(log_pumps_open(&e) == 0); /* taken up from the keeper, nothing in flight */
	snprintf(log_path, sizeof(log_path), "rm -r %s", dir);
	return system(log_path) | tap_end();
}
