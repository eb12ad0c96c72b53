/* fuzz_stream_spdy.c - a SPDY client of exec, attach: streams in any order and number, data, ends, resets, windows.
 *
 * Input: a byte of options, then steps of { what, which, length, payload }, cut off at the end. */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "handlers/stream/remote.h"
#include "reactor/be32.h"
#include "reactor/buf.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/spdy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TTY = 1, IN = 2, ERR = 4, VERSION_SHIFT = 3, FINISH = 32, KEEP = 64 };

static struct {
	struct remote *remote; /* NULL: gone or finished */
	uint8_t options;
	size_t untaken;
	bool ready, ended;
} u;

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void on_ready(void *arg)
{
	(void)arg;
	must(u.remote && !u.ready);
	u.ready = true;
	remote_output(u.remote, false, "hello", 5);
}

static void on_input(void *arg, const void *p, size_t n)
{
	(void)arg;
	must(u.remote && u.options & IN && n);
	u.untaken += n;
	if (!(u.options & KEEP)) {
		remote_taken(u.remote, u.untaken);
		u.untaken = 0;
	}
	if (*(const uint8_t *)p == 'q') {
		remote_finish(u.remote, NULL, 3);
		u.remote = NULL;
	}
}

static void on_input_end(void *arg)
{
	(void)arg;
	must(u.remote && u.options & IN);
	u.ended = true;
}

static void on_resize(void *arg, uint16_t width, uint16_t height)
{
	(void)arg;
	must(u.remote && width && height);
}

static void on_room(void *arg)
{
	(void)arg;
	must(u.remote);
}

static void on_gone(void *arg)
{
	(void)arg;
	must(u.remote);
	u.remote = NULL;
}

/* One step as bytes of the client. */
static void step(struct buf *out, struct spdy_writer *writer, uint8_t what, uint8_t which, const uint8_t *p, size_t n)
{
	static const char *const types[] = { "stdin", "stdout", "stderr", "error", "resize", "other", "", NULL };
	static uint32_t next;
	struct pair type = { "streamtype", types[which % 8] };
	uint32_t stream = which | 1, value = n >= 4 ? be32_get(p) : 1;

	switch (what % 8) {
	case 0:
		next = what & 128 ? 1 : next + 2;
		return spdy_put_headers(writer, out, SPDY_SYN_STREAM, next, what & 64,
					&(struct pairs){ &type, type.value != NULL });
	case 1:
		return spdy_put_data(out, stream, what & 64, p, n);
	case 2:
		return spdy_put_reset(out, stream, SPDY_CANCEL);
	case 3:
		return spdy_put_window_update(out, what & 64 ? 0 : stream, value);
	case 4:
		return spdy_put_ping(out, value);
	case 5:
		buf_append(out, "\x80\3\0\4\0\0\0\14\0\0\0\1\0\0\0\7", 16); /* SETTINGS: the initial window */
		return buf_append(out, &value, 4);
	case 6:
		return spdy_put_goaway(out, stream, value);
	default:
		return buf_append(out, p, n);
	}
}

static void steps(struct buf *out, const uint8_t *p, size_t n)
{
	struct spdy_writer *writer = spdy_writer_new();

	while (n >= 3) {
		size_t len = p[2] < n - 3 ? p[2] : n - 3;

		step(out, writer, p[0], p[1], p + 3, len);
		p += 3 + len;
		n -= 3 + len;
	}
	spdy_writer_free(writer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct remote_events events = { on_ready, on_input, on_input_end, on_resize, on_room, on_gone };
	struct stdio_want want;
	struct buf in = { 0 };
	char answers[4096];
	int ends[2];

	if (size < 1)
		return 0;
	log_open("fuzz", LOG_LEVEL_ERROR);
	signal(SIGPIPE, SIG_IGN);
	u = (typeof(u)){ .options = data[0] };
	want = (struct stdio_want){ u.options & IN, true, u.options & ERR, u.options & TTY };
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
	u.remote = remote_spdy(conduit_new(ends[0], "", 0), 1 + (u.options >> VERSION_SHIFT) % 4, &want, &events, NULL);
	steps(&in, data + 1, size - 1);
	for (size_t at = 0; at < in.len;) {
		ssize_t n = write(ends[1], in.at + at, in.len - at < 3000 ? in.len - at : 3000);

		if (n <= 0)
			break;
		at += (size_t)n;
		loop_turn();
		while (read(ends[1], answers, sizeof(answers)) > 0)
			;
	}
	buf_free(&in);
	if (u.remote && u.options & FINISH) {
		remote_finish(u.remote, NULL, 0);
		u.remote = NULL;
	}
	close(ends[1]);
	for (int i = 0; i < 6; i++)
		loop_turn();
	if (u.remote) { /* it is paused and would look for the peer's end in 2 s */
		must(u.options & KEEP);
		remote_finish(u.remote, NULL, 0);
	}
	for (int i = 0; i < 3; i++)
		loop_turn();
	return 0;
}
