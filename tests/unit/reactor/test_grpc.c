/* test_grpc.c - grpc_client.h against grpc.h in one process, over a unix socket in a directory of the test. */
#include "reactor/grpc.h"

#include <stdlib.h>
#include <unistd.h>

#include "reactor/buf.h"
#include "reactor/grpc_client.h"
#include "reactor/loop.h"
#include "tests/tap.h"

#define until(cond) for (int turns_ = 0; turns_ < 2000000 && !(cond); turns_++) loop_turn()

static char dir[] = "/tmp/crisp-grpc-XXXXXX";
static char address[128];

/* ---- the server: the path says what it does ---- */

static struct grpc_server *server;
static struct grpc_call *held[8]; /* calls that are not answered yet */
static int holds, gone;

static void on_gone(void *arg)
{
	gone++;
	*(struct grpc_call **)arg = NULL;
}

static void hold(struct grpc_call *c)
{
	held[holds] = c;
	grpc_on_gone(c, on_gone, &held[holds]);
	holds++;
}

static void on_call(void *arg, struct grpc_call *c, const char *path, const uint8_t *msg, size_t len)
{
	struct err e;

	(void)arg;
	if (strcmp(path, "/t/Echo") == 0) {
		grpc_reply(c, msg, len);
	} else if (strcmp(path, "/t/Hold") == 0) {
		hold(c);
	} else if (strcmp(path, "/t/Fail") == 0) {
		err_set(&e, ERR_NOT_FOUND, "no such thing: 100%% sure, caf\u00e9\nline two");
		e.reason = "RegistryUnavailable";
		grpc_fail(c, &e);
	} else if (strcmp(path, "/t/Count") == 0) { /* as many messages as the request has bytes */
		for (size_t i = 0; i < len; i++)
			grpc_send(c, (const uint8_t *)&i, sizeof(i));
		grpc_finish(c);
	} else {
		uint8_t *big = calloc(1, GRPC_MESSAGE_MAX + 1);

		grpc_reply(c, big, strcmp(path, "/t/Big") == 0 ? GRPC_MESSAGE_MAX : GRPC_MESSAGE_MAX + 1);
		free(big);
	}
}

/* ---- the client ---- */

struct result {
	int messages, done;
	size_t len;
	enum err_code code;
	char text[512];
	struct buf last;
};

static void on_message(void *arg, const uint8_t *msg, size_t len)
{
	struct result *r = arg;

	r->messages++;
	r->len = len;
	buf_free(&r->last);
	buf_append(&r->last, msg, len < 64 ? len : 64);
}

static void on_done(void *arg, const struct err *e)
{
	struct result *r = arg;

	r->done++;
	r->code = e ? e->code : ERR_OK;
	snprintf(r->text, sizeof(r->text), "%.500s", e ? e->msg : "");
	buf_free(&r->last);
}

static struct grpc_request *call(struct grpc_client *c, const char *path, const void *msg, size_t len, int64_t ms,
				 struct result *r)
{
	struct grpc_handlers h = { on_message, on_done, r };

	*r = (struct result){ 0 };
	return grpc_request(c, path, msg, len, ms, &h);
}

static struct grpc_client *begin(void)
{
	struct err e;
	struct grpc_client *c;

	holds = gone = 0;
	server = grpc_server_new(on_call, NULL);
	ok(grpc_server_listen(server, address, &e) == 0);
	c = grpc_client_new(address, &e);
	ok(c != NULL);
	return c;
}

static void end(struct grpc_client *c)
{
	grpc_client_free(c);
	grpc_server_free(server);
}

/* ---- stories ---- */

static void a_message_comes_back(void)
{
	struct grpc_client *c = begin();
	struct result r;

	call(c, "/t/Echo", "hello", 5, 0, &r);
	ok(r.done == 0); /* never inside the call */
	until(r.done);
	ok(r.code == ERR_OK && r.messages == 1 && r.len == 5);
	call(c, "/t/Echo", "", 0, 1000, &r);
	until(r.done);
	ok(r.code == ERR_OK && r.messages == 1 && r.len == 0);
	ok(grpc_server_stats(server).connections == 1 && grpc_server_stats(server).calls_open == 0);
	end(c);
}

static void an_error_keeps_its_text(void)
{
	struct grpc_client *c = begin();
	struct result r;

	call(c, "/t/Fail", "", 0, 0, &r);
	until(r.done);
	ok(r.code == ERR_NOT_FOUND && r.messages == 0);
	is_str(r.text, "RegistryUnavailable: no such thing: 100% sure, caf\u00e9?line two");
	end(c);
}

static void a_stream_comes_in_order(void)
{
	struct grpc_client *c = begin();
	uint8_t bytes[300] = { 0 };
	struct result r;

	call(c, "/t/Count", bytes, sizeof(bytes), 0, &r);
	until(r.done);
	ok(r.code == ERR_OK && r.messages == 300);
	call(c, "/t/Count", bytes, 0, 0, &r); /* no message at all */
	until(r.done);
	ok(r.code == ERR_OK && r.messages == 0);
	end(c);
}

static void sixteen_mebibytes_pass_and_one_more_does_not(void)
{
	struct grpc_client *c = begin();
	uint8_t *big = calloc(1, GRPC_MESSAGE_MAX + 1);
	struct result r;

	call(c, "/t/Echo", big, GRPC_MESSAGE_MAX, 0, &r);
	until(r.done);
	ok(r.code == ERR_OK && r.len == GRPC_MESSAGE_MAX);
	call(c, "/t/Echo", big, GRPC_MESSAGE_MAX + 1, 0, &r);
	until(r.done);
	ok(r.code == ERR_RESOURCE_EXHAUSTED && r.messages == 0);
	is_str(r.text, "the request message is larger than 16 MiB");
	call(c, "/t/Big", "", 0, 0, &r);
	until(r.done);
	ok(r.code == ERR_OK && r.len == GRPC_MESSAGE_MAX);
	call(c, "/t/TooBig", "", 0, 0, &r);
	until(r.done);
	ok(r.code == ERR_RESOURCE_EXHAUSTED && r.messages == 0);
	is_str(r.text, "the response message of 16777217 bytes is larger than 16 MiB");
	call(c, "/t/Echo", "x", 1, 0, &r);
	until(r.done);
	ok(r.code == ERR_OK && grpc_server_stats(server).connections == 1);
	free(big);
	end(c);
}

static void a_thousand_at_once(void)
{
	enum { N = 1000 };
	struct grpc_client *c = begin();
	struct result *r = calloc(N, sizeof(*r));
	int good = 0;

	for (int i = 0; i < N; i++)
		call(c, "/t/Echo", &i, sizeof(i), 10000, &r[i]);
	until(r[N - 1].done);
	for (int i = 0; i < N; i++)
		good += r[i].done == 1 && r[i].code == ERR_OK && r[i].len == sizeof(i);
	ok(good == N);
	ok(grpc_server_stats(server).connections == 1);
	free(r);
	end(c);
}

static void a_cancel_reaches_the_server(void)
{
	struct grpc_client *c = begin();
	struct result r;
	struct grpc_request *q = call(c, "/t/Hold", "", 0, 0, &r);

	until(holds == 1);
	grpc_request_cancel(q);
	until(gone == 1);
	ok(gone == 1 && r.done == 0);
	q = call(c, "/t/Hold", "", 0, 0, &r);
	grpc_request_cancel(q); /* before it was ever sent */
	for (int i = 0; i < 20; i++)
		loop_turn();
	ok(holds == 1 && r.done == 0);
	end(c);
}

static void a_disconnect_reaches_the_server(void)
{
	struct grpc_client *c = begin();
	struct result a, b;

	call(c, "/t/Hold", "", 0, 0, &a);
	call(c, "/t/Hold", "", 0, 0, &b);
	until(holds == 2);
	grpc_client_free(c);
	until(gone == 2);
	ok(gone == 2 && a.done == 0 && b.done == 0);
	ok(grpc_server_stats(server).connections == 0);
	grpc_server_free(server);
}

static void a_deadline_ends_both_sides(void)
{
	struct grpc_client *c = begin();
	struct result r;

	call(c, "/t/Hold", "", 0, 20, &r);
	until(holds == 1);

	until(r.done && gone);
	ok(r.code == ERR_DEADLINE_EXCEEDED && gone == 1);
	call(c, "/t/Hold", "", 0, 0, &r);
	until(holds == 2);

	grpc_reply(held[1], NULL, 0);
	until(r.done);
	ok(r.code == ERR_OK && gone == 1);
	end(c);
}

static struct grpc_call *late;

static void on_late_call(void *arg, struct grpc_call *c, const char *path, const uint8_t *msg, size_t len)
{
	(void)arg;
	(void)path;
	(void)msg;
	(void)len;
	late = c; /* without an on_gone */
}

/* Without an on_gone the user still has the call when its connection is gone: it may answer, or set on_gone then. */
static void a_call_outlives_its_connection(void)
{
	struct err e;
	struct result r;

	gone = 0;
	server = grpc_server_new(on_late_call, NULL);
	for (int round = 0; round < 2; round++) {
		struct grpc_client *c = grpc_client_new(address, &e);

		if (round == 0)
			ok(grpc_server_listen(server, address, &e) == 0);
		late = NULL;
		call(c, "/t/x", "", 0, 0, &r);
		until(late);
		grpc_client_free(c);
		until(grpc_server_stats(server).connections == 0);
		if (round == 0) {
			grpc_reply(late, (const uint8_t *)"x", 1);
		} else {
			grpc_on_gone(late, on_gone, &late);
			ok(gone == 0);
			until(gone);
			ok(gone == 1 && !late);
		}
	}
	grpc_server_free(server);
}

static struct grpc_client *victim;

static void on_done_free(void *arg, const struct err *e)
{
	on_done(arg, e);
	grpc_client_free(victim);
	victim = NULL;
}

static void a_handler_may_free_the_client(void)
{
	struct result r = { 0 }, other;
	struct grpc_handlers h = { on_message, on_done_free, &r };

	victim = begin();
	call(victim, "/t/Hold", "", 0, 0, &other);
	grpc_request(victim, "/t/Echo", NULL, 0, 0, &h);
	until(r.done);
	ok(r.code == ERR_OK && !victim && other.done == 0);
	until(gone);
	ok(gone == 1);
	grpc_server_free(server);
}

static void nobody_listens(void)
{
	struct err e;
	struct grpc_client *c = grpc_client_new(address, &e);
	char want[256];
	struct result r;

	call(c, "/t/Echo", "", 0, 0, &r);
	ok(r.done == 0);
	until(r.done);
	snprintf(want, sizeof(want), "%s: connect: No such file or directory", address);
	ok(r.code == ERR_UNAVAILABLE);
	is_str(r.text, want);
	call(c, "/t/Echo", "", 0, 0, &r);
	grpc_client_free(c);
	c = grpc_client_new("tcp://127.0.0.1:1", &e);
	call(c, "/t/Echo", "", 0, 0, &r);
	until(r.done);
	is_str(r.text, "tcp://127.0.0.1:1: connect: Connection refused");
	grpc_client_free(c);
	ok(!grpc_client_new("http://x", &e) && e.code == ERR_INVALID_ARGUMENT);
}

static void a_lost_server_is_found_again(void)
{
	struct grpc_client *c = begin();
	struct err e;
	struct result r;

	call(c, "/t/Hold", "", 0, 0, &r);
	until(holds == 1);
	grpc_server_free(server);
	ok(gone == 1);
	until(r.done);
	ok(r.code == ERR_UNAVAILABLE);
	server = grpc_server_new(on_call, NULL);
	ok(grpc_server_listen(server, address, &e) == 0);
	call(c, "/t/Echo", "again", 5, 0, &r);
	until(r.done);
	ok(r.code == ERR_OK && r.len == 5);
	end(c);
}

static void over_tcp(void)
{
	struct err e;
	struct grpc_client *c;
	struct result r;
	char to[64];

	server = grpc_server_new(on_call, NULL);
	ok(grpc_server_listen(server, "tcp://127.0.0.1:0", &e) == 0);
	ok(grpc_server_port(server) > 0);
	snprintf(to, sizeof(to), "tcp://127.0.0.1:%d", grpc_server_port(server));
	c = grpc_client_new(to, &e);
	call(c, "/t/Echo", "hello", 5, 1000, &r);
	until(r.done);
	ok(r.code == ERR_OK && r.len == 5);
	end(c);
}

static void on_drained(void *arg)
{
	(*(int *)arg)++;
}

static void draining_lets_calls_end(void)
{
	struct grpc_client *c = begin();
	struct result r, late_one;
	int drained = 0;

	call(c, "/t/Hold", "", 0, 0, &r);
	until(holds == 1);
	grpc_server_drain(server, on_drained, &drained);
	ok(access(address + 7, F_OK) != 0);
	for (int i = 0; i < 20; i++)
		loop_turn();
	ok(drained == 0 && gone == 0);
	call(c, "/t/Echo", "", 0, 0, &late_one); /* after GOAWAY the client connects again, and no server listens */
	until(late_one.done);
	ok(late_one.code == ERR_UNAVAILABLE && r.done == 0);
	grpc_reply(held[0], (const uint8_t *)"ok", 2);
	until(r.done);
	ok(r.code == ERR_OK && r.len == 2);
	until(drained);
	ok(drained == 1 && grpc_server_stats(server).connections == 0);
	end(c);
}

static void draining_an_idle_server(void)
{
	struct grpc_client *c = begin();
	struct result r;
	int drained = 0;

	call(c, "/t/Echo", "", 0, 0, &r);
	until(r.done);
	grpc_server_drain(server, on_drained, &drained);
	ok(drained == 0);
	until(drained);
	ok(drained == 1);
	end(c);
}

/* A producer that sends only when the queue is empty has at most one message in memory. */
enum { CHUNK = 1 << 20, CHUNKS = 64 };

static struct grpc_call *producer;
static int produced, early;
static size_t most_queued;

static void on_producer_gone(void *arg)
{
	(void)arg;
	producer = NULL;
}

static void produce(void *arg)
{
	static uint8_t chunk[CHUNK];

	if (produced == CHUNKS) {
		grpc_finish(producer);
		producer = NULL;
		return;
	}
	early += grpc_queued(producer) != 0;
	produced++;
	grpc_send(producer, chunk, sizeof(chunk));
	if (grpc_queued(producer) > most_queued)
		most_queued = grpc_queued(producer);
	grpc_on_space(producer, produce);
	(void)arg;
}

static void on_produce_call(void *arg, struct grpc_call *c, const char *path, const uint8_t *msg, size_t len)
{
	(void)path;
	(void)msg;
	(void)len;
	producer = c;
	grpc_on_gone(c, on_producer_gone, NULL);
	grpc_on_space(c, produce);
	(void)arg;
}

static void a_stream_waits_for_space(void)
{
	struct err e;
	struct grpc_client *c;
	struct result r;

	produced = 0;
	server = grpc_server_new(on_produce_call, NULL);
	ok(grpc_server_listen(server, address, &e) == 0);
	c = grpc_client_new(address, &e);
	call(c, "/t/Produce", "", 0, 0, &r);
	until(r.done);
	ok(r.code == ERR_OK && r.messages == CHUNKS && produced == CHUNKS);
	ok(most_queued == CHUNK + 5 && early == 0);
	end(c);
}

int main(void)
{
	ok(mkdtemp(dir) != NULL);
	snprintf(address, sizeof(address), "unix://%s/sub/s.sock", dir);
	a_message_comes_back();
	an_error_keeps_its_text();
	a_stream_comes_in_order();
	sixteen_mebibytes_pass_and_one_more_does_not();
	a_thousand_at_once();
	a_cancel_reaches_the_server();
	a_disconnect_reaches_the_server();
	a_deadline_ends_both_sides();
	a_call_outlives_its_connection();
	a_handler_may_free_the_client();
	nobody_listens();
	a_lost_server_is_found_again();
	over_tcp();
	draining_lets_calls_end();
	draining_an_idle_server();
	a_stream_waits_for_space();
	snprintf(address, sizeof(address), "%s/sub", dir);
	ok(rmdir(address) == 0 && rmdir(dir) == 0);
	return tap_end();
}
