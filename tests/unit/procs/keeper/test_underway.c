/* test_underway.c - what a keeper has written down is there for the next one, also where the disk does not give it at
 * once. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procs/keeper/underway.h"
#include "reactor/log.h"
#include "tests/fakes/disk.h"
#include "tests/tap.h"

static char state[] = "/tmp/test_underway.XXXXXX", path[80];

/* The earlier keeper: it has written one child down, and is dead. */
static void an_earlier_keeper(void)
{
	pid_t pid = fork();
	struct err e;
	int status;

	if (pid == 0)
		_exit(underway_open(state, &e) < 0 || underway_add(UNDERWAY_JOB, 7, 0, "one", NULL, getppid(), 1) < 0);
	ok(waitpid(pid, &status, 0) == pid && status == 0);
}

/* First of all, since an id that was read is kept. */
static void the_kernels_id_cannot_be_read(void)
{
	struct err e;

	disk_fails("boot_id", EIO, 0);
	ok(underway_open(state, &e) < 0 && e.code == ERR_INTERNAL && strstr(e.msg, "the id of this boot"));
	disk_fails("", 0, 0);
}

static void an_error_of_reading_forgets_nothing(void)
{
	struct stat was, now;
	struct err e;

	ok(stat(path, &was) == 0);
	disk_fails("keeper.underway", EIO, 0);
	ok(underway_open(state, &e) < 0 && e.code == ERR_INTERNAL && strstr(e.msg, path));
	disk_fails("keeper.underway", ENOMEM, 0);
	ok(underway_open(state, &e) < 0 && e.code == ERR_RESOURCE_EXHAUSTED);
	disk_fails("keeper.underway", EIO, sizeof(struct underway)); /* the first slot tells the boot */
	ok(underway_open(state, &e) < 0);
	disk_fails("", 0, 0);
	ok(stat(path, &now) == 0 && now.st_size == was.st_size);
	ok(underway_open(state, &e) == 0);
	ok(underway_at(0) && underway_at(0)->tag == 7 && strcmp(underway_at(0)->keep_id, "one") == 0);
}

/* The child alone writes that it goes on to its program; no other change of its slot takes that away. */
static void a_child_goes(void)
{
	pid_t pid;

	ok(!underway_went(0));
	underway_set_tag(0, 8);
	ok(!underway_went(0));
	pid = fork();
	if (pid == 0) {
		underway_child_goes(0);
		_exit(0);
	}
	ok(waitpid(pid, NULL, 0) == pid && underway_went(0));
	underway_set_tag(0, 9);
	ok(underway_went(0) && underway_at(0)->tag == 9);
	underway_drop(0);
	ok(underway_add(UNDERWAY_JOB, 1, 0, NULL, NULL, getpid(), 1) == 0 && !underway_went(0));
	disk_fails("keeper.underway", EIO, 0);
	ok(underway_went(0)); /* nobody knows */
	disk_fails("", 0, 0);
	ok(underway_went(-1));
}

/* Of another boot, or cut short: it is empty then. */
static void what_says_nothing_is_made_anew(void)
{
	struct stat now;
	struct err e;

	ok(truncate(path, 100) == 0 && underway_open(state, &e) == 0);
	ok(stat(path, &now) == 0 && now.st_size == sizeof(struct underway));
}

int main(void)
{
	log_open("test", LOG_LEVEL_ERROR);
	ok(mkdtemp(state) != NULL);
	snprintf(path, sizeof(path), "%s/keeper.underway", state);
	an_earlier_keeper();
	the_kernels_id_cannot_be_read();
	an_error_of_reading_forgets_nothing();
	a_child_goes();
	what_says_nothing_is_made_anew();
	ok(unlink(path) == 0 && rmdir(state) == 0);
	return tap_end();
}
