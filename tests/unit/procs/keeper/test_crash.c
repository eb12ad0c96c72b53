/* test_crash.c - what survives a kill -9 of crispd, of the keeper, of both (keeper_run.h). */
#include <poll.h>
#include <sys/resource.h>
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
	if (strcmp(argv[2], "runtime") == 0) { /* as "detach"; the process that it brings ends with 5 at its own word */
		auto_file FILE *f = fopen(argv[3], "we");
		char go;
		pid_t pid;

		if (write(4, "b", 1) != 1 || read(3, &go, 1) != 1)
			return 9;
		pid = fork();
		if (pid == 0)
			_exit(read(5, &go, 1) == 1 ? 5 : 6);
		fprintf(f, "%d", pid);
		return 0;
	}
	if (strcmp(argv[2], "plugin") == 0) {
		char go;

		dprintf(1, "half ");
		if (write(4, "b", 1) != 1 || read(3, &go, 1) != 1)
			return 9;
		dprintf(1, "whole");
		return 3;
	}
	for (;;)
		pause();
}

static void hold_text(const char *name, const char *text, bool path)
{
	auto_fd int fd = memfd_with(text);

	ask_hold(name, fd, path);
}

static bool held_has(const char *name, const char *text)
{
	char got[64] = "";

	return keeper_copy(name) >= 0 && pread(keeper_copy(name), got, sizeof(got) - 1, 0) > 0 &&
	       strcmp(got, text) == 0;
}

static pid_t keeper_pid_now(void)
{
	char path[128], text[16] = "";
	auto_fd int fd = -1;

	snprintf(path, sizeof(path), "%s/keeper.lock", shared->dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 ? (pid_t)atoi(text) : getppid();
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
		ask_hold(name, fd, false);
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

	hold_text("c/one/log", "intent", false);
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
	ask_hold("probe", unkept[0], false);
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

	hold_text("c/two/log", "second", false);
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
	ok(status != -1 && WTERMSIG(status) == SIGUSR1);
	ok(run(&(struct child_spec){ .argv = ROLE("exit", "0") }).code == ERR_OK);
}

static void keeper_is_killed(void)
{
	is_gone = is_back = false;
	shared_save();
	kill(keeper_pid_now(), SIGKILL);
	wait_for(&is_gone);
}

/* ---- the keeper dies, and crispd can send no fd ---- */

static bool socket_is_full, was_full;

/* In the place of the C library's. A message that must wait needs a duplicate of its fd. */
ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
	if (!socket_is_full)
		return syscall(SYS_sendmsg, fd, message, flags);
	was_full = true;
	errno = EAGAIN;
	return -1;
}

static bool was_refused(const void *arg)
{
	(void)arg;
	return was_full;
}

/* All descriptors are taken, but one. */
static void take_descriptors(int from)
{
	struct rlimit limit;
	int fd, last = -1;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		abort();
	limit.rlim_cur = (rlim_t)from + 100;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		abort();
	while ((fd = dup(from)) >= 0)
		last = fd;
	close(last);
}

static void give_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		abort();
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		abort();
}

/* What could not be handed over is not dropped by the next keeper, and crispd dies as soon as that one is there. */
static void story_no_descriptors(void)
{
	if (shared->lives == 1) {
		hold_text("c/two/log", "second", false);
		shared->pids[0] = keep("survivor").pid;
		keeper_is_killed();
		take_descriptors(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 1000));
		socket_is_full = true;
		ok(comes_true(was_refused, NULL) && !keeper_here());
		socket_is_full = false;
		give_descriptors();
		wait_for(&is_back);
		die();
	}
	ok(held_has("c/two/log", "second"));
	ok(keeper_report("survivor") && keeper_report("survivor")->pid == shared->pids[0]);
	if (!keeper_report("survivor"))
		return (void)kill(shared->pids[0], SIGKILL);
	syscall(SYS_pidfd_send_signal, keeper_report("survivor")->pidfd, SIGTERM, NULL, 0);
	exit_of("survivor");
}

/* ---- children outlive the keeper ---- */

struct outliving {
	struct outcome o;
	int go[2], begun[2], end[2];
};

static void outlive(struct outliving *l, const char *role, const char *id, const char *file)
{
	struct child_spec s = {
		.argv = ROLE(role, file ? file : "-"), .keep_id = id, .pidfile = file, .finish = !file,
		.stdout_max = file ? 0 : 100, .nfds = 3,
	};
	char byte;

	l->o.pidfd = -1;
	if (pipe2(l->go, O_CLOEXEC) < 0 || pipe2(l->begun, O_CLOEXEC) < 0 || pipe2(l->end, O_CLOEXEC) < 0)
		abort();
	s.fds = (const struct child_fd[]){ { l->go[0], 3 }, { l->begun[1], 4 }, { l->end[0], 5 } };
	child_start(&s, on_outcome, &l->o);
	close(l->begun[1]);
	ok(read(l->begun[0], &byte, 1) == 1); /* its program runs */
}

static void let_go(const int ends[2])
{
	ok(write(ends[1], "g", 1) == 1);
}

/* One ends while there is no keeper, the other one under the next keeper, and one is hung and cancelled meanwhile. */
static void story_children_outlive(void)
{
	static struct outliving early, late, plugin, hung;
	const char *file;
	struct child *c;
	struct exit_record r;

	if (shared->lives > 1)
		return;
	file = pidfile("early");
	outlive(&early, "runtime", "early", file);
	outlive(&plugin, "plugin", NULL, NULL);
	if (pipe2(hung.go, O_CLOEXEC) < 0)
		abort();
	c = child_start(&(struct child_spec){ .argv = ROLE("wait"), .finish = true, .nfds = 1,
					      .fds = &(struct child_fd){ hung.go[1], 3 } }, on_outcome, &hung.o);
	run(&(struct child_spec){ .argv = ROLE("exit", "0") }); /* it runs */
	close(hung.go[1]);
	keeper_is_killed();
	ok(!early.o.done && !plugin.o.done);
	let_go(early.go);
	let_go(early.end);
	child_cancel(c);
	wait_for(&is_back);
	wait_for(&early.o.done);
	ok(early.o.calls == 1 && early.o.code == ERR_OK && early.o.status == 0 && early.o.pid > 0);
	r = exit_of("early");
	ok(r.pid == early.o.pid && r.status != -1 && WEXITSTATUS(r.status) == 5);
	wait_for_eof(hung.go[0]); /* that keeper was not asked for it, so it is killed */
	ok(!hung.o.done);

	file = pidfile("late");
	outlive(&late, "runtime", "late", file);
	keeper_is_killed();
	wait_for(&is_back);
	ok(!late.o.done && !plugin.o.done);
	let_go(late.go);
	let_go(plugin.go);
	wait_for(&late.o.done);
	wait_for(&plugin.o.done);
	ok(late.o.code == ERR_OK && late.o.pid > 0 && late.o.pidfd >= 0);
	ok(plugin.o.calls == 1 && plugin.o.code == ERR_OK && WEXITSTATUS(plugin.o.status) == 3);
	is_str(plugin.o.out, "half whole");
	let_go(late.end);
	ok(WEXITSTATUS(exit_of("late").status) == 5);
	keeper_ask_forget("early");
	keeper_ask_forget("late");
}

/* What both daemons had under way is brought to its end before the next crispd is welcomed. */
static void story_both_die(void)
{
	static struct outliving l;

	if (shared->lives == 1) {
		outlive(&l, "runtime", "both", pidfile("both"));
		/* The pipes outlive this process in the child. */
		ask_hold("go", l.go[1], false);
		ask_hold("end", l.end[1], false);
		run(&(struct child_spec){ .argv = ROLE("exit", "0") });
		shared_save();
		if (fork() == 0) {
			kill(keeper_pid_now(), SIGKILL);
			kill(getppid(), SIGKILL);
			(void)!write(l.go[1], "g", 1);
			_exit(0);
		}
		for (;;)
			pause();
	}
	ok(keeper_report("both") && !keeper_report("both")->ended);
	ok(write(keeper_copy("end"), "g", 1) == 1);
	ok(WEXITSTATUS(exit_of("both").status) == 5);
	keeper_ask_forget("both");
	keeper_ask_release_all("");
}

static bool is_of_anchor(const void *name)
{
	struct arena *a = arena_new();
	const char *path = keeper_path(a, name), *own = arena_printf(a, "/proc/%d/", keeper_pid_now());
	bool is = path && strncmp(path, own, strlen(own)) != 0;

	arena_free(a);
	return is;
}

static void story_keeper_dies(void)
{
	struct arena *a = arena_new();
	const char *path;

	if (shared->lives == 1) {
		hold_text("c/path", "path", true);
		ok(comes_true(is_of_anchor, "c/path"));
		path = keeper_path(a, "c/path");
		keeper_dies();
		/* A runtime that outlives the keeper opens it, also while the next keeper is handed all of it again. */
		ok(file_has(path, "path"));
		ok(comes_true(is_of_anchor, "c/path"));
		is_str(keeper_path(a, "c/path"), path);
		run(&(struct child_spec){ .argv = ROLE("exit", "0") });
		ok(file_has(keeper_path(a, "c/two/log"), "second")); /* by the new keeper's number */
		die(); /* the new keeper is not its parent, notices its death and starts the next */
	}
	ok(held_has("c/two/log", "second") && keeper_has("c/two/log"));
	ok(keeper_path(a, "c/path") && file_has(keeper_path(a, "c/path"), "path"));
	arena_free(a);
	ok(keeper_report("survivor") && keeper_report("survivor")->pid == shared->pids[0]);
	syscall(SYS_pidfd_send_signal, keeper_report("survivor")->pidfd, SIGTERM, NULL, 0);
	exit_of("survivor");
	ok(keeper_report("gap") && keeper_report("gap")->ended);
}

int main(int argc, char **argv)
{
	world_open();
	if (argc > 2 && strcmp(argv[1], "role") == 0)
		return be_child(argv);
	if (getenv(KEEPER_FD_ENV)) {
		be_crispd();
		ok(ready_code == ERR_OK && keeper_here());
		if (strcmp(shared->story, "crispd dies") == 0)
			story_crispd_dies();
		else if (strcmp(shared->story, "keeper dies") == 0)
			story_keeper_dies();
		else if (strcmp(shared->story, "children outlive") == 0)
			story_children_outlive();
		else if (strcmp(shared->story, "no descriptors") == 0)
			story_no_descriptors();
		else
			story_both_die();
		story_over();
	}
	world_make();
	play("crispd dies");
	play("keeper dies");
	play("no descriptors");
	play("children outlive");
	play("both die");
	world_remove();
	return tap_end();
}
