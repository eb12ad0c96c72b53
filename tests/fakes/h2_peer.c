/* h2_peer.c - see h2_peer.h. */
#include "tests/fakes/h2_peer.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "reactor/buf.h"
#include "reactor/loop.h"

static struct buf unsent; /* of the one peer that writes at a time */

static int number(const uint8_t *v, size_t len)
{
	char text[16] = "";

	memcpy(text, v, len < 15 ? len : 15);
	return atoi(text);
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *f, const uint8_t *name, size_t name_len,
		     const uint8_t *v, size_t len, uint8_t flags, void *arg)
{
	struct h2_answer *a = &((struct h2_peer *)arg)->answer;
	const char *key = (const char *)name;

	(void)h2;
	(void)name_len;
	(void)flags;
	if (f->hd.stream_id != ((struct h2_peer *)arg)->stream)
		return 0;
	if (strcmp(key, ":status") == 0)
		a->status = number(v, len);
	if (strcmp(key, "grpc-status") == 0)
		a->grpc_status = number(v, len);
	if (strcmp(key, "grpc-message") == 0)
		snprintf(a->message, sizeof(a->message), "%.*s", (int)len, (const char *)v);
	if (strcmp(key, "grpc-accept-encoding") == 0)
		snprintf(a->accept_encoding, sizeof(a->accept_encoding), "%.*s", (int)len, (const char *)v);
	if (strcmp(key, "allow") == 0)
		snprintf(a->allow, sizeof(a->allow), "%.*s", (int)len, (const char *)v);
	return 0;
}

static int on_frame(nghttp2_session *h2, const nghttp2_frame *f, void *arg)
{
	struct h2_peer *p = arg;
	struct h2_answer *a = &p->answer;

	(void)h2;
	if (f->hd.type == NGHTTP2_PING)
		a->pings++;
	if (f->hd.type == NGHTTP2_GOAWAY) {
		a->goaways++;
		a->goaway_code = f->goaway.error_code;
		a->goaway_last = f->goaway.last_stream_id;
	}
	if (f->hd.type == NGHTTP2_RST_STREAM) {
		a->resets++;
		a->reset_code = f->rst_stream.error_code;
		a->refused += a->reset_code == NGHTTP2_REFUSED_STREAM;
	}
	if (f->hd.stream_id != p->stream)
		return 0;
	a->headers_frames += f->hd.type == NGHTTP2_HEADERS;
	if (f->hd.type <= NGHTTP2_HEADERS && (f->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
		a->ended = true;
		a->last_read = p->reading;
	}
	return 0;
}

static int on_data(nghttp2_session *h2, uint8_t flags, int32_t stream, const uint8_t *at, size_t len, void *arg)
{
	(void)h2;
	(void)flags;
	(void)stream;
	(void)at;
	((struct h2_peer *)arg)->answer.data += len;
	return 0;
}

void h2_peer_open(struct h2_peer *p, const char *path, int32_t window)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	nghttp2_settings_entry settings = { NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)window };
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *options;

	*p = (struct h2_peer){ .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) };
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	p->closed = connect(p->fd, (struct sockaddr *)&un, sizeof(un)) < 0;
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_option_new(&options);
	nghttp2_option_set_no_auto_window_update(options, 1);
	nghttp2_option_set_peer_max_concurrent_streams(options, 100000);
	nghttp2_option_set_no_http_messaging(options, 1);
	nghttp2_session_client_new2(&p->h2, callbacks, p, options);
	nghttp2_option_del(options);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_submit_settings(p->h2, NGHTTP2_FLAG_NONE, &settings, 1);
	nghttp2_session_set_local_window_size(p->h2, NGHTTP2_FLAG_NONE, 0, window);
}

void h2_peer_close(struct h2_peer *p)
{
	nghttp2_session_del(p->h2);
	close(p->fd);
	buf_free(&unsent);
}

void h2_peer_allow(struct h2_peer *p, int32_t bytes)
{
	nghttp2_submit_window_update(p->h2, NGHTTP2_FLAG_NONE, 0, bytes);
	nghttp2_submit_window_update(p->h2, NGHTTP2_FLAG_NONE, p->stream, bytes);
}

struct body {
	const uint8_t *at;
	size_t len;
	bool end;
};

static ssize_t on_out(nghttp2_session *h2, int32_t stream, uint8_t *at, size_t room, uint32_t *flags,
		      nghttp2_data_source *source, void *arg)
{
	struct body *b = source->ptr;
	size_t n = b->len < room ? b->len : room;

	(void)h2;
	(void)stream;
	(void)arg;
	if (n == 0 && !b->end)
		return NGHTTP2_ERR_DEFERRED; /* the body and its source live as long as the process */
	if (n)
		memcpy(at, b->at, n);
	b->at += n;
	b->len -= n;
	if (b->len == 0 && b->end)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

enum { FIELDS_MAX = 16 };

static size_t set_field(nghttp2_nv *nv, size_t n, const char *field)
{
	const char *colon = strchr(field + 1, ':');
	size_t name_len = (size_t)(colon - field), i = 0;
	const char *value = colon + 2;

	while (i < n && !(nv[i].namelen == name_len && memcmp(nv[i].name, field, name_len) == 0))
		i++;
	if (!*value) {
		assert(i < n);
		memmove(nv + i, nv + i + 1, (n - i - 1) * sizeof(*nv));
		return n - 1;
	}
	nv[i] = (nghttp2_nv){ (uint8_t *)field, (uint8_t *)value, name_len, strlen(value), NGHTTP2_NV_FLAG_NONE };
	return i == n ? n + 1 : n;
}

int32_t h2_peer_ask(struct h2_peer *p, const char *path, const char *const *fields, const void *body, size_t len,
		    bool end)
{
	static const char *const defaults[] = { ":method: POST", ":scheme: http", ":authority: localhost",
						"content-type: application/grpc", "te: trailers" };
	static struct body bodies[8];
	static int next;
	struct body *b = &bodies[next++ % 8];
	nghttp2_data_provider out = { .source.ptr = b, .read_callback = on_out };
	nghttp2_nv nv[FIELDS_MAX];
	char path_field[1500];
	size_t n = 0;

	for (size_t i = 0; i < 3; i++)
		n = set_field(nv, n, defaults[i]);
	snprintf(path_field, sizeof(path_field), ":path: %s", path);
	n = set_field(nv, n, path_field);
	for (size_t i = 3; i < 5; i++)
		n = set_field(nv, n, defaults[i]);
	for (size_t i = 0; fields && fields[i]; i++)
		n = set_field(nv, n, fields[i]);
	*b = (struct body){ body, len, end };
	p->answer = (struct h2_answer){ .status = -1, .grpc_status = -1 };
	p->stream = nghttp2_submit_request(p->h2, NULL, nv, n, len || !end ? &out : NULL, NULL);
	return p->stream;
}

bool h2_peer_write(struct h2_peer *p)
{
	for (;;) {
		const uint8_t *frame;
		ssize_t n = unsent.len ? 0 : nghttp2_session_mem_send(p->h2, &frame);

		if (n > 0)
			buf_append(&unsent, frame, (size_t)n);
		if (!unsent.len)
			return true;
		n = send(p->fd, unsent.at, unsent.len, MSG_NOSIGNAL);
		if (n < 0) {
			p->closed |= errno != EAGAIN;
			return p->closed;
		}
		buf_consume(&unsent, (size_t)n);
	}
}

void h2_peer_read(struct h2_peer *p)
{
	static uint8_t bytes[256 << 10];
	ssize_t n;

	while ((n = recv(p->fd, bytes, sizeof(bytes), 0)) > 0) {
		p->reading = (size_t)n;
		if (nghttp2_session_mem_recv(p->h2, bytes, (size_t)n) < 0)
			break;
	}
	p->closed |= n == 0 || (n < 0 && errno != EAGAIN);
}

void h2_peer_turn(struct h2_peer *p)
{
	h2_peer_write(p);
	loop_turn();
	h2_peer_read(p);
}
