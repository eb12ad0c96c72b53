/* test_remote.c - clients of exec and attach over SPDY and WebSocket, on a pair of sockets: streams, channels, bounds,
 * clients that leave. */
#include "handlers/stream/remote.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "reactor/loop.h"
#include "reactor/spdy.h"
#include "reactor/ws.h"
#include "tests/tap.h"

static struct {
	struct remote *remote;
	int peer;
	struct spdy_writer *writer;
	char told[512], heard[2048];
	size_t input;
	bool finish_when_ready;
} w;

static const struct stdio_want all = { true, true, true, false }, tty = { true, true, false, true };

static void note(const char *what)
{
	strncat(w.told, what, sizeof(w.told) - strlen(w.told) - 1);
}

static void on_ready(void *arg)
{
	(void)arg;
	note("ready ");
	if (w.finish_when_ready)
		remote_finish(w.remote, NULL, 0);
}

static void on_input(void *arg, const void *p, size_t n)
{
	(void)arg;
	(void)p;
	if (n < 1000)
		note("input ");
	w.input += n;
}

static void on_input_end(void *arg)
{
	(void)arg;
	note("end ");
}

static void on_resize(void *arg, uint16_t width, uint16_t height)
{
	char text[32];

	(void)arg;
	snprintf(text, sizeof(text), "%ux%u ", width, height);
	note(text);
}

static void on_room(void *arg)
{
	(void)arg;
	note("room ");
}

static void on_gone(void *arg)
{
	(void)arg;
	note("gone ");
}

static const struct remote_events events = { on_ready, on_input, on_input_end, on_resize, on_room, on_gone };

static void turns(void)
{
	for (int i = 0; i < 50; i++)
		loop_turn();
}

static struct conduit *begin(void)
{
	int ends[2];

	memset(&w, 0, sizeof(w));
	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	w.peer = ends[1];
	w.writer = spdy_writer_new();
	return conduit_new(ends[0], "", 0);
}

static void end(void)
{
	if (w.peer >= 0)
		close(w.peer);
	spdy_writer_free(w.writer);
	turns();
}

static void is_told(const char *want)
{
	turns();
	is_str(w.told, want);
	w.told[0] = '\0';
}

/* ---- SPDY ---- */

static void on_frame(void *arg, const struct spdy_frame *f)
{
	static const char *const names[] = { "data", "syn",  "reply",  "reset",   "settings",
					     "",     "ping", "goaway", "headers", "window" };
	size_t n = strlen(w.heard);

	(void)arg;
	if (f->type == SPDY_DATA && f->len && f->len < 100)
		n += (size_t)snprintf(w.heard + n, sizeof(w.heard) - n, "%u:%.*s ", f->stream, (int)f->len,
				      (const char *)f->data);
	if (f->fin)
		snprintf(w.heard + n, sizeof(w.heard) - n, "fin%u ", f->stream);
	else if (f->type != SPDY_DATA)
		snprintf(w.heard + n, sizeof(w.heard) - n, "%s%u ", names[f->type], f->stream);
}

static void peer_reads_spdy(const char *want)
{
	static struct spdy_reader *reader;
	uint8_t bytes[65536];
	struct err e;
	ssize_t n;

	turns();
	reader = spdy_reader_new();
	w.heard[0] = '\0';
	while ((n = read(w.peer, bytes, sizeof(bytes))) > 0)
		ok(spdy_read(reader, bytes, (size_t)n, on_frame, NULL, &e) == 0);
	spdy_reader_free(reader);
	if (strcmp(w.heard, want) != 0)
		printf("# heard: %s\n", w.heard);
	is_str(w.heard, want);
}

static void peer_sends(struct buf *b)
{
	ok(write(w.peer, b->at, b->len) == (ssize_t)b->len);
	buf_free(b);
}

static void peer_opens(uint32_t stream, const char *type)
{
	struct pair one = { "streamtype", type };
	struct pairs headers = { &one, 1 };
	struct buf b = { 0 };

	spdy_put_headers(w.writer, &b, SPDY_SYN_STREAM, stream, false, &headers);
	peer_sends(&b);
}

static void peer_opens_all(void)
{
	static const char *const types[] = { "error", "stdin", "stdout", "stderr" };

	for (uint32_t i = 0; i < 4; i++)
		peer_opens(2 * i + 1, types[i]);
}

static void peer_writes(uint32_t stream, bool fin, const char *text)
{
	struct buf b = { 0 };

	spdy_put_data(&b, stream, fin, text, strlen(text));
	peer_sends(&b);
}

static void a_command_over_spdy(void)
{
	struct remote *r = remote_spdy(begin(), 4, &all, &events, NULL);

	peer_opens(1, "error");
	peer_opens(3, "stdin");
	peer_opens(5, "stdout");
	is_told("");
	peer_opens(7, "stderr");
	is_told("ready ");
	peer_reads_spdy("reply1 reply3 reply5 reply7 ");
	peer_writes(3, false, "in");
	peer_writes(3, true, "");
	is_told("input end ");
	remote_taken(r, 2);
	remote_output(r, false, "out", 3);
	remote_output(r, true, "err", 3);
	peer_reads_spdy("5:out 7:err ");
	remote_finish(r, NULL, 0);
	peer_reads_spdy("fin5 fin7 1:{\"metadata\":{},\"status\":\"Success\"} fin3 fin1 goaway7 ");
	ok(read(w.peer, w.heard, 1) == 0);
	is_told("");
	end();
}

static void sizes_over_spdy(void)
{
	remote_spdy(begin(), 4, &tty, &events, NULL);
	peer_opens(1, "error");
	peer_opens(3, "resize");
	peer_writes(3, false, "{\"Width\":80,");
	peer_writes(3, false, "\"Height\":24}");
	is_told("80x24 ");
	peer_opens(5, "stdin");
	peer_opens(7, "stdout");
	is_told("ready ");
	close(w.peer);
	w.peer = -1;
	is_told("gone ");
	end();
}

static void version_2_has_no_sizes(void)
{
	remote_spdy(begin(), 2, &tty, &events, NULL);
	peer_opens(1, "error");
	peer_opens(3, "stdin");
	peer_opens(5, "stdout");
	is_told("ready ");
	close(w.peer);
	w.peer = -1;
	is_told("gone ");
	end();
}

static void streams_that_were_not_asked_for(void)
{
	remote_spdy(begin(), 4, &all, &events, NULL);
	peer_opens(1, "gossip");
	peer_opens(3, "error");
	peer_opens(5, "error");
	peer_reads_spdy("reply1 reset1 reply3 reply5 reset5 ");
	is_told("");
	close(w.peer);
	w.peer = -1;
	is_told("gone ");
	end();
}

static void input_is_bounded(void)
{
	static char big[32768];
	struct remote *r = remote_spdy(begin(), 4, &all, &events, NULL);
	size_t sent = 0;
	struct buf b = { 0 };

	peer_opens_all();
	is_told("ready ");
	spdy_put_data(&b, 3, false, big, sizeof(big));
	for (int i = 0; i < 200; i++) {
		ssize_t n = write(w.peer, b.at, b.len);

		if (n < (ssize_t)b.len)
			break;
		sent += sizeof(big);
		loop_turn();
	}
	buf_free(&b);
	turns();
	ok(w.input >= REMOTE_INPUT_HIGH && w.input <= REMOTE_INPUT_HIGH + CONDUIT_READ);
	ok(sent > w.input); /* the rest is in the socket */
	remote_taken(r, w.input);
	turns();
	ok(w.input >= sent);
	remote_finish(r, NULL, 0);
	end();
}

static void output_has_room_again(void)
{
	static char big[32768];
	struct remote *r = remote_spdy(begin(), 4, &all, &events, NULL);
	ssize_t n;

	peer_opens_all();
	is_told("ready ");
	while (remote_has_room(r))
		remote_output(r, false, big, sizeof(big));
	for (int i = 0; i < 100 && !*w.told; i++) {
		while ((n = read(w.peer, big, sizeof(big))) > 0)
			;
		loop_turn();
	}
	is_told("room ");
	ok(remote_has_room(r));
	remote_finish(r, NULL, 0);
	end();
}

static void finished_inside_ready(void)
{
	struct conduit *c = begin();

	w.remote = remote_spdy(c, 4, &all, &events, NULL);
	w.finish_when_ready = true;
	peer_opens_all();
	is_told("ready ");
	ok(read(w.peer, w.heard, sizeof(w.heard)) > 0);
	end();
}

static void garbage_ends_the_connection(void)
{
	remote_spdy(begin(), 4, &all, &events, NULL);
	ok(write(w.peer, "GET / HTTP/1.1\r\n\r\n\x80\x02", 20) == 20);
	ok(write(w.peer, "\x80\2\0\1\0\0\0\1", 8) == 8);
	turns();
	close(w.peer);
	w.peer = -1;
	is_told("gone ");
	end();
}

/* ---- WebSocket ---- */

static void peer_sends_message(uint8_t opcode, const void *p, size_t n)
{
	uint8_t head[6] = { (uint8_t)(0x80 | opcode), (uint8_t)(0x80 | n) }; /* a mask of zeros */
	struct buf b = { 0 };

	buf_append(&b, head, sizeof(head));
	buf_append(&b, p, n);
	peer_sends(&b);
}

static void peer_hears(const void *want, size_t n)
{
	char bytes[4096];
	ssize_t got;

	turns();
	got = read(w.peer, bytes, sizeof(bytes));
	ok(got == (ssize_t)n && memcmp(bytes, want, n) == 0);
}

static void a_command_over_websocket(void)
{
	struct remote *r = remote_ws(begin(), 5, false, &all, &events, NULL);

	is_told("ready ");
	peer_hears("\x82\x01\x01", 3);
	peer_sends_message(WS_BINARY, "\0in", 3);
	peer_sends_message(WS_BINARY, "\7what", 5); /* no such channel */
	peer_sends_message(WS_BINARY, "", 0);
	peer_sends_message(WS_PING, "ping", 4);
	peer_sends_message(WS_BINARY, "\xff\0", 2);
	peer_sends_message(WS_BINARY, "\0late", 5);
	is_told("input end ");
	peer_hears("\x8a\x04ping", 6);
	remote_taken(r, 2);
	remote_output(r, true, "err", 3);
	peer_hears("\x82\x04\2err", 6);
	remote_finish(r, NULL, 0);
	peer_hears("\x82\x23\3{\"metadata\":{},\"status\":\"Success\"}\x88\x02\x03\xe8", 41);
	end();
}

static void the_same_in_base64(void)
{
	struct remote *r = remote_ws(begin(), 1, true, &all, &events, NULL);

	is_told("ready ");
	peer_hears("\x81\x01" "1", 3);
	peer_sends_message(WS_TEXT, "0aW5w", 5);
	is_told("input ");
	ok(w.input == 3);
	peer_sends_message(WS_TEXT, "0aQ==", 5);
	peer_sends_message(WS_TEXT, "0!!!!", 5); /* not base64 */
	peer_sends_message(WS_TEXT, "0", 1);
	is_told("input ");
	ok(w.input == 4);
	remote_output(r, false, "ab", 2);
	peer_hears("\x81\x05" "1YWI=", 7);
	remote_finish(r, NULL, 3);
	turns();
	end();
}

static void a_client_that_closes(void)
{
	remote_ws(begin(), 4, false, &tty, &events, NULL);
	is_told("ready ");
	peer_hears("\x82\x01\x01", 3);
	peer_sends_message(WS_BINARY, "\4{\"Width\":8,\"Height\":9}", 23);
	is_told("8x9 ");
	peer_sends_message(WS_CLOSE, "\x03\xe8", 2);
	is_told("gone ");
	peer_hears("\x88\x02\x03\xe8", 4);
	end();
}

static void a_client_that_breaks_the_rules(void)
{
	remote_ws(begin(), 4, false, &all, &events, NULL);
	is_told("ready ");
	ok(write(w.peer, "\x81\x01x", 3) == 3); /* no mask */
	is_told("gone ");
	end();
}

static void gone_before_ready(void)
{
	struct conduit *c = begin();

	close(w.peer);
	w.peer = -1;
	remote_ws(c, 4, false, &all, &events, NULL);
	turns();
	ok(strstr(w.told, "gone") != NULL);
	end();
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	a_command_over_spdy();
	sizes_over_spdy();
	version_2_has_no_sizes();
	streams_that_were_not_asked_for();
	input_is_bounded();
	output_has_room_again();
	finished_inside_ready();
	garbage_ends_the_connection();
	a_command_over_websocket();
	the_same_in_base64();
	a_client_that_closes();
	a_client_that_breaks_the_rules();
	gone_before_ready();
	return tap_end();
}
