/* exec_inside.c - see exec_inside.h.
 *
 *   kill ---confirmed---> (swept: the runtime's wait, which lets go of the exec) ---> the mark is removed
 *    +---it failed, the mark is there, the container runs: again, 50 ms later, then twice that, up to 5 s
 *
 * A mark that is left by the last try is for the next crispd. Waits on: the runtime, a timer. */
#include "procs/exec_inside.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { FIRST_MS = 50, MOST_MS = 5000, TRIES = 60 };

struct inside {
	struct arena *arena;
	const struct runtime_handler *handler;
	const char *container, *pidfile, *mark;
	const char *keep_id; /* swept: for runtime_exec_wait(); NULL: the exec itself waits */
	int tries;
	int64_t delay_ms;
	struct timer timer;
};

static void inside_free(struct inside *x)
{
	timer_clear(&x->timer);
	arena_free(x->arena);
}

static bool inside_goes_on(const struct inside *x)
{
	const struct container *c = container_find(x->container);

	return c && c->state == CONTAINER_RUNNING && access(x->mark, F_OK) == 0;
}

static void on_inside_over(void *arg, const struct err *e, struct child_result *r)
{
	struct inside *x = arg;

	(void)r;
	if (e)
		log_info("runtime_exec_wait container=%.12s error=%s", x->container, log_quote(e->msg));
	EFFECT(unlink(x->mark));
	inside_free(x);
}

static void on_inside_again(struct timer *t);

static void on_inside_killed(void *arg, const struct err *e, struct child_result *r)
{
	struct inside *x = arg;

	(void)r;
	if (!e && x->keep_id && runtime_traits(x->handler) & RUNTIME_EXEC_WAITS) {
		runtime_exec_wait(x->handler, x->container, x->keep_id, on_inside_over, x);
		return;
	}
	if (!e || e->code == ERR_NOT_FOUND)
		return on_inside_over(x, NULL, NULL);
	log_info("runtime_exec_kill container=%.12s error=%s", x->container, log_quote(e->msg));
	if (!inside_goes_on(x) || ++x->tries == TRIES)
		return inside_free(x);
	timer_set(&x->timer, x->delay_ms, on_inside_again);
	x->delay_ms = 2 * x->delay_ms < MOST_MS ? 2 * x->delay_ms : MOST_MS;
}

static void on_inside_again(struct timer *t)
{
	struct inside *x = container_of(t, struct inside, timer);

	if (!inside_goes_on(x))
		return inside_free(x);
	runtime_exec_kill(x->handler, x->container, x->pidfile, on_inside_killed, x);
}

static struct inside *inside_new(const struct runtime_handler *h, const char *container, const char *pidfile)
{
	struct arena *a = arena_new();
	struct inside *x = arena_zalloc(a, sizeof(*x));

	x->arena = a;
	x->handler = h;
	x->container = arena_strdup(a, container);
	x->pidfile = arena_strdup(a, pidfile);
	x->mark = runtime_exec_mark(a, pidfile);
	x->delay_ms = FIRST_MS;
	return x;
}

void exec_inside_kill(const struct runtime_handler *h, const char *container, const char *pidfile)
{
	struct inside *x;

	if (!(runtime_traits(h) & RUNTIME_KILLS))
		return;
	x = inside_new(h, container, pidfile);
	runtime_exec_kill(h, container, pidfile, on_inside_killed, x);
}

void exec_inside_sweep(const struct container *c)
{
	static const char head[] = "exec-", tail[] = ".pid" RUNTIME_EXEC_MARK;
	const struct runtime_handler *h = container_handler(c);
	auto_dir DIR *d = h && runtime_traits(h) & RUNTIME_KILLS ? opendir(c->bundle) : NULL;
	struct arena *a = arena_new();
	struct dirent *f;

	while (d && (f = readdir(d))) {
		size_t len = strlen(f->d_name), ends = sizeof(head) + sizeof(tail) - 2;
		struct inside *x;

		if (len <= ends || strncmp(f->d_name, head, sizeof(head) - 1) != 0 ||
		    strcmp(f->d_name + len - (sizeof(tail) - 1), tail) != 0)
			continue;
		x = inside_new(h, c->id, arena_printf(a, "%s/%.*s", c->bundle, (int)len - 3, f->d_name));
		x->keep_id = arena_printf(x->arena, "exec/%.*s", (int)(len - ends), f->d_name + sizeof(head) - 1);
		runtime_exec_kill(h, c->id, x->pidfile, on_inside_killed, x);
	}
	arena_free(a);
}
