/* forward.c - the command port-forward: ports of this machine that lead into a pod.
 *
 * One connection to the streaming URL carries all TCP connections: each has a stream of data and one for an error.
 * The server keeps to the window of each stream of data, so a local client that does not read stops its own stream
 * only. Waits on: the listening sockets, the connections of clients, the streams. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api.pb-c.h"
#include "handlers/cli/command.h"
#include "handlers/cli/find.h"
#include "handlers/cli/spdy_client.h"
#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { PORTS_MAX = 64, CLIENTS_MAX = 1000, READ_BYTES = 32 * 1024, WIDEN_BYTES = 16 * 1024 };

struct forward;

struct port {
	struct forward *forward;
	uint16_t local, remote; /* local 0: any that is free */
	int fd;
	struct fd_watch watch;
};

/* A TCP connection. It is over when both streams have ended and all bytes are written. */
struct client {
	struct link link;
	struct forward *forward;
	const struct port *port;
	int fd;
	struct fd_watch watch;
	uint32_t data, error;
	struct buf out, words; /* for the client; of the stream of errors */
	size_t taken;          /* bytes that the client has, not yet in a WINDOW_UPDATE */
	bool sent_all;         /* the client has ended its half */
	bool data_ended, error_ended, shut;
};

struct forward {
	struct cli *cli;
	const char *pod, *address;
	struct port ports[PORTS_MAX];
	size_t nports, nclients;
	struct cli_spdy *spdy;
	struct link clients; /* of struct client.link */
	unsigned requests;
	size_t taken; /* as in struct client, of the connection */
	struct err err;
};

/* ---- one client ---- */

static void on_client_ready(struct fd_watch *w, int events);

static void client_watch(struct client *k)
{
	bool reads = !k->sent_all && cli_spdy_has_room(k->forward->spdy);

	fd_watch_set(&k->watch, k->fd, (reads ? FD_READ : 0) | (k->out.len ? FD_WRITE : 0), on_client_ready);
}

static void client_free(struct client *k)
{
	if (k->words.len)
		cli_print_plainly(arena_printf(k->forward->cli->arena, "crisp: port-forward: %s\n",
					       buf_str(&k->words)), stderr);
	fd_watch_clear(&k->watch);
	close(k->fd);
	list_drop(&k->link);
	k->forward->nclients--;
	buf_free(&k->out);
	buf_free(&k->words);
	free(k);
}

/* true: it is over and freed. */
static bool client_check(struct client *k)
{
	if (k->data_ended && !k->out.len && !k->shut) {
		k->shut = true;
		shutdown(k->fd, SHUT_WR);
	}
	if (k->error_ended && k->shut) {
		client_free(k);
		return true;
	}
	client_watch(k);
	return false;
}

/* The client is gone: nothing more is wanted from the pod. */
static void client_drop(struct client *k)
{
	cli_spdy_reset(k->forward->spdy, k->data);
	client_free(k);
}

static void client_note_taken(struct client *k, size_t n)
{
	k->taken += n;
	if (k->taken < WIDEN_BYTES || k->data_ended)
		return;
	cli_spdy_widen(k->forward->spdy, k->data, k->taken);
	k->taken = 0;
}

/* false: it is gone. */
static bool client_write(struct client *k)
{
	ssize_t n = k->out.len ? buf_write(&k->out, k->fd) : 0;

	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return false;
	if (n > 0)
		client_note_taken(k, (size_t)n);
	return true;
}

static bool client_read(struct client *k)
{
	static uint8_t bytes[READ_BYTES];
	ssize_t n = read(k->fd, bytes, sizeof(bytes));

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n > 0) {
		cli_spdy_write(k->forward->spdy, k->data, bytes, (size_t)n);
	} else {
		k->sent_all = true;
		cli_spdy_end(k->forward->spdy, k->data);
	}
	return true;
}

static void on_client_ready(struct fd_watch *w, int events)
{
	struct client *k = container_of(w, struct client, watch);

	if ((events & FD_WRITE && !client_write(k)) ||
	    (events & FD_READ && !k->sent_all && cli_spdy_has_room(k->forward->spdy) && !client_read(k)))
		return client_drop(k);
	client_check(k);
}

static uint32_t client_open(struct client *k, const char *type)
{
	char port[8], request[16];
	struct pair all[] = { { "streamtype", type }, { "port", port }, { "requestid", request } };
	struct pairs headers = { all, 3 };

	snprintf(port, sizeof(port), "%u", k->port->remote);
	snprintf(request, sizeof(request), "%u", k->forward->requests);
	return cli_spdy_open(k->forward->spdy, &headers);
}

static void on_accept(struct fd_watch *w, int events)
{
	struct port *p = container_of(w, struct port, watch);
	struct forward *f = p->forward;
	int fd = accept4(p->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *k;

	(void)events;
	if (fd < 0)
		return;
	if (f->nclients >= CLIENTS_MAX) {
		fprintf(stderr, "crisp: port-forward: over %d connections\n", CLIENTS_MAX);
		close(fd);
		return;
	}
	k = new_zero(struct client);
	k->forward = f;
	k->port = p;
	k->fd = fd;
	list_append(&f->clients, &k->link);
	f->nclients++;
	f->requests++;
	k->error = client_open(k, "error");
	cli_spdy_end(f->spdy, k->error);
	k->data = client_open(k, "data");
	client_watch(k);
}

/* ---- the streams ---- */

static struct client *client_of(struct forward *f, uint32_t stream)
{
	list_each(l, &f->clients) {
		struct client *k = container_of(l, struct client, link);

		if (k->data == stream || k->error == stream)
			return k;
	}
	return NULL;
}

/* The window of the connection is widened at once: only the streams stop. */
static void on_forward_data(void *arg, uint32_t stream, const void *p, size_t n)
{
	struct forward *f = arg;
	struct client *k = client_of(f, stream);

	f->taken += n;
	if (f->taken >= WIDEN_BYTES) {
		cli_spdy_widen(f->spdy, 0, f->taken);
		f->taken = 0;
	}
	if (!k)
		return;
	if (stream == k->error)
		return buf_append(&k->words, p, n);
	buf_append(&k->out, p, n);
	if (client_write(k))
		client_check(k);
	else
		client_drop(k);
}

static void on_forward_end(void *arg, uint32_t stream)
{
	struct client *k = client_of(arg, stream);

	if (!k)
		return;
	*(stream == k->data ? &k->data_ended : &k->error_ended) = true;
	client_check(k);
}

static void on_forward_room(void *arg)
{
	struct forward *f = arg;

	list_each(l, &f->clients)
		client_watch(container_of(l, struct client, link));
}

static void on_forward_gone(void *arg, const struct err *e)
{
	struct forward *f = arg;

	f->err = *e;
	loop_stop();
}

/* ---- the ports ---- */

static int port_parse(const char *word, struct port *p)
{
	const char *colon = strchr(word, ':'), *remote = colon ? colon + 1 : word;
	char *end;
	unsigned long local = 0, inside = strtoul(remote, &end, 10);

	if (*remote < '0' || *remote > '9' || *end || inside < 1 || inside > 65535)
		return -1;
	if (colon && colon != word) {
		local = strtoul(word, &end, 10);
		if (*word < '0' || *word > '9' || end != colon || local < 1 || local > 65535)
			return -1;
	}
	p->local = (uint16_t)(colon ? local : inside);
	p->remote = (uint16_t)inside;
	return 0;
}

static int port_listen(struct port *p, const char *address, struct err *e)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(p->local) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(p->local) };
	bool is_v6 = inet_pton(AF_INET6, address, &v6.sin6_addr) == 1;
	struct sockaddr *sa = is_v6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
	socklen_t len = is_v6 ? sizeof(v6) : sizeof(v4);
	int on = 1;

	inet_pton(AF_INET, address, &v4.sin_addr);
	p->fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->fd >= 0)
		setsockopt(p->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (p->fd < 0 || bind(p->fd, sa, len) < 0 || listen(p->fd, SOMAXCONN) < 0 ||
	    getsockname(p->fd, sa, &len) < 0)
		return err_os(e, ERR_UNAVAILABLE, "%s port %u", address, p->local);
	p->local = ntohs(is_v6 ? v6.sin6_port : v4.sin_port);
	fd_watch_set(&p->watch, p->fd, FD_READ, on_accept);
	return 0;
}

static void on_forward_ready(void *arg)
{
	struct forward *f = arg;

	for (size_t i = 0; i < f->nports; i++) {
		struct port *p = &f->ports[i];

		if (port_listen(p, f->address, &f->err) < 0)
			return loop_stop();
		printf("%s:%u leads to port %u of %s\n", f->address, p->local, p->remote, f->pod);
	}
	fflush(stdout);
}

static void forward_free(struct forward *f)
{
	while (!list_empty(&f->clients))
		client_free(container_of(list_first(&f->clients), struct client, link));
	for (size_t i = 0; i < f->nports; i++) {
		fd_watch_clear(&f->ports[i].watch);
		if (f->ports[i].fd >= 0)
			close(f->ports[i].fd);
	}
	cli_spdy_free(f->spdy);
}

static int forward_run(struct forward *f, const char *pod_id, struct err *e)
{
	static const struct cli_spdy_events events = { on_forward_ready, on_forward_data, on_forward_end,
						       on_forward_room, on_forward_gone };
	Runtime__V1__PortForwardRequest request = RUNTIME__V1__PORT_FORWARD_REQUEST__INIT;
	Runtime__V1__PortForwardResponse *answer;
	int32_t numbers[PORTS_MAX];

	for (size_t i = 0; i < f->nports; i++)
		numbers[i] = f->ports[i].remote;
	request.pod_sandbox_id = (char *)pod_id;
	request.port = numbers;
	request.n_port = f->nports;
	answer = cli_call(f->cli, "PortForward", &request, e);
	f->spdy = answer ? cli_spdy_start(answer->url, f->cli->address, "portforward.k8s.io", &events, f, e) : NULL;
	if (!f->spdy)
		return -1;
	loop_run();
	forward_free(f);
	*e = f->err;
	return -1;
}

static int port_forward(struct cli *c, const struct cli_args *args)
{
	struct forward f = { .cli = c, .pod = args->operands.at[0] };
	const char *bind_to = cli_args_value(args, "bind");
	unsigned char parsed[sizeof(struct in6_addr)];
	Runtime__V1__PodSandbox *found;
	struct err e;

	list_init(&f.clients);
	f.address = bind_to ? bind_to : "127.0.0.1";
	f.nports = args->operands.n - 1;
	if (inet_pton(AF_INET, f.address, parsed) != 1 && inet_pton(AF_INET6, f.address, parsed) != 1)
		return cli_misuse("port-forward", "--bind: a literal address is expected");
	if (f.nports > PORTS_MAX)
		return cli_misuse("port-forward", "at most 64 ports");
	for (size_t i = 0; i < f.nports; i++) {
		f.ports[i] = (struct port){ .forward = &f, .fd = -1 };
		if (port_parse(args->operands.at[i + 1], &f.ports[i]) < 0)
			return cli_misuse("port-forward", "a port is PORT, LOCAL:PORT or :PORT");
	}
	found = cli_find_pod(c, f.pod, &e);
	if (found)
		forward_run(&f, found->id, &e);
	return cli_fail(c, &e, "port-forward %s", f.pod);
}

static const struct cli_option forward_options[] = {
	{ "bind", 0, "IP", "listen there; default: 127.0.0.1" },
	{ 0 },
};

const struct cli_command cli_port_forward = {
	.name = "port-forward",
	.operands = "POD [LOCAL:]PORT...",
	.summary = "make ports of a pod reachable at ports of this machine",
	.options = forward_options,
	.least = 2,
	.most = -1,
	.run = port_forward,
	.more = "LOCAL is the port of this machine, by default the same number; with `:PORT` any that is\n"
		"free. The ports are open until crisp is interrupted.\n\n"
		"Examples:\n"
		"  crisp port-forward default/web 8080:80\n"
		"  crisp port-forward web :5432 9090\n",
};
