/* test_mux.c - channels over one socket. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "reactor/be32.h"
#include "reactor/buf.h"
#include "reactor/loop.h"
#include "reactor/mux.h"
#include "tests/tap.h"

static struct mux *m;
static int peer;
static struct buf got[4];
static const char *gone;
static bool close_it;

static void on_data(void *arg, uint32_t channel, const uint8_t *bytes, size_t len)
{
	(void)arg;
	buf_append(&got[channel & 3], bytes, len);
	if (close_it)
		mux_close(m);
}

static void on_gone(void *arg, const char *why)
{
	(void)arg;
	gone = why;
}

static void open_mux(void)
{
	static const struct mux_events events = { on_data, on_gone };
	int pair[2];

	ok(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	gone = NULL;
	close_it = false;
	for (size_t i = 0; i < 4; i++)
		buf_free(&got[i]);
	m = mux_open(pair[0], &events, NULL);
	peer = pair[1];
}

static void put(const char *bytes, size_t len)
{
	ok(write(peer, bytes, len) == (ssize_t)len);
	loop_turn();
	loop_turn();
}

static void frames_in_any_pieces(void)
{
	static const char frames[] = "\0\0\0\1\0\0\0\3one\0\0\0\2\0\0\0\3two\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\1!";

	for (size_t piece = 1; piece < sizeof(frames); piece += 5) {
		open_mux();
		for (size_t at = 0; at < sizeof(frames) - 1; at += piece) {
			size_t left = sizeof(frames) - 1 - at;

			put(frames + at, left < piece ? left : piece);
		}
		is_str(buf_str(&got[1]), "one!");
		is_str(buf_str(&got[2]), "two");
		ok(!gone);
		mux_close(m);
		close(peer);
	}
}

/* Reads all that is there. */
static void drain(struct buf *in)
{
	for (int i = 0; i < 100; i++) {
		loop_turn();
		while (buf_read(in, peer, 1 << 20) > 0)
			;
	}
}

static void a_message_is_two_frames_at_most(void)
{
	static char text[100000];
	struct buf in = { 0 };

	memset(text, 'x', sizeof(text));
	open_mux();
	mux_send(m, 1, text, 10);
	mux_send(m, 2, text, sizeof(text));
	drain(&in);
	ok(in.len == 10 + sizeof(text) + 3 * MUX_HEAD);
	ok(be32_get(in.at) == 1 && be32_get(in.at + 4) == 10);
	ok(be32_get(in.at + 18) == 2 && be32_get(in.at + 22) == 4096);
	ok(be32_get(in.at + 26 + 4096) == 2 && be32_get(in.at + 30 + 4096) == sizeof(text) - 4096);
	buf_free(&in);
	mux_close(m);
	close(peer);
}

/* More than CONDUIT_HIGH waits for the peer, which then takes it. */
static void a_peer_that_reads_late(void)
{
	static char text[1000000];
	struct buf in = { 0 };

	open_mux();
	mux_send(m, 1, text, sizeof(text));
	drain(&in);
	ok(in.len == sizeof(text) + 2 * MUX_HEAD);
	put("\0\0\0\1\0\0\0\1a", 9);
	is_str(buf_str(&got[1]), "a");
	ok(!gone);
	buf_free(&in);
	mux_close(m);
	close(peer);
}

static void a_frame_that_is_too_long(void)
{
	open_mux();
	put("\0\0\0\1\1\0\0\0x", 9);
	ok(gone && strstr(gone, "longer") != NULL);
	ok(got[1].len == 0);
	close(peer);
}

static void the_peer_goes(void)
{
	open_mux();
	put("\0\0\0\1\0\0\0\5on", 10);
	close(peer);
	loop_turn();
	loop_turn();
	ok(gone && strstr(gone, "closed") != NULL);
}

static void it_is_closed_in_its_event(void)
{
	open_mux();
	close_it = true;
	put("\0\0\0\1\0\0\0\1a\0\0\0\1\0\0\0\1b", 18);
	is_str(buf_str(&got[1]), "a");
	ok(!gone);
	close(peer);
}

int main(void)
{
	frames_in_any_pieces();
	a_message_is_two_frames_at_most();
	a_peer_that_reads_late();
	a_frame_that_is_too_long();
	the_peer_goes();
	it_is_closed_in_its_event();
	return tap_end();
}
