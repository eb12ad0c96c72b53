/* listen.h - listening sockets named by "unix:///path" or "tcp://address:port". */
#ifndef REACTOR_LISTEN_H
#define REACTOR_LISTEN_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "reactor/err.h"

/* A non-blocking listening fd. unix: mode 0660, owner root:root, missing parents made 0755; a socket file is taken over
 * only when nobody answers on it: a live owner is UNAVAILABLE and named by pid; a file that is no socket is
 * INVALID_ARGUMENT. tcp: loopback addresses only, else INVALID_ARGUMENT; port 0 takes a free one.
 * *port (may be NULL) is set for tcp. */
int listen_open(const char *address, int *port, struct err *e);
int listen_open_anywhere(const char *address, int *port, struct err *e); /* tcp: any address of this host */

/* Unlinks a unix address's file if `fd` still is the socket bound to it; then closes fd. */
void listen_close(int fd, const char *address);

/* Fills *sa for connect(2); INVALID_ARGUMENT for anything but the two forms, or a path too long for sun_path. */
struct listen_address {
	struct sockaddr_storage sa;
	socklen_t len;
};
int listen_parse(const char *address, struct listen_address *out, struct err *e);

#endif
