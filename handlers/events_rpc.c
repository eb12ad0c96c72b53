/* events_rpc.c - GetContainerEvents. Spec: CRI v1 RuntimeService.
 *
 * An event is built once and sent to every reader. Up to 4 MiB wait for a reader that does not read. Later events are
 * lost for this reader: they are counted, and the log says when the loss begins and when it ends. The kubelet also
 * lists all pods regularly, so it finds what it missed. (ARCHITECTURE H7) */
#include <stdlib.h>

#include "handlers/services.h"
#include "handlers/status.h"
#include "procs/events.h"
#include "reactor/log.h"
#include "reactor/metric.h"
#include "reactor/own.h"

enum { READERS_MAX = 64, QUEUE_MAX_BYTES = 4 << 20 };

struct reader {
	struct link link;
	struct rpc *rpc;
	uint64_t lost; /* events, since the queue became full */
};

static struct link readers = { &readers, &readers }; /* of struct reader.link */
static struct event_listener listener;

static void reader_end(void *arg)
{
	struct reader *r = arg;

	list_drop(&r->link);
	rpc_finish(r->rpc);
	free(r);
	if (list_empty(&readers))
		events_unlisten(&listener);
}

void events_rpc_close(void)
{
	while (!list_empty(&readers))
		reader_end(container_of(list_first(&readers), struct reader, link));
}

static void reader_send(struct reader *r, const uint8_t *bytes, size_t n)
{
	if (rpc_queued(r->rpc) + n > QUEUE_MAX_BYTES) {
		if (!r->lost++)
			log_warn("events_lost reason=\"a reader does not read\" queued_bytes=%zu", rpc_queued(r->rpc));
		metric_add(METRIC_events_lost_total, NULL, 1);
		return;
	}
	if (r->lost)
		log_warn("events_again lost=%llu", (unsigned long long)r->lost);
	r->lost = 0;
	rpc_send_packed(r->rpc, bytes, n);
}

static void put_statuses(Runtime__V1__ContainerEventResponse *out, const struct event *e, struct arena *a)
{
	size_t n = 0;

	list_each(l, &e->sandbox->containers)
		n++;
	out->containers_statuses = arena_zalloc(a, n * sizeof(*out->containers_statuses));
	list_each(l, &e->sandbox->containers) {
		struct container *c = container_of(l, struct container, of_sandbox);

		if (c->listed)
			out->containers_statuses[out->n_containers_statuses++] = status_container(c, a);
	}
}

static void on_event(struct event_listener *l, const struct event *e)
{
	Runtime__V1__ContainerEventResponse out = RUNTIME__V1__CONTAINER_EVENT_RESPONSE__INIT;
	struct arena *a = arena_new();
	uint8_t *bytes;
	size_t n;

	(void)l;
	out.container_id = e->container ? e->container->id : e->sandbox->id;
	out.container_event_type = (Runtime__V1__ContainerEventType)e->kind;
	out.created_at = e->at_ns;
	out.pod_sandbox_status = status_sandbox(e->sandbox, a);
	put_statuses(&out, e, a);
	n = runtime__v1__container_event_response__get_packed_size(&out);
	bytes = arena_zalloc(a, n);
	runtime__v1__container_event_response__pack(&out, bytes);
	list_each(it, &readers)
		reader_send(container_of(it, struct reader, link), bytes, n);
	arena_free(a);
}

void rpc_get_container_events(struct rpc *r, const void *request)
{
	struct reader *reader;
	size_t n = 0;
	struct err e;

	(void)request;
	list_each(it, &readers)
		n++;
	if (n >= READERS_MAX) {
		err_set(&e, ERR_RESOURCE_EXHAUSTED, "%d clients read events already", READERS_MAX);
		return rpc_fail(r, &e);
	}
	reader = new_zero(struct reader);
	reader->rpc = r;
	if (list_empty(&readers))
		events_listen(&listener, on_event);
	list_append(&readers, &reader->link);
	rpc_endless(r);
	rpc_on_gone(r, reader_end, reader);
}
