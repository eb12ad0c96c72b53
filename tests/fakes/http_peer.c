/* http_peer.c - see http_peer.h. */
#include "tests/fakes/http_peer.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "reactor/buf.h"
#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum after { KEEP, CLOSE, RESET };

struct peer {
	struct link link;
	struct fd_watch watch;
	struct timer drip;
	int fd;
	struct buf in, out;
	size_t left, at; /* bytes of a body still to be made */
	bool chunked;
	enum after after;
};

struct http_peer_stats http_peer;
static struct fd_watch listening;
static struct link peers;

static void on_ready(struct fd_watch *w, int events);

static void peer_free(struct peer *p)
{
	struct linger hard = { 1, 0 };

	if (p->after == RESET)
		setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	fd_watch_clear(&p->watch);
	timer_clear(&p->drip);
	list_drop(&p->link);
	close(p->fd);
	buf_free(&p->in);
	buf_free(&p->out);
	free(p);
	http_peer.open--;
}

static void on_drip(struct timer *t)
{
	struct peer *p = container_of(t, struct peer, drip);

	buf_puts(&p->out, "x");
	fd_watch_set(&p->watch, p->fd, FD_READ | FD_WRITE, on_ready);
	if (++p->at < 90)
		timer_set(t, 10, on_drip);
}

static void body(struct peer *p, int status, const char *text)
{
	bool head = strncmp(http_peer.last_request, "HEAD ", 5) == 0;

	buf_printf(&p->out, "HTTP/1.1 %d Status\r\nContent-Length: %zu\r\n\r\n%s", status, strlen(text),
		   head ? "" : text);
}

static void part_of_100(struct peer *p, enum after after)
{
	buf_puts(&p->out, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789");
	p->after = after;
}

static void answer_status(struct peer *p, int status)
{
	buf_printf(&p->out,
		   "HTTP/1.1 %d Status\r\nLocation: http://elsewhere.test/x\r\nWWW-Authenticate: Basic realm=\"b\"\r\n"
		   "WWW-Authenticate: Bearer realm=\"t\"\r\nContent-Length: 0\r\n\r\n",
		   status);
}

static const char gzip_hello[] = "\x1f\x8b\x08\0\0\0\0\0\x02\x03\xcb\x48\xcd\xc9\xc9\x07\0\x86\xa6\x10\x36\x05\0\0\0";

static void coded(struct peer *p, const char *how, const char *bytes, size_t n)
{
	buf_printf(&p->out, "HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %zu\r\n\r\n", how, n);
	buf_append(&p->out, bytes, n);
}

static void answer(struct peer *p, const char *path)
{
	if (strcmp(path, "/hello") == 0)
		body(p, 200, "hello");
	else if (strcmp(path, "/gzip") == 0)
		coded(p, "gzip", gzip_hello, sizeof(gzip_hello) - 1);
	else if (strcmp(path, "/coded") == 0)
		coded(p, "gzip", "rubbish", 7);
	else if (strcmp(path, "/echo") == 0)
		body(p, 200, http_peer.last_request);
	else if (sscanf(path, "/bytes/%zu", &p->left) == 1)
		buf_printf(&p->out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", p->left);
	else if (sscanf(path, "/chunked/%zu", &p->left) == 1 && (p->chunked = true))
		buf_puts(&p->out, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-End\r\n\r\n");
	else if (strncmp(path, "/status/", 8) == 0)
		answer_status(p, (int)strtol(path + 8, NULL, 10));
	else if (strcmp(path, "/short") == 0)
		part_of_100(p, CLOSE);
	else if (strcmp(path, "/reset") == 0)
		part_of_100(p, RESET);
	else if (strcmp(path, "/stall") == 0)
		part_of_100(p, KEEP);
	else if (strcmp(path, "/rubbish") == 0)
		buf_puts(&p->out, "good morning\r\n\r\n");
	else if (strcmp(path, "/continue") == 0)
		buf_puts(&p->out, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nX-Hint: 1\r\n\r\n"),
			body(p, 200, "hello");
	else if (strcmp(path, "/slow") == 0)
		part_of_100(p, KEEP), timer_set(&p->drip, 10, on_drip);
	else
		assert(strcmp(path, "/silent") == 0);
}

static void make_body(struct peer *p)
{
	uint8_t piece[16384];
	size_t n = p->left < sizeof(piece) ? p->left : sizeof(piece);

	for (size_t i = 0; i < n; i++)
		piece[i] = (uint8_t)((p->at + i) * 7 % 251);
	if (p->chunked)
		buf_printf(&p->out, "%zx\r\n", n);
	buf_append(&p->out, piece, n);
	if (p->chunked)
		buf_puts(&p->out, p->left == n ? "\r\n0\r\nX-End: yes\r\n\r\n" : "\r\n");
	p->left -= n;
	p->at += n;
	http_peer.sent_bytes += n;
}

/* One request at a time; its body, if any, must come with the head. */
static void take_request(struct peer *p)
{
	char path[256];
	const char *text = buf_str(&p->in), *end = strstr(text, "\r\n\r\n");
	size_t len, content = 0;
	const char *field = strcasestr(text, "\r\nContent-Length:");

	if (!end)
		return;
	if (field && field < end)
		content = strtoul(field + 17, NULL, 10);
	len = (size_t)(end + 4 - text) + content;
	if (p->in.len < len)
		return;
	assert(sscanf(text, "%*s %255s", path) == 1 && len < sizeof(http_peer.last_request));
	memcpy(http_peer.last_request, text, len);
	http_peer.last_request[len] = '\0';
	http_peer.requests++;
	buf_consume(&p->in, len);
	p->at = 0;
	p->chunked = false;
	answer(p, strncmp(path, "http://", 7) == 0 ? strchr(path + 7, '/') : path); /* to a proxy: the whole URL */
}

static void on_ready(struct fd_watch *w, int events)
{
	struct peer *p = container_of(w, struct peer, watch);

	if (events & FD_READ) {
		if (buf_read(&p->in, p->fd, 65536) == 0)
			return peer_free(p);
		take_request(p);
	}
	if (!p->out.len && p->left)
		make_body(p);
	if (p->out.len && buf_write(&p->out, p->fd) < 0 && errno != EAGAIN)
		return peer_free(p);
	if (!p->out.len && !p->left && p->after != KEEP)
		return peer_free(p);
	fd_watch_set(w, p->fd, FD_READ | (p->out.len || p->left ? FD_WRITE : 0), on_ready);
}

static void on_accept(struct fd_watch *w, int events)
{
	struct peer *p = new_zero(struct peer);

	(void)events;
	p->fd = accept4(w->ev.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert(p->fd >= 0);
	setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)); /* head and body are two writes */
	list_append(&peers, &p->link);
	http_peer.accepted++;
	http_peer.open++;
	fd_watch_set(&p->watch, p->fd, FD_READ, on_ready);
}

int http_peer_open(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	list_init(&peers);
	assert(fd >= 0 && bind(fd, (struct sockaddr *)&sa, len) == 0 && listen(fd, 128) == 0);
	getsockname(fd, (struct sockaddr *)&sa, &len);
	fd_watch_set(&listening, fd, FD_READ, on_accept);
	return ntohs(sa.sin_port);
}

void http_peer_hang_up(void)
{
	while (!list_empty(&peers))
		peer_free(container_of(list_first(&peers), struct peer, link));
}

void http_peer_close(void)
{
	int fd = listening.ev.fd;

	fd_watch_clear(&listening);
	close(fd);
	http_peer_hang_up();
}
