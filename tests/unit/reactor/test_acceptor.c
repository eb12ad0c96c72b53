/* test_acceptor.c - connections are taken, and a process without an fd to spare waits instead of turning. */
#include "reactor/acceptor.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/tap.h"

static struct acceptor acceptor;
static int taken[8];
static int ntaken;
static bool close_after_first;

static void take(void *arg, int fd)
{
	ok(arg == &ntaken);
	taken[ntaken++] = fd;
	if (close_after_first)
		acceptor_close(&acceptor);
}

static bool full;
static int asked;

static bool has_room(void *arg)
{
	ok(arg == &ntaken);
	asked++;
	return !full;
}

static int listening(struct sockaddr_un *at, socklen_t *len)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	*at = (struct sockaddr_un){ .sun_family = AF_UNIX };
	*len = sizeof(sa_family_t); /* the kernel makes an abstract name */
	ok(bind(fd, (struct sockaddr *)at, *len) == 0 && listen(fd, 8) == 0);
	*len = sizeof(*at);
	ok(getsockname(fd, (struct sockaddr *)at, len) == 0);
	return fd;
}

static int client(const struct sockaddr_un *at, socklen_t len)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ok(connect(fd, (const struct sockaddr *)at, len) == 0);
	return fd;
}

static void turns(int n)
{
	for (int i = 0; i < n; i++)
		loop_turn();
}

/* The number of fds that the process may have becomes that of those it has. */
static rlim_t no_more_fds(void)
{
	struct rlimit limit;
	rlim_t was;
	int next = dup(0);

	close(next);
	getrlimit(RLIMIT_NOFILE, &limit);
	was = limit.rlim_cur;
	limit.rlim_cur = (rlim_t)next;
	setrlimit(RLIMIT_NOFILE, &limit);
	return was;
}

static void on_end(struct timer *t)
{
	(void)t;
	loop_stop();
}

static void without_an_fd_it_waits(const struct sockaddr_un *at, socklen_t len)
{
	int a = client(at, len);
	rlim_t was = no_more_fds();
	struct rlimit limit;
	struct loop_stats before, after;
	struct timer end = { 0 };

	turns(1);
	ok(ntaken == 0);
	loop_stats(&before);
	timer_set(&end, 3 * ACCEPTOR_PAUSE_MS, on_end);
	loop_run();
	loop_stats(&after);
	ok(after.turns - before.turns < 20); /* a loop that watched the socket would have turned a million times */
	ok(ntaken == 0);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = was;
	setrlimit(RLIMIT_NOFILE, &limit);
	while (ntaken == 0)
		turns(1);
	close(taken[--ntaken]);
	close(a);
}

int main(void)
{
	struct sockaddr_un at;
	socklen_t len;
	int fd = listening(&at, &len), a, b;

	acceptor_open(&acceptor, &(struct acceptor){ .fd = fd, .what = "test", .address = "here", .take = take,
						     .has_room = has_room, .arg = &ntaken });
	without_an_fd_it_waits(&at, len);
	a = client(&at, len);
	b = client(&at, len);
	full = true;
	asked = 0;
	while (asked < 2)
		turns(1);
	ok(ntaken == 0); /* without room they wait */
	full = false;
	while (ntaken < 2)
		turns(1);
	close(taken[0]);
	close(taken[1]);
	close(a);
	close(b);

	ntaken = 0;
	close_after_first = true;
	a = client(&at, len);
	b = client(&at, len);
	while (ntaken == 0)
		turns(1);
	ok(ntaken == 1 && acceptor.fd == -1);
	acceptor_close(&acceptor);
	close(taken[0]);
	close(a);
	close(b);
	close(fd);
	return tap_end();
}
