/* test_conduit.c - a connection and its ends: bounded, paused, finished without loss. */
#include "reactor/conduit.h"

#include <signal.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "reactor/loop.h"
#include "tests/tap.h"

static struct {
	struct conduit *conduit;
	int peer;
	char got[64];
	size_t bytes;
	int rooms, gones;
	bool close_in_data;
} w;

static void on_data(void *arg, uint8_t *p, size_t n)
{
	(void)arg;
	w.bytes += n;
	if (n < sizeof(w.got))
		snprintf(w.got, sizeof(w.got), "%.*s", (int)n, (char *)p);
	if (w.close_in_data)
		conduit_close(w.conduit);
}

static void on_room(void *arg)
{
	(void)arg;
	w.rooms++;
}

static void on_gone(void *arg)
{
	(void)arg;
	w.gones++;
}

static const struct conduit_events events = { on_data, on_room, on_gone };

static void turns(void)
{
	for (int i = 0; i < 50; i++)
		loop_turn();
}

static void begin(const char *early)
{
	int ends[2];

	memset(&w, 0, sizeof(w));
	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
	w.peer = ends[1];
	fcntl(w.peer, F_SETFL, O_NONBLOCK);
	w.conduit = conduit_new(ends[0], early, strlen(early));
	conduit_listen(w.conduit, &events, NULL);
}

static void end(void)
{
	close(w.peer);
	turns();
}

static size_t peer_reads(void)
{
	static char bytes[65536];
	size_t all = 0;
	ssize_t n;

	while ((n = read(w.peer, bytes, sizeof(bytes))) > 0)
		all += (size_t)n;
	return all;
}

static void both_ways(void)
{
	begin("early");
	turns();
	is_str(w.got, "early");
	ok(write(w.peer, "hello", 5) == 5);
	turns();
	is_str(w.got, "hello");
	conduit_send(w.conduit, "answer", 6);
	ok(peer_reads() == 6);
	conduit_close(w.conduit);
	end();
	ok(w.gones == 0);
}

static void the_queue_is_bounded_by_asking(void)
{
	static char piece[32768];
	size_t sent = 0, heard = 0;

	begin("");
	while (conduit_has_room(w.conduit)) {
		conduit_send(w.conduit, piece, sizeof(piece));
		sent += sizeof(piece);
	}
	ok(w.rooms == 0);
	while (!w.rooms) {
		heard += peer_reads();
		loop_turn();
	}
	ok(conduit_has_room(w.conduit) && w.rooms == 1);
	for (int i = 0; i < 50 && heard < sent; i++) {
		heard += peer_reads();
		loop_turn();
	}
	ok(heard == sent);
	conduit_close(w.conduit);
	end();
}

static void paused(void)
{
	begin("early");
	conduit_pause(w.conduit, true);
	ok(write(w.peer, "late", 4) == 4);
	turns();
	ok(w.bytes == 0);
	conduit_pause(w.conduit, false);
	turns();
	ok(w.bytes == 9);
	is_str(w.got, "late");
	conduit_close(w.conduit);
	end();
}

static void the_peer_leaves_while_paused(void)
{
	begin("");
	ok(write(w.peer, "unread", 6) == 6);
	conduit_pause(w.conduit, true);
	close(w.peer);
	w.peer = -1;
	for (int64_t until = loop_mono_ns() + 5000000000; !w.gones && loop_mono_ns() < until;)
		loop_turn();
	ok(w.gones == 1 && w.bytes == 0);
	conduit_close(w.conduit);
	turns();
}

static void the_peer_leaves(void)
{
	begin("");
	close(w.peer);
	w.peer = -1;
	turns();
	ok(w.gones == 1);
	conduit_send(w.conduit, "into the void", 13);
	turns();
	ok(w.gones == 1);
	conduit_close(w.conduit);
	turns();
}

static void a_write_finds_it_gone(void)
{
	begin("");
	conduit_pause(w.conduit, true);
	close(w.peer);
	w.peer = -1;
	conduit_send(w.conduit, "x", 1);
	ok(w.gones == 0); /* never inside the call */
	turns();
	ok(w.gones == 1);
	conduit_close(w.conduit);
	turns();
}

static void finished_without_loss(void)
{
	static char big[200000];
	size_t heard = 0;

	begin("");
	ok(write(w.peer, "unread", 6) == 6); /* close(2) at once would reset the connection */
	conduit_send(w.conduit, big, sizeof(big));
	conduit_finish(w.conduit);
	for (int i = 0; i < 50; i++) {
		heard += peer_reads();
		loop_turn();
	}
	ok(heard == sizeof(big) && w.bytes == 0);
	ok(read(w.peer, big, 1) == 0); /* the conduit's sending half is shut down */
	ok(write(w.peer, "x", 1) == 1);
	turns();
	end();
	ok(w.gones == 0);
}

static void closed_inside_an_event(void)
{
	begin("");
	w.close_in_data = true;
	ok(write(w.peer, "hello", 5) == 5);
	turns();
	ok(w.bytes == 5 && w.gones == 0);
	end();
}

static void idle(void)
{
	begin("");
	conduit_idle_after(w.conduit, 1);
	for (int i = 0; i < 1000000 && !w.gones; i++)
		loop_turn();
	ok(w.gones == 1);
	conduit_close(w.conduit);
	end();
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	both_ways();
	the_queue_is_bounded_by_asking();
	paused();
	the_peer_leaves();
	the_peer_leaves_while_paused();
	a_write_finds_it_gone();
	finished_without_loss();
	closed_inside_an_event();
	idle();
	return tap_end();
}
