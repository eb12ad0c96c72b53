/* listen.h - listening sockets named by "unix:///path" or "tcp://address:port". */
#ifndef REACTOR_LISTEN_H
#define REACTOR_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "reactor/err.h"

/* A non-blocking listening fd. unix: mode 0660, owner root:root, missing parents made 0755. A socket file without a
 * listener is replaced; one on which a process listens is UNAVAILABLE with its pid; a file that is no socket is
 * INVALID_ARGUMENT. tcp: loopback addresses only, else INVALID_ARGUMENT; port 0 takes a free port.
 * *port (may be NULL) is set for tcp. */
int listen_open(const char *address, int *port, struct err *e);
int listen_open_anywhere(const char *address, int *port, struct err *e); /* tcp: any address of this host */

/* What listen_open(), or with `anywhere` listen_open_anywhere(), would refuse without a look at the system. */
int listen_check(const char *address, bool anywhere, struct err *e);

/* The file of a unix address, which is open, becomes that group's; 0: it stays root's. Of a tcp address nothing. */
int listen_give_group(const char *address, gid_t gid, struct err *e);

/* Closes fd. Before that it unlinks the file of a unix address if the file still belongs to this socket. */
void listen_close(int fd, const char *address);

/* Fills *out for connect(2). INVALID_ARGUMENT: neither of the two forms, or a path too long for sun_path. */
struct listen_address {
	struct sockaddr_storage sa;
	socklen_t len;
};
int listen_parse(const char *address, struct listen_address *out, struct err *e);

#endif
