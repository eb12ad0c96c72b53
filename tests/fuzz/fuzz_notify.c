/* fuzz_notify.c - any bytes as the names of the fds that the service manager gives back to the keeper, which holds the
 * fds by these names again and releases them by a prefix. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procs/keeper/hold.h"
#include "procs/keeper/notify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t given, listed;

/* A copy of /dev/null instead of the fd, which is the fuzzer's own. */
static void on_kept(const char *name, int fd)
{
	int copy = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (copy < 0 || strchr(name, ':') || fd != 3 + (int)given++)
		abort();
	hold_again(name, copy);
}

static void on_held(const char *name, int fd)
{
	if (strchr(name, ':') || fcntl(fd, F_GETFD) < 0)
		abort();
	listed++;
}

/* The first byte is the number of fds, then a prefix up to a newline, then the names. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[16], *names, *prefix;

	if (size < 2)
		return 0;
	prefix = strndup((const char *)data + 1, size - 1);
	names = prefix + strcspn(prefix, "\n");
	if (*names)
		*names++ = '\0';
	given = listed = 0;
	snprintf(text, sizeof(text), "%d", (int)getpid());
	setenv("LISTEN_PID", text, 1);
	snprintf(text, sizeof(text), "%d", data[0] - 8);
	setenv("LISTEN_FDS", text, 1);
	setenv("LISTEN_FDNAMES", names, 1);
	notify_kept(on_kept);
	if (getenv("LISTEN_FDNAMES") || (data[0] > 8 && given > (size_t)data[0] - 8))
		abort();
	hold_release_all(prefix);
	hold_each(on_held);
	if (listed > given)
		abort();
	hold_release_all("");
	listed = 0;
	hold_each(on_held);
	if (listed)
		abort();
	free(prefix);
	return 0;
}
