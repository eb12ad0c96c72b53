/* test_ttrpc.c - two ends of one connection, over a socket and over a channel of bytes, and a peer that breaks the
 * protocol. */
#include "reactor/ttrpc.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "reactor/be32.h"
#include "reactor/buf.h"
#include "reactor/own.h"
#include "reactor/protobuf.h"
#include "tests/tap.h"
#include "tests/unit/reactor/loop_run.h"

static struct end {
	struct ttrpc *ttrpc;
	int served, gone;
	char service[64], method[64], body[64];
	struct ttrpc_request *held[TTRPC_REQUESTS_MAX];
	size_t n_held;
	bool hold, fail, close_in_serve;
} client, server;

static struct outcome {
	int done;
	enum err_code code;
	char text[TTRPC_ERROR_MAX + 100];
	size_t len;
} got;

static int raw = -1; /* the peer of `client`, or of `server`, as a plain socket */

static void on_serve(void *arg, struct ttrpc_request *r, const char *service, const char *method, const uint8_t *body,
		     size_t len)
{
	struct end *end = arg;
	struct err e;

	end->served++;
	snprintf(end->service, sizeof(end->service), "%s", service);
	snprintf(end->method, sizeof(end->method), "%s", method);
	snprintf(end->body, sizeof(end->body), "%.*s", (int)len, len ? (const char *)body : "");
	if (end->close_in_serve) {
		ttrpc_close(end->ttrpc);
		end->ttrpc = NULL;
	}
	if (end->hold) {
		end->held[end->n_held++] = r;
	} else if (end->fail) {
		err_set(&e, ERR_NOT_FOUND, "no such\nthing");
		ttrpc_fail(r, &e);
	} else {
		ttrpc_reply(r, body, len);
	}
}

static void on_gone(void *arg, const struct err *e)
{
	((struct end *)arg)->gone++;
	ok(e->code == ERR_UNAVAILABLE);
}

static const struct ttrpc_events serves = { on_serve, on_gone };
static const struct ttrpc_events calls = { NULL, on_gone };

static void on_done(void *arg, const struct err *e, const uint8_t *body, size_t len)
{
	struct outcome *o = arg;

	o->done++;
	o->code = e ? e->code : ERR_OK;
	o->len = len;
	snprintf(o->text, sizeof(o->text), "%.*s", e ? (int)strlen(e->msg) : (int)len,
		 e ? e->msg : len ? (const char *)body : "");
}

static void socket_pair(int fds[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		abort();
}

static void open_both(void)
{
	int fds[2];

	client = server = (struct end){ 0 };
	got = (struct outcome){ 0 };
	socket_pair(fds);
	client.ttrpc = ttrpc_open_fd(fds[0], &calls, &client);
	server.ttrpc = ttrpc_open_fd(fds[1], &serves, &server);
}

static void open_one(struct end *end, const struct ttrpc_events *events)
{
	int fds[2];

	client = server = (struct end){ 0 };
	got = (struct outcome){ 0 };
	socket_pair(fds);
	end->ttrpc = ttrpc_open_fd(fds[0], events, end);
	raw = fds[1];
}

static void close_all(void)
{
	if (client.ttrpc)
		ttrpc_close(client.ttrpc);
	if (server.ttrpc)
		ttrpc_close(server.ttrpc);
	while (server.n_held)
		ttrpc_reply(server.held[--server.n_held], "x", 1); /* nobody is there */
	if (raw >= 0)
		close(raw);
	raw = -1;
	loop_turn();
	loop_turn();
}

static struct ttrpc_call *ask(const void *body, size_t len, int64_t timeout_ms)
{
	static const struct pair metadata = { "key", "value" };
	struct ttrpc_ask a = { "a.Service", "Do", body, len, &metadata, 1, timeout_ms };

	return ttrpc_call(client.ttrpc, &a, on_done, &got);
}

static void raw_frame(uint32_t stream, uint8_t type, uint8_t flags, const void *body, uint32_t len)
{
	uint8_t head[TTRPC_HEAD];

	be32_put(head, len);
	be32_put(head + 4, stream);
	head[8] = type;
	head[9] = flags;
	ok(write(raw, head, sizeof(head)) == sizeof(head));
	if (body)
		ok(write(raw, body, len) == (ssize_t)len);
}

/* The code in the status of the next answer; -1: none. */
static int raw_status(uint32_t stream)
{
	uint8_t bytes[600];
	ssize_t n = read(raw, bytes, TTRPC_HEAD);
	struct pb r;
	struct pb_field f;

	if (n != TTRPC_HEAD || be32_get(bytes + 4) != stream || bytes[8] != 2)
		return -1;
	n = read(raw, bytes, be32_get(bytes));
	r = pb_from(bytes, n > 0 ? (size_t)n : 0);
	while (pb_next(&r, &f))
		if (f.number == 1) {
			struct pb status = pb_inside(&f);

			return pb_next(&status, &f) && f.number == 1 ? (int)f.value : -1;
		}
	return 0;
}

static void a_call_is_answered(void)
{
	open_both();
	ask("ping", 4, 0);
	ok(got.done == 0);
	turn_until(&got.done, 1);
	ok(got.code == ERR_OK && got.len == 4);
	is_str(got.text, "ping");
	is_str(server.service, "a.Service");
	is_str(server.method, "Do");
	ask(NULL, 0, 0);
	turn_until(&got.done, 2);
	ok(got.code == ERR_OK && got.len == 0);
	server.fail = true;
	ask("x", 1, 0);
	turn_until(&got.done, 3);
	ok(got.code == ERR_NOT_FOUND);
	is_str(got.text, "no such thing"); /* one line */
	close_all();
}

static void answers_in_another_order(void)
{
	struct ttrpc_request *first;
	struct outcome second = { 0 };
	struct ttrpc_ask a = { "s", "m", "two", 3, NULL, 0, 0 };

	open_both();
	server.hold = true;
	ask("one", 3, 0);
	turn_until(&server.served, 1);
	first = server.held[0];
	ttrpc_call(client.ttrpc, &a, on_done, &second);
	turn_until(&server.served, 2);
	ttrpc_reply(server.held[1], "2", 1);
	server.n_held = 0;
	turn_until(&second.done, 1);
	is_str(second.text, "2");
	ok(got.done == 0);
	ttrpc_reply(first, "1", 1);
	turn_until(&got.done, 1);
	is_str(got.text, "1");
	close_all();
}

static void a_deadline_ends_a_call(void)
{
	open_both();
	server.hold = true;
	ask("x", 1, 20);
	turn_until(&got.done, 1);
	ok(got.code == ERR_DEADLINE_EXCEEDED);
	turn_until(&server.served, 1);
	ttrpc_reply(server.held[--server.n_held], "late", 4); /* dropped */
	server.hold = false;
	ask("y", 1, 0);
	turn_until(&got.done, 2);
	is_str(got.text, "y");
	close_all();
}

static void a_cancelled_call_never_ends(void)
{
	open_both();
	ttrpc_call_cancel(ask("x", 1, 1000));
	turn_until(&server.served, 1);
	loop_turn();
	ok(got.done == 0);
	close_all();
}

static void a_lost_connection_ends_all_calls(void)
{
	open_both();
	server.hold = true;
	ask("x", 1, 0);
	ask("y", 1, 0);
	turn_until(&server.served, 2);
	ttrpc_close(server.ttrpc);
	server.ttrpc = NULL;
	turn_until(&client.gone, 1);
	ok(got.done == 2 && got.code == ERR_UNAVAILABLE);
	while (server.n_held)
		ttrpc_reply(server.held[--server.n_held], "x", 1); /* nobody is there */
	ask("z", 1, 0);
	ok(got.done == 2);
	turn_until(&got.done, 3);
	ok(got.code == ERR_UNAVAILABLE);
	close_all();
}

static void closing_ends_calls_in_the_next_turn(void)
{
	open_both();
	ask("x", 1, 0);
	ttrpc_close(client.ttrpc);
	client.ttrpc = NULL;
	ok(got.done == 0);
	turn_until(&got.done, 1);
	ok(got.code == ERR_CANCELLED && client.gone == 0);
	close_all();
}

static void closed_by_the_one_who_serves(void)
{
	open_both();
	server.close_in_serve = true;
	ask("x", 1, 0);
	turn_until(&got.done, 1);
	ok(got.code == ERR_UNAVAILABLE && server.served == 1);
	is_str(server.body, "x");
	close_all();
}

static void too_large_both_ways(void)
{
	auto_free char *big = own_must(calloc(1, TTRPC_BODY_MAX + 1));

	open_both();
	ask(big, TTRPC_BODY_MAX, 0); /* with its head it is over the limit */
	turn_until(&got.done, 1);
	ok(got.code == ERR_RESOURCE_EXHAUSTED && server.served == 0);
	ask(big, TTRPC_BODY_MAX - 100, 0);
	turn_until(&got.done, 2);
	ok(got.code == ERR_OK && got.len == TTRPC_BODY_MAX - 100);
	server.hold = true;
	ask("x", 1, 0);
	turn_until(&server.served, 2);
	ttrpc_reply(server.held[--server.n_held], big, TTRPC_BODY_MAX);
	turn_until(&got.done, 3);
	ok(got.code == ERR_RESOURCE_EXHAUSTED);
	close_all();
}

static void requests_that_are_refused(void)
{
	open_one(&server, &serves);
	server.hold = true;
	raw_frame(1, 1, 2, "", 0); /* a stream begins */
	loop_turn();
	ok(raw_status(1) == ERR_UNIMPLEMENTED);
	raw_frame(1, 3, 1, "data", 4); /* of that stream: dropped */
	raw_frame(2, 1, 0, "", 0);
	loop_turn();
	ok(raw_status(2) == ERR_INVALID_ARGUMENT);
	raw_frame(1, 1, 0, "", 0); /* used before */
	loop_turn();
	ok(raw_status(1) == ERR_INVALID_ARGUMENT);
	raw_frame(3, 1, 0, "\x0a\x7f", 2); /* a text that is longer than the rest */
	loop_turn();
	ok(raw_status(3) == ERR_INVALID_ARGUMENT);
	for (uint32_t i = 0; i < TTRPC_REQUESTS_MAX; i++)
		raw_frame(5 + 2 * i, 1, 0, "", 0);
	raw_frame(1001, 1, 0, "", 0);
	loop_turn();
	ok(server.served == TTRPC_REQUESTS_MAX);
	ok(raw_status(1001) == ERR_RESOURCE_EXHAUSTED && server.gone == 0);
	close_all();
}

static void a_frame_over_the_limit_is_passed_over(void)
{
	auto_free char *big = own_must(calloc(1, TTRPC_BODY_MAX + 1));
	size_t rest = TTRPC_BODY_MAX + 1;

	open_one(&server, &serves);
	raw_frame(1, 1, 0, NULL, TTRPC_BODY_MAX + 1);
	loop_turn();
	ok(raw_status(1) == ERR_RESOURCE_EXHAUSTED);
	while (rest) {
		ssize_t n = write(raw, big, rest);

		rest -= n > 0 ? (size_t)n : 0;
		loop_turn();
	}
	raw_frame(3, 1, 0, "\x0a\x01s", 3);
	turn_until(&server.served, 1);
	is_str(server.service, "s");
	close_all();
}

static void answers_that_break_the_protocol(void)
{
	open_one(&client, &calls);
	ask("x", 1, 0);
	ask("y", 1, 0);
	ask("z", 1, 0);
	raw_frame(9, 2, 0, "nobody asked", 12);
	raw_frame(1, 3, 0, "data", 4);
	turn_until(&got.done, 1);
	ok(got.code == ERR_INTERNAL);
	raw_frame(3, 2, 0, "\xff\xff", 2);
	turn_until(&got.done, 2);
	ok(got.code == ERR_INTERNAL);
	is_str(got.text, "the answer is malformed");
	raw_frame(11, 1, 0, "", 0); /* it is a client */
	loop_turn();
	raw_frame(5, 77, 0, "", 0);
	turn_until(&client.gone, 1);
	ok(got.done == 3 && got.code == ERR_UNAVAILABLE);
	close_all();
}

/* Behind it the answers of all other calls would be taken for its bytes. */
static void a_frame_of_an_absurd_length(void)
{
	open_one(&client, &calls);
	ask("x", 1, 0);
	raw_frame(1, 2, 0, NULL, UINT32_MAX);
	turn_until(&client.gone, 1);
	ok(got.done == 1 && got.code == ERR_UNAVAILABLE);
	is_str(got.text, "the other end sent a frame of more than 64 MiB");
	close_all();
}

/* A code that is none, and a status that says success. */
static void statuses(void)
{
	open_one(&client, &calls);
	ask("x", 1, 0);
	ask("y", 1, 0);
	raw_frame(1, 2, 0, "\x0a\x02\x08\x63", 4);
	turn_until(&got.done, 1);
	ok(got.code == ERR_UNKNOWN);
	is_str(got.text, "an error without a text");
	raw_frame(3, 2, 0, "\x0a\x00\x12\x01v", 5);
	turn_until(&got.done, 2);
	ok(got.code == ERR_OK);
	is_str(got.text, "v");
	close_all();
}

/* ---- a channel of bytes instead of a socket ---- */

static struct buf wires[2]; /* what the client has sent, what the server has sent */

static void to_wire(void *arg, const void *bytes, size_t len)
{
	buf_append(arg, bytes, len);
}

/* Byte by byte. */
static void carry(struct buf *wire, struct ttrpc *to)
{
	while (wire->len) {
		uint8_t byte = wire->at[0];

		buf_consume(wire, 1);
		ttrpc_feed(to, &byte, 1);
	}
}

static void over_any_channel(void)
{
	client = server = (struct end){ 0 };
	got = (struct outcome){ 0 };
	client.ttrpc = ttrpc_open(&(struct ttrpc_channel){ to_wire, &wires[0] }, &calls, &client);
	server.ttrpc = ttrpc_open(&(struct ttrpc_channel){ to_wire, &wires[1] }, &serves, &server);
	ask("over", 4, 0);
	carry(&wires[0], server.ttrpc);
	carry(&wires[1], client.ttrpc);
	ok(got.done == 1);
	is_str(got.text, "over");
	ask("more", 4, 0);
	ttrpc_channel_gone(client.ttrpc);
	ok(got.done == 2 && got.code == ERR_UNAVAILABLE && client.gone == 1);
	close_all();
	buf_free(&wires[0]);
	buf_free(&wires[1]);
}

/* ---- the fields of messages ---- */

static void fields_there_and_back(void)
{
	static const uint8_t fixed[] = { 0x0d, 1, 2, 0, 0, 0x11, 1, 0, 0, 0, 0, 0, 0, 1 };
	struct buf b = { 0 };
	struct pb r;
	struct pb_field f;
	char text[4];

	pb_put_u64(&b, 1, 300);
	pb_put_u64(&b, 2, 0);
	pb_put_str(&b, 3, "");
	pb_put_str(&b, 4, "four");
	pb_put_u64(&b, 5, (uint64_t)-1);
	pb_put_bytes(&b, 100000, NULL, 0);
	r = pb_from(b.at, b.len);
	ok(pb_next(&r, &f) && f.number == 1 && f.value == 300 && !f.bytes);
	ok(pb_next(&r, &f) && f.number == 4 && f.len == 4 && !pb_copy(&f, text, sizeof(text)));
	is_str(text, "fou");
	ok(pb_next(&r, &f) && f.number == 5 && f.value == UINT64_MAX);
	ok(pb_next(&r, &f) && f.number == 100000 && f.len == 0);
	ok(!pb_next(&r, &f) && !r.bad);
	buf_free(&b);
	r = pb_from(fixed, sizeof(fixed));
	ok(pb_next(&r, &f) && f.number == 1 && f.value == 513);
	ok(pb_next(&r, &f) && f.number == 2 && f.value == (1ull << 56) + 1 && !pb_next(&r, &f) && !r.bad);
	r = pb_from(fixed, 3);
	ok(!pb_next(&r, &f) && r.bad);
	r = pb_from("\x0b", 1); /* a group */
	ok(!pb_next(&r, &f) && r.bad);
	r = pb_from("\x00\x01", 2); /* field 0 */
	ok(!pb_next(&r, &f) && r.bad);
	r = pb_from("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 12); /* eleven bytes of a number */
	ok(!pb_next(&r, &f) && r.bad);
	r = pb_from(NULL, 0);
	ok(!pb_next(&r, &f) && !r.bad);
}

int main(void)
{
	int before;

	signal(SIGPIPE, SIG_IGN);
	loop_turn();
	before = open_fds();

	a_call_is_answered();
	answers_in_another_order();
	a_deadline_ends_a_call();
	a_cancelled_call_never_ends();
	a_lost_connection_ends_all_calls();
	closing_ends_calls_in_the_next_turn();
	closed_by_the_one_who_serves();
	too_large_both_ways();
	requests_that_are_refused();
	a_frame_over_the_limit_is_passed_over();
	answers_that_break_the_protocol();
	a_frame_of_an_absurd_length();
	statuses();
	over_any_channel();
	fields_there_and_back();
	ok(open_fds() == before);
	return tap_end();
}
