/* test_stop.c - procs/stop.c on a real process; the test sets the clock, so nothing sleeps. */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procs/container.h"
#include "procs/stop.h"
#include "tests/fakes/keeper.h"
#include "procs/runtime.h"
#include "tests/fakes/runtime.h"
#include "tests/fakes/world.h"
#include "tests/tap.h"

struct result {
	int calls;
	enum err_code code;
};

static struct container *c;
static pid_t child;

static void record(void *arg, const struct err *e)
{
	struct result *r = arg;

	r->calls++;
	r->code = e ? e->code : ERR_OK;
}

/* A child that blocks SIGTERM, and dies with the test. */
static void running(void)
{
	sigset_t term;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL); /* the signal stays pending, which shows that it was sent */
	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	sigprocmask(SIG_UNBLOCK, &term, NULL);
	c = fake_running(child);
	c->stop_signal = SIGTERM;
}

static bool got_term(void)
{
	char path[64], line[256];
	unsigned long long pending = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)child);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "ShdPnd: %llx", &pending);
	if (f)
		fclose(f);
	return pending >> (SIGTERM - 1) & 1;
}

static bool killed(void)
{
	return strstr(fake_calls, "kill") != NULL;
}

/* The keeper reaps it, and the runtime's delete that follows succeeds. */
static void dies(int status)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	fake_exit(c->id, status);
	world_settle();
	if (fake_runtime_pending())
		fake_runtime_ok(0);
}

static void the_signal_is_enough(void)
{
	struct result r = { 0 };

	running();
	stop_start(c, 5000, record, &r);
	ok(got_term() && !killed());
	dies(0);
	ok(r.calls == 1 && r.code == ERR_OK);
	ok(c->state == CONTAINER_EXITED && c->exit_code == 0);
}

static void grace_over_then_kill(void)
{
	struct result r = { 0 };

	running();
	stop_start(c, 5000, record, &r);
	world_advance(4999);
	ok(!killed());
	world_advance(1);
	ok(killed());
	world_advance(10000);
	ok(r.calls == 1 && r.code == ERR_DEADLINE_EXCEEDED);
	dies(SIGKILL);
	ok(c->exit_code == 137 && r.calls == 1);
}

static void by_the_runtime(void)
{
	struct result r = { 0 };

	running();
	fake_traits = RUNTIME_KILLS;
	stop_start(c, 5000, record, &r);
	ok(strstr(fake_calls, "signal-15 ") && !got_term());
	fake_runtime_fail(ERR_INTERNAL, "no such process");
	ok(r.calls == 0);
	world_advance(5000);
	ok(strstr(fake_calls, "signal-9-all ") != NULL);
	fake_runtime_ok(0);
	fake_traits = 0;
	dies(SIGKILL);
	ok(r.calls == 1 && r.code == ERR_OK);
}

static void zero_grace_kills_at_once(void)
{
	struct result r = { 0 };

	running();
	stop_start(c, 0, record, &r);
	ok(!got_term() && killed());
	dies(SIGKILL);
	ok(r.calls == 1 && r.code == ERR_OK);
}

static void a_later_stop_only_shortens(void)
{
	struct result first = { 0 }, second = { 0 }, third = { 0 };

	running();
	stop_start(c, 5000, record, &first);
	world_advance(1000);
	stop_start(c, 60000, record, &second);
	world_advance(3999);
	ok(!killed());
	stop_start(c, 0, record, &third);
	ok(killed());
	dies(SIGKILL);
	ok(first.calls == 1 && second.calls == 1 && third.calls == 1);
	ok(first.code == ERR_OK && second.code == ERR_OK && third.code == ERR_OK);
}

static void a_shorter_grace_takes_effect(void)
{
	struct result first = { 0 }, second = { 0 };

	running();
	stop_start(c, 60000, record, &first);
	stop_start(c, 2000, record, &second);
	world_advance(1999);
	ok(!killed());
	world_advance(1);
	ok(killed());
	dies(SIGKILL);
	ok(first.calls == 1 && second.calls == 1);
}

static void what_does_not_run_is_stopped(void)
{
	struct result r = { 0 };

	c = fake_container();
	stop_start(c, 5000, record, &r);
	ok(r.calls == 0);
	world_settle();
	ok(r.calls == 1 && r.code == ERR_OK && c->state == CONTAINER_CREATED);
}

static void cancel_is_silent_and_the_machine_goes_on(void)
{
	struct result gone = { 0 }, stays = { 0 };
	struct stop *s;

	running();
	s = stop_start(c, 5000, record, &gone);
	stop_start(c, 5000, record, &stays);
	stop_cancel(s);
	world_advance(5000);
	ok(killed());
	dies(SIGKILL);
	ok(gone.calls == 0 && stays.calls == 1);

	c = fake_container();
	stop_cancel(stop_start(c, 0, record, &gone));
	world_settle();
	ok(gone.calls == 0);
}

static void cancel_while_killing(void)
{
	struct result r = { 0 };

	running();
	stop_cancel(stop_start(c, 0, record, &r));
	dies(SIGKILL);
	ok(r.calls == 0 && c->state == CONTAINER_EXITED && !c->stopping);
}

static void the_keeper_is_away(void)
{
	struct result r = { 0 };

	c = fake_container();
	c->state = CONTAINER_RUNNING; /* without a life: start_adopt() did not run */
	stop_start(c, 0, record, &r);
	ok(r.calls == 0);
	world_settle();
	ok(r.calls == 1 && r.code == ERR_UNAVAILABLE && !c->stopping);
}

int main(void)
{
	the_signal_is_enough();
	grace_over_then_kill();
	by_the_runtime();
	zero_grace_kills_at_once();
	a_later_stop_only_shortens();
	a_shorter_grace_takes_effect();
	what_does_not_run_is_stopped();
	cancel_is_silent_and_the_machine_goes_on();
	cancel_while_killing();
	the_keeper_is_away();
	return tap_end();
}
