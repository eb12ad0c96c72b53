/* test_exec_inside.c - procs/exec_inside.c: an exec whose end is not confirmed is killed again, and its mark stays. */
#include "procs/exec_inside.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "reactor/log.h"
#include "tests/fakes/runtime.h"
#include "tests/fakes/world.h"
#include "tests/tap.h"

static char pidfile[400], mark[410];

static void make_mark(const struct container *c)
{
	int fd;

	snprintf(pidfile, sizeof(pidfile), "%s/exec-x1.pid", c->bundle);
	snprintf(mark, sizeof(mark), "%s.in", pidfile);
	fd = open(mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ok(fd >= 0);
	close(fd);
}

static bool marked(void)
{
	return access(mark, F_OK) == 0;
}

/* A container that runs, with what runtimes of these traits leave of an exec. */
static struct container *begin(unsigned traits)
{
	struct container *c = fake_running(4242);

	fake_traits = traits;
	make_mark(c);
	fake_calls[0] = '\0';
	return c;
}

static void gone(struct container *c)
{
	fake_traits = 0;
	unlink(mark);
	container_set_exited(c, 0, "Completed", "", 1);
}

static void other_handlers(void)
{
	struct container *c = begin(0);

	exec_inside_sweep(c);
	exec_inside_kill(container_handler(c), c->id, pidfile);
	ok(!fake_runtime_pending() && marked());
	is_str(fake_calls, "");
	gone(c);
}

static void a_sweep(void)
{
	struct container *c = begin(RUNTIME_KILLS | RUNTIME_EXEC_WAITS);

	exec_inside_sweep(c);
	fake_runtime_fail(ERR_FAILED_PRECONDITION, "process not created");
	ok(marked() && !fake_runtime_pending());
	world_advance(49);
	ok(!fake_runtime_pending());
	world_advance(1);
	fake_runtime_fail(ERR_INTERNAL, "the shim is busy");
	world_advance(100);
	ok(marked());
	fake_runtime_ok(0);
	ok(marked());
	is_str(fake_calls, "exec-kill exec-kill exec-kill exec_wait ");
	fake_exec_waited(ERR_OK, 9);
	ok(!marked());
	gone(c);
}

static void nothing_to_kill(void)
{
	struct container *c = begin(RUNTIME_KILLS | RUNTIME_EXEC_WAITS);

	exec_inside_sweep(c);
	fake_runtime_fail(ERR_NOT_FOUND, "process already finished");
	ok(!marked());
	make_mark(c);
	fake_traits = RUNTIME_KILLS;
	exec_inside_sweep(c);
	fake_runtime_ok(0);
	ok(!marked());
	is_str(fake_calls, "exec-kill exec-kill ");
	gone(c);
}

/* The exec's own end removes the mark, and so the kill is not repeated. */
static void of_a_living_crispd(void)
{
	struct container *c = begin(RUNTIME_KILLS | RUNTIME_EXEC_WAITS);

	exec_inside_kill(container_handler(c), c->id, pidfile);
	fake_runtime_fail(ERR_INTERNAL, "busy");
	unlink(mark);
	world_advance(100000);
	is_str(fake_calls, "exec-kill ");
	gone(c);
}

static void the_last_try(void)
{
	struct container *c = begin(RUNTIME_KILLS);
	int tries = 0;

	exec_inside_sweep(c);
	for (; fake_runtime_pending(); tries++) {
		fake_calls[0] = '\0';
		fake_runtime_fail(ERR_INTERNAL, "busy");
		world_advance(5000);
	}
	ok(tries == 60 && marked());
	gone(c);
}

static void the_container_ends(void)
{
	struct container *c = begin(RUNTIME_KILLS);

	exec_inside_sweep(c);
	fake_runtime_fail(ERR_INTERNAL, "busy");
	container_set_exited(c, 0, "Completed", "", 1);
	world_advance(100000);
	is_str(fake_calls, "exec-kill ");
	ok(marked());
	unlink(mark);
}

int main(void)
{
	log_open("test", LOG_LEVEL_ERROR);
	other_handlers();
	a_sweep();
	nothing_to_kill();
	of_a_living_crispd();
	the_last_try();
	the_container_ends();
	return tap_end();
}
