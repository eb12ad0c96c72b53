/* test_keeper.c - children, kept processes and held fds through a real crisp-keeper (keeper_run.h). */
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "tests/unit/procs/keeper_run.h"

/* ---- the programs that the children run ---- */

static void role_fds(void)
{
	auto_dir DIR *d = opendir("/proc/self/fd");
	struct dirent *f;

	for (int n = 0; n < 64; n++) {
		char text[64] = "";

		if (fcntl(n, F_GETFD) < 0 || n == dirfd(d))
			continue;
		if (n > 2 && pread(n, text, sizeof(text) - 1, 0) < 0)
			strcpy(text, "?");
		printf("%d=%s ", n, text);
	}
	while ((f = readdir(d)))
		if (atoi(f->d_name) >= 64)
			printf("%s ", f->d_name);
}

static void role_self(char **argv)
{
	char line[256];
	auto_file FILE *f = fopen("/proc/self/status", "re");
	struct rlimit nofile;

	for (char **e = environ; *e; e++)
		printf("%s ", *e);
	printf("cwd=%s %s ", getcwd(line, sizeof(line)), argv[3]);
	getrlimit(RLIMIT_NOFILE, &nofile);
	printf("nofile=%llu umask=%o leader=%d ", (unsigned long long)nofile.rlim_cur, umask(0), getsid(0) == getpid());
	while (fgets(line, sizeof(line), f))
		if (strncmp(line, "SigBlk", 6) == 0 || strncmp(line, "SigIgn", 6) == 0)
			printf("%.6s=%llx ", line, strtoull(line + 7, NULL, 16));
}

static void role_cat(void)
{
	char text[4096];
	ssize_t n;

	while ((n = read(0, text, sizeof(text))) > 0)
		fwrite(text, 1, (size_t)n, stdout);
}

static void role_flood(void)
{
	for (int i = 0; i < 30000; i++) {
		fputs("0123456789", stdout);
		fputs("abcdefghij", stderr);
	}
}

/* Makes a child; both run until they are killed. */
static void role_tree(void)
{
	if (fork() == 0)
		for (;;)
			pause();
	for (;;)
		pause();
}

static void write_pid_to(const char *path, pid_t pid)
{
	auto_file FILE *f = fopen(path, "we");

	fprintf(f, "%d", pid);
}

/* Leaves a process behind, as an OCI runtime does. "live": it runs until it is killed; "dead": it has ended, and
 * another process has reaped it, before this program exits. */
static void role_detach(char **argv)
{
	const char *pidfile = argv[3], *how = argv[4];
	pid_t middle, last = 0;
	int pipes[2];

	if (strcmp(how, "live") == 0) {
		last = fork();
		if (last == 0)
			for (;;)
				pause();
		write_pid_to(pidfile, last);
		return;
	}
	if (pipe(pipes) < 0)
		exit(1);
	middle = fork();
	if (middle == 0) {
		last = fork();
		if (last == 0)
			_exit(7);
		write_pid_to(pidfile, last);
		if (write(pipes[1], &last, sizeof(last)) < 0)
			_exit(1);
		_exit(0);
	}
	waitpid(middle, NULL, 0);
	if (read(pipes[0], &last, sizeof(last)) < 0)
		exit(1);
	while (kill(last, 0) == 0)
		sched_yield();
}

static int be_child(char **argv)
{
	const char *role = argv[2];

	if (strcmp(role, "fds") == 0)
		role_fds();
	else if (strcmp(role, "self") == 0)
		role_self(argv);
	else if (strcmp(role, "cat") == 0)
		role_cat();
	else if (strcmp(role, "flood") == 0)
		role_flood();
	else if (strcmp(role, "tree") == 0)
		role_tree();
	else if (strcmp(role, "detach") == 0)
		role_detach(argv);
	else if (strcmp(role, "pid") == 0)
		printf("%d", getpid());
	else if (strcmp(role, "exit") == 0)
		return atoi(argv[3]);
	return 0;
}

/* ---- children ---- */

static void fds_come_by_number(void)
{
	auto_fd int a = memfd_with("A"), b = memfd_with("B"), c = memfd_with("C");
	struct outcome o = run(&(struct child_spec){
		.argv = ROLE("fds"), .nfds = 3, .fds = (struct child_fd[]){ { a, 9 }, { b, 3 }, { c, 4 } } });

	is_str(o.out, "0= 1= 2= 3=B 4=C 9=A ");
	/* The numbers under which the keeper received them, in reverse order. */
	o = run(&(struct child_spec){
		.argv = ROLE("fds"), .nfds = 3, .fds = (struct child_fd[]){{a, 20}, {b, 19}, {c, 18}}});
	is_str(o.out, "0= 1= 2= 18=C 19=B 20=A ");
}

static void born_clean(void)
{
	struct outcome o = run(&(struct child_spec){
		.argv = ROLE("self", "last"), .envp = (const char *const[]){ "A=1", "B=2", NULL }, .cwd = "/usr" });
	struct rlimit ours;
	char want[128];

	getrlimit(RLIMIT_NOFILE, &ours);
	ok(strncmp(o.out, "A=1 B=2 cwd=/usr last nofile=", 29) == 0);
	snprintf(want, sizeof(want), "umask=22 leader=1 SigBlk=0 SigIgn=0 ");
	ok(strstr(o.out, want) != NULL);
	ok(ours.rlim_cur == ours.rlim_max);
	o = run(&(struct child_spec){ .argv = ROLE("self", "x") });
	ok(strncmp(o.out, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin cwd=/ x", 73) == 0);
}

static void input_and_output(void)
{
	struct outcome o = run(&(struct child_spec){.argv = ROLE("cat"), .stdin_data = "to and fro", .stdin_len = 10});

	is_str(o.out, "to and fro");
	o = run(&(struct child_spec){ .argv = ROLE("flood"), .stdout_max = 25, .stderr_max = 12 });
	ok(o.code == ERR_OK && o.status == 0);
	is_str(o.out, "0123456789012345678901234");
	is_str(o.err, "abcdefghijab");
	ok(o.out_len == 25 && o.out_cut);
	o = run(&(struct child_spec){ .argv = ROLE("exit", "3") });
	ok(o.code == ERR_OK && WEXITSTATUS(o.status) == 3 && o.out_len == 0 && !o.out_cut);
}

static void a_timeout_kills_the_group(void)
{
	int ends[2];
	struct outcome o;

	ok(pipe2(ends, O_CLOEXEC) == 0);
	o = run(&(struct child_spec){
		.argv = ROLE("tree"), .timeout_ms = 50, .nfds = 1, .fds = &(struct child_fd){ ends[1], 5 } });
	close(ends[1]);
	ok(o.code == ERR_DEADLINE_EXCEEDED && strstr(o.text, "did not end within 50 ms"));
	wait_for_eof(ends[0]);
	close(ends[0]);
}

static void a_cancel_kills_the_group(void)
{
	struct outcome o = { 0 };
	int ends[2];

	ok(pipe2(ends, O_CLOEXEC) == 0);
	child_cancel(child_start(&(struct child_spec){
		.argv = ROLE("tree"), .nfds = 1, .fds = &(struct child_fd){ ends[1], 5 } }, on_outcome, &o));
	close(ends[1]);
	wait_for_eof(ends[0]);
	close(ends[0]);
	ok(o.calls == 0);
}

static void what_cannot_start_says_why(void)
{
	const char *path = no_such("thing");
	struct outcome o = run(&(struct child_spec){ .argv = (const char *const[]){ path, NULL } });
	char want[400];

	ok(o.code == ERR_INTERNAL);
	snprintf(want, sizeof(want), "start %s: execve: No such file or directory (ENOENT)", path);
	is_str(o.text, want);
	o = run(&(struct child_spec){ .argv = ROLE("fds"), .cwd = path });
	snprintf(want, sizeof(want), "chdir %s: No such file or directory", path);
	ok(o.code == ERR_INTERNAL && strstr(o.text, want));
	o = run(&(struct child_spec){ .argv = ROLE("fds"), .join_tasks = (const char *const[]){ path, NULL } });
	snprintf(want, sizeof(want), "join %s: No such file or directory", path);
	ok(o.code == ERR_INTERNAL && strstr(o.text, want));
	o = run(&(struct child_spec){ .argv = (const char *const[]){ "relative", NULL } });
	ok(o.code == ERR_INVALID_ARGUMENT);
	o = run(&(struct child_spec){ .argv = (const char *const[]){ path, NULL }, .keep_id = "none" });
	ok(o.code == ERR_INTERNAL && strstr(o.text, "ENOENT") && !keeper_report("none"));
}

static int oom_score(void)
{
	auto_fd int fd = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);
	char text[16] = "";

	return read(fd, text, sizeof(text) - 1) > 0 ? atoi(text) : 0;
}

static void joins_before_it_runs(void)
{
	char tasks[] = "/tmp/crisp-tasks-XXXXXX";
	int fd = mkstemp(tasks);
	struct outcome o = run(&(struct child_spec){ .argv = ROLE("pid"), .unshare = CLONE_NEWPID,
						     .join_tasks = (const char *const[]){ tasks, NULL } });

	is_str(o.out, "1");
	ok(file_has(tasks, "0"));
	unlink(tasks);
	close(fd);
	/* The keeper lowers its own score where it may; a child has the one from before, or what it was given. */
	o = run(&(struct child_spec){ .argv = (const char *const[]){ "/bin/cat", "/proc/self/oom_score_adj", NULL } });
	ok(atoi(o.out) == shared->told);
	o = run(&(struct child_spec){.argv = (const char *const[]){"/bin/cat", "/proc/self/oom_score_adj", NULL},
				     .oom_score_adj = 321});
	is_str(o.out, "321\n");
}

static int in_parallel;

static void on_one_of_many(void *arg, const struct err *e, struct child_result *r)
{
	bool *all = arg;

	in_parallel -= !e && r->status == 0 && strcmp(r->out, "many") == 0;
	if (in_parallel)
		return;
	*all = true;
	loop_stop();
}

static void many_at_once(void)
{
	struct child_spec s = {
		.argv = ROLE("cat"), .stdin_data = "many", .stdin_len = 4, .stdout_max = 100, .stderr_max = 100};
	bool all = false;

	in_parallel = 200;
	for (int i = 0; i < 200; i++)
		child_start(&s, on_one_of_many, &all);
	wait_for(&all);
	ok(in_parallel == 0);
}

static void story_children(void)
{
	int before, ours;

	before = count_fds(getppid());
	ours = count_fds(getpid());
	fds_come_by_number();
	born_clean();
	input_and_output();
	a_timeout_kills_the_group();
	a_cancel_kills_the_group();
	what_cannot_start_says_why();
	joins_before_it_runs();
	many_at_once();
	run(&(struct child_spec){ .argv = ROLE("exit", "0") }); /* the keeper has done all that was sent before */
	ok(comes_to_fds(getppid(), before));
	ok(count_fds(getpid()) == ours);
}

/* ---- kept ---- */

static const char *pidfile(void)
{
	static char path[96];

	snprintf(path, sizeof(path), "%s/pid", shared->dir);
	unlink(path);
	return path;
}

static void kept_by_pidfile(void)
{
	const char *file = pidfile();
	struct outcome o =
		run(&(struct child_spec){.argv = ROLE("detach", file, "live"), .keep_id = "live", .pidfile = file});
	const struct kept_report *k = keeper_report("live");
	struct exit_record r;

	ok(o.code == ERR_OK && o.status == 0 && o.pidfd >= 0);
	ok(k && k->pid == o.pid && !k->ended && k->pidfd >= 0 && o.pid > 1);
	o.code = run(&(struct child_spec){ .argv = ROLE("pid"), .keep_id = "live" }).code;
	ok(o.code == ERR_INTERNAL); /* that id is taken */
	ok(syscall(SYS_pidfd_send_signal, o.pidfd, SIGKILL, NULL, 0) == 0);
	close(o.pidfd);
	r = exit_of("live");
	ok(r.pid == o.pid && WIFSIGNALED(r.status) && WTERMSIG(r.status) == SIGKILL && r.at_ns > 0);
	ok(WTERMSIG(exit_of("live").status) == SIGKILL); /* a later watch is told again */
	keeper_ask_forget("live");
	ok(!keeper_report("live"));
}

static void dead_before_the_pidfile_is_read(void)
{
	const char *file = pidfile();
	struct outcome o =
		run(&(struct child_spec){.argv = ROLE("detach", file, "dead"), .keep_id = "dead", .pidfile = file});
	struct exit_record r = exit_of("dead");

	ok(o.code == ERR_OK && o.status == 0 && o.pidfd == -1);
	ok(r.pid == o.pid && WIFEXITED(r.status) && WEXITSTATUS(r.status) == 7);
	keeper_ask_forget("dead");
}

static void bad_pidfiles(void)
{
	const char *file = pidfile();
	struct outcome o = run(&(struct child_spec){ .argv = ROLE("exit", "0"), .keep_id = "bad", .pidfile = file });
	auto_file FILE *f = NULL;

	ok(o.code == ERR_INTERNAL && strstr(o.text, "cannot be opened"));
	f = fopen(file, "we");
	fputs("12x", f);
	fflush(f);
	o = run(&(struct child_spec){ .argv = ROLE("exit", "0"), .keep_id = "bad", .pidfile = file });
	ok(o.code == ERR_INTERNAL && strstr(o.text, "holds no pid"));
	o = run(&(struct child_spec){ .argv = ROLE("exit", "4"), .keep_id = "bad", .pidfile = file });
	ok(o.code == ERR_OK && WEXITSTATUS(o.status) == 4 && !keeper_report("bad"));
	unlink(file);
}

static void kept_itself(void)
{
	struct outcome o = run(&(struct child_spec){ .argv = ROLE("tree"), .keep_id = "self" });
	struct exit_record r;

	ok(o.code == ERR_OK && o.pidfd >= 0 && keeper_report("self")->pid == o.pid);
	kill(-o.pid, SIGTERM);
	close(o.pidfd);
	r = exit_of("self");
	ok(WTERMSIG(r.status) == SIGTERM);
	keeper_ask_forget("self");
	o = run(&(struct child_spec){ .argv = ROLE("exit", "9"), .keep_id = "brief" });
	if (o.pidfd >= 0)
		close(o.pidfd);
	ok(o.code == ERR_OK && WEXITSTATUS(exit_of("brief").status) == 9);
	keeper_ask_forget("brief");
}

static void held_by_name(void)
{
	struct arena *a = arena_new();
	int before = count_fds(getppid());
	auto_fd int one = memfd_with("one"), two = memfd_with("two");
	const char *path;

	ask_hold("c/x/stdout", one, true);
	ask_hold("c/x/stderr", two, false);
	ask_hold("c/y/stdout", two, false);
	ok(keeper_path(a, "c/x/stdout") == NULL); /* not confirmed yet */
	ok(!keeper_has("c/x/stdout") && !keeper_has("c/y/stdout") && !keeper_has("c/z/stdout"));
	run(&(struct child_spec){ .argv = ROLE("exit", "0") });
	path = keeper_path(a, "c/x/stdout");
	ok(path && file_has(path, "one"));
	ok(keeper_has("c/x/stdout") && keeper_has("c/y/stdout") && !keeper_has("c/z/stdout"));
	ask_hold("c/x/stdout", two, true);
	ok(!keeper_has("c/x/stdout")); /* it has the one before */
	run(&(struct child_spec){ .argv = ROLE("exit", "0") });
	ok(file_has(keeper_path(a, "c/x/stdout"), "two") && keeper_has("c/x/stdout"));
	keeper_ask_release_all("c/x/");
	ok(keeper_copy("c/x/stdout") == -1 && keeper_copy("c/x/stderr") == -1 && keeper_copy("c/y/stdout") >= 0);
	keeper_ask_release("c/y/stdout");
	run(&(struct child_spec){ .argv = ROLE("exit", "0") });
	ok(comes_to_fds(getppid(), before));
	arena_free(a);
}

static void story_kept(void)
{
	int before = count_fds(getppid());

	kept_by_pidfile();
	dead_before_the_pidfile_is_read();
	bad_pidfiles();
	kept_itself();
	held_by_name();
	ok(comes_to_fds(getppid(), before));
}

int main(int argc, char **argv)
{
	world_open();
	if (argc > 2 && strcmp(argv[1], "role") == 0)
		return be_child(argv);
	if (getenv(KEEPER_FD_ENV)) {
		be_crispd();
		ok(ready_code == ERR_OK && keeper_here());
		if (strcmp(shared->story, "children") == 0)
			story_children();
		else
			story_kept();
		story_over();
	}
	world_make();
	shared->told = oom_score();
	play("children");
	play("kept");
	world_remove();
	return tap_end();
}
