/* test_parent.c - a runtime exits while the parent of the process that it left behind is about to end. The exit
 * status is that of the process, in whichever order the ends are seen (keeper_run.h). */
#include <sched.h>

#include "tests/unit/procs/keeper_run.h"

static const char *file_of(const char *name)
{
	static char path[2][96];
	static int at;

	at = !at;
	snprintf(path[at], sizeof(path[at]), "%s/%s", shared->dir, name);
	return path[at];
}

/* "leave PIDFILE GO": forks a parent, which forks the process, and exits. The parent ends once GO is there, and the
 * process, with 9, once its parent did. */
static int be_child(char **argv)
{
	int alive[2], told[2];
	char byte;

	if (strcmp(argv[2], "exit") == 0)
		return atoi(argv[3]);
	if (pipe(alive) < 0 || pipe(told) < 0)
		return 1;
	if (fork() == 0) {
		pid_t last = fork();
		auto_file FILE *f = NULL;

		if (last == 0) {
			close(alive[1]);
			if (read(alive[0], &byte, 1) < 0)
				_exit(1);
			_exit(9);
		}
		f = fopen(argv[3], "we");
		fprintf(f, "%d", last);
		fflush(f);
		if (write(told[1], "", 1) < 0)
			_exit(1);
		while (access(argv[4], F_OK) < 0)
			sched_yield();
		_exit(0);
	}
	close(alive[1]);
	return read(told[0], &byte, 1) != 1;
}

static void story(void)
{
	const char *pid = file_of("pid"), *go = file_of("go");
	struct outcome o =
		run(&(struct child_spec){.argv = ROLE("leave", pid, go), .keep_id = "left", .pidfile = pid});
	struct exit_record r;

	ok(o.code == ERR_OK && o.status == 0 && o.pidfd >= 0);
	ok(keeper_report("left") && !keeper_report("left")->ended);
	close(open(go, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	r = exit_of("left");
	ok(r.pid == o.pid && WIFEXITED(r.status) && WEXITSTATUS(r.status) == 9);
	close(o.pidfd);
	keeper_ask_forget("left");
	ok(run(&(struct child_spec){ .argv = ROLE("exit", "0") }).code == ERR_OK);
}

int main(int argc, char **argv)
{
	world_open();
	if (argc > 2 && strcmp(argv[1], "role") == 0)
		return be_child(argv);
	if (getenv(KEEPER_FD_ENV)) {
		be_crispd();
		story();
		story_over();
	}
	world_make();
	play("parent");
	world_remove();
	return tap_end();
}
