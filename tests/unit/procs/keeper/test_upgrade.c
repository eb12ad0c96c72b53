/* test_upgrade.c - the programs' files are replaced while the daemons run (keeper_run.h). The keeper of the test is a
 * copy, so that it can be replaced. */
#include <poll.h>
#include <sys/stat.h>

#include "procs/keeper/state.h"
#include "reactor/buf.h"
#include "reactor/imsg.h"
#include "tests/unit/procs/keeper_run.h"

static void copy_file(const char *from, const char *to)
{
	char temporary[256], bytes[65536];
	auto_fd int in = open(from, O_RDONLY | O_CLOEXEC), out = -1;
	ssize_t n;

	snprintf(temporary, sizeof(temporary), "%s.new", to);
	out = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
	while ((n = read(in, bytes, sizeof(bytes))) > 0)
		if (write(out, bytes, (size_t)n) != n)
			abort();
	if (in < 0 || out < 0 || n < 0 || rename(temporary, to) < 0)
		abort();
}

/* As a package manager does: by another file in its place. */
static void replace_keeper(void)
{
	char copy[96];

	snprintf(copy, sizeof(copy), "%s/crisp-keeper", shared->dir);
	copy_file(keeper_program, copy);
}

/* ---- crispd's side ---- */

static bool is_over;

static void on_term(struct signal_watch *w)
{
	(void)w;
	is_over = true;
	loop_stop();
}

static void on_hup(struct signal_watch *w)
{
	(void)w;
	shared->told = 'H';
}

static _Noreturn void stay(void)
{
	struct signal_watch term = { 0 }, hup = { 0 };

	shared->pids[1] = getppid();
	shared_save();
	signal_watch_set(&term, SIGTERM, on_term);
	signal_watch_set(&hup, SIGHUP, on_hup);
	keeper_ready();
	shared->told = 'R';
	while (!is_over)
		loop_run();
	_exit(0);
}

static void on_message(void *arg, struct imsg *m)
{
	(void)arg;
	(void)m;
}

static void on_gone(void *arg)
{
	(void)arg;
	loop_stop();
}

/* HELLO of a crispd of another version. */
static _Noreturn void be_of_another_version(void)
{
	struct imsg_chan *chan = imsg_open(atoi(getenv(KEEPER_FD_ENV)), on_message, on_gone, NULL);
	struct buf b = { 0 };
	struct err e;

	shared_save();
	put_u32(&b, KEEPER_VERSION + 1);
	put_u32(&b, HELLO_NEW);
	imsg_send(chan, KEEPER_HELLO, 0, &b, NULL, 0, &e);
	for (;;)
		loop_run();
}

/* Lives of a story "newer": 1, 2 of another version than the keeper, 3 of its own. */
static void story_newer(void)
{
	shared_open(getenv("CRISP_TEST_SHARED"));
	if (shared->lives >= 2)
		return; /* to be_crispd() */
	shared->lives++;
	if (shared->lives == 1)
		shared->pids[0] = getppid();
	if (shared->lives == 2) {
		ok(getppid() == shared->pids[0]); /* that keeper is no older than its file */
		replace_keeper();
	}
	be_of_another_version();
}

/* ---- the test's own side ---- */

static bool told(int what)
{
	for (int i = 0; i < PATIENCE_MS && *(volatile int *)&shared->told != what; i++)
		poll(NULL, 0, 1);
	return shared->told == what;
}

static pid_t start(const char *story, const char *const *more)
{
	char real[sizeof(keeper_program)];
	pid_t pid;

	memcpy(real, keeper_program, sizeof(real));
	replace_keeper();
	shared->told = 0;
	snprintf(keeper_program, sizeof(keeper_program), "%s/crisp-keeper", shared->dir);
	pid = start_keeper(story, more);
	memcpy(keeper_program, real, sizeof(real));
	return pid;
}

static void end(pid_t front)
{
	kill(front, SIGTERM);
	shared_save();
	ok(keeper_verdict(front) == 0);
	end_anchor();
}

/* crispd ended between the upgrade and the reload, so an old keeper has started a new crispd. */
static void an_old_keeper_leaves_to_the_next(void)
{
	pid_t front;
	bool ready;

	puts("# an old keeper leaves to the next");
	front = start("newer", NULL);
	ready = told('R');
	my_turn();
	ok(ready && shared->lives == 3);
	ok(shared->pids[1] != shared->pids[0]);
	end(front);
}

static bool runs_the_file(pid_t pid)
{
	char link[32], path[sizeof(keeper_program)] = "";

	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	return readlink(link, path, sizeof(path) - 1) > 0 && !strstr(path, " (deleted)");
}

static void write_ready_config(const char *config)
{
	char path[128];
	auto_file FILE *f = NULL;

	snprintf(path, sizeof(path), "%s/" READY_CONFIG, shared->dir);
	f = fopen(path, "we");
	if (!f || fprintf(f, READY_CONFIG_FIRST "%s\n", config) < 0 || fflush(f) != 0)
		abort();
}

/* pids[2] is the exit status of `crispd --check`. */
static void a_reload_replaces_all(void)
{
	const char *config = no_such("config"), *more[] = { "--config", config, NULL };
	pid_t front, keeper;
	bool so;

	puts("# a reload replaces all");
	write_ready_config(config);
	shared->pids[2] = EXIT_CONFIG;
	front = start("stays", more);
	so = told('R');
	my_turn();
	ok(so);
	keeper = shared->pids[1];
	kill(front, SIGHUP);
	ok(told('H')); /* nothing was replaced: it is crispd's */
	replace_keeper();
	shared->told = 0;
	kill(front, SIGHUP);
	ok(told('H') && !runs_the_file(front)); /* refused by --check: crispd is to say so */
	ok(shared->lives == 1 && kill(keeper, 0) == 0);
	shared->pids[2] = 0;
	shared->told = 0;
	shared_save();
	kill(front, SIGHUP);
	so = told('R');
	my_turn();
	ok(so && shared->lives == 2);
	ok(shared->pids[1] != keeper && runs_the_file(front) && runs_the_file(shared->pids[1]));
	end(front);
}

int main(int argc, char **argv)
{
	world_open();
	if (argc > 1 && strcmp(argv[1], "--check") == 0) {
		shared_open(getenv("CRISP_TEST_SHARED"));
		return shared->pids[2];
	}
	if (getenv(KEEPER_FD_ENV)) {
		shared_open(getenv("CRISP_TEST_SHARED"));
		if (strcmp(shared->story, "newer") == 0)
			story_newer();
		be_crispd();
		stay();
	}
	world_make();
	{
		char anchor[4096], copy[96];

		built(anchor, "crisp-anchor");
		snprintf(copy, sizeof(copy), "%s/crisp-anchor", shared->dir);
		copy_file(anchor, copy);
	}
	an_old_keeper_leaves_to_the_next();
	a_reload_replaces_all();
	world_remove();
	return tap_end();
}
