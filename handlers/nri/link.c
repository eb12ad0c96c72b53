/* link.c - see link.h. */
#include "handlers/nri/link.h"

#include <stdbool.h>
#include <stdlib.h>

#include "reactor/mux.h"
#include "reactor/own.h"

enum { OF_PLUGIN = 1, OF_RUNTIME = 2 };

struct nri_link {
	struct mux *mux; /* NULL: it has gone */
	struct ttrpc *asks, *serves;
	bool gone;
	const struct nri_link_events *events;
	void *arg;
};

static void link_gone(struct nri_link *l, const struct err *e)
{
	if (l->gone)
		return;
	l->gone = true;
	l->events->gone(l->arg, e);
}

static void on_data(void *arg, uint32_t channel, const uint8_t *bytes, size_t len)
{
	struct nri_link *l = arg;

	if (l->gone)
		return;
	if (channel == OF_PLUGIN)
		ttrpc_feed(l->asks, bytes, len);
	else if (channel == OF_RUNTIME)
		ttrpc_feed(l->serves, bytes, len);
}

static void on_mux_gone(void *arg, const char *why)
{
	struct nri_link *l = arg;
	struct err e;

	l->mux = NULL;
	err_set(&e, ERR_UNAVAILABLE, "%s", why);
	link_gone(l, &e);
}

static void on_protocol_broken(void *arg, const struct err *e)
{
	link_gone(arg, e);
}

static void on_request(void *arg, struct ttrpc_request *r, const char *service, const char *method,
		       const uint8_t *body, size_t len)
{
	struct nri_link *l = arg;

	l->events->serve(l->arg, r, service, method, body, len);
}

static void send_asks(void *arg, const void *bytes, size_t len)
{
	struct nri_link *l = arg;

	if (l->mux)
		mux_send(l->mux, OF_PLUGIN, bytes, len);
}

static void send_serves(void *arg, const void *bytes, size_t len)
{
	struct nri_link *l = arg;

	if (l->mux)
		mux_send(l->mux, OF_RUNTIME, bytes, len);
}

struct nri_link *nri_link_open(int fd, const struct nri_link_events *events, void *arg)
{
	static const struct mux_events of_mux = { on_data, on_mux_gone };
	static const struct ttrpc_events of_asks = { NULL, on_protocol_broken },
					 of_serves = { on_request, on_protocol_broken };
	struct nri_link *l = new_zero(struct nri_link);

	l->events = events;
	l->arg = arg;
	l->mux = mux_open(fd, &of_mux, l);
	l->asks = ttrpc_open(&(struct ttrpc_channel){ send_asks, l }, &of_asks, l);
	l->serves = ttrpc_open(&(struct ttrpc_channel){ send_serves, l }, &of_serves, l);
	return l;
}

struct ttrpc *nri_link_asks(struct nri_link *l)
{
	return l->asks;
}

void nri_link_close(struct nri_link *l)
{
	ttrpc_close(l->asks);
	ttrpc_close(l->serves);
	if (l->mux)
		mux_close(l->mux);
	free(l);
}
