/* test_imsg.c - two ends of one channel in one loop. */
#include "reactor/imsg.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "reactor/loop.h"
#include "reactor/own.h"
#include "tests/tap.h"
#include "tests/unit/reactor/loop_run.h"

static struct end {
	struct imsg_chan *chan;
	int messages, gone;
	uint64_t last_tag;
	bool in_order, take, close_at_once;
	char text[32];
	int fd;
} here, there;

static void on_message(void *arg, struct imsg *m)
{
	struct end *end = arg;
	struct get g = get_from(m);
	const char *s = get_str(&g);

	end->messages++;
	end->in_order &= m->tag == end->last_tag + 1;
	end->last_tag = m->tag;
	snprintf(end->text, sizeof(end->text), "%s", s ? s : "");
	end->fd = -1;
	if (m->nfds && end->take)
		end->fd = take_fd(&m->fds[0]);
	if (end->close_at_once) {
		imsg_close(end->chan);
		end->chan = NULL;
	}
}

static void on_gone(void *arg)
{
	((struct end *)arg)->gone++;
}

static int raw; /* a plain socket, for packets that imsg_send() would not send */

static void open_pair(bool with_there)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		abort();
	here = there = (struct end){ .in_order = true, .fd = -1 };
	here.chan = imsg_open(fds[0], on_message, on_gone, &here);
	if (with_there)
		there.chan = imsg_open(fds[1], on_message, on_gone, &there);
	else
		raw = fds[1];
}

static void close_pair(void)
{
	if (here.chan)
		imsg_close(here.chan);
	if (there.chan)
		imsg_close(there.chan);
}

static void a_message_brings_its_fds(void)
{
	auto_fd int fd = memfd_create("carried", MFD_CLOEXEC);
	struct buf b = { 0 };
	char got[8] = "";
	struct err e;

	open_pair(true);
	there.take = true;
	put_str(&b, "with an fd");
	ok(pwrite(fd, "inside", 6, 0) == 6);
	ok(imsg_send(here.chan, 7, 1, &b, &fd, 1, &e) == 0);
	ok(there.messages == 0);
	loop_turn();
	ok(there.messages == 1 && there.last_tag == 1);
	is_str(there.text, "with an fd");
	ok(there.fd >= 0 && pread(there.fd, got, 6, 0) == 6 && strcmp(got, "inside") == 0);
	ok(fcntl(there.fd, F_GETFD) == FD_CLOEXEC);
	close(there.fd);
	buf_free(&b);
	close_pair();
}

static void fds_that_nobody_takes_are_closed(void)
{
	auto_fd int fd = memfd_create("carried", MFD_CLOEXEC);
	int before, many[IMSG_FDS_MAX];
	struct err e;

	open_pair(true);
	before = open_fds();
	for (int i = 0; i < IMSG_FDS_MAX; i++)
		many[i] = fd;
	ok(imsg_send(here.chan, 7, 1, NULL, many, IMSG_FDS_MAX, &e) == 0);
	loop_turn();
	ok(there.messages == 1 && open_fds() == before);
	close_pair();
}

static void a_slow_reader_gets_all_in_order(void)
{
	auto_fd int fd = memfd_create("carried", MFD_CLOEXEC);
	struct buf b = { 0 };
	int before = open_fds();
	struct err e;

	open_pair(true);
	put_str(&b, "large");
	memset(buf_room(&b, 150000), 'x', 150000);
	buf_added(&b, 150000);
	for (int i = 1; i <= 200; i++)
		imsg_send(here.chan, 7, (uint64_t)i, &b, &fd, 1, &e);
	ok(open_fds() > before + 2); /* those of the messages that wait */
	for (int i = 0; i < 2000 && there.messages < 200; i++)
		loop_turn();
	ok(there.messages == 200 && there.in_order);
	for (int i = 201; i <= 400; i++)
		imsg_send(here.chan, 7, (uint64_t)i, &b, &fd, 1, &e);
	close_pair(); /* waiting messages are dropped and their fds closed */
	ok(open_fds() == before);
	buf_free(&b);
}

static void limits(void)
{
	int many[IMSG_FDS_MAX + 1] = { 0 };
	struct buf b = { 0 };
	struct err e;

	open_pair(true);
	buf_room(&b, IMSG_BODY_MAX + 1);
	memset(b.at, 0, IMSG_BODY_MAX + 1);
	buf_added(&b, IMSG_BODY_MAX);
	ok(imsg_send(here.chan, 7, 1, &b, NULL, 0, &e) == 0);
	loop_turn();
	ok(there.messages == 1);
	buf_added(&b, 1);
	ok(imsg_send(here.chan, 7, 2, &b, NULL, 0, &e) < 0 && e.code == ERR_INVALID_ARGUMENT);
	ok(imsg_send(here.chan, 7, 2, NULL, many, IMSG_FDS_MAX + 1, &e) < 0 && e.code == ERR_INVALID_ARGUMENT);
	buf_free(&b);
	close_pair();
}

static void the_peer_goes(void)
{
	struct err e;

	open_pair(true);
	ok(imsg_send(there.chan, 7, 1, NULL, NULL, 0, &e) == 0);
	imsg_close(there.chan);
	there.chan = NULL;
	ok(imsg_send(here.chan, 7, 1, NULL, NULL, 0, &e) < 0 && e.code == ERR_UNAVAILABLE);
	ok(here.gone == 0); /* not inside the send */
	loop_turn();
	ok(here.messages == 1 && here.gone == 1); /* the message that was sent before the end is received */
	loop_turn();
	ok(here.gone == 1);
	ok(imsg_send(here.chan, 7, 1, NULL, NULL, 0, &e) < 0 && e.code == ERR_UNAVAILABLE);
	close_pair();
}

static void rubbish_ends_the_channel(void)
{
	uint32_t wrong[4] = { 7, 99, 0, 0 };

	open_pair(false);
	ok(write(raw, "short", 5) == 5);
	loop_turn();
	ok(here.messages == 0 && here.gone == 1);
	close(raw);
	close_pair();
	open_pair(false);
	ok(write(raw, wrong, sizeof(wrong)) == sizeof(wrong)); /* the head says 99 bytes, the body is empty */
	loop_turn();
	ok(here.messages == 0 && here.gone == 1);
	close(raw);
	close_pair();
}

static void closing_inside_the_callback(void)
{
	struct err e;

	open_pair(true);
	there.close_at_once = true;
	imsg_send(here.chan, 7, 1, NULL, NULL, 0, &e);
	imsg_send(here.chan, 7, 2, NULL, NULL, 0, &e);
	loop_turn();
	ok(there.messages == 1);
	loop_turn();
	ok(here.gone == 1);
	close_pair();
}

static void bodies_come_back_as_they_were(void)
{
	const char *const v[] = { "a", "", "c d", NULL };
	struct buf b = { 0 };
	struct imsg m = { 0 };
	const char **got, **none;
	struct get g;

	put_u32(&b, 5);
	put_u64(&b, 1ull << 40);
	put_str(&b, NULL);
	put_str(&b, "");
	put_strv(&b, v);
	put_strv(&b, NULL);
	m.body = b.at;
	m.len = b.len;
	g = get_from(&m);
	ok(get_u32(&g) == 5 && get_u64(&g) == 1ull << 40);
	ok(get_str(&g) == NULL && !g.bad);
	is_str(get_str(&g), "");
	got = get_strv(&g);
	none = get_strv(&g);
	ok(strcmp(got[0], "a") == 0 && strcmp(got[1], "") == 0 && strcmp(got[2], "c d") == 0 && !got[3]);
	ok(!none && !g.bad && g.at == g.end);
	free(got);
	for (size_t cut = 0; cut < b.len; cut++) { /* every shorter body is bad, and no get_*() reads beyond its end */
		auto_free uint8_t *copy = malloc(cut + 1);

		memcpy(copy, b.at, cut);
		g = (struct get){ copy, copy + cut, false };
		get_u32(&g);
		get_u64(&g);
		get_str(&g);
		get_str(&g);
		free(get_strv(&g));
		free(get_strv(&g));
		if (!g.bad)
			break;
		if (cut + 1 == b.len)
			ok(g.bad);
	}
	g = (struct get){ (const uint8_t *)"\2\0\0\0a\0b", (const uint8_t *)"\2\0\0\0a\0b" + 8, false };
	ok(get_str(&g) == NULL && g.bad); /* a NUL in the middle */
	g = (struct get){ (const uint8_t *)"\xfe\xff\xff\xff", NULL, false };
	g.end = g.at + 4;
	ok(get_strv(&g) == NULL && g.bad);
	buf_free(&b);
}

/* The kernel answers ECONNRESET then, and has the message all the same. */
static void the_last_message_of_a_peer_that_did_not_read(void)
{
	struct buf b = { 0 };
	struct err e;

	open_pair(true);
	put_str(&b, "unread");
	ok(imsg_send(here.chan, 7, 1, &b, NULL, 0, &e) == 0);
	buf_free(&b);
	put_str(&b, "last");
	ok(imsg_send(there.chan, 7, 1, &b, NULL, 0, &e) == 0);
	buf_free(&b);
	imsg_close(there.chan); /* it has not read */
	there.chan = NULL;
	for (int i = 0; i < 3 && !here.gone; i++)
		loop_turn();
	ok(here.gone == 1 && here.messages == 1);
	is_str(here.text, "last");
	close_pair();
}

int main(void)
{
	a_message_brings_its_fds();
	fds_that_nobody_takes_are_closed();
	a_slow_reader_gets_all_in_order();
	limits();
	the_peer_goes();
	the_last_message_of_a_peer_that_did_not_read();
	rubbish_ends_the_channel();
	closing_inside_the_callback();
	bodies_come_back_as_they_were();
	return tap_end();
}
