/* page.c - see page.h.
 *
 *   SEND --all written--> READ --end of file--> DONE        both --error, 1 MiB, 2 s--> DONE
 *
 * Waits on: the socket and one timer. */
#include "handlers/cli/page.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "reactor/buf.h"
#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum { PAGE_MAX = 1 << 20, PATIENCE_MS = 2000 };

enum state { SEND, READ, DONE };

static const struct sm_state states[] = {
	[SEND] = { "SEND", TO(READ) | TO(DONE) },
	[READ] = { "READ", TO(DONE) },
	[DONE] = { "DONE", 0 },
};

struct cli_page {
	struct sm sm;
	int fd;
	struct fd_watch watch;
	struct timer timer;
	struct buf out, in;
	struct err err; /* a failure to connect, told in the next turn; OK: none */
	cli_page_done *done;
	void *arg;
};

static void page_finish(struct cli_page *p, const struct err *e, const char *text, size_t len)
{
	sm_move(&p->sm, DONE);
	p->done(p->arg, e, text, len);
	cli_page_cancel(p);
}

static void page_fail(struct cli_page *p, enum err_code code, const char *why)
{
	struct err e;

	err_set(&e, code, "%s", why);
	page_finish(p, &e, NULL, 0);
}

/* The request asks for Connection: close, so the end of the connection is the end of the body. A chunked body is not
 * decoded. */
static void page_parse(struct cli_page *p)
{
	const char *text = buf_str(&p->in), *body = strstr(text, "\r\n\r\n"),
		   *chunked = strcasestr(text, "\r\ntransfer-encoding:");

	if (strncmp(text, "HTTP/1.1 200 ", 13) != 0 || !body || (chunked && chunked < body))
		return page_fail(p, ERR_INTERNAL, "the answer is not a page");
	body += 4;
	page_finish(p, NULL, body, p->in.len - (size_t)(body - text));
}

static void on_page_ready(struct fd_watch *w, int events)
{
	struct cli_page *p = container_of(w, struct cli_page, watch);
	ssize_t n;

	(void)events;
	n = p->sm.now == SEND ? buf_write(&p->out, p->fd) : buf_read(&p->in, p->fd, PAGE_MAX);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return page_fail(p, ERR_UNAVAILABLE, "no answer");
	if (p->sm.now == READ && n == 0)
		return page_parse(p);
	if (p->in.len > PAGE_MAX)
		return page_fail(p, ERR_INTERNAL, "the page is larger than 1 MiB");
	if (p->sm.now == SEND && !p->out.len) {
		sm_move(&p->sm, READ);
		fd_watch_set(&p->watch, p->fd, FD_READ, on_page_ready);
	}
}

static void on_page_timeout(struct timer *t)
{
	struct cli_page *p = container_of(t, struct cli_page, timer);

	if (p->err.code != ERR_OK)
		return page_finish(p, &p->err, NULL, 0);
	page_fail(p, ERR_UNAVAILABLE, "no answer for 2 s");
}

static int page_connect(struct cli_page *p, const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(sa.sun_path))
		return err_set(&p->err, ERR_UNAVAILABLE, "%s: the path is too long", path);
	memcpy(sa.sun_path, path, strlen(path));
	p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->fd < 0 || connect(p->fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
		return err_os(&p->err, ERR_UNAVAILABLE, "%s: connect", path);
	return 0;
}

const char *cli_page_socket(const char *address, struct arena *arena)
{
	const char *path = strncmp(address, "unix://", 7) == 0 ? address + 7 : NULL,
		   *slash = path ? strrchr(path, '/') : NULL;

	return slash ? arena_printf(arena, "%.*s/http.sock", (int)(slash - path), path) : NULL;
}

struct cli_page *cli_page_start(const char *socket_path, const char *page, cli_page_done *done, void *arg)
{
	struct cli_page *p = new_zero(struct cli_page);

	p->sm = (struct sm){ states, "cli_page", "", SEND };
	p->fd = -1;
	p->done = done;
	p->arg = arg;
	buf_printf(&p->out, "GET %s HTTP/1.1\r\nHost: crisp\r\nConnection: close\r\n\r\n", page);
	if (page_connect(p, socket_path) < 0) {
		timer_set(&p->timer, 0, on_page_timeout);
		return p;
	}
	timer_set(&p->timer, PATIENCE_MS, on_page_timeout);
	fd_watch_set(&p->watch, p->fd, FD_WRITE, on_page_ready);
	return p;
}

void cli_page_cancel(struct cli_page *p)
{
	fd_watch_clear(&p->watch);
	timer_clear(&p->timer);
	if (p->fd >= 0)
		close(p->fd);
	buf_free(&p->out);
	buf_free(&p->in);
	free(p);
}
