/* test_work.c - reactor/work.c: what takes over ten seconds is told once, and at its end. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reactor/log.h"
#include "reactor/work.h"
#include "tests/fakes/clock.h"
#include "tests/tap.h"

static int log_end, asked;

/* What was logged since the last call, from each line's level on, with a "|" behind each line. */
static const char *logged(void)
{
	static char text[4096], out[4096];
	ssize_t n = read(log_end, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	out[0] = '\0';
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		strcat(strcat(out, strchr(line, ' ') + 1), "|");
	return out;
}

static void on_ask(struct work *w)
{
	asked++;
	w->pid = 1 << 30; /* nobody's */
}

static void quick_work_is_not_told(void)
{
	struct work w = { .kind = "rpc", .ask = on_ask };

	asked = 0;
	work_begin(&w);
	clock_advance(900);
	work_end(&w);
	work_end(&w);
	ok(clock_waiting() == 0 && asked == 0);
	work_begin(&w);
	clock_advance(9900);
	ok(asked == 1);
	work_end(&w);
	ok(clock_waiting() == 0);
	is_str(logged(), "");
}

static void slow_work_is_told_once_and_at_its_end(void)
{
	struct work w = { .kind = "program", .stage = "cni_add", .about = " sandbox=1", .program = "/p x",
			  .ask = on_ask };
	struct work quick = { .kind = "queue" };

	work_begin(&w);
	clock_advance(9000);
	work_begin(&quick);
	clock_advance(1500);
	is_str(logged(), "warn test slow kind=program stage=cni_add age_ms=10000 sandbox=1 program=\"/p x\" "
			 "pid=1073741824|");
	clock_advance(5000);
	work_end(&quick);
	clock_advance(1000);
	is_str(logged(), "");
	ok(clock_waiting() == 0); /* nothing is left to tell while it lasts */
	w.patient = true;
	work_end(&w);
	is_str(logged(), "info test slow_ended kind=program stage=cni_add took_ms=16500 sandbox=1 program=\"/p x\" "
			 "pid=1073741824|");
}

static void on_each(void *arg, struct work *w)
{
	strcat(strcat(arg, w->stage), " ");
}

static void all_of_it_is_shown(void)
{
	struct work a = { .kind = "k", .stage = "a", .ask = on_ask }, b = { .kind = "k", .stage = "b" };
	char text[32] = "";

	asked = 0;
	work_begin(&a);
	clock_advance(10);
	work_begin(&b);
	work_each(on_each, text);
	is_str(text, "a b ");
	ok(asked == 1 && work_age_ms(&a) == 10 && work_age_ms(&b) == 0);
	work_end(&a);
	work_end(&b);
}

/* A child whose child sleeps. */
static void what_a_program_waits_for(void)
{
	char name[WORK_NAME] = "";
	int up[2], hold[2];
	pid_t child, inner = 0;

	ok(pipe(up) == 0 && pipe(hold) == 0);
	child = fork();
	if (child == 0) {
		setpgid(0, 0);
		inner = fork();
		if (inner == 0) {
			dup2(hold[0], 0);
			dup2(up[1], 1);
			execl("/bin/sh", "sh", "-c", "echo; read x", NULL);
			_exit(1);
		}
		pause();
		_exit(0);
	}
	ok(read(up[0], name, 1) == 1);
	inner = work_inner(child, name);
	ok(inner > 0 || access("/proc/self/task", X_OK) != 0);
	is_str(name, "sh");
	ok(work_inner(inner, name) == 0 && work_inner(1 << 30, name) == 0);
	kill(-child, SIGKILL);
	waitpid(child, NULL, 0);
}

int main(void)
{
	int ends[2], err = dup(2);

	ok(pipe2(ends, O_NONBLOCK) == 0);
	log_end = ends[0];
	log_open("test", LOG_LEVEL_INFO);
	dup2(ends[1], 2);
	quick_work_is_not_told();
	slow_work_is_told_once_and_at_its_end();
	all_of_it_is_shown();
	dup2(err, 2);
	what_a_program_waits_for();
	return tap_end();
}
