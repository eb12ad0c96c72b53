/* test_exec_stream.c - procs/exec_stream.c with a runtime that answers as the test says: pipes, terminals, slow
 * clients, clients that leave. */
#include "procs/exec_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "tests/fakes/keeper.h"
#include "tests/fakes/runtime.h"
#include "tests/fakes/world.h"
#include "tests/tap.h"

static const char *words[] = { "true" };
static const struct strings cmd = { words, 1 };
static const struct stdio_want all = { true, true, true, false }, tty = { true, true, false, true },
			       out_only = { .out = true };
static struct container *c;

static struct client {
	struct stdio *io;
	char out[256], err[256];
	size_t out_len, taken;
	int ended, prompted;
	struct err fault;
	int32_t exit_code;
} k;

static void on_output(void *arg, bool is_stderr, const void *p, size_t n)
{
	(void)arg;
	k.out_len += is_stderr ? 0 : n;
	if (n < 100)
		strncat(is_stderr ? k.err : k.out, p, n);
	k.prompted = strstr(k.out, "prompt") != NULL;
}

static void on_taken(void *arg, size_t n)
{
	(void)arg;
	k.taken += n;
}

static void on_ended(void *arg, const struct err *e, int32_t exit_code)
{
	(void)arg;
	k.ended++;
	k.fault = e ? *e : (struct err){ 0 };
	k.exit_code = exit_code;
}

static const struct stdio_events events = { on_output, on_taken, on_ended };

static void begin(const struct stdio_want *want)
{
	char path[400];
	FILE *f;

	memset(&k, 0, sizeof(k));
	c = fake_running(0);
	snprintf(path, sizeof(path), "%s/config.json", c->bundle);
	f = fopen(path, "we");
	fputs("{}", f);
	fclose(f);
	k.io = exec_stream_start(c, &cmd, want, &events, NULL);
}

static void close_them(void)
{
	int *fds[] = { &fake_exec_in, &fake_exec_out, &fake_exec_err };

	for (int i = 0; i < 3; i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

static void says(int fd, const char *text)
{
	ok(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	world_settle();
}

static void exits(int status)
{
	fake_exit(fake_exec_keep_id, status);
	world_settle();
}

static void both_ways(void)
{
	char heard[32] = "";

	begin(&all);
	stdio_input(k.io, "early ", 6);
	fake_runtime_ok(0);
	stdio_input(k.io, "input", 5);
	ok(read(fake_exec_in, heard, sizeof(heard) - 1) == 11 && k.taken == 11);
	is_str(heard, "early input");
	says(fake_exec_out, "output");
	says(fake_exec_err, "error");
	is_str(k.out, "output");
	is_str(k.err, "error");
	stdio_input_end(k.io);
	world_settle();
	ok(read(fake_exec_in, heard, 1) == 0);
	close_them();
	ok(k.ended == 0);
	exits(3 << 8);
	ok(k.ended == 1 && k.fault.code == ERR_OK && k.exit_code == 3);
	ok(fake_forgotten(fake_exec_keep_id));
}

static void what_is_in_the_pipe_is_delivered_at_the_client_s_pace(void)
{
	begin(&out_only);
	fake_runtime_ok(0);
	ok(fake_exec_in < 0);
	says(fake_exec_err, "nobody asked for this");
	is_str(k.err, "");
	stdio_pause(k.io, true);
	says(fake_exec_out, "last words");
	close_them();
	exits(0);
	world_advance(60000);
	ok(k.ended == 0 && k.out_len == 0);
	stdio_pause(k.io, false);
	world_settle();
	is_str(k.out, "last words");
	ok(k.ended == 1 && k.exit_code == 0);
}

static void a_background_child_is_waited_for_until_it_is_silent(void)
{
	begin(&out_only);
	fake_runtime_ok(0);
	exits(0);
	world_advance(150);
	says(fake_exec_out, "still here");
	world_advance(199);
	ok(k.ended == 0);
	world_advance(1);
	ok(k.ended == 1);
	is_str(k.out, "still here");
	close_them();
}

/* crispd has no CPU from the exit on, until the silence is over. */
static void the_daemon_stands_still(void)
{
	begin(&out_only);
	fake_runtime_ok(0);
	exits(0);
	ok(write(fake_exec_out, "unheard", 7) == 7);
	world_spend(200);
	world_settle();
	is_str(k.out, "unheard");
	world_advance(200);
	ok(k.ended == 1);
	close_them();
}

static void input_that_nobody_reads_is_taken_at_the_end(void)
{
	static char big[200000];

	begin(&all);
	fake_runtime_ok(0);
	stdio_input(k.io, big, sizeof(big));
	ok(k.taken < sizeof(big));
	close_them();
	exits(0);
	ok(k.taken == sizeof(big) && k.ended == 1);
}

static void no_such_command(void)
{
	begin(&all);
	fake_runtime_fail(ERR_INTERNAL, "exec: \"nope\" not found");
	ok(k.ended == 1 && k.fault.code == ERR_INTERNAL && strstr(k.fault.msg, "nope"));
	close_them();
}

static void the_container_does_not_run(void)
{
	memset(&k, 0, sizeof(k));
	c = fake_container();
	k.io = exec_stream_start(c, &cmd, &all, &events, NULL);
	ok(k.ended == 0);
	world_settle();
	ok(k.ended == 1 && k.fault.code == ERR_FAILED_PRECONDITION && !fake_runtime_pending());
}

static void its_status_is_lost(void)
{
	begin(&out_only);
	fake_runtime_ok(0);
	close_them();
	exits(-1);
	ok(k.ended == 1 && k.fault.code == ERR_INTERNAL);
}

/* ---- clients that leave ---- */

static void the_client_leaves_and_it_runs_on(void)
{
	char heard[8];

	begin(&all);
	fake_runtime_ok(0);
	stdio_pause(k.io, true);
	stdio_leave(k.io);
	world_settle();
	ok(read(fake_exec_in, heard, 1) == 0);
	says(fake_exec_out, "to nobody");
	ok(k.out_len == 0);
	exits(0);
	ok(k.ended == 0 && fake_forgotten(fake_exec_keep_id));
	close_them();
}

static void the_client_leaves_before_it_runs(void)
{
	begin(&all);
	stdio_leave(k.io);
	world_settle();
	fake_runtime_ok(0);
	exits(0);
	ok(k.ended == 0 && fake_forgotten(fake_exec_keep_id));
	close_them();
	begin(&all);
	stdio_leave(k.io);
	fake_runtime_fail(ERR_INTERNAL, "no");
	ok(k.ended == 0);
	close_them();
}

/* ---- terminals ---- */

/* Sends a pty's master as a runtime does. Returns the slave. */
static int send_terminal(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave, sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec iov = { (char *)"pty", 3 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	grantpt(master);
	unlockpt(master);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	*h = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(h), &master, sizeof(int));
	strcpy(at.sun_path, fake_exec_console);
	ok(connect(sock, (struct sockaddr *)&at, sizeof(at)) == 0 && sendmsg(sock, &m, 0) == 3);
	close(sock);
	close(master);
	return slave;
}

static void a_terminal(void)
{
	struct winsize size;
	char heard[32] = "";
	int slave;

	begin(&tty);
	stdio_resize(k.io, 132, 43);
	stdio_input(k.io, "early\n", 6);
	slave = send_terminal();
	fake_runtime_ok(0);
	world_settle();
	ok(ioctl(slave, TIOCGWINSZ, &size) == 0 && size.ws_col == 132 && size.ws_row == 43);
	ok(read(slave, heard, sizeof(heard)) == 6 && k.taken == 6);
	stdio_resize(k.io, 80, 24);
	ok(ioctl(slave, TIOCGWINSZ, &size) == 0 && size.ws_col == 80);
	says(slave, "prompt");
	world_until(&k.prompted, 5000); /* the kernel moves a terminal's bytes in a worker */
	ok(k.prompted);
	stdio_input_end(k.io);
	world_settle();
	ok(read(slave, heard, sizeof(heard)) == 0); /* end of file by ^D */
	close(slave);
	world_settle();
	exits(0);
	ok(k.ended == 1 && k.exit_code == 0);
}

static void a_terminal_hangs_up_with_its_client(void)
{
	char heard[8];
	int slave;

	begin(&tty);
	slave = send_terminal();
	fake_runtime_ok(0);
	world_settle();
	stdio_leave(k.io);
	ok(read(slave, heard, sizeof(heard)) <= 0);
	exits(SIGHUP);
	ok(k.ended == 0 && fake_forgotten(fake_exec_keep_id));
	close(slave);
}

static void the_runtime_sends_no_terminal(void)
{
	begin(&tty);
	fake_runtime_ok(0);
	ok(k.ended == 1 && k.fault.code == ERR_INTERNAL);
	exits(SIGKILL);
	ok(k.ended == 1 && fake_forgotten(fake_exec_keep_id));
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	both_ways();
	what_is_in_the_pipe_is_delivered_at_the_client_s_pace();
	a_background_child_is_waited_for_until_it_is_silent();
	the_daemon_stands_still();
	input_that_nobody_reads_is_taken_at_the_end();
	no_such_command();
	the_container_does_not_run();
	its_status_is_lost();
	the_client_leaves_and_it_runs_on();
	the_client_leaves_before_it_runs();
	a_terminal();
	a_terminal_hangs_up_with_its_client();
	the_runtime_sends_no_terminal();
	return tap_end();
}
