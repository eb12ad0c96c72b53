/* test_grpc_flood.c - clients that send or reset without end are limited; what a correct client may do passes. */
#include <fcntl.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "reactor/log.h"
#include "tests/unit/reactor/grpc_run.h"

enum { WIDE = 1 << 30, HELD_MAX = 4200 };


static struct grpc_call *held[HELD_MAX];
static int holds, gone, echoes;

static void on_gone(void *arg)
{
	gone++;
	(void)arg;
}

static void on_call(void *arg, struct grpc_call *c, const char *what, const uint8_t *msg, size_t len)
{
	(void)arg;
	if (strcmp(what, "/t/Hold") == 0) {
		held[holds++ % HELD_MAX] = c;
		grpc_on_gone(c, on_gone, NULL);
	} else {
		echoes++;
		grpc_reply(c, msg, len);
	}
}

static void begin(int32_t window)
{
	holds = gone = echoes = 0;
	serve(on_call, window);
}

static void turns(int n)
{
	for (int i = 0; i < n; i++)
		loop_turn();
}

/* A client that measures the bandwidth-delay product sends a PING with every bit of data. */
static void many_pings_are_answered(void)
{
	begin(WIDE);
	until(grpc_server_stats(server).connections);
	h2_peer_turn(&peer);
	for (int i = 0; i < 5000; i++)
		nghttp2_submit_ping(peer.h2, NGHTTP2_FLAG_NONE, NULL);
	until(peer.answer.pings == 5000 || peer.closed);
	ok(peer.answer.pings == 5000 && !peer.closed);
	end();
}

static void who_pings_without_reading_is_not_read(void)
{
	size_t before;
	int sent = 0;

	begin(WIDE);
	h2_peer_turn(&peer);
	before = mallinfo2().uordblks;
	for (int i = 0; i < 1000; i++) {
		if (h2_peer_write(&peer)) { /* the last PINGs are all written */
			for (int j = 0; j < 1000; j++)
				nghttp2_submit_ping(peer.h2, NGHTTP2_FLAG_NONE, NULL);
			sent += 1000;
		}
		loop_turn();
	}
	ok(sent >= 10000 && sent <= 100000 && !peer.closed); /* of the million that the client would send */
	ok(mallinfo2().uordblks - before < 16 << 20);
	until(peer.answer.pings == sent);
	ok(peer.answer.pings == sent); /* when the client reads at last, every PING has its answer */
	end();
}

static void cancel_storm(int n)
{
	for (int i = 0; i < n && !peer.closed; i++) {
		h2_peer_ask(&peer, "/t/Hold", NULL, HELLO, 10, true);
		h2_peer_write(&peer);
		nghttp2_submit_rst_stream(peer.h2, NGHTTP2_FLAG_NONE, peer.stream, NGHTTP2_CANCEL);
		h2_peer_turn(&peer);
	}
}

static void resets_pass_until_they_are_a_flood(void)
{
	begin(WIDE);
	cancel_storm(5000);
	ok(!peer.closed && gone == holds);
	h2_peer_ask(&peer, "/t/Echo", NULL, HELLO, 10, true);
	until(peer.answer.ended);
	ok(peer.answer.grpc_status == 0);
	cancel_storm(100000);
	ok(peer.closed && gone == holds && grpc_server_stats(server).connections == 0);
	end();
}

static void streams_over_the_limit_are_refused(void)
{
	begin(WIDE);
	/* The client has not read the server's settings yet. */
	for (int i = 0; i < GRPC_STREAMS_MAX + 3; i++) {
		h2_peer_ask(&peer, "/t/Hold", NULL, HELLO, 10, true);
		h2_peer_write(&peer);
		loop_turn();
	}
	until(peer.answer.refused == 3);
	ok(holds == GRPC_STREAMS_MAX && peer.answer.refused == 3 && !peer.closed);
	ok(grpc_server_stats(server).calls_open == GRPC_STREAMS_MAX);
	grpc_reply(held[0], NULL, 0);
	turns(3);
	h2_peer_read(&peer);
	h2_peer_ask(&peer, "/t/Echo", NULL, HELLO, 10, true);
	until(peer.answer.ended);
	ok(peer.answer.grpc_status == 0);
	end();
	ok(gone == GRPC_STREAMS_MAX - 1);
}

static struct grpc_call *hold_one(void)
{
	int want = holds + 1;

	h2_peer_ask(&peer, "/t/Hold", NULL, HELLO, 10, true);
	until(holds == want);
	return held[want - 1];
}

/* The client's window is open and its socket is not read: waiting bytes stay in the stream, not in frames. */
static void a_reader_that_stops_costs_what_was_sent_to_it(void)
{
	enum { SENT = 8 << 20 };
	uint8_t *big = calloc(1, SENT);
	struct grpc_call *c;
	size_t before;

	begin(WIDE);
	c = hold_one();
	before = mallinfo2().uordblks + mallinfo2().hblkhd;
	grpc_send(c, big, SENT);
	turns(100);
	ok(grpc_queued(c) > SENT - (1 << 20));
	ok(mallinfo2().uordblks + mallinfo2().hblkhd - before < 2 * SENT + (1 << 20));
	grpc_finish(c);
	until(peer.answer.ended);
	ok(peer.answer.data == SENT + 5);
	end();
	free(big);
}

static void a_closed_window_holds_one_stream_only(void)
{
	static uint8_t chunk[200000];
	struct grpc_call *c;

	begin(1 << 16);
	c = hold_one();
	grpc_send(c, chunk, sizeof(chunk));
	grpc_finish(c);
	turns(10);
	h2_peer_read(&peer);
	ok(peer.answer.data == 1 << 16 && !peer.answer.ended);
	h2_peer_allow(&peer, 100000);
	until(peer.answer.data == (1 << 16) + 100000);
	ok(!peer.answer.ended);
	h2_peer_allow(&peer, 100000);
	until(peer.answer.ended);
	ok(peer.answer.data == sizeof(chunk) + 5 && gone == 0);
	end();
}

/* 32 MiB of answers wait for this client: its next request is dispatched only when it has read. */
static void requests_wait_behind_unread_answers(void)
{
	uint8_t *big = calloc(1, GRPC_MESSAGE_MAX);

	begin(WIDE);
	for (int i = 0; i < 3; i++)
		hold_one();
	for (int i = 0; i < 3; i++)
		grpc_reply(held[i], big, GRPC_MESSAGE_MAX);
	h2_peer_ask(&peer, "/t/Echo", NULL, HELLO, 10, true);
	for (int i = 0; i < 100; i++) {
		h2_peer_write(&peer);
		loop_turn();
	}
	ok(echoes == 0);
	until(peer.answer.ended);
	ok(echoes == 1 && peer.answer.grpc_status == 0);
	end();
	free(big);
}

/* A stream whose reader does not read does not hold up other calls. */
static void a_stuck_stream_holds_up_nobody(void)
{
	uint8_t *big = calloc(1, GRPC_MESSAGE_MAX);
	struct grpc_call *c;

	begin(1 << 16);
	c = hold_one();
	for (int i = 0; i < 3; i++)
		grpc_send(c, big, GRPC_MESSAGE_MAX);
	turns(10);
	nghttp2_submit_window_update(peer.h2, NGHTTP2_FLAG_NONE, 0, 1000);
	h2_peer_ask(&peer, "/t/Echo", NULL, HELLO, 10, true);
	until(peer.answer.ended);
	ok(peer.answer.grpc_status == 0 && grpc_queued(c) > 2 * GRPC_MESSAGE_MAX);
	end();
	free(big);
}

static int lines_in(int fd)
{
	char text[4096];
	ssize_t n = pread(fd, text, sizeof(text), 0);
	int lines = 0;

	for (ssize_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	return lines;
}

/* A connection that cannot be accepted keeps the listening fd readable: the loop must sleep all the same. */
static void out_of_fds_is_a_pause(void)
{
	struct rlimit was, low;
	int log = open(dir, O_TMPFILE | O_RDWR, 0600), err = dup(2);
	int64_t begun;
	int lines;

	begin(WIDE);
	dup2(log, 2);
	getrlimit(RLIMIT_NOFILE, &was);
	low = (struct rlimit){ 3, was.rlim_max };
	setrlimit(RLIMIT_NOFILE, &low);
	turns(1000);
	setrlimit(RLIMIT_NOFILE, &was);
	lines = lines_in(log);
	dup2(err, 2);
	ok(lines == 1 && grpc_server_stats(server).connections == 0);
	begun = loop_mono_ns();
	h2_peer_ask(&peer, "/t/Echo", NULL, HELLO, 10, true);
	while (!peer.answer.ended && loop_mono_ns() - begun < 2000000000)
		h2_peer_turn(&peer);
	ok(peer.answer.grpc_status == 0);
	end();
	close(log);
	close(err);
}

static void an_idle_connection_is_small(void)
{
	enum { N = 100 };
	struct h2_peer many[N];
	size_t before, each;

	begin(WIDE);
	for (int i = 0; i < N; i++)
		h2_peer_open(&many[i], path, WIDE);
	before = mallinfo2().uordblks;
	for (int i = 0; i < N; i++)
		h2_peer_turn(&many[i]);
	turns(10);
	ok(grpc_server_stats(server).connections == N + 1);
	each = (mallinfo2().uordblks - before) / N;
	printf("# bytes of heap a connection, its client's frames included: %zu\n", each);
	ok(each < 64 << 10);
	for (int i = 0; i < N; i++)
		h2_peer_close(&many[i]);
	end();
}

int main(void)
{
	log_open("test", LOG_LEVEL_WARN);
	place_open();
	many_pings_are_answered();
	who_pings_without_reading_is_not_read();
	resets_pass_until_they_are_a_flood();
	streams_over_the_limit_are_refused();
	a_reader_that_stops_costs_what_was_sent_to_it();
	a_closed_window_holds_one_stream_only();
	requests_wait_behind_unread_answers();
	a_stuck_stream_holds_up_nobody();
	out_of_fds_is_a_pause();
	an_idle_connection_is_small();
	place_close();
	return tap_end();
}
