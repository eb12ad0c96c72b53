/* fuzz_stream_forward.c - a SPDY client of port-forward: headers, pairs of streams, and ports that write, read, end and
 * refuse in any order. The connections to the ports are this file's own.
 *
 * Input: steps of { what, which, length, payload }, cut off at the end. */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "handlers/stream/request.h"
#include "procs/portfwd.h"
#include "procs/sandbox.h"
#include "reactor/be32.h"
#include "reactor/buf.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/spdy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PORTS_MAX = 256 };

struct portfwd {
	const struct portfwd_events *events;
	void *arg;
	size_t untaken;
	bool paused, eof, ended;
};

static struct portfwd *ports[PORTS_MAX];
static size_t nports;
static struct sandbox *sandbox;

static void must(bool holds)
{
	if (!holds)
		abort();
}

struct portfwd *portfwd_start(int netns, uint16_t port, const struct portfwd_events *events, void *arg)
{
	struct portfwd *f = calloc(1, sizeof(*f));

	must(f && netns == FORWARD_HOST && port && nports < PORTS_MAX);
	*f = (struct portfwd){ .events = events, .arg = arg };
	ports[nports++] = f;
	return f;
}

/* The sandbox has no handler that forwards ports itself. */
struct portfwd *portfwd_start_inside(const struct runtime_handler *handler, const char *sandbox_id, uint16_t port,
				     const struct portfwd_events *events, void *arg)
{
	(void)handler, (void)sandbox_id, (void)port, (void)events, (void)arg;
	abort();
}

void portfwd_write(struct portfwd *f, const void *p, size_t n)
{
	must(n && !f->ended);
	f->untaken += n;
	if (*(const uint8_t *)p == 't') { /* taken at once */
		f->untaken -= n;
		f->events->taken(f->arg, n);
	}
}

void portfwd_end(struct portfwd *f)
{
	f->ended = true;
}

void portfwd_pause(struct portfwd *f, bool paused)
{
	f->paused = paused;
}

void portfwd_close(struct portfwd *f)
{
	size_t i = 0;

	while (i < nports && ports[i] != f)
		i++;
	must(i < nports);
	ports[i] = ports[--nports];
	free(f);
}

/* A port does something. */
static void port_step(uint8_t what, uint8_t which, const uint8_t *p, size_t n)
{
	struct portfwd *f = nports ? ports[which % nports] : NULL;
	struct err e;

	if (!f)
		return;
	switch (what % 4) {
	case 0:
		if (n && !f->paused && !f->eof)
			f->events->data(f->arg, p, n);
		return;
	case 1:
		if (!f->eof) {
			f->eof = true;
			f->events->eof(f->arg);
		}
		return;
	case 2:
		n = n < f->untaken ? n : f->untaken;
		f->untaken -= n;
		if (n)
			f->events->taken(f->arg, n);
		return;
	default:
		err_set(&e, ERR_UNAVAILABLE, "refused");
		f->events->over(f->arg, which & 128 ? &e : NULL);
	}
}

/* A header's value: the payload up to a comma. */
static const char *word(const uint8_t **p, size_t *n, char out[80])
{
	size_t len = 0;

	while (len < *n && (*p)[len] != ',')
		len++;
	snprintf(out, 80, "%.*s", (int)(len < 79 ? len : 79), (const char *)*p);
	len += len < *n;
	*p += len;
	*n -= len;
	return out;
}

static void opens(struct buf *out, struct spdy_writer *writer, uint8_t what, uint8_t which, const uint8_t *p, size_t n)
{
	static uint32_t next;
	char port[80], id[80];
	struct pair at[3] = { { "streamtype", which & 1 ? "data" : which & 2 ? "error" : "other" },
			      { "port", word(&p, &n, port) },
			      { "requestid", word(&p, &n, id) } };

	next = what & 128 ? 1 : next + 2;
	spdy_put_headers(writer, out, SPDY_SYN_STREAM, next, what & 64, &(struct pairs){ at, which & 4 ? 2 : 3 });
}

static void client_step(struct buf *out, struct spdy_writer *writer, uint8_t what, uint8_t which, const uint8_t *p,
			size_t n)
{
	uint32_t stream = which | 1, value = n >= 4 ? be32_get(p) : 1;

	switch (what % 8) {
	case 0:
		return opens(out, writer, what, which, p, n);
	case 1:
		return spdy_put_data(out, stream, what & 64, p, n);
	case 2:
		return spdy_put_reset(out, stream, SPDY_CANCEL);
	case 3:
		return spdy_put_window_update(out, what & 64 ? 0 : stream, value);
	case 4:
		return spdy_put_goaway(out, stream, value);
	default:
		return buf_append(out, p, n);
	}
}

static void talk(int fd, const uint8_t *p, size_t n)
{
	struct spdy_writer *writer = spdy_writer_new();
	char answers[4096];

	while (n >= 3) {
		size_t len = p[2] < n - 3 ? p[2] : n - 3;
		struct buf out = { 0 };

		if (p[0] & 32)
			port_step(p[0], p[1], p + 3, len);
		else
			client_step(&out, writer, p[0], p[1], p + 3, len);
		if (out.len && write(fd, out.at, out.len) < 0)
			n = 3;
		buf_free(&out);
		loop_turn();
		while (read(fd, answers, sizeof(answers)) > 0)
			;
		len = len < n - 3 ? len : n - 3;
		p += 3 + len;
		n -= 3 + len;
	}
	spdy_writer_free(writer);
}

static struct stream_request *request(void)
{
	struct arena *a = arena_new();
	struct stream_request *r = arena_zalloc(a, sizeof(*r));

	*r = (struct stream_request){ .kind = STREAM_PORT_FORWARD, .id = sandbox->id, .arena = a };
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct stream_protocol protocol = { "portforward.k8s.io", STREAM_SPDY, 1 };
	static const struct sandbox_config config = { .name = "s", .namespace_ = "n", .uid = "u" };
	int ends[2];

	if (!sandbox) {
		log_open("fuzz", LOG_LEVEL_ERROR);
		signal(SIGPIPE, SIG_IGN);
		sandbox = sandbox_new(&config);
		sandbox->state = SANDBOX_READY; /* without a network namespace: the host's */
		sandbox->hidden = false;
		sandbox->netns_path = "";
	}
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
	forward_start(request(), conduit_new(ends[0], "", 0), &protocol);
	talk(ends[1], data, size);
	close(ends[1]);
	for (int i = 0; i < 8; i++)
		loop_turn();
	must(nports == 0);
	return 0;
}
