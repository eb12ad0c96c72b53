/* config_try.c - see config_try.h. */
#include "handlers/config_try.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "handlers/stream.h"
#include "reactor/listen.h"
#include "reactor/own.h"
#include "reactor/tls_server.h"

struct address {
	const char *text;
	bool anywhere; /* it need not be a loopback address */
	int fd;        /* -1: not bound */
};

static const char *stream_text(const struct config *c, struct arena *a)
{
	return stream_listens_at(c->stream_address, c->stream_port, a);
}

/* All addresses of a configuration. */
static struct address *addresses_of(const struct config *c, struct arena *a, size_t *n)
{
	struct address *all = arena_zalloc(a, (c->listen.n + 2) * sizeof(*all));

	*n = 0;
	for (size_t i = 0; i < c->listen.n; i++)
		all[(*n)++] = (struct address){ c->listen.at[i], false, -1 };
	all[(*n)++] = (struct address){ c->http, *c->http_tls_cert, -1 };
	all[(*n)++] = (struct address){ stream_text(c, a), true, -1 };
	return all;
}

static in_port_t port_of(const struct listen_address *to)
{
	return to->sa.ss_family == AF_UNIX ? 0 : ((const struct sockaddr_in *)&to->sa)->sin_port;
}

/* /var/run/crisp.sock and /run/crisp.sock are one file. */
static bool is_one_file(const struct listen_address *x, const struct listen_address *y)
{
	struct stat a, b;

	return x->sa.ss_family == AF_UNIX && y->sa.ss_family == AF_UNIX &&
	       stat(((const struct sockaddr_un *)&x->sa)->sun_path, &a) == 0 &&
	       stat(((const struct sockaddr_un *)&y->sa)->sun_path, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/* The crispd that serves holds it, or a port of that number, until it ends. */
static bool is_in_use(const struct address *wanted, const struct address *running, size_t n)
{
	struct listen_address to, theirs;
	struct err e;

	for (size_t i = 0; i < n; i++)
		if (strcmp(wanted->text, running[i].text) == 0 ||
		    (listen_parse(wanted->text, &to, &e) == 0 && listen_parse(running[i].text, &theirs, &e) == 0 &&
		     ((port_of(&to) && port_of(&to) == port_of(&theirs)) || is_one_file(&to, &theirs))))
			return true;
	return false;
}

/* All of them are open at once, so that two that are the same do not pass. */
static int bind_all(struct address *all, size_t n, const struct address *running, size_t nrunning, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		struct address *a = &all[i];

		if (is_in_use(a, running, nrunning))
			continue;
		a->fd = a->anywhere ? listen_open_anywhere(a->text, NULL, e) : listen_open(a->text, NULL, e);
		if (a->fd < 0)
			return -1;
	}
	return 0;
}

static int addresses_try(const struct config *next, const struct config *running, struct err *e)
{
	struct arena *arena = arena_new();
	size_t n, nrunning = 0;
	struct address *all = addresses_of(next, arena, &n);
	struct address *old = running ? addresses_of(running, arena, &nrunning) : NULL;
	int ret = bind_all(all, n, old, nrunning, e);

	for (size_t i = 0; i < n; i++)
		if (all[i].fd >= 0)
			listen_close(all[i].fd, all[i].text);
	arena_free(arena);
	return ret;
}

int config_try(const struct config *next, const struct config *running, struct err *e)
{
	if (running && (strcmp(next->state, running->state) != 0 || strcmp(next->root, running->root) != 0))
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "root and state hold all records and sockets: stop crisp-keeper to change them");
	if (cgroup_open(&next->cgroup, e) < 0 || runtimes_check(&next->runtimes, e) < 0)
		return -1;
	if (*next->stream_tls_cert &&
	    tls_server_check(&(struct tls_files){ next->stream_tls_cert, next->stream_tls_key, "" }, e) < 0)
		return err_wrap(e, "stream");
	if (*next->http_tls_cert && tls_server_check(&(struct tls_files){ next->http_tls_cert, next->http_tls_key,
									  next->http_tls_client_ca }, e) < 0)
		return err_wrap(e, "http_tls");
	return addresses_try(next, running, e);
}
