/* test_log_tail.c - where the last lines of a log begin. */
#include "handlers/cli/log_tail.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/tap.h"

#define T "2026-01-02T03:04:05.000000006Z "

static int fd;

static void put(const char *text)
{
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		abort();
}

static void begin(void)
{
	fd = memfd_create("log", MFD_CLOEXEC);
	if (fd < 0)
		abort();
}

/* The rest of the file behind the place. */
static const char *tail(int64_t lines)
{
	static char rest[1 << 20];
	ssize_t n = pread(fd, rest, sizeof(rest) - 1, cli_log_tail(fd, lines));

	rest[n < 0 ? 0 : n] = '\0';
	return rest;
}

static void lines_of_the_output(void)
{
	begin();
	is_str(tail(3), "");
	put(T "stdout F 1\n" T "stderr F 2\n" T "stdout P 3\n" T "stdout P 3\n" T "stdout F 3\n");
	is_str(tail(0), "");
	is_str(tail(1), T "stdout P 3\n" T "stdout P 3\n" T "stdout F 3\n");
	is_str(tail(2), T "stderr F 2\n" T "stdout P 3\n" T "stdout P 3\n" T "stdout F 3\n");
	ok(cli_log_tail(fd, 3) == 0);
	ok(cli_log_tail(fd, 99) == 0);
	put(T "stdout P 4\n");
	is_str(tail(1), T "stdout P 4\n");
	put(T "stdout P half");
	is_str(tail(1), T "stdout P 4\n" T "stdout P half");
	close(fd);
}

/* Lines that are longer than a block, and many that are short. */
static void over_the_blocks(void)
{
	static char line[200000];
	int64_t wanted;

	begin();
	memset(line, 'x', sizeof(line) - 2);
	memcpy(line, T "stdout F ", sizeof(T "stdout F ") - 1);
	line[sizeof(line) - 2] = '\n';
	put(line);
	wanted = lseek(fd, 0, SEEK_CUR);
	put(line);
	put(line);
	ok(cli_log_tail(fd, 2) == wanted);
	for (int i = 0; i < 20000; i++)
		put(T "stdout F short\n");
	ok(cli_log_tail(fd, 20002) == wanted);
	ok(strlen(tail(3)) == 3 * strlen(T "stdout F short\n"));
	close(fd);
}

int main(void)
{
	lines_of_the_output();
	over_the_blocks();
	return tap_end();
}
