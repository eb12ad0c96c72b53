/* test_crash.c - what survives a kill -9 of crispd, of the keeper, of both; start, ready, end (keeper_run.h). */
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "tests/unit/procs/keeper_run.h"

enum { MANY = 1500 };

static const char *pidfile(const char *name)
{
	static char path[96];

	snprintf(path, sizeof(path), "%s/%s.pid", shared->dir, name);
	unlink(path);
	return path;
}

/* "wait": runs until it is killed; "detach FILE": leaves a waiting process behind, as an OCI runtime does, once crispd
 * died. */
static int be_child(char **argv)
{
	if (strcmp(argv[2], "exit") == 0)
		return atoi(argv[3]);
	if (strcmp(argv[2], "detach") == 0) {
		auto_file FILE *f = fopen(argv[3], "we");
		char go;
		pid_t pid = fork();

		if (pid == 0)
			for (;;)
				pause();
		fprintf(f, "%d", pid);
		return read(3, &go, 1) != 0; /* end of file: crispd is dead */
	}
	for (;;)
		pause();
}

static struct outcome keep(const char *id)
{
	struct outcome o = run(&(struct child_spec){ .argv = ROLE("wait"), .keep_id = id });

	ok(o.code == ERR_OK && o.pidfd >= 0);
	close(o.pidfd);
	return o;
}

static void hold_text(const char *name, const char *text)
{
	auto_fd int fd = memfd_with(text);

	keeper_ask_hold(name, fd);
}

static bool held_has(const char *name, const char *text)
{
	char got[64] = "";

	return keeper_copy(name) >= 0 && pread(keeper_copy(name), got, sizeof(got) - 1, 0) > 0 &&
	       strcmp(got, text) == 0;
}

static void on_nothing(void *arg, const struct err *e, struct child_result *r)
{
	(void)arg;
	(void)e;
	(void)r;
}

static void die(void)
{
	shared_save();
	kill(getpid(), SIGKILL);
}

/* ---- crispd dies ---- */

static void hold_many(void)
{
	auto_fd int fd = memfd_with("one of many");
	char name[32];

	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "many/%d", i);
		keeper_ask_hold(name, fd);
	}
}

static void count_held(void *arg, const char *name, int fd)
{
	(void)name;
	*(int *)arg += fcntl(fd, F_GETFD) == FD_CLOEXEC;
}

static void crispd_before_death(void)
{
	static int unkept[2], go[2];
	const char *file = pidfile("late");
	struct outcome o;

	hold_text("c/one/log", "intent");
	hold_many();
	shared->pids[0] = keep("alive").pid;
	o = run(&(struct child_spec){ .argv = ROLE("exit", "3"), .keep_id = "ended" });
	if (o.pidfd >= 0)
		close(o.pidfd);
	ok(WEXITSTATUS(exit_of("ended").status) == 3);
	/* A child that is not to be kept, and a runtime that has not exited yet. */
	ok(pipe2(unkept, O_CLOEXEC) == 0 && pipe2(go, O_CLOEXEC) == 0);
	child_start(&(struct child_spec){.argv = ROLE("wait"), .nfds = 1, .fds = &(struct child_fd){unkept[1], 3}},
		    on_nothing, NULL);
	child_start(&(struct child_spec){ .argv = ROLE("detach", file), .keep_id = "late", .pidfile = file, .nfds = 1,
					  .fds = &(struct child_fd){ go[0], 3 } }, on_nothing, NULL);
	keeper_ask_hold("probe", unkept[0]);
	run(&(struct child_spec){ .argv = ROLE("exit", "0") }); /* all of that has been done */
	die();
}

static void crispd_after_death(void)
{
	const struct kept_report *k = keeper_report("alive");
	int many = 0;

	ok(held_has("c/one/log", "intent"));
	keeper_each_copy("many/", count_held, &many);
	ok(many == MANY);
	keeper_ask_release_all("many/");
	ok(k && !k->ended && k->pid == shared->pids[0] && k->pidfd >= 0);
	ok(keeper_report("ended") && keeper_report("ended")->ended);
	ok(WEXITSTATUS(exit_of("ended").status) == 3);
	wait_for_eof(keeper_copy("probe")); /* the child that is not kept was killed */
	k = keeper_report("late");
	ok(k && !k->ended && k->pidfd >= 0); /* WELCOME waited for the process that the runtime brought */
	syscall(SYS_pidfd_send_signal, k->pidfd, SIGKILL, NULL, 0);
	ok(WTERMSIG(exit_of("late").status) == SIGKILL);
	syscall(SYS_pidfd_send_signal, keeper_report("alive")->pidfd, SIGTERM, NULL, 0);
	ok(WTERMSIG(exit_of("alive").status) == SIGTERM);
	keeper_ask_forget("ended");
	keeper_ask_forget("late");
	keeper_ask_forget("alive");
	die();
}

static void story_crispd_dies(void)
{
	if (shared->lives == 1)
		crispd_before_death();
	if (shared->lives == 2)
		crispd_after_death();
	ok(!keeper_report("ended") && !keeper_report("alive") && !keeper_report("late"));
	ok(held_has("c/one/log", "intent"));
}

/* ---- the keeper dies, crispd lives on ---- */

static void keeper_dies(void)
{
	struct outcome o = { .pidfd = -1 };
	int status, alone[2];

	hold_text("c/two/log", "second");
	shared->pids[0] = keep("survivor").pid;
	keep("gap");
	ok(pipe2(alone, O_CLOEXEC) == 0);
	child_start(&(struct child_spec){.argv = ROLE("wait"), .nfds = 1, .fds = &(struct child_fd){alone[1], 3}},
		    on_outcome, &o);
	close(alone[1]);
	run(&(struct child_spec){ .argv = ROLE("exit", "0") });
	shared_save();
	kill(getppid(), SIGKILL);
	wait_for(&is_gone);
	wait_for(&o.done);
	wait_for_eof(alone[0]); /* a child that is reported lost does not run any more */
	close(alone[0]);
	ok(o.calls == 1 && o.code == ERR_UNAVAILABLE && !keeper_here());
	ok(run(&(struct child_spec){ .argv = ROLE("exit", "0") }).code == ERR_UNAVAILABLE);
	syscall(SYS_pidfd_send_signal, keeper_report("gap")->pidfd, SIGUSR1, NULL, 0);
	wait_for(&is_back);
	ok(keeper_here() && held_has("c/two/log", "second"));
	status = exit_of("gap").status;
	printf("# the exit status of the gap is %s\n", status == -1 ? "lost (no PIDFD_GET_INFO: Linux 6.15)" : "known");
	ok(status == -1 || WTERMSIG(status) == SIGUSR1);
	ok(run(&(struct child_spec){ .argv = ROLE("exit", "0") }).code == ERR_OK);
}

static void story_keeper_dies(void)
{
	struct arena *a = arena_new();

	if (shared->lives == 1) {
		keeper_dies();
		run(&(struct child_spec){ .argv = ROLE("exit", "0") });
		ok(file_has(keeper_path(a, "c/two/log"), "second")); /* by the new keeper's number */
		die(); /* the new keeper is not its parent, notices its death and starts the next */
	}
	arena_free(a);
	ok(held_has("c/two/log", "second"));
	ok(keeper_report("survivor") && keeper_report("survivor")->pid == shared->pids[0]);
	syscall(SYS_pidfd_send_signal, keeper_report("survivor")->pidfd, SIGTERM, NULL, 0);
	exit_of("survivor");
	ok(keeper_report("gap") && keeper_report("gap")->ended);
}

/* ---- start, ready, end ---- */

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
	shared->pids[1] = getpid();
	shared_save();
	keeper_ready();
	loop_run();
	shared->told = 'H';
	signal_watch_set(&term, SIGTERM, on_signal_of_story);
	loop_run();
	shared->told = 'T';
	_exit(0);
}

/* The first crispd ends before its HELLO (in main), the second after WELCOME. */
static void crash_twice(void)
{
	shared_save();
	if (shared->lives < 3)
		_exit(1);
	story_over();
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
	keeper = start_keeper("idle", true, NULL);
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
}

/* Under the parent loop, as from a shell: SIGTERM is passed down, and the exit status comes up. */
static void ends_through_its_parent(void)
{
	pid_t parent;

	puts("# ends through its parent");
	shared->told = 0;
	parent = start_keeper("idle", false, NULL);
	for (int i = 0; i < PATIENCE_MS && !*(volatile pid_t *)&shared->pids[1]; i++)
		poll(NULL, 0, 1);
	my_turn();
	kill(parent, SIGHUP);
	ok(told('H'));
	kill(parent, SIGTERM);
	shared_save();
	ok(keeper_verdict(parent) == 0 && shared->told == 'T');
	kill(shared->pids[0], SIGKILL);
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
	ok(keeper_verdict(pid) == STORY_OVER && shared->lives == 3);
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
	if (argc > 2 && strcmp(argv[1], "role") == 0)
		return be_child(argv);
	if (argc > 2 && strcmp(argv[1], "--print") == 0)
		return be_asked();
	if (getenv(KEEPER_FD_ENV)) {
		die_early();
		be_crispd();
		ok(ready_code == ERR_OK && keeper_here());
		if (strcmp(shared->story, "crispd dies") == 0)
			story_crispd_dies();
		else if (strcmp(shared->story, "keeper dies") == 0)
			story_keeper_dies();
		else if (strcmp(shared->story, "idle") == 0)
			story_idle();
		else
			crash_twice();
		story_over();
	}
	world_make();
	play("crispd dies", true);
	play("keeper dies", false);
	ready_and_end();
	shared->pids[1] = 0;
	ends_through_its_parent();
	usage_and_state();
	world_remove();
	return tap_end();
}
