/* exec_end.c - see exec_end.h. Waits on: the keeper's exit record, or the runtime. */
#include "procs/exec_end.h"

#include <stdio.h>

#include "reactor/child.h"
#include "reactor/list.h"
#include "reactor/log.h"

static void on_exec_end_kept(struct exit_watch *w, const struct exit_record *r)
{
	struct exec_end *end = container_of(w, struct exec_end, watch);

	end->fn(end, r->status);
}

static void on_exec_end_told(void *arg, const struct err *e, struct child_result *r)
{
	struct exec_end *end = arg;

	end->wait = NULL;
	if (e)
		log_info("runtime_exec_wait container=%s error=%s", end->container, log_quote(e->msg));
	end->fn(end, e ? -1 : r->status);
}

void exec_end_watch(struct exec_end *end, const struct runtime_handler *h, const char *container, const char *keep_id,
		    void (*fn)(struct exec_end *end, int status))
{
	end->fn = fn;
	snprintf(end->container, sizeof(end->container), "%s", container);
	if (runtime_traits(h) & RUNTIME_EXEC_WAITS)
		end->wait = runtime_exec_wait(h, container, keep_id, on_exec_end_told, end);
	else
		keeper_watch_exit(&end->watch, keep_id, on_exec_end_kept);
}

void exec_end_unwatch(struct exec_end *end)
{
	keeper_unwatch_exit(&end->watch);
	if (end->wait)
		runtime_cancel(end->wait);
	end->wait = NULL;
}
