/* test_events.c - procs/events.c: the events of sandboxes and containers, and their listeners. */
#include "procs/events.h"

#include <sys/stat.h>

#include "reactor/log.h"
#include "tests/fakes/world.h"
#include "tests/tap.h"

struct hearer {
	struct event_listener listener;
	char heard[256]; /* "C:created S:stopped ": C is a container, S a sandbox */
	int64_t last_ns;
	bool in_order;
};

static void hear(struct event_listener *l, const struct event *e)
{
	static const char *const names[] = { "created", "started", "stopped", "deleted" };
	struct hearer *h = container_of(l, struct hearer, listener);
	size_t n = strlen(h->heard);

	snprintf(h->heard + n, sizeof(h->heard) - n, "%s:%s ", e->container ? "C" : "S", names[e->kind]);
	h->in_order = h->in_order && e->at_ns > h->last_ns;
	h->last_ns = e->at_ns;
}

static struct sandbox *sandbox_of(const char *name)
{
	static struct sandboxes_config where;
	static char root[300];
	struct sandbox_config config;
	struct err e;

	snprintf(root, sizeof(root), "%s/root", world_dir());
	mkdir(root, 0700);
	where = (struct sandboxes_config){ root, root, "" };
	sandboxes_open(&where);
	containers_open(root, root);
	ok(sandboxes_load(&e) == 0 && containers_load(&e) == 0);
	fields_zero(sandbox_config_fields, &config);
	config.name = name;
	return sandbox_new(&config);
}

static struct container *container_in(struct sandbox *s)
{
	static const struct container_image image = {
		.id = "i", .ref = "r", .name = "n", .working_dir = "", .user = "", .stop_signal = ""};
	struct container_config config;

	fields_zero(container_config_fields, &config);
	config.name = "c";
	return container_new(s, &config, &image);
}

static void one_life(void)
{
	struct hearer h = { .in_order = true }, late = { .in_order = true };
	struct sandbox *s = sandbox_of("p");
	struct container *c;
	struct err e;

	events_listen(&h.listener, hear);
	sandbox_set_state(s, SANDBOX_READY); /* hidden: it is being made */
	is_str(h.heard, "");
	s->hidden = false;
	c = container_in(s);
	container_free(c); /* never listed */
	is_str(h.heard, "");
	c = container_in(s);
	ok(container_list_it(c, &e) == 0);
	container_set_running(c, 5);
	events_listen(&late.listener, hear);
	container_set_exited(c, 1, "Error", "", 9);
	sandbox_set_state(s, SANDBOX_NOTREADY);
	sandbox_set_state(s, SANDBOX_NOTREADY);
	events_unlisten(&late.listener);
	events_unlisten(&late.listener);
	container_free(c);
	sandbox_free(s);
	is_str(h.heard, "C:created C:started C:stopped S:stopped C:deleted S:deleted ");
	is_str(late.heard, "C:stopped S:stopped ");
	ok(h.in_order && late.in_order); /* the clock of this test stands still */
	events_unlisten(&h.listener);
}

int main(void)
{
	log_open("test", LOG_LEVEL_ERROR);
	one_life();
	return tap_end();
}
