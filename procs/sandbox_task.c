/* sandbox_task.c - see sandbox_task.h. */
#include "procs/sandbox_task.h"

#include "procs/cgroup.h"
#include "procs/container.h"
#include "procs/events.h"
#include "reactor/log.h"

int32_t sandbox_task_pid(const struct sandbox *s)
{
	if (s->pause_pid)
		return s->pause_pid;
	list_each(l, &s->containers) {
		const struct container *c = container_of(l, struct container, of_sandbox);

		if (c->state == CONTAINER_RUNNING)
			return c->pid;
	}
	return 0;
}

/* With a pause the group is not empty. Without a cgroup_parent it is the parent group of all containers. */
static bool task_has_empty_group(const struct sandbox *s)
{
	return *s->config.cgroup_parent && !s->pause_pid && s->state == SANDBOX_READY;
}

static void on_task_due(struct timer *t)
{
	struct sandbox *s = container_of(t, struct sandbox, task_timer);
	int32_t pid = sandbox_task_pid(s);
	struct err e;

	if (!task_has_empty_group(s) || !pid || pid == s->task_pid)
		return;
	if (cgroup_pod_renew(s, &e) < 0)
		log_warn("sandbox_group sandbox=%.12s error=%s", s->id, log_quote(e.msg));
	else
		s->task_pid = pid;
}

static void on_task_event(struct event_listener *l, const struct event *e)
{
	(void)l;
	if (e->container && (e->kind == EVENT_STARTED || e->kind == EVENT_STOPPED))
		timer_set(&e->sandbox->task_timer, 0, on_task_due);
}

void sandbox_task_watch(void)
{
	static struct event_listener listener;

	events_listen(&listener, on_task_event);
}
