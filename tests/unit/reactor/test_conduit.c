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
	size_t echo; /* bytes sent for each piece of input */
	struct conduit *conduit;
	int peer;
	char got[64];
	size_t bytes;
	int rooms, gones;
	bool close_in_data;
} w;

static char big[CONDUIT_MAX];

static void on_data(void *arg, uint8_t *p, size_t n)
{
	(void)arg;
	w.bytes += n;
	if (n < sizeof(w.got))
		snprintf(w.got, sizeof(w.got), "%.*s", (int)n, (char *)p);
	if (w.echo)
		conduit_send(w.conduit, big, w.echo);
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

/* The peer writes until the conduit reads no more. */
static size_t peer_floods(void)
{
	static char piece[CONDUIT_READ];
	size_t all = 0;

	for (int idle = 0; idle < 50; loop_turn()) {
		ssize_t n = write(w.peer, piece, sizeof(piece));

		all += n > 0 ? (size_t)n : 0;
		idle = n > 0 ? 0 : idle + 1;
	}
	return all;
}

static void a_peer_that_does_not_read_is_not_read(void)
{
	size_t sent, taken, heard = 0;

	begin("");
	w.echo = CONDUIT_READ;
	sent = peer_floods();
	taken = w.bytes;
	ok(taken >= CONDUIT_STOP && sent > taken); /* unread bytes stay in the socket */
	ok(taken < CONDUIT_STOP + 8 * CONDUIT_READ);
	w.echo = 0;
	for (int i = 0; i < 500 && w.bytes < sent; i++) {
		heard += peer_reads();
		loop_turn();
	}
	ok(heard > CONDUIT_STOP && w.bytes == sent && w.gones == 0);
	conduit_close(w.conduit);
	end();
}

/* As a terminal whose client does not read: the key ^C still arrives. */
static void output_alone_does_not_stop_the_input(void)
{
	begin("");
	while (conduit_has_room(w.conduit))
		conduit_send(w.conduit, big, CONDUIT_READ);
	ok(write(w.peer, "\3", 1) == 1);
	turns();
	ok(w.bytes == 1);
	conduit_close(w.conduit);
	end();
}

static void early_bytes_wait_too(void)
{
	begin("early");
	for (size_t n = 0; n < 2 * CONDUIT_STOP; n += CONDUIT_READ)
		conduit_send(w.conduit, big, CONDUIT_READ);
	turns();
	ok(w.bytes == 0);
	for (int i = 0; i < 500 && !w.bytes; i++) {
		peer_reads();
		loop_turn();
	}
	is_str(w.got, "early");
	conduit_close(w.conduit);
	end();
}

static void too_much_ends_it(void)
{
	begin("");
	conduit_send(w.conduit, big, sizeof(big));
	turns();
	ok(w.gones == 0);
	conduit_send(w.conduit, big, sizeof(big));
	ok(w.gones == 0); /* never inside the call */
	turns();
	ok(w.gones == 1);
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
	enum { SIZE = 200000 };
	size_t heard = 0;

	begin("");
	ok(write(w.peer, "unread", 6) == 6); /* close(2) at once would reset the connection */
	conduit_send(w.conduit, big, SIZE);
	conduit_finish(w.conduit);
	for (int i = 0; i < 50; i++) {
		heard += peer_reads();
		loop_turn();
	}
	ok(heard == SIZE && w.bytes == 0);
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
	a_peer_that_does_not_read_is_not_read();
	output_alone_does_not_stop_the_input();
	early_bytes_wait_too();
	too_much_ends_it();
	paused();
	the_peer_leaves();
	the_peer_leaves_while_paused();
	a_write_finds_it_gone();
	finished_without_loss();
	closed_inside_an_event();
	idle();
	return tap_end();
}
