/* test_events_rpc.c - handlers/events_rpc.c: clients that read events, that stop to read, that leave; and too many. */
#include <sys/stat.h>

#include "api.pb-c.h"
#include "handlers/services.h"
#include "procs/events.h"
#include "reactor/log.h"
#include "tests/fakes/rpc.h"
#include "tests/fakes/world.h"
#include "tests/tap.h"

static struct sandbox *sandbox_of(const char *name, size_t weight)
{
	static struct sandboxes_config where;
	static char root[300], label[1 << 20];
	struct pair one = { "label", label };
	struct sandbox_config config;
	struct sandbox *s;

	snprintf(root, sizeof(root), "%s/root", world_dir());
	mkdir(root, 0700);
	where = (struct sandboxes_config){ root, root, "" };
	sandboxes_open(&where);
	fields_zero(sandbox_config_fields, &config);
	config.name = name;
	memset(label, 'x', weight);
	label[weight] = '\0';
	config.labels = (struct pairs){ &one, 1 };
	s = sandbox_new(&config);
	s->hidden = false;
	return s;
}

static struct rpc *reader(struct fake_rpc *seen)
{
	struct rpc *r = fake_rpc(&runtime__v1__container_event_response__descriptor, seen);

	rpc_get_container_events(r, NULL);
	return r;
}

static void all_clients_get_an_event(void)
{
	struct sandbox *s = sandbox_of("p", 10);
	struct fake_rpc a, b;
	struct rpc *first = reader(&a), *second;
	Runtime__V1__ContainerEventResponse *m;

	events_tell(EVENT_CREATED, s, NULL);
	second = reader(&b);
	events_tell(EVENT_STARTED, s, NULL);
	ok(a.n == 2 && b.n == 1);
	m = runtime__v1__container_event_response__unpack(NULL, b.messages[0].len, b.messages[0].at);
	ok(m && m->container_event_type == RUNTIME__V1__CONTAINER_EVENT_TYPE__CONTAINER_STARTED_EVENT &&
	   m->created_at > 0);
	is_str(m->container_id, s->id);
	is_str(m->pod_sandbox_status->metadata->name, "p");
	runtime__v1__container_event_response__free_unpacked(m, NULL);
	fake_rpc_leave(first);
	events_tell(EVENT_STOPPED, s, NULL);
	ok(a.finished && a.n == 2 && b.n == 2);
	events_rpc_close();
	ok(b.finished);
	events_tell(EVENT_DELETED, s, NULL); /* no client is left */
	(void)second;
	fake_rpc_forget(&a);
	fake_rpc_forget(&b);
	sandbox_free(s);
}

static void a_client_that_does_not_read(void)
{
	struct sandbox *s = sandbox_of("big", (1 << 20) - 1);
	struct fake_rpc slow, quick;
	struct rpc *lazy = reader(&slow), *eager = reader(&quick);

	for (int i = 0; i < 10; i++) {
		events_tell(EVENT_STARTED, s, NULL);
		fake_rpc_take(eager);
	}
	ok(quick.n == 10 && slow.n == 3 && slow.queued <= 4 << 20);
	fake_rpc_take(lazy);
	events_tell(EVENT_STOPPED, s, NULL);
	ok(slow.n == 4); /* lost events are not sent later */
	events_rpc_close();
	fake_rpc_forget(&slow);
	fake_rpc_forget(&quick);
	sandbox_free(s);
}

static void too_many_clients(void)
{
	static struct fake_rpc seen[65];

	for (size_t i = 0; i < 65; i++)
		reader(&seen[i]);
	ok(seen[63].failed == ERR_OK && seen[64].failed == ERR_RESOURCE_EXHAUSTED);
	events_rpc_close();
	ok(seen[0].finished && seen[63].finished);
}

int main(void)
{
	log_open("test", LOG_LEVEL_ERROR);
	all_clients_get_an_event();
	a_client_that_does_not_read();
	too_many_clients();
	return tap_end();
}
