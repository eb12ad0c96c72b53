/* listen.c - see listen.h.
 *
 * A unix socket file outlives its process: connect(2) tells whether a process still listens on it, SO_PEERCRED its
 * pid. */
#include "reactor/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reactor/fault.h"
#include "reactor/own.h"

enum { BACKLOG = 1024 };

#ifndef SIOCUNIXFILE
#define SIOCUNIXFILE SIOCPROTOPRIVATE /* of linux/un.h, which glibc's sys/un.h excludes */
#endif

static int parse_unix(const char *path, struct listen_address *out, struct err *e)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&out->sa;
	size_t len = strlen(path);

	if (path[0] != '/')
		return err_set(e, ERR_INVALID_ARGUMENT, "address unix://%.200s: the path is not absolute", path);
	if (len >= sizeof(un->sun_path))
		return err_set(e, ERR_INVALID_ARGUMENT, "address unix://%.200s: the path is longer than %zu bytes",
			       path, sizeof(un->sun_path) - 1);
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, len + 1);
	out->len = sizeof(*un);
	return 0;
}

static int parse_port(const char *s)
{
	char *end;
	long v = strtol(s, &end, 10);

	return s[0] >= '0' && s[0] <= '9' && !*end && v <= 65535 ? (int)v : -1;
}

/* "127.0.0.1:80" or "[::1]:80". Names are not resolved, because getaddrinfo(3) blocks. */
static int parse_tcp(const char *text, struct listen_address *out, struct err *e)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&out->sa;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&out->sa;
	const char *colon = strrchr(text, ':');
	int port = colon ? parse_port(colon + 1) : -1;
	char host[INET6_ADDRSTRLEN + 2];
	size_t len = colon ? (size_t)(colon - text) : 0;

	if (port < 0 || len == 0 || len >= sizeof(host))
		return err_set(e, ERR_INVALID_ARGUMENT, "address tcp://%.200s: not of the form tcp://IP:port", text);
	memcpy(host, text, len);
	host[len] = '\0';
	if (host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		out->len = sizeof(*in6);
		if (inet_pton(AF_INET6, host + 1, &in6->sin6_addr) == 1)
			return 0;
	} else {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)port);
		out->len = sizeof(*in);
		if (inet_pton(AF_INET, host, &in->sin_addr) == 1)
			return 0;
	}
	return err_set(e, ERR_INVALID_ARGUMENT, "address tcp://%.200s: not a literal IP address", text);
}

int listen_parse(const char *address, struct listen_address *out, struct err *e)
{
	memset(out, 0, sizeof(*out));
	if (strncmp(address, "unix://", 7) == 0)
		return parse_unix(address + 7, out, e);
	if (strncmp(address, "tcp://", 6) == 0)
		return parse_tcp(address + 6, out, e);
	return err_set(e, ERR_INVALID_ARGUMENT, "address %.200s: neither unix:///path nor tcp://address:port", address);
}

static bool is_loopback_address(const struct listen_address *to)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)&to->sa;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&to->sa;

	if (to->sa.ss_family == AF_INET)
		return ntohl(in->sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

static int listen_make_parents(const char *path, struct err *e)
{
	char dir[sizeof(((struct sockaddr_un *)NULL)->sun_path)];

	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		memcpy(dir, path, (size_t)(slash - path));
		dir[slash - path] = '\0';
		if (EFFECT(mkdir(dir, 0755)) == 0)
			(void)chmod(dir, 0755); /* mkdir(2) applies the umask */
		else if (errno != EEXIST)
			return err_os(e, ERR_INTERNAL, "make %s for a socket", dir);
	}
	return 0;
}

/* Removes a dead owner's socket file; 0 also when there is none. */
static int listen_take_over(const struct sockaddr_un *un, struct err *e)
{
	auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct ucred owner;
	socklen_t len = sizeof(owner);
	struct stat st;

	if (lstat(un->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : err_os(e, ERR_INTERNAL, "stat %s", un->sun_path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, ERR_INVALID_ARGUMENT, "listen on %s: the file there is not a socket", un->sun_path);
	if (fd < 0)
		return err_os(e, ERR_INTERNAL, "socket");
	if (connect(fd, (const struct sockaddr *)un, sizeof(*un)) == 0) {
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &owner, &len) < 0)
			return err_os(e, ERR_INTERNAL, "owner of %s", un->sun_path);
		return err_set(e, ERR_UNAVAILABLE, "listen on %s: pid %d listens there already", un->sun_path,
			       (int)owner.pid);
	}
	if (errno == EAGAIN) /* the backlog is full, so a process listens */
		return err_set(e, ERR_UNAVAILABLE, "listen on %s: another process listens there already", un->sun_path);
	if (errno != ECONNREFUSED && errno != ENOENT)
		return err_os(e, ERR_INTERNAL, "look for the owner of %s", un->sun_path);
	if (EFFECT(unlink(un->sun_path)) < 0 && errno != ENOENT)
		return err_os(e, ERR_INTERNAL, "remove the dead socket %s", un->sun_path);
	return 0;
}

static int open_unix(const struct listen_address *to, struct err *e)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)&to->sa;
	auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return err_os(e, ERR_INTERNAL, "socket");
	if (listen_make_parents(un->sun_path, e) < 0 || listen_take_over(un, e) < 0)
		return -1;
	/* bind(2) gives the file the socket's mode less the umask, so the file never has more rights than 0660. */
	if (fchmod(fd, 0660) < 0 || EFFECT(bind(fd, (const struct sockaddr *)un, to->len)) < 0 ||
	    chmod(un->sun_path, 0660) < 0)
		return err_os(e, ERR_INTERNAL, "bind %s", un->sun_path);
	if (geteuid() == 0 && lchown(un->sun_path, 0, 0) < 0)
		return err_os(e, ERR_INTERNAL, "chown %s", un->sun_path);
	if (listen(fd, BACKLOG) < 0)
		return err_os(e, ERR_INTERNAL, "listen on %s", un->sun_path);
	return take_fd(&fd);
}

static int open_tcp(const char *address, const struct listen_address *to, int *port, struct err *e)
{
	auto_fd int fd = socket(to->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct listen_address bound = { .len = sizeof(bound.sa) };
	int on = 1;

	if (fd < 0)
		return err_os(e, ERR_INTERNAL, "socket for %s", address);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* accepted sockets inherit it */
	if (EFFECT(bind(fd, (const struct sockaddr *)&to->sa, to->len)) < 0 || listen(fd, BACKLOG) < 0)
		return err_os(e, errno == EADDRINUSE ? ERR_UNAVAILABLE : ERR_INTERNAL, "listen on %s", address);
	if (getsockname(fd, (struct sockaddr *)&bound.sa, &bound.len) < 0)
		return err_os(e, ERR_INTERNAL, "name of the socket at %s", address);
	/* sin_port and sin6_port have the same offset. */
	if (port)
		*port = ntohs(((struct sockaddr_in *)&bound.sa)->sin_port);
	return take_fd(&fd);
}

int listen_check(const char *address, bool anywhere, struct err *e)
{
	struct listen_address to;

	if (listen_parse(address, &to, e) < 0)
		return -1;
	if (!anywhere && to.sa.ss_family != AF_UNIX && !is_loopback_address(&to))
		return err_set(e, ERR_INVALID_ARGUMENT, "listen on %s: not a loopback address", address);
	return 0;
}

int listen_open(const char *address, int *port, struct err *e)
{
	return listen_check(address, false, e) < 0 ? -1 : listen_open_anywhere(address, port, e);
}

int listen_open_anywhere(const char *address, int *port, struct err *e)
{
	struct listen_address to;

	if (listen_parse(address, &to, e) < 0)
		return -1;
	return to.sa.ss_family == AF_UNIX ? open_unix(&to, e) : open_tcp(address, &to, port, e);
}

int listen_give_group(const char *address, gid_t gid, struct err *e)
{
	const char *path = strncmp(address, "unix://", 7) == 0 ? address + 7 : NULL;

	if (path && gid && EFFECT(lchown(path, (uid_t)-1, gid)) < 0)
		return err_os(e, ERR_INTERNAL, "give %s to the group %u", path, gid);
	return 0;
}

/* SIOCUNIXFILE (Linux 4.17, CAP_NET_ADMIN) opens the file that the socket is bound to, with O_PATH. Without that
 * capability the file stays, and the next listen_open() replaces it. */
static bool is_bound_to(int fd, const char *path)
{
	auto_fd int file = ioctl(fd, SIOCUNIXFILE);
	struct stat bound, there;

	return file >= 0 && fstat(file, &bound) == 0 && lstat(path, &there) == 0 && bound.st_dev == there.st_dev &&
	       bound.st_ino == there.st_ino;
}

void listen_close(int fd, const char *address)
{
	const char *path = strncmp(address, "unix://", 7) == 0 ? address + 7 : NULL;

	if (path && is_bound_to(fd, path))
		EFFECT(unlink(path));
	close(fd);
}
