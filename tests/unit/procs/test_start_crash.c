/* test_start_crash.c - procs/start.c: what a crash amid a container's start leaves, and how it goes on. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "procs/console.h"
#include "procs/runtime.h"
#include "tests/unit/procs/start_run.h"

static void crash_while_starting_but_it_started(void)
{
	struct container *c = fake_container();

	c->starting = c->in_runtime = true;
	fake_keep(c->id, 4711, -1);
	start_adopt(c);
	ok(c->state == CONTAINER_RUNNING && c->pid == 4711 && !c->starting);
	fake_exit(c->id, 0);
	world_settle();
	fake_runtime_ok(0);
}

static void crash_while_starting_and_no_runtime_was_run(void)
{
	struct container *c = fake_container();
	struct result r = { 0 };

	c->starting = c->in_runtime = true;
	start_adopt(c);
	ok(c->state == CONTAINER_CREATED && !c->starting && !c->in_runtime);
	start_start(c, record, &r);
	fake_runtime_ok(0);
	ok(r.calls == 1 && r.err.code == ERR_OK && c->state == CONTAINER_RUNNING);
	fake_exit(c->id, 0);
	world_settle();
	fake_runtime_ok(0);
}

static void crash_while_the_runtime_was_at_it(void)
{
	struct container *c = fake_container();

	c->starting = c->in_runtime = fake_knows = true;
	start_adopt(c);
	fake_knows = false;
	ok(c->state == CONTAINER_EXITED && c->exit_code == 128);
	is_str(c->reason, "StartError");
	is_str(fake_calls, "kill rmdir delete --force ");
	fake_runtime_ok(0);
	world_settle();
	ok(!c->in_runtime && !c->life);
}

/* The record of a shim's task says that Start was not sent: what was made goes before the next start. */
static void crash_before_a_shims_start(void)
{
	struct container *c = fake_container();
	struct result r = { 0 };

	c->starting = c->in_runtime = fake_knows = true;
	fake_has_not_run = true;
	start_adopt(c);
	ok(c->state == CONTAINER_CREATED && !c->starting && c->in_runtime);
	is_str(fake_calls, "kill rmdir ");
	start_start(c, record, &r);
	fake_knows = fake_has_not_run = false;
	fake_runtime_ok(0);
	is_str(fake_calls, "kill rmdir delete --force run ");
	fake_runtime_ok(0);
	ok(r.calls == 1 && r.err.code == ERR_OK && c->state == CONTAINER_RUNNING);
	fake_exit(c->id, 0);
	world_settle();
	fake_runtime_ok(0);
}

/* Start was sent: the shim brings it to its end, and tells the end of the container. */
static void crash_in_a_shims_start(void)
{
	struct container *c = fake_container();

	c->starting = c->in_runtime = fake_knows = true;
	fake_traits = RUNTIME_STREAMS | RUNTIME_WAITS;
	fake_taken_up = 4711;
	start_adopt(c);
	fake_taken_up = 0;
	ok(c->state == CONTAINER_RUNNING && c->pid == 4711 && !c->starting);
	is_str(fake_calls, "wait ");
	fake_waited(ERR_OK, 7 << 8);
	world_settle();
	ok(c->state == CONTAINER_EXITED && c->exit_code == 7);
	fake_runtime_ok(0);
	fake_knows = false;
	fake_traits = 0;
}

/* As a runtime does it. The socket of the daemon that is dead is closed; a path that is left stands for it. */
static void terminal_sent_and_daemon_dead(struct container *c, bool sent)
{
	char control[CMSG_SPACE(sizeof(int))] = "", byte = 'x';
	struct iovec iov = { &byte, 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int runtime = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), terminal = memfd_create("terminal", MFD_CLOEXEC);
	struct console_socket *s;
	struct err e;

	c->config.tty = c->starting = c->in_runtime = true;
	s = console_listen(&e);
	ok(s && console_hold_socket(c->id, s, &e) == 0);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", console_socket_path(s));
	*CMSG_FIRSTHDR(&m) = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &terminal, sizeof(terminal));
	if (sent)
		ok(connect(runtime, (struct sockaddr *)&at, sizeof(at)) == 0 && sendmsg(runtime, &m, 0) == 1);
	console_unlisten(s);
	ok(symlink("left", at.sun_path) == 0);
	close(runtime);
	close(terminal);
	fake_keep(c->id, 4711, -1);
	start_adopt(c);
	ok(access(at.sun_path, F_OK) < 0 && unlink(at.sun_path) < 0);
}

static void crash_with_the_terminal_on_its_way(void)
{
	struct container *c = fake_container();

	terminal_sent_and_daemon_dead(c, true);
	ok(c->state == CONTAINER_RUNNING && console_held(c->id) >= 0 && fake_holds == 1);
	fake_exit(c->id, 0);
	world_settle();
	fake_runtime_ok(0);
}

static void crash_in_which_the_terminal_is_lost(void)
{
	struct container *c = fake_container();
	struct result r = { 0 };

	terminal_sent_and_daemon_dead(c, false);
	ok(c->state == CONTAINER_CREATED && !c->starting && c->in_runtime && fake_holds == 0 && fake_forgotten(c->id));
	is_str(fake_calls, "kill rmdir ");
	c->config.tty = false;
	fake_knows = true;
	start_start(c, record, &r);
	fake_knows = false;
	fake_runtime_ok(0);
	is_str(fake_calls, "kill rmdir delete --force run ");
	fake_runtime_ok(0);
	ok(r.calls == 1 && c->state == CONTAINER_RUNNING);
	fake_exit(c->id, 0);
	world_settle();
	fake_runtime_ok(0);
}

int main(void)
{
	crash_while_starting_but_it_started();
	crash_while_starting_and_no_runtime_was_run();
	crash_while_the_runtime_was_at_it();
	crash_before_a_shims_start();
	crash_in_a_shims_start();
	crash_with_the_terminal_on_its_way();
	crash_in_which_the_terminal_is_lost();
	return tap_end();
}
