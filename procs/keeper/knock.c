/* knock.c - see knock.h. */
#include "procs/keeper/knock.h"

#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "procs/keeper/notify.h"
#include "procs/keeper/proto.h"
#include "procs/keeper/silence.h"
#include "reactor/clock.h"
#include "reactor/log.h"
#include "reactor/own.h"

enum { TURNS = 4 }; /* in the time of the service manager */

static struct {
	const char *state;
	int64_t turn_ms; /* 0: there is no watchdog */
	int64_t due_ms;
	int fd; /* of the connection that the keeper is to close; -1: none */
	bool told;
	struct silence silence;
} knock = { .fd = -1 };

void knock_open(const char *state)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	if (!usec || (pid && strtoll(pid, NULL, 10) != getpid()))
		return;
	knock.state = state;
	knock.turn_ms = strtoll(usec, NULL, 10) / 1000 / TURNS;
	if (knock.turn_ms < 0)
		knock.turn_ms = 0;
	knock.due_ms = clock_mono_ms();
}

int knock_fd(void)
{
	return knock.fd;
}

int knock_timeout_ms(void)
{
	int64_t left_ms = knock.due_ms - clock_mono_ms();

	return !knock.turn_ms ? -1 : left_ms > 0 ? (int)left_ms : 0;
}

/* -1: no keeper listens now. */
static int knock_connect(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	auto_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int n = snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/" KEEPER_SOCKET, knock.state);

	if (fd < 0 || n >= (int)sizeof(sa.sun_path) || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -1;
	return take_fd(&fd);
}

static void knock_read(void)
{
	if (knock.fd < 0 || poll(&(struct pollfd){ knock.fd, POLLIN, 0 }, 1, 0) != 1)
		return;
	close(take_fd(&knock.fd));
	silence_over(&knock.silence);
	knock.told = false;
	notify("WATCHDOG=1");
}

bool knock_turn(void)
{
	int64_t now_ms = clock_mono_ms(), silent_ms;

	if (!knock.turn_ms)
		return false;
	knock_read();
	if (now_ms < knock.due_ms)
		return false;
	knock.due_ms = now_ms + knock.turn_ms;
	silent_ms = silence_look(&knock.silence, now_ms, knock.turn_ms);
	if (!knock.silence.asked)
		silence_ask(&knock.silence, now_ms);
	if (knock.fd < 0)
		knock.fd = knock_connect();
	if (knock.told || silent_ms < knock.turn_ms * TURNS / 2)
		return false;
	knock.told = true;
	log_error("keeper_hangs silent_ms=%lld", (long long)silent_ms);
	return true;
}
