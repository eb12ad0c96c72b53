/* test_remote.c - a command's streams against a server of SPDY/3.1 in the same loop. */
#include "handlers/cli/remote.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "reactor/buf.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/spdy_mux.h"
#include "tests/tap.h"

enum { TURNS = 1000000, MUCH = 20 << 20 };

/* fd 0, 1 and 2 are pipes during a story; TAP goes where stdout was. */
static int in[2], out[2], errs[2], real[3];
static struct buf got_out, got_err, got_in;
static int ready, done, code;
static struct err err;

static struct cli_remote *remote;

/* ---- the server ---- */

static struct {
	int listener, fd;
	struct fd_watch watch;
	struct spdy_mux *mux; /* NULL: the request has not come */
	struct buf in, out;
	uint32_t error, input, output, errors, resize;
	const char *refusal;
	bool in_ended;
} server;

static void server_write(void)
{
	while (server.out.len && buf_write(&server.out, server.fd) > 0)
		;
	fd_watch_set(&server.watch, server.fd, FD_READ | (server.out.len ? FD_WRITE : 0), server.watch.fn);
}

static void on_send(void *arg, const void *p, size_t n)
{
	(void)arg;
	buf_append(&server.out, p, n);
}

static void on_open(void *arg, uint32_t stream, const struct pairs *headers)
{
	const char *type = pairs_get(headers, "streamtype");

	(void)arg;
	if (strcmp(type, "error") == 0)
		server.error = stream;
	else if (strcmp(type, "stdin") == 0)
		server.input = stream;
	else if (strcmp(type, "stdout") == 0)
		server.output = stream;
	else if (strcmp(type, "stderr") == 0)
		server.errors = stream;
	else
		server.resize = stream;
}

static void on_data(void *arg, uint32_t stream, const void *p, size_t n)
{
	(void)arg;
	if (stream == server.input)
		buf_append(&got_in, p, n);
}

static void on_fin(void *arg, uint32_t stream)
{
	(void)arg;
	server.in_ended |= stream == server.input;
}

static void on_room(void *arg, uint32_t stream)
{
	(void)arg;
	(void)stream;
}

static void server_upgrade(void)
{
	static const struct spdy_mux_events events = { on_send, on_open, on_data, on_fin, on_fin, on_room };
	const char *end = server.in.len ? memmem(server.in.at, server.in.len, "\r\n\r\n", 4) : NULL;

	if (!end)
		return;
	buf_consume(&server.in, (size_t)(end + 4 - (const char *)server.in.at));
	buf_puts(&server.out, server.refusal ? server.refusal : "HTTP/1.1 101 Switching Protocols\r\n\r\n");
	server.mux = spdy_mux_new(&events, NULL);
}

static void on_server(struct fd_watch *w, int events)
{
	struct err e;

	(void)w;
	(void)events;
	if (server.fd < 0) {
		server.fd = accept4(server.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		return server_write();
	}
	buf_read(&server.in, server.fd, 65536);
	if (!server.mux)
		server_upgrade();
	if (server.mux && server.in.len) {
		spdy_mux_read(server.mux, server.in.at, server.in.len, &e);
		buf_consume(&server.in, server.in.len);
	}
	server_write();
}

/* ---- stories ---- */

static void on_ready(void *arg)
{
	(void)arg;
	ready++;
}

static void on_done(void *arg, const struct err *e, int exit_code)
{
	(void)arg;
	done++;
	code = exit_code;
	err.code = ERR_OK;
	if (e)
		err = *e;
}

static void pump_pipes(void)
{
	buf_read(&got_out, out[0], 65536);
	buf_read(&got_err, errs[0], 65536);
}

static void turn(bool (*until)(void))
{
	for (int i = 0; !until() && i < TURNS; i++) {
		loop_turn();
		pump_pipes();
	}
}

static bool is_joined(void)
{
	return server.error && server.output && server.errors;
}

static bool is_done(void)
{
	return done > 0;
}

static bool is_sent(void)
{
	return !server.out.len;
}

static bool has_input(void)
{
	return server.in_ended;
}

static void redirect(int pipe_fds[2], int fd, int end)
{
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		abort();
	dup2(pipe_fds[end], fd);
	close(pipe_fds[end]);
}

static void begin(const char *refusal, bool input)
{
	struct cli_remote_want want = { .in = input, .out = true, .err = true };
	struct cli_remote_events events = { on_ready, on_done, NULL };
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);
	char url[64];

	memset(&server, 0, sizeof(server));
	server.refusal = refusal;
	server.fd = -1;
	server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(server.listener, (const struct sockaddr *)&sa, len) < 0 || listen(server.listener, 1) < 0 ||
	    getsockname(server.listener, (struct sockaddr *)&sa, &len) < 0)
		abort();
	fd_watch_set(&server.watch, server.listener, FD_READ, on_server);
	ready = done = 0;
	fflush(stdout);
	redirect(in, 0, 0);
	redirect(out, 1, 1);
	redirect(errs, 2, 1);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	fcntl(errs[0], F_SETFL, O_NONBLOCK);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/exec/t", ntohs(sa.sin_port));
	remote = cli_remote_start(url, "unix:///nowhere/crisp.sock", &want, &events, &err);
	if (!remote)
		abort();
}

static void end(void)
{
	int ours[] = { in[1], out[0], errs[0] };

	cli_remote_free(remote);
	fd_watch_clear(&server.watch);
	spdy_mux_free(server.mux);
	buf_free(&server.in);
	buf_free(&server.out);
	close(server.listener);
	if (server.fd >= 0)
		close(server.fd);
	for (int i = 0; i < 3; i++) {
		dup2(real[i], i);
		if (ours[i] >= 0)
			close(ours[i]);
	}
}

static void forget(void)
{
	buf_free(&got_out);
	buf_free(&got_err);
	buf_free(&got_in);
}

static void server_ends(const char *status)
{
	spdy_mux_fin(server.mux, server.output);
	spdy_mux_fin(server.mux, server.errors);
	spdy_mux_write(server.mux, server.error, status, strlen(status));
	spdy_mux_fin(server.mux, server.error);
	server_write();
}

#define EXIT_3 "{\"status\":\"Failure\",\"details\":{\"causes\":[{\"reason\":\"ExitCode\",\"message\":\"3\"}]}}"

static void both_ways(void)
{
	begin(NULL, true);
	turn(is_joined);
	if (write(in[1], "to it", 5) != 5)
		abort();
	close(take_fd(&in[1]));
	turn(has_input);
	spdy_mux_write(server.mux, server.output, "a\0b", 3);
	spdy_mux_write(server.mux, server.errors, "oh", 2);
	server_ends(EXIT_3);
	turn(is_done);
	end();
	ok(ready == 1 && done == 1 && err.code == ERR_OK && code == 3);
	ok(got_in.len == 5 && memcmp(got_in.at, "to it", 5) == 0);
	ok(got_out.len == 3 && memcmp(got_out.at, "a\0b", 3) == 0);
	is_str(buf_str(&got_err), "oh");
	forget();
}

/* The server has sent everything and closed before the reader of stdout takes the first byte. */
static void every_byte_for_a_slow_reader(void)
{
	uint8_t *bytes = own_must(malloc(MUCH));
	bool same;

	for (size_t i = 0; i < MUCH; i++)
		bytes[i] = (uint8_t)(i * 7 + i / 251);
	begin(NULL, false);
	turn(is_joined);
	spdy_mux_write(server.mux, server.output, bytes, MUCH);
	server_ends("{\"status\":\"Success\"}");
	for (int i = 0; !is_sent() && i < TURNS; i++)
		loop_turn();
	close(server.fd);
	fd_watch_clear(&server.watch);
	server.fd = -1;
	turn(is_done);
	while (buf_read(&got_out, out[0], 65536) > 0)
		;
	end();
	ok(done == 1 && err.code == ERR_OK && code == 0);
	ok(got_out.len == MUCH);
	same = got_out.len == MUCH && memcmp(got_out.at, bytes, MUCH) == 0;
	ok(same);
	free(bytes);
	forget();
}

static void a_connection_that_breaks_is_told(void)
{
	begin(NULL, false);
	turn(is_joined);
	spdy_mux_write(server.mux, server.output, "half", 4);
	server_write();
	fd_watch_clear(&server.watch);
	close(take_fd(&server.fd));
	turn(is_done);
	end();
	ok(done == 1 && err.code == ERR_INTERNAL && code < 0);
	ok(strstr(err.msg, "may not be whole") != NULL);
	is_str(buf_str(&got_out), "half");
	forget();
}

static void a_refusal_is_told(void)
{
	begin("HTTP/1.1 404 Not Found\r\n\r\n", false);
	turn(is_done);
	end();
	ok(done == 1 && ready == 0 && strstr(err.msg, "404 Not Found") != NULL);
	forget();
}

static void a_reader_that_leaves_ends_it(void)
{
	begin(NULL, false);
	turn(is_joined);
	close(take_fd(&out[0]));
	spdy_mux_write(server.mux, server.output, "x", 1);
	server_write();
	for (int i = 0; !done && i < TURNS; i++)
		loop_turn();
	end();
	ok(done == 1 && err.code == ERR_CANCELLED);
	forget();
}

static void nobody_listens(void)
{
	struct cli_remote_want want = { .out = true };
	struct cli_remote_events events = { on_ready, on_done, NULL };

	done = 0;
	remote = cli_remote_start("http://127.0.0.1:1/exec/t", "unix:///nowhere/crisp.sock", &want, &events, &err);
	if (remote) { /* connect(2) fails at once or later */
		for (int i = 0; !done && i < TURNS; i++)
			loop_turn();
		cli_remote_free(remote);
	}
	ok(err.code == ERR_UNAVAILABLE);
	ok(cli_remote_start("https://127.0.0.1:1/exec/t", "unix:///nowhere/crisp.sock", &want, &events, &err) == NULL);
	ok(err.code == ERR_UNIMPLEMENTED);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < 3; i++)
		real[i] = dup(i);
	both_ways();
	every_byte_for_a_slow_reader();
	a_connection_that_breaks_is_told();
	a_refusal_is_told();
	a_reader_that_leaves_ends_it();
	nobody_listens();
	for (int i = 0; i < 3; i++)
		close(real[i]);
	return tap_end();
}
