/* events.c - the command events: what happens to pods and containers, as it happens.
 *
 * Waits on: the stream of GetContainerEvents. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api.pb-c.h"
#include "handlers/cli/command.h"
#include "handlers/cli/json.h"
#include "handlers/cli/table.h"
#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/own.h"

/* The name of a container: an event of its removal has the id only. */
struct known {
	struct link link;
	char *id, *name;
};

struct events {
	struct cli *cli;
	struct link names; /* of struct known.link */
	struct cli_call *call; /* NULL: ended */
	struct err err; /* OK: none */
};

static const char *event_time(struct arena *a, int64_t at_ns)
{
	time_t s = at_ns / 1000000000;
	char text[32];
	struct tm tm;

	gmtime_r(&s, &tm);
	strftime(text, sizeof(text), "%FT%T", &tm);
	return arena_printf(a, "%s.%03dZ", text, (int)(at_ns / 1000000 % 1000));
}

static struct known *known_find(const struct events *events, const char *id)
{
	list_each(l, &events->names) {
		struct known *k = container_of(l, struct known, link);

		if (strcmp(k->id, id) == 0)
			return k;
	}
	return NULL;
}

static void known_add(struct events *events, const char *id, const char *name)
{
	struct known *k = known_find(events, id) ? NULL : new_zero(struct known);

	if (!k)
		return;
	k->id = own_must(strdup(id));
	k->name = own_must(strdup(name));
	list_append(&events->names, &k->link);
}

static void known_free(struct known *k)
{
	list_drop(&k->link);
	free(k->id);
	free(k->name);
	free(k);
}

/* "-": the event is the pod's own. */
static const char *event_container(const struct events *events, const Runtime__V1__ContainerEventResponse *ev)
{
	const struct known *k = known_find(events, ev->container_id);

	if (k)
		return k->name;
	return ev->pod_sandbox_status && strcmp(ev->pod_sandbox_status->id, ev->container_id) == 0 ? "-" : "?";
}

static void learn_names(struct events *events, const Runtime__V1__ContainerEventResponse *ev)
{
	for (size_t i = 0; i < ev->n_containers_statuses; i++) {
		const Runtime__V1__ContainerStatus *one = ev->containers_statuses[i];

		if (one->metadata)
			known_add(events, one->id, one->metadata->name);
	}
}

static void print_event(const struct events *events, const Runtime__V1__ContainerEventResponse *ev)
{
	static const char *const types[] = { "created", "started", "stopped", "deleted" };
	const Runtime__V1__PodSandboxMetadata *pod = ev->pod_sandbox_status ? ev->pod_sandbox_status->metadata : NULL;
	unsigned type = ev->container_event_type;
	struct arena *a = arena_new();
	const char *text;

	text = arena_printf(a, "%s %-7s %s %s/%s %s\n", event_time(a, ev->created_at), type < 4 ? types[type] : "?",
			    cli_table_id(a, ev->container_id), pod ? pod->namespace_ : "?", pod ? pod->name : "?",
			    event_container(events, ev));
	cli_print_plainly(text, stdout);
	arena_free(a);
}

static void on_event(void *arg, const void *response)
{
	const Runtime__V1__ContainerEventResponse *ev = response;
	struct events *events = arg;
	struct known *k;

	learn_names(events, ev);
	if (events->cli->json) {
		auto_json json_t *j = cli_json_write(response);

		json_dumpf(j, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		print_event(events, ev);
	}
	k = ev->container_event_type == RUNTIME__V1__CONTAINER_EVENT_TYPE__CONTAINER_DELETED_EVENT
		    ? known_find(events, ev->container_id) : NULL;
	if (k)
		known_free(k);
	if (fflush(stdout) == EOF) /* the reader is gone */
		loop_stop();
}

static void on_events_end(void *arg, const struct err *e, const void *response)
{
	struct events *events = arg;

	(void)response;
	events->call = NULL;
	if (e)
		events->err = *e;
	else
		err_set(&events->err, ERR_UNAVAILABLE, "the runtime has ended the stream");
	loop_stop();
}

/* Containers that were there before. */
static int learn_all(struct cli *c, struct events *events)
{
	Runtime__V1__ListContainersRequest request = RUNTIME__V1__LIST_CONTAINERS_REQUEST__INIT;
	Runtime__V1__ListContainersResponse *list = cli_call(c, "ListContainers", &request, &events->err);

	for (size_t i = 0; list && i < list->n_containers; i++)
		if (list->containers[i]->metadata)
			known_add(events, list->containers[i]->id, list->containers[i]->metadata->name);
	return list ? 0 : -1;
}

static int events_(struct cli *c, const struct cli_args *args)
{
	Runtime__V1__GetEventsRequest request = RUNTIME__V1__GET_EVENTS_REQUEST__INIT;
	struct events events = { .cli = c };

	(void)args;
	list_init(&events.names);
	if (learn_all(c, &events) == 0) {
		events.call = cli_call_stream(c, "GetContainerEvents", &request, on_event, on_events_end, &events);
		loop_run();
	}
	if (events.call)
		cli_call_cancel(events.call);
	while (!list_empty(&events.names))
		known_free(container_of(list_first(&events.names), struct known, link));
	return events.err.code == ERR_OK ? 0 : cli_fail(c, &events.err, "events");
}

const struct cli_command cli_events = {
	.name = "events",
	.operands = "",
	.summary = "show what happens to pods and containers, as it happens",
	.run = events_,
	.more = "A line is: time, what happened, id, namespace/pod, container (\"-\" for the pod itself).\n"
		"With --json each line is one JSON object.\n\n"
		"Examples:\n"
		"  crisp events\n"
		"  crisp events --json | jq -r 'select(.containerEventType == \"CONTAINER_STOPPED_EVENT\")'\n",
};
