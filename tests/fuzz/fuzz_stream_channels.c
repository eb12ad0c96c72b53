/* fuzz_stream_channels.c - a WebSocket client of exec, attach: channels, base64, closes, sizes of a terminal.
 *
 * Input: a byte of options, then frames of { opcode and FIN, length, payload }, cut off at the end. Bit 7 of the
 * options: the rest is sent as it is instead. */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "handlers/stream/remote.h"
#include "reactor/buf.h"
#include "reactor/log.h"
#include "reactor/loop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TTY = 1, IN = 2, ERR = 4, BASE64 = 8, V5 = 16, FINISH = 32, KEEP = 64, RAW = 128 };

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
	must(u.remote && u.ready && !u.ended && n);
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
	must(u.remote && !u.ended);
	u.ended = true;
}

static void on_resize(void *arg, uint16_t width, uint16_t height)
{
	(void)arg;
	must(u.remote && u.options & TTY && width && height);
}

static void on_room(void *arg)
{
	(void)arg;
	must(u.remote && remote_has_room(u.remote));
}

static void on_gone(void *arg)
{
	(void)arg;
	must(u.remote);
	u.remote = NULL;
}

static void frames(struct buf *out, const uint8_t *p, size_t n)
{
	while (n >= 2) {
		uint8_t head[8] = { p[0] & 0x8f, 0xfe }; /* masked by zeros; a length of two bytes follows */
		size_t len = p[1] < n - 2 ? p[1] : n - 2;

		if ((p[0] & 15) >= 8) { /* control frames have the short form */
			len = len < 125 ? len : 125;
			head[1] = (uint8_t)(0x80 | len);
			buf_append(out, head, 2);
			buf_append(out, "\0\0\0\0", 4);
		} else {
			head[3] = (uint8_t)len;
			buf_append(out, head, 8);
		}
		buf_append(out, p + 2, len);
		p += 2 + len;
		n -= 2 + len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct remote_events events = { on_ready, on_input, on_input_end, on_resize, on_room, on_gone };
	struct stdio_want want = { .out = true };
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
	u.remote = remote_ws(conduit_new(ends[0], "", 0), u.options & V5 ? 5 : 4, u.options & BASE64, &want, &events,
			     NULL);
	loop_turn();
	if (u.options & RAW)
		buf_append(&in, data + 1, size - 1);
	else
		frames(&in, data + 1, size - 1);
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
	must(!u.remote || u.options & KEEP);
	if (u.remote) /* it is paused and would look for the peer's end in 2 s */
		remote_finish(u.remote, NULL, 0);
	for (int i = 0; i < 3; i++)
		loop_turn();
	return 0;
}
