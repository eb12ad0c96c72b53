/* test_endpoint.c - how a server is named, and when it is ready to be measured. */
#include "bench/endpoint.h"

#include "reactor/own.h"
#include "tests/tap.h"
#include "tests/unit/bench/cri_server.h"

static struct arena *arena;

static void names(void)
{
	struct endpoint ep = { 0 };
	struct err e;

	ok(endpoint_open(&ep, arena, "crisp-crun=crun@unix:///run/a=b@c.sock", &e) == 0);
	is_str(ep.name, "crisp-crun");
	is_str(ep.pods.runtime_handler, "crun");
	endpoint_close(&ep);
	ok(endpoint_open(&ep, arena, "x=@tcp://127.0.0.1:1", &e) == 0);
	is_str(ep.pods.runtime_handler, "");
	endpoint_close(&ep);
}

static void no_names(void)
{
	static const char *const texts[] = {
		"", "x", "x=runc", "=runc@unix:///x", "unix:///run/crisp.sock", "x=runc@/run/crisp.sock"
	};
	struct endpoint ep = { 0 };
	struct err e;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		e.code = ERR_OK;
		ok(endpoint_open(&ep, arena, texts[i], &e) == -1 && e.code == ERR_INVALID_ARGUMENT);
	}
}

static struct endpoint server_endpoint(void)
{
	struct endpoint ep = { .pods.image = "registry/busybox" };
	struct err e;

	server_forget();
	ok(endpoint_open(&ep, arena, arena_printf(arena, "one=@%s", address), &e) == 0);
	return ep;
}

static void ready_at_once(void)
{
	struct endpoint ep = server_endpoint();
	struct err e;

	ok(endpoint_prepare(&ep, 30000, &e) == 0);
	is_str(calls, "Status PullImage ");
	endpoint_close(&ep);
}

static void ready_when_the_network_came(void)
{
	struct endpoint ep = server_endpoint();
	struct err e;

	unready = 2;
	ok(endpoint_prepare(&ep, 30000, &e) == 0);
	is_str(calls, "Status Status Status PullImage ");
	endpoint_close(&ep);
}

static void no_image(void)
{
	struct endpoint ep = server_endpoint();
	struct err e;

	failing = "PullImage";
	ok(endpoint_prepare(&ep, 30000, &e) == -1 && e.code == ERR_INTERNAL);
	is_str(e.msg, "one: no PullImage today");
	endpoint_close(&ep);
}

int main(void)
{
	arena = arena_new();
	server_start();
	names();
	no_names();
	ready_at_once();
	ready_when_the_network_came();
	no_image();
	server_forget();
	grpc_server_free(server);
	arena_free(arena);
	return tap_end();
}
