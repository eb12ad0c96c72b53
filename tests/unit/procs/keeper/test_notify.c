/* test_notify.c - the messages of the front to its service manager. */
#include "procs/keeper/notify.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "reactor/own.h"
#include "tests/tap.h"

static int manager;
static char text[512];

static void manager_open(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	char name[64];
	int n = snprintf(name, sizeof(name), "@crisp-test-notify-%d", getpid());

	memcpy(sa.sun_path + 1, name + 1, (size_t)n - 1);
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ok(bind(manager, (struct sockaddr *)&sa, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n)) == 0);
	setenv("NOTIFY_SOCKET", name, 1);
}

static bool told(void)
{
	ssize_t n = recv(manager, text, sizeof(text) - 1, 0);

	text[n < 0 ? 0 : n] = '\0';
	return n >= 0;
}

static void ready(void)
{
	char want[64];

	notify("READY=1");
	snprintf(want, sizeof(want), "READY=1\nMAINPID=%d\n", getpid());
	ok(told() && strcmp(text, want) == 0);
}

static void without_a_manager_nothing_happens(void)
{
	unsetenv("NOTIFY_SOCKET");
	notify("READY=1");
	ok(!told());
}

int main(void)
{
	manager_open();
	ready();
	without_a_manager_nothing_happens();
	close(manager);
	return tap_end();
}
