/* test_portfwd.c - procs/portfwd.c against real sockets on loopback, and into a network namespace when root. */
#include "procs/portfwd.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "reactor/loop.h"
#include "tests/tap.h"

static struct client {
	char got[64];
	size_t bytes, taken;
	int eofs, overs;
	struct err fault;
} k;

static void on_data(void *arg, const void *p, size_t n)
{
	(void)arg;
	if (k.bytes + n < sizeof(k.got))
		memcpy(k.got + k.bytes, p, n);
	k.bytes += n;
}

static void on_eof(void *arg)
{
	(void)arg;
	k.eofs++;
}

static void on_taken(void *arg, size_t n)
{
	(void)arg;
	k.taken += n;
}

static void on_over(void *arg, const struct err *e)
{
	(void)arg;
	k.overs++;
	k.fault = e ? *e : (struct err){ 0 };
}

static const struct portfwd_events events = { on_data, on_eof, on_taken, on_over };

static void turns(void)
{
	for (int i = 0; i < 50; i++)
		loop_turn();
}

/* Listens on 127.0.0.1 or ::1. Returns the port. */
static int serve(int family, uint16_t *port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_storage bound;
	socklen_t len = sizeof(bound);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6,
			   family == AF_INET ? sizeof(v4) : sizeof(v6)) < 0)
		return -1;
	listen(fd, 8);
	getsockname(fd, (struct sockaddr *)&bound, &len);
	*port = ntohs(((struct sockaddr_in *)&bound)->sin_port);
	memset(&k, 0, sizeof(k));
	return fd;
}

static void both_ways_and_half_closed(void)
{
	char heard[16] = "";
	uint16_t port;
	int server = serve(AF_INET, &port), peer;
	struct portfwd *f = portfwd_start(-1, port, &events, NULL);

	portfwd_write(f, "early", 5);
	ok(k.taken == 0);
	turns();
	peer = accept(server, NULL, NULL);
	ok(peer >= 0 && k.taken == 5);
	ok(read(peer, heard, sizeof(heard)) == 5);
	portfwd_end(f);
	turns();
	ok(read(peer, heard, 1) == 0);
	ok(write(peer, "answer", 6) == 6); /* after our half is closed */
	turns();
	is_str(k.got, "answer");
	ok(k.eofs == 0 && k.overs == 0);
	close(peer);
	turns();
	ok(k.eofs == 1 && k.overs == 1 && k.fault.code == ERR_OK);
	portfwd_close(f);
	close(server);
}

static void the_port_closes_first(void)
{
	uint16_t port;
	int server = serve(AF_INET, &port), peer;
	struct portfwd *f = portfwd_start(-1, port, &events, NULL);

	turns();
	peer = accept(server, NULL, NULL);
	shutdown(peer, SHUT_WR);
	turns();
	ok(k.eofs == 1 && k.overs == 0);
	portfwd_write(f, "more", 4);
	portfwd_end(f);
	turns();
	ok(k.overs == 1);
	portfwd_close(f);
	close(peer);
	close(server);
}

static void ipv6_when_ipv4_refuses(void)
{
	uint16_t port;
	int server = serve(AF_INET6, &port), peer;
	struct portfwd *f;

	if (server < 0)
		return;
	f = portfwd_start(-1, port, &events, NULL);
	turns();
	peer = accept(server, NULL, NULL);
	ok(peer >= 0 && k.overs == 0);
	portfwd_close(f);
	close(peer);
	close(server);
}

static void nobody_listens(void)
{
	uint16_t port;
	struct portfwd *f;

	close(serve(AF_INET, &port));
	f = portfwd_start(-1, port, &events, NULL);
	portfwd_write(f, "x", 1);
	ok(k.overs == 0);
	turns();
	ok(k.overs == 1 && k.fault.code == ERR_UNAVAILABLE && k.taken == 1);
	ok(strstr(k.fault.msg, "127.0.0.1") && strstr(k.fault.msg, "[::1]") &&
	   strstr(k.fault.msg, "Connection refused"));
	portfwd_close(f);
}

static void a_reset_is_no_end_of_file(void)
{
	struct linger now = { 1, 0 };
	uint16_t port;
	int server = serve(AF_INET, &port), peer;
	struct portfwd *f = portfwd_start(-1, port, &events, NULL);

	turns();
	peer = accept(server, NULL, NULL);
	setsockopt(peer, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(peer);
	turns();
	ok(k.overs == 1 && k.eofs == 0 && k.fault.code == ERR_OK);
	portfwd_close(f);
	close(server);
}

static void paused(void)
{
	uint16_t port;
	int server = serve(AF_INET, &port), peer;
	struct portfwd *f = portfwd_start(-1, port, &events, NULL);

	portfwd_pause(f, true);
	turns();
	peer = accept(server, NULL, NULL);
	ok(write(peer, "x", 1) == 1);
	turns();
	ok(k.bytes == 0);
	portfwd_pause(f, false);
	turns();
	ok(k.bytes == 1);
	portfwd_close(f);
	close(peer);
	close(server);
}

static void closed_in_each_state(void)
{
	uint16_t port;
	int server = serve(AF_INET, &port);
	struct portfwd *f = portfwd_start(-1, port, &events, NULL);

	portfwd_close(f);
	f = portfwd_start(-1, port, &events, NULL);
	loop_turn();
	portfwd_close(f);
	f = portfwd_start(-1, port, &events, NULL);
	close(server);
	turns();
	portfwd_close(f);
	turns();
	ok(k.overs <= 1);
}

/* The port exists in the test's own namespace and not in the other one; afterwards the loop thread is back in its
 * own. */
static void inside_a_namespace(void)
{
	uint16_t port;
	int server = serve(AF_INET, &port), home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), other;
	struct portfwd *f;

	if (unshare(CLONE_NEWNET) < 0) {
		close(server);
		close(home);
		return;
	}
	other = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	ok(setns(home, CLONE_NEWNET) == 0);
	f = portfwd_start(other, port, &events, NULL);
	turns();
	ok(k.overs == 1 && k.fault.code == ERR_UNAVAILABLE);
	portfwd_close(f);
	memset(&k, 0, sizeof(k));
	f = portfwd_start(-1, port, &events, NULL);
	turns();
	ok(k.overs == 0);
	portfwd_close(f);
	close(server);
	close(other);
	close(home);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	both_ways_and_half_closed();
	the_port_closes_first();
	ipv6_when_ipv4_refuses();
	nobody_listens();
	a_reset_is_no_end_of_file();
	paused();
	closed_in_each_state();
	inside_a_namespace();
	return tap_end();
}
