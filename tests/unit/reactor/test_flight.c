/* test_flight.c - reactor/flight.c: lines in their order, over wraps, reopened, torn and among any bytes. */
#include "reactor/flight.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "tests/tap.h"

static char path[] = "/tmp/crisp-flight-XXXXXX/flight";

struct seen {
	size_t n;
	long first, last;
	bool in_order;
	char text[FLIGHT_LINE + 1]; /* of the last one */
};

/* A line of these tests begins with its number, which is its time too. */
static void note(void *arg, int64_t at_ns, const char *line)
{
	struct seen *s = arg;
	long number = strtol(line, NULL, 10);

	s->in_order = (s->n == 0 || (s->in_order && number > s->last)) && at_ns == number;
	s->first = s->n++ ? s->first : number;
	s->last = number;
	snprintf(s->text, sizeof(s->text), "%s", line);
}

static struct seen all(void)
{
	struct seen s = { 0 };

	ok(flight_each(note, &s) == s.n);
	return s;
}

static void put(long number, size_t len)
{
	char line[2 * FLIGHT_LINE];

	snprintf(line, sizeof(line), "%ld %0*d", number, (int)len, 0);
	flight_put(number, line);
}

static bool reopen(void)
{
	struct err e;

	flight_close();
	return flight_open(path, &e) == 0;
}

static uint8_t *bytes(void)
{
	auto_fd int fd = open(path, O_RDWR | O_CLOEXEC);

	return mmap(NULL, FLIGHT_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

static void nothing_is_recorded_when_closed(void)
{
	put(1, 10);
	ok(flight_each(note, &(struct seen){ 0 }) == 0);
}

static void lines_outlive_the_process(void)
{
	struct stat st;
	struct seen s;

	ok(reopen() && all().n == 0);
	ok(stat(path, &st) == 0 && st.st_size == FLIGHT_BYTES && (st.st_mode & 0777) == 0600);
	ok(reopen() && all().n == 0);
	put(1, 10);
	put(2, 700);
	put(3, 1);
	ok(reopen());
	s = all();
	ok(s.n == 3 && s.in_order && s.first == 1 && s.last == 3);
	is_str(s.text, "3 0");
	put(4, 1);
	ok(all().n == 4 && all().in_order);
}

static void a_long_line_is_cut(void)
{
	put(5, FLIGHT_LINE + 100);
	ok(strlen(all().text) == FLIGHT_LINE);
}

static void the_oldest_go(void)
{
	struct seen s;

	srand(1);
	for (long i = 6; i < 40000; i++) {
		put(i, (size_t)(rand() % 20 ? rand() % 200 : rand() % FLIGHT_LINE));
		if (i % 3333 == 0)
			ok(reopen());
	}
	s = all();
	ok(s.in_order && s.last == 39999 && s.n == (size_t)(s.last - s.first + 1));
	ok(s.n > 3000 && s.n < FLIGHT_BYTES / FLIGHT_SLOT);
}

/* As a kill in the middle of the copy leaves it: any part of the newest line is the old bytes. */
static void a_torn_line_is_left_out(void)
{
	uint8_t *at = bytes(), *before = own_must(malloc(FLIGHT_BYTES));
	struct seen s = all();
	size_t changed = 0, torn = 0; /* bytes */

	memcpy(before, at, FLIGHT_BYTES);
	put(40000, 300);
	for (size_t i = 0; i < FLIGHT_BYTES; i++) {
		struct seen t = { 0 };
		uint8_t now = at[i];

		if (now == before[i])
			continue;
		changed++;
		at[i] = before[i];
		flight_each(note, &t);
		torn += t.last == s.last && t.in_order;
		at[i] = now;
	}
	ok(changed > 20 && torn == changed);
	ok(reopen() && all().last == 40000);
	put(40001, 10);
	ok(all().last == 40001 && all().in_order);
	free(before);
	munmap(at, FLIGHT_BYTES);
}

static void lines_among_damage_are_read(void)
{
	uint8_t *at = bytes();

	for (size_t i = 0; i < FLIGHT_BYTES / 2; i++)
		at[i] = (uint8_t)rand();
	munmap(at, FLIGHT_BYTES);
	ok(reopen() && all().in_order && all().n > 1000);
	put(50000, 10);
	ok(all().last == 50000);
}

static void a_file_of_other_bytes_is_started_anew(void)
{
	uint8_t *at = bytes();
	struct err e;

	for (size_t i = 0; i < FLIGHT_BYTES; i++)
		at[i] = (uint8_t)rand();
	munmap(at, FLIGHT_BYTES);
	ok(reopen() && all().n == 0);
	put(1, 10);
	ok(truncate(path, 1000) == 0 && reopen() && all().n == 0);
	flight_close();
	ok(unlink(path) == 0 && symlink("/nowhere", path) == 0 && reopen() && all().n == 0);
	flight_close();
	ok(unlink(path) == 0 && mkdir(path, 0700) == 0 && flight_open(path, &e) < 0);
	put(2, 10);
	ok(rmdir(path) == 0 && reopen() && all().n == 0);
}

/* For people: the limit is in no test, as a machine may be busy. */
static void what_a_line_costs(void)
{
	int64_t t0 = loop_mono_ns();

	for (long i = 0; i < 100000; i++)
		flight_put(i, "kind=program stage=cni_add took_us=12345 program=\"/opt/cni/bin/bridge\" "
			      "pod=\"default/web-7d4b9c6f5-x2x8j\" sandbox=0123456789ab container=0123456789ab");
	printf("# a line: %lld ns\n", (long long)(loop_mono_ns() - t0) / 100000);
	t0 = loop_mono_ns();
	flight_each(note, &(struct seen){ 0 });
	printf("# all lines are read in %lld us\n", (long long)(loop_mono_ns() - t0) / 1000);
}

int main(void)
{
	char *dir_end = strrchr(path, '/');

	log_open("test", LOG_LEVEL_ERROR);
	*dir_end = '\0';
	if (!mkdtemp(path))
		return 1;
	*dir_end = '/';
	nothing_is_recorded_when_closed();
	lines_outlive_the_process();
	a_long_line_is_cut();
	the_oldest_go();
	a_torn_line_is_left_out();
	lines_among_damage_are_read();
	a_file_of_other_bytes_is_started_anew();
	what_a_line_costs();
	flight_close();
	unlink(path);
	*dir_end = '\0';
	rmdir(path);
	return tap_end();
}
