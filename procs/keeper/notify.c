/* notify.c - see notify.h. */
#include "procs/keeper/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "reactor/log.h"
#include "reactor/own.h"

void notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	char text[128];
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;
	auto_fd int to = -1;

	if (len < 2 || len >= sizeof(sa.sun_path))
		return;
	memcpy(sa.sun_path, path, len);
	if (path[0] == '@')
		sa.sun_path[0] = '\0'; /* an abstract name */
	snprintf(text, sizeof(text), "%s\nMAINPID=%d\n", state, getpid());
	to = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sendto(to, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&sa,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		log_warn("notify text=%s error=%s", log_quote(text), log_quote(strerror(errno)));
}
