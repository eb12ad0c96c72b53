/* test_grpc_wire.c - the server's answers on the wire, to correct and to broken requests. */
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/unit/reactor/grpc_run.h"

enum { WIDE = 64 << 20 };

#define FIELDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static struct grpc_call *held;
static int calls, gone;

static void on_gone(void *arg)
{
	gone++;
	held = NULL;
	(void)arg;
}

static void on_call(void *arg, struct grpc_call *c, const char *what, const uint8_t *msg, size_t len)
{
	struct err e;

	(void)arg;
	calls++;
	if (strcmp(what, "/t/Hold") == 0) {
		held = c;
		grpc_on_gone(c, on_gone, NULL);
	} else if (strcmp(what, "/t/Fail") == 0) {
		err_set(&e, ERR_ABORTED, " 50%% ");
		grpc_fail(c, &e);
	} else {
		grpc_reply(c, msg, len);
	}
}

static void begin(int32_t window)
{
	calls = gone = 0;
	serve(on_call, window);
}

/* Sends a request, waits for the end of the stream and returns the answer. */
static const struct h2_answer *ask(const char *what, const char *const *fields, const void *body, size_t len)
{
	h2_peer_ask(&peer, what, fields, body, len, true);
	until(peer.answer.ended || peer.answer.resets || peer.closed);
	return &peer.answer;
}

static void the_answer_leaves_in_one_piece(void)
{
	const struct h2_answer *a;

	begin(WIDE);
	a = ask("/t/Echo", NULL, HELLO, 10);
	a = ask("/t/Echo", NULL, HELLO, 10);
	ok(a->status == 200 && a->grpc_status == 0 && a->data == 10 && a->headers_frames == 2);
	/* Three frames in one read: HEADERS 9 + 2, DATA 9 + 10, HEADERS 9 + 1. */
	ok(a->last_read == 40);
	a = ask("/t/Fail", NULL, HELLO, 10);
	ok(a->status == 200 && a->grpc_status == ERR_ABORTED && a->headers_frames == 1 && a->data == 0);
	is_str(a->message, "%20" "50%25%20");
	end();
}

static void what_is_not_grpc(void)
{
	static char long_path[1200];
	const struct h2_answer *a;

	begin(WIDE);
	a = ask("/t/Echo", FIELDS("content-type: application/json"), HELLO, 10);
	ok(a->status == 415 && a->headers_frames == 1);
	a = ask("/t/Echo", FIELDS("content-type: application/grpc-web"), HELLO, 10);
	ok(a->status == 415);
	a = ask("/t/Echo", FIELDS("content-type: "), HELLO, 10);
	ok(a->status == 415);
	a = ask("/t/Echo", FIELDS("content-type: application/grpc+proto; charset=utf-8"), HELLO, 10);
	ok(a->status == 200 && a->grpc_status == 0);
	a = ask("/t/Echo", FIELDS(":method: GET"), NULL, 0);
	ok(a->status == 405);
	is_str(a->allow, "POST");
	ok(calls == 1);
	a = ask("/t/Echo", FIELDS(":path: "), HELLO, 10);
	ok(a->status == -1 && a->resets == 1 && a->reset_code == NGHTTP2_PROTOCOL_ERROR);
	memset(long_path, '/', sizeof(long_path) - 1);
	a = ask(long_path, NULL, HELLO, 10);
	ok(a->status == 200 && calls == 2);
	a = ask("/t/Echo", NULL, HELLO, 10); /* the connection still works */
	ok(a->grpc_status == 0);
	end();
}

static void what_is_compressed(void)
{
	const struct h2_answer *a;

	begin(WIDE);
	a = ask("/t/Echo", FIELDS("grpc-encoding: gzip"), "\1\0\0\0\1x", 6);
	ok(a->status == 200 && a->grpc_status == ERR_UNIMPLEMENTED);
	is_str(a->accept_encoding, "identity");
	a = ask("/t/Echo", FIELDS("grpc-encoding: identity"), HELLO, 10);
	ok(a->grpc_status == 0);
	a = ask("/t/Echo", NULL, "\1\0\0\0\1x", 6);
	ok(a->grpc_status == ERR_INTERNAL);
	is_str(a->message, "compressed flag set, but no grpc-encoding named");
	ok(calls == 1);
	end();
}

static void broken_messages(void)
{
	begin(WIDE);
	ok(ask("/t/Echo", NULL, NULL, 0)->grpc_status == ERR_INTERNAL);
	is_str(peer.answer.message, "no request message");
	ok(ask("/t/Echo", NULL, HELLO, 3)->grpc_status == ERR_INTERNAL);
	is_str(peer.answer.message, "the request message is cut short");
	ok(ask("/t/Echo", NULL, HELLO, 9)->grpc_status == ERR_INTERNAL);
	ok(ask("/t/Echo", NULL, HELLO "\0", 11)->grpc_status == ERR_INTERNAL);
	is_str(peer.answer.message, "more than one request message in a unary call");
	ok(ask("/t/Echo", NULL, "\2\0\0\0\0", 5)->grpc_status == ERR_INTERNAL);
	is_str(peer.answer.message, "malformed message prefix");
	ok(ask("/t/Echo", NULL, "\0\0\0\0\0", 5)->grpc_status == 0);
	ok(peer.answer.data == 5 && calls == 1);
	end();
}

/* The prefix of five bytes is enough to refuse: no byte of the message is read, and the stream is reset. */
static void too_big_is_refused_by_its_prefix(void)
{
	begin(WIDE);
	h2_peer_ask(&peer, "/t/Echo", NULL, "\0\1\0\0\1", 5, false);
	until(peer.answer.resets);
	ok(peer.answer.grpc_status == ERR_RESOURCE_EXHAUSTED && peer.answer.ended);
	ok(peer.answer.reset_code == NGHTTP2_NO_ERROR);
	ok(grpc_server_stats(server).calls_open == 0 && calls == 0);
	end();
}

static void many_big_requests_at_once(void)
{
	enum { PART = 15 << 20 };
	uint8_t *big = calloc(1, PART);
	int exhausted = 0;

	big[1] = 1; /* each announces 16 MiB and sends 15 */
	begin(WIDE);
	for (int i = 0; i < 5; i++) {
		h2_peer_ask(&peer, "/t/Echo", NULL, big, PART, false);
		/* One after the other: the fifth request exceeds 64 MiB. */
		for (int j = 0; j < 3000 && !peer.answer.ended; j++)
			h2_peer_turn(&peer);
		exhausted += peer.answer.grpc_status == ERR_RESOURCE_EXHAUSTED;
	}
	ok(exhausted == 1 && peer.answer.ended);
	ok(grpc_server_stats(server).calls_open == 4);
	end();
	free(big);
}

static void a_deadline_is_told_to_a_silent_client(void)
{
	const struct h2_answer *a;

	begin(WIDE);
	a = ask("/t/Hold", FIELDS("grpc-timeout: 5m"), HELLO, 10);
	ok(a->status == 200 && a->grpc_status == ERR_DEADLINE_EXCEEDED && a->headers_frames == 1);
	is_str(a->message, "the deadline of /t/Hold passed");
	ok(gone == 1 && calls == 1);
	/* A deadline also passes while the request is not complete. */
	h2_peer_ask(&peer, "/t/Echo", FIELDS("grpc-timeout: 5000u"), HELLO, 7, false);
	until(peer.answer.resets);
	ok(a->grpc_status == ERR_DEADLINE_EXCEEDED && calls == 1);
	a = ask("/t/Echo", FIELDS("grpc-timeout: soon"), HELLO, 10);
	ok(a->grpc_status == ERR_INTERNAL && calls == 1);
	a = ask("/t/Echo", FIELDS("grpc-timeout: 99999999H"), HELLO, 10);
	ok(a->grpc_status == 0 && calls == 2);
	end();
}

static void a_stream_s_deadline_is_in_its_trailers(void)
{
	begin(WIDE);
	h2_peer_ask(&peer, "/t/Hold", FIELDS("grpc-timeout: 20m"), HELLO, 10, true);
	until(held);
	grpc_send(held, (const uint8_t *)"part", 4);
	until(peer.answer.ended);
	ok(peer.answer.grpc_status == ERR_DEADLINE_EXCEEDED && peer.answer.data == 9 && gone == 1);
	end();
}

static void a_stream_cut_inside_a_message_is_reset(void)
{
	static uint8_t chunk[100000];

	begin(1000);
	h2_peer_ask(&peer, "/t/Hold", FIELDS("grpc-timeout: 20m"), HELLO, 10, true);
	until(held);
	grpc_send(held, chunk, sizeof(chunk));
	until(peer.answer.resets);
	ok(peer.answer.reset_code == NGHTTP2_CANCEL && gone == 1 && peer.answer.data == 1000);
	end();
}

static void a_reset_and_a_disconnect_end_the_call(void)
{
	begin(WIDE);
	h2_peer_ask(&peer, "/t/Hold", NULL, HELLO, 10, true);
	until(held);
	nghttp2_submit_rst_stream(peer.h2, NGHTTP2_FLAG_NONE, peer.stream, NGHTTP2_CANCEL);
	until(gone);
	ok(gone == 1 && grpc_server_stats(server).calls_open == 0);
	h2_peer_ask(&peer, "/t/Hold", NULL, HELLO, 10, true);
	until(held);
	end();
	ok(gone == 2);
}

static void draining_names_the_last_stream(void)
{
	int32_t last;

	begin(WIDE);
	last = h2_peer_ask(&peer, "/t/Hold", NULL, HELLO, 10, true);
	until(held);
	grpc_server_drain(server, NULL, NULL);
	until(peer.answer.goaways);
	ok(peer.answer.goaway_code == NGHTTP2_NO_ERROR && peer.answer.goaway_last == last);
	ok(!peer.closed);
	grpc_reply(held, NULL, 0);
	until(peer.closed);
	ok(peer.answer.ended && peer.answer.grpc_status == 0);
	end();
}

static void raw(const char *bytes, size_t len)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	char answer[512];
	ssize_t n = -1;

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	ok(connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0);
	ok(send(fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len);
	for (int i = 0; i < 1000 && n != 0; i++) {
		loop_turn();
		n = recv(fd, answer, sizeof(answer), 0);
	}
	ok(n == 0); /* closed, maybe after a GOAWAY */
	close(fd);
}

static void another_protocol_is_hung_up_on(void)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	char frame[64];

	begin(WIDE);
	raw("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", 35);
	raw("\0\0\0\0\0", 5);
	/* The first frame is not SETTINGS. */
	memcpy(frame, preface, 24);
	memcpy(frame + 24, "\0\0\4\0\0\0\0\0\0", 9);
	memset(frame + 33, 0xff, 20);
	raw(frame, 53);
	ok(ask("/t/Echo", NULL, HELLO, 10)->grpc_status == 0);
	end();
}

int main(void)
{
	place_open();
	the_answer_leaves_in_one_piece();
	what_is_not_grpc();
	what_is_compressed();
	broken_messages();
	too_big_is_refused_by_its_prefix();
	many_big_requests_at_once();
	a_deadline_is_told_to_a_silent_client();
	a_stream_s_deadline_is_in_its_trailers();
	a_stream_cut_inside_a_message_is_reset();
	a_reset_and_a_disconnect_end_the_call();
	draining_names_the_last_stream();
	another_protocol_is_hung_up_on();
	place_close();
	return tap_end();
}
