/* test_ready.c - a keeper's start, its READY, its end by a signal, with and without its front (keeper_run.h). */
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "procs/keeper/state.h"
#include "tests/unit/procs/keeper_run.h"

static void on_signal_of_story(struct signal_watch *w)
{
	(void)w;
	loop_stop();
}

/* Ends as crispd does: on SIGTERM, with 0. HUP comes through. */
static void story_idle(void)
{
	struct signal_watch term = { 0 }, hup = { 0 };

	signal_watch_set(&hup, SIGHUP, on_signal_of_story);
	keep("container");
	shared->pids[0] = keeper_report("container")->pid;
	shared_save();
	shared->pids[1] = getpid(); /* from now on the test may count on */
	keeper_ready();
	loop_run();
	shared->told = 'H';
	signal_watch_set(&term, SIGTERM, on_signal_of_story);
	loop_run();
	shared->told = 'T';
	_exit(0);
}

static bool is_over;

static void on_story_term(struct signal_watch *w)
{
	(void)w;
	is_over = true;
	loop_stop();
}

/* Stays until SIGTERM, whatever becomes of the keeper. */
static void story_stays(void)
{
	struct signal_watch term = { 0 };

	ok(!getenv("WATCHDOG_USEC")); /* it is the front's alone */
	shared_save();
	signal_watch_set(&term, SIGTERM, on_story_term);
	keeper_ready();
	while (!is_over)
		loop_run();
	_exit(0);
}

/* The first crispd ends before its HELLO (in main), the second after WELCOME. */
static void crash_twice(void)
{
	shared_save();
	_exit(shared->lives < 3 ? 1 : EXIT_CONFIG);
}

static bool has_argument(int argc, char **argv, const char *want)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], want) == 0)
			return true;
	return false;
}

/* One life that is never READY, then what the keeper chooses for the lives after it. */
static void story_late(int argc, char **argv)
{
	struct signal_watch term = { 0 };
	bool fallback = has_argument(argc, argv, "--fallback");

	shared_save();
	if (shared->lives == 1) {
		ok(!fallback);
		shared_save();
		loop_run();
	}
	ok(fallback == (shared->lives != 3)); /* two that do not work take turns, and one that was READY is kept */
	if (shared->lives == 2)
		ok(has_argument(argc, argv, "crispd was not ready in time"));
	shared_save();
	if (shared->lives == 4)
		keeper_ready();
	if (shared->lives < 5)
		_exit(shared->lives == 3 ? EXIT_CONFIG : 1); /* of a first configuration the keeper would end with it */
	shared->told = 'L';
	signal_watch_set(&term, SIGTERM, on_signal_of_story);
	loop_run();
	_exit(0);
}

static int listen_notify(char *path, size_t size)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(path, size, "%s/notify", shared->dir);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/notify", shared->dir);
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		abort();
	return fd;
}

static bool notified(int fd, const char *want)
{
	char got[128] = "";

	if (poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, PATIENCE_MS) == 1)
		(void)!recv(fd, got, sizeof(got) - 1, 0);
	return strcmp(got, want) == 0;
}

/* Messages before that one are skipped. */
static bool notified_at_last(int fd, const char *want)
{
	char got[128];

	for (;;) {
		memset(got, 0, sizeof(got));
		if (poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, PATIENCE_MS) != 1 ||
		    recv(fd, got, sizeof(got) - 1, 0) < 0)
			return false;
		if (strcmp(got, want) == 0)
			return true;
	}
}

static void forget_messages(int fd)
{
	char got[128];

	while (recv(fd, got, sizeof(got), MSG_DONTWAIT) >= 0)
		;
}

/* The pid in the keeper's lock. */
static pid_t keeper_of_directory(void)
{
	char path[128], text[16] = "";
	auto_fd int fd = -1;

	snprintf(path, sizeof(path), "%s/" STATE_KEEPER_LOCK, shared->dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 ? (pid_t)atoi(text) : 0;
}

static bool another_keeper(pid_t than)
{
	for (int i = 0; i < PATIENCE_MS; i++) {
		pid_t now = keeper_of_directory();

		if (now && now != than)
			return true;
		poll(NULL, 0, 1);
	}
	return false;
}

static bool told(int what)
{
	for (int i = 0; i < PATIENCE_MS && *(volatile int *)&shared->told != what; i++)
		poll(NULL, 0, 1);
	return shared->told == what;
}

/* A second keeper on the same directory names the first in its error, and starts no crispd. */
static void a_second_is_refused(pid_t first)
{
	char want[64], text[2048] = "";
	int ends[2], status, lives = shared->lives;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		abort();
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDERR_FILENO);
		execl(keeper_program, keeper_program, "--crispd", self, "--state", shared->dir, NULL);
		_exit(99);
	}
	close(ends[1]);
	while ((n = read(ends[0], text + len, sizeof(text) - 1 - len)) > 0)
		len += (size_t)n;
	close(ends[0]);
	waitpid(pid, &status, 0);
	snprintf(want, sizeof(want), "belongs to the keeper with pid %d", first);
	ok(WEXITSTATUS(status) == 1 && strstr(text, want) && shared->lives == lives);
}

static void ready_and_end(void)
{
	char path[96], want[64];
	auto_fd int fd = listen_notify(path, sizeof(path));
	bool ready;
	pid_t keeper;

	puts("# ready and end");
	setenv("NOTIFY_SOCKET", path, 1);
	shared->told = 0;
	keeper = start_keeper("idle", NULL);
	snprintf(want, sizeof(want), "READY=1\nMAINPID=%d\n", keeper);
	ready = notified(fd, want);
	my_turn();
	ok(ready);
	kill(keeper, SIGHUP);
	ok(told('H'));
	a_second_is_refused(keeper);
	kill(keeper, SIGTERM);
	snprintf(want, sizeof(want), "STOPPING=1\nMAINPID=%d\n", keeper);
	ok(notified(fd, want));
	unsetenv("NOTIFY_SOCKET");
	shared_save();
	ok(keeper_verdict(keeper) == 0);
	ok(shared->told == 'T' && kill(shared->pids[1], 0) < 0);
	ok(kill(shared->pids[0], 0) == 0); /* the container lives on */
	kill(shared->pids[0], SIGKILL);
	unlink(path);
	end_anchor();
}

/* SIGTERM is passed to the keeper, and the exit status comes back. */
static void ends_through_its_front(void)
{
	pid_t parent;

	puts("# ends through its front");
	shared->told = 0;
	parent = start_keeper("idle", NULL);
	for (int i = 0; i < PATIENCE_MS && !*(volatile pid_t *)&shared->pids[1]; i++)
		poll(NULL, 0, 1);
	my_turn();
	kill(parent, SIGHUP);
	ok(told('H'));
	kill(parent, SIGTERM);
	shared_save();
	ok(keeper_verdict(parent) == 0 && shared->told == 'T');
	kill(shared->pids[0], SIGKILL);
	end_anchor();
}

/* As long as the keeper's loop turns the service manager hears so; a keeper that is stopped is replaced, and crispd
 * lives on. */
static void its_loop_is_watched(void)
{
	char path[96], ready[64], turns[64];
	auto_fd int fd = listen_notify(path, sizeof(path));
	pid_t front, first;
	bool is_so;

	puts("# its loop is watched");
	setenv("NOTIFY_SOCKET", path, 1);
	setenv("WATCHDOG_USEC", "2000000", 1);
	front = start_keeper("stays", NULL);
	snprintf(ready, sizeof(ready), "READY=1\nMAINPID=%d\n", front);
	snprintf(turns, sizeof(turns), "WATCHDOG=1\nMAINPID=%d\n", front);
	is_so = notified_at_last(fd, ready);
	my_turn();
	ok(is_so);
	ok(notified_at_last(fd, turns));
	first = keeper_of_directory();
	kill(first, SIGSTOP);
	ok(another_keeper(first));
	forget_messages(fd);
	ok(notified_at_last(fd, turns));
	ok(shared->lives == 1);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	kill(front, SIGTERM);
	shared_save();
	ok(keeper_verdict(front) == 0);
	unlink(path);
	end_anchor();
}

static void not_ready_in_time(void)
{
	const char *config = no_such("config"), *more[] = { "--config", config, "--ready-within", "1", NULL };
	char path[128];
	auto_file FILE *f = NULL;
	pid_t keeper;
	bool late;

	puts("# not ready in time");
	snprintf(path, sizeof(path), "%s/" READY_CONFIG, shared->dir);
	f = fopen(path, "we");
	if (!f || fprintf(f, READY_CONFIG_FIRST "%s\n", config) < 0 || fflush(f) != 0)
		abort();
	shared->told = 0;
	keeper = start_keeper("late", more);
	late = told('L');
	my_turn();
	ok(late);
	kill(keeper, SIGTERM);
	shared_save();
	ok(keeper_verdict(keeper) == 0 && shared->lives == 5);
	unlink(path);
	end_anchor();
}

static void usage_and_state(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
		execl(keeper_program, keeper_program, "--nonsense", NULL);
		_exit(99);
	}
	waitpid(pid, &status, 0);
	ok(WEXITSTATUS(status) == EXIT_USAGE);
	/* Without --state crispd is asked; its exit status for a bad configuration becomes the keeper's. */
	setenv("CRISP_TEST_PRINT", "78", 1);
	pid = fork();
	if (pid == 0) {
		execl(keeper_program, keeper_program, "--crispd", self, "--config", no_such("config"), NULL);
		_exit(99);
	}
	waitpid(pid, &status, 0);
	ok(WEXITSTATUS(status) == EXIT_CONFIG);
	setenv("CRISP_TEST_PRINT", shared->dir, 1);
	snprintf(shared->story, sizeof(shared->story), "crash");
	shared->lives = 0;
	shared_save();
	pid = fork();
	if (pid == 0) {
		execl(keeper_program, keeper_program, "--crispd", self, "--config", no_such("config"), "--log", "error",
		      NULL);
		_exit(99);
	}
	ok(keeper_verdict(pid) == EXIT_CONFIG && shared->lives == 3);
}

static void die_early(void)
{
	shared_open(getenv("CRISP_TEST_SHARED"));
	if (strcmp(shared->story, "crash") == 0 && shared->lives == 0) {
		shared->lives++;
		_exit(1);
	}
}

static int be_asked(void)
{
	const char *answer = getenv("CRISP_TEST_PRINT");

	if (answer[0] != '/')
		return atoi(answer);
	puts(answer);
	return 0;
}

int main(int argc, char **argv)
{
	world_open();
	while (argc > 2 && strcmp(argv[1], "role") == 0)
		pause();
	if (argc > 2 && strcmp(argv[1], "--print") == 0)
		return be_asked();
	if (getenv(KEEPER_FD_ENV)) {
		die_early();
		be_crispd();
		ok(ready_code == ERR_OK && keeper_here());
		if (strcmp(shared->story, "idle") == 0)
			story_idle();
		if (strcmp(shared->story, "late") == 0)
			story_late(argc, argv);
		if (strcmp(shared->story, "stays") == 0)
			story_stays();
		crash_twice();
	}
	world_make();
	ready_and_end();
	shared->pids[1] = 0;
	ends_through_its_front();
	its_loop_is_watched();
	not_ready_in_time();
	usage_and_state();
	world_remove();
	return tap_end();
}
