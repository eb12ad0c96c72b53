/* events.c - see shim.h. Shims report starts, exits and OOM kills here and try again when nobody takes an event. crispd
 * learns of exits by Wait, which misses none, so an event is answered and shown in the log at level debug.
 *
 * Spec: containerd api/services/ttrpc/events/v1, events.proto: Forward(ForwardRequest{1 Envelope{3 topic}}). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "procs/shim/shim.h"
#include "reactor/acceptor.h"
#include "reactor/listen.h"
#include "reactor/log.h"
#include "reactor/own.h"
#include "reactor/protobuf.h"

enum { CLIENTS_MAX = 4096, TOPIC_MAX = 64 };

struct client {
	struct link link;
	struct ttrpc *ttrpc;
};

static struct link clients = { &clients, &clients }; /* of struct client.link */
static size_t nclients;
static char path[128], address[140];
static int listener = -1;
static struct acceptor acceptor;

const char *shim_events_path(void)
{
	return path;
}

static void client_free(struct client *c)
{
	ttrpc_close(c->ttrpc);
	list_drop(&c->link);
	nclients--;
	free(c);
}

static void on_client_gone(void *arg, const struct err *e)
{
	(void)e;
	client_free(arg);
}

static void show_event(const uint8_t *body, size_t len)
{
	struct pb request = pb_from(body, len), envelope;
	struct pb_field f, in;
	char topic[TOPIC_MAX] = "";

	while (pb_next(&request, &f)) {
		if (f.number != 1)
			continue;
		envelope = pb_inside(&f);
		while (pb_next(&envelope, &in))
			if (in.number == 3)
				pb_copy(&in, topic, sizeof(topic));
	}
	log_debug("shim_event topic=%s", log_quote(topic));
}

static void on_client_call(void *arg, struct ttrpc_request *r, const char *service, const char *method,
			   const uint8_t *body, size_t len)
{
	struct err e;

	(void)arg;
	if (strcmp(service, "containerd.services.events.ttrpc.v1.Events") == 0 && strcmp(method, "Forward") == 0) {
		show_event(body, len);
		return ttrpc_reply(r, NULL, 0);
	}
	err_set(&e, ERR_UNIMPLEMENTED, "only Forward of the service Events is served here");
	ttrpc_fail(r, &e);
}

static void on_client_connects(void *arg, int fd)
{
	static const struct ttrpc_events served = { on_client_call, on_client_gone };
	struct client *c;

	(void)arg;
	if (nclients == CLIENTS_MAX) {
		close(fd);
		return;
	}
	c = new_zero(struct client);
	c->ttrpc = ttrpc_open_fd(fd, &served, c);
	list_append(&clients, &c->link);
	nclients++;
}

int shim_events_open(const char *state, struct err *e)
{
	if (listener >= 0)
		return 0;
	snprintf(path, sizeof(path), "%s/shim.sock", state);
	snprintf(address, sizeof(address), "unix://%s", path);
	listener = listen_open(address, NULL, e);
	if (listener < 0)
		return err_wrap(e, "the socket for events of shims");
	acceptor_open(&acceptor, &(struct acceptor){ .fd = listener, .what = "shim_events", .address = address,
						     .take = on_client_connects });
	return 0;
}

void shim_events_close(void)
{
	if (listener < 0)
		return;
	list_each(it, &clients)
		client_free(container_of(it, struct client, link));
	acceptor_close(&acceptor);
	listen_close(take_fd(&listener), address);
}
