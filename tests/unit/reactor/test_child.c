/* test_child.c - reactor/child.c with the test as the keeper on the other end of the channel: no process is made. */
#include "reactor/child.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "reactor/child_proto.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "tests/tap.h"
#include "tests/unit/reactor/loop_run.h"

/* ---- the keeper ---- */

static struct {
	struct imsg_chan *chan;
	int spawns, kills, whos;
	uint64_t tag;
	char argv1[32], keep_id[32];
	int theirs[IMSG_FDS_MAX];
	int fds[IMSG_FDS_MAX], nfds; /* of the last spawn */
} keeper;

static void on_request(void *arg, struct imsg *m)
{
	struct child_request r;
	struct err e;

	(void)arg;
	keeper.tag = m->tag;
	if (m->type == CHILD_KILL) {
		keeper.kills++;
		return;
	}
	if (m->type == CHILD_WHO) {
		keeper.whos++;
		return;
	}
	keeper.spawns++;
	ok(child_request_get(&r, m, &e) == 0);
	snprintf(keeper.argv1, sizeof(keeper.argv1), "%s", r.argv[1] ? r.argv[1] : "");
	snprintf(keeper.keep_id, sizeof(keeper.keep_id), "%s", r.keep_id ? r.keep_id : "");
	memcpy(keeper.theirs, r.theirs, sizeof(r.theirs));
	child_request_free(&r);
	keeper.nfds = m->nfds;
	for (int i = 0; i < m->nfds; i++)
		keeper.fds[i] = take_fd(&m->fds[i]);
}

static void on_request_gone(void *arg)
{
	(void)arg;
}

static int fd_for(int theirs)
{
	for (int i = 0; i < keeper.nfds; i++)
		if (keeper.theirs[i] == theirs)
			return keeper.fds[i];
	return -1;
}

static void close_child_fds(void)
{
	for (int i = 0; i < keeper.nfds; i++)
		close(keeper.fds[i]);
	keeper.nfds = 0;
}

static void say(uint32_t type, uint32_t first, uint32_t second, const char *text, int pidfd)
{
	struct buf b = { 0 };
	struct err e;

	put_u32(&b, first);
	if (type == CHILD_EXITED)
		put_u32(&b, second);
	if (type == CHILD_FAILED)
		put_str(&b, text);
	ok(imsg_send(keeper.chan, type, keeper.tag, &b, &pidfd, pidfd >= 0, &e) == 0);
	buf_free(&b);
}

/* ---- the user of child.h ---- */

static struct {
	int calls, others, gone;
	enum err_code code;
	char text[1024], out[64], err[64];
	bool out_cut;
	int status;
	pid_t pid;
	bool pidfd;
} got;

static void on_done(void *arg, const struct err *e, struct child_result *r)
{
	(void)arg;
	got.calls++;
	got.code = e ? e->code : ERR_OK;
	snprintf(got.text, sizeof(got.text), "%s", e ? e->msg : "");
	snprintf(got.out, sizeof(got.out), "%s", r->out);
	snprintf(got.err, sizeof(got.err), "%s", r->err);
	got.out_cut = r->out_cut;
	got.status = r->status;
	got.pid = r->pid;
	got.pidfd = r->pidfd >= 0;
	loop_stop();
}

static void on_other(void *arg, struct imsg *m)
{
	(void)arg;
	(void)m;
	got.others++;
}

static void on_gone(void *arg)
{
	(void)arg;
	got.gone++;
}

static void begin(void)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		abort();
	memset(&got, 0, sizeof(got));
	memset(&keeper, 0, sizeof(keeper));
	keeper.chan = imsg_open(fds[1], on_request, on_request_gone, NULL);
	child_host_open(fds[0], on_other, on_gone, NULL);
}

static void end(void)
{
	close_child_fds();
	imsg_close(keeper.chan);
	loop_turn(); /* the host sees the end of its channel and closes its own */
}

static const char *const argv[] = { "/bin/thing", "word", NULL };

static struct child *start(void)
{
	struct child *c = child_start(
		&(struct child_spec){
			.argv = argv, .stdout_max = 5, .stderr_max = 5, .stdin_data = "in", .stdin_len = 2},
		on_done, NULL);

	ok(got.calls == 0);
	loop_turn();
	ok(keeper.spawns == 1);
	return c;
}

static void put(int theirs, const char *text)
{
	ok(write(fd_for(theirs), text, strlen(text)) == (ssize_t)strlen(text));
}

static void output_and_exit(void)
{
	char in[8] = "";

	begin();
	start();
	is_str(keeper.argv1, "word");
	ok(read(fd_for(0), in, sizeof(in) - 1) == 2 && strcmp(in, "in") == 0);
	ok(write(fd_for(0), "x", 1) < 0); /* sealed */
	put(1, "abc");
	put(1, "defg");
	put(2, "oh");
	loop_turn();
	say(CHILD_EXITED, 3 << 8, 42, NULL, -1);
	close_child_fds();
	for (int i = 0; i < 10 && !got.calls; i++)
		loop_turn();
	ok(got.calls == 1 && got.code == ERR_OK && got.status == 3 << 8 && got.pid == 42 && !got.pidfd);
	is_str(got.out, "abcde");
	is_str(got.err, "oh");
	ok(got.out_cut);
	end();
}

static void a_descendant_holds_the_pipe(void)
{
	begin();
	start();
	put(1, "abc");
	say(CHILD_EXITED, 0, 42, NULL, -1);
	loop_turn();
	loop_turn();
	ok(got.calls == 0);
	loop_run(); /* 200 ms */
	ok(got.calls == 1 && got.code == ERR_OK);
	is_str(got.out, "abc");
	end();
}

/* A daemon without a CPU for longer than it waits: its timer is due in the same turn as the output. */
static void the_daemon_stands_still(void)
{
	begin();
	start();
	say(CHILD_EXITED, 0, 42, NULL, -1);
	loop_turn();
	loop_turn();
	ok(got.calls == 0);
	put(1, "abc");
	put(2, "longer");
	poll(NULL, 0, 250);
	loop_turn();
	ok(got.calls == 1 && got.code == ERR_OK && got.out_cut == false);
	is_str(got.out, "abc");
	is_str(got.err, "longe");
	end();
}

static void too_slow(void)
{
	begin();
	child_start(&(struct child_spec){ .argv = argv, .timeout_ms = 1 }, on_done, NULL);
	for (int i = 0; i < 1000000 && !keeper.kills; i++)
		loop_turn();
	ok(keeper.kills == 1 && got.calls == 0);
	say(CHILD_EXITED, 9, 42, NULL, -1);
	loop_turn();
	ok(got.calls == 1 && got.code == ERR_DEADLINE_EXCEEDED);
	is_str(got.text, "/bin/thing did not end within 1 ms");
	end();
}

static void it_cannot_be_started(void)
{
	begin();
	start();
	say(CHILD_FAILED, ERR_INTERNAL, 0, "execve: No such file or directory (ENOENT)", -1);
	loop_turn();
	ok(got.calls == 1 && got.code == ERR_INTERNAL);
	is_str(got.text, "start /bin/thing: execve: No such file or directory (ENOENT)");
	end();
}

static void a_kept_one_is_done_when_started(void)
{
	auto_fd int like_a_pidfd = memfd_create("pidfd", MFD_CLOEXEC);

	begin();
	child_start(&(struct child_spec){ .argv = argv, .keep_id = "k" }, on_done, NULL);
	loop_turn();
	is_str(keeper.keep_id, "k");
	say(CHILD_STARTED, 42, 0, NULL, like_a_pidfd);
	loop_turn();
	ok(got.calls == 1 && got.code == ERR_OK && got.pid == 42 && got.pidfd && got.status == 0);
	end();
}

static void the_keeper_tells_the_pid(void)
{
	struct child *c;

	begin();
	child_host_tells_pids(true);
	c = start();
	ok(keeper.whos == 0); /* for most children nobody asks */
	ok(child_pid(c) == 0 && child_pid(c) == 0);
	loop_turn();
	ok(keeper.whos == 1);
	say(CHILD_PID, 77, 0, NULL, -1);
	loop_turn();
	ok(got.calls == 0 && child_pid(c) == 77);
	child_cancel(c);
	end();
}

static void an_old_keeper_is_not_asked(void)
{
	struct child *c;

	begin();
	c = start();
	ok(child_pid(c) == 0);
	loop_turn();
	ok(keeper.whos == 0);
	child_cancel(c);
	end();
}

static void the_keeper_dies(void)
{
	begin();
	start();
	child_start(&(struct child_spec){ .argv = argv }, on_done, NULL);
	close_child_fds();
	imsg_close(keeper.chan);
	loop_turn();
	ok(got.gone == 1 && got.calls == 0 && !child_host_chan());
	loop_turn();
	ok(got.calls == 2 && got.code == ERR_UNAVAILABLE);
	child_start(&(struct child_spec){ .argv = argv }, on_done, NULL);
	ok(got.calls == 2);
	loop_turn();
	ok(got.calls == 3 && got.code == ERR_UNAVAILABLE);
	begin(); /* with another keeper children run again */
	start();
	say(CHILD_EXITED, 0, 42, NULL, -1);
	close_child_fds();
	for (int i = 0; i < 10 && !got.calls; i++)
		loop_turn();
	ok(got.calls == 1 && got.code == ERR_OK);
	end();
}

static void cancel_in_each_state(void)
{
	struct child *c;

	begin();
	child_cancel(start()); /* SENT */
	loop_turn();
	ok(keeper.kills == 1);
	say(CHILD_EXITED, 9, 42, NULL, -1);
	loop_turn();
	ok(got.calls == 0);
	end();

	begin();
	c = start();
	say(CHILD_EXITED, 0, 42, NULL, -1);
	loop_turn();
	child_cancel(c); /* DRAIN */
	loop_turn();
	ok(got.calls == 0 && keeper.kills == 0);
	end();

	begin();
	c = child_start(&(struct child_spec){ .argv = argv, .timeout_ms = 1 }, on_done, NULL);
	for (int i = 0; i < 1000000 && !keeper.kills; i++)
		loop_turn();
	child_cancel(c); /* KILLED */
	loop_turn();
	ok(got.calls == 0 && keeper.kills == 1);
	end();

	c = child_start(&(struct child_spec){ .argv = argv }, on_done, NULL);
	child_cancel(c); /* it could not be sent, and `done` has not run yet */
	loop_turn();
	ok(got.calls == 0);
}

static void more_fds_than_a_message_takes(void)
{
	struct child_fd fds[IMSG_FDS_MAX];

	for (int i = 0; i < IMSG_FDS_MAX; i++)
		fds[i] = (struct child_fd){ 0, i + 3 };
	begin();
	child_start(
		&(struct child_spec){.argv = argv, .fds = fds, .nfds = IMSG_FDS_MAX, .stdin_data = "", .stdin_len = 0},
		on_done, NULL);
	loop_turn();
	ok(got.calls == 1 && got.code == ERR_INTERNAL && keeper.spawns == 0);
	end();
}

static void what_is_not_about_children(void)
{
	struct err e;

	begin();
	imsg_send(keeper.chan, CHILD_MESSAGES_END, 0, NULL, NULL, 0, &e);
	loop_turn();
	ok(got.others == 1);
	end();
}

int main(void)
{
	int before;

	what_is_not_about_children(); /* first, so that `before` counts the loop's own fds */
	before = open_fds();
	output_and_exit();
	a_descendant_holds_the_pipe();
	the_daemon_stands_still();
	too_slow();
	it_cannot_be_started();
	a_kept_one_is_done_when_started();
	the_keeper_tells_the_pid();
	an_old_keeper_is_not_asked();
	the_keeper_dies();
	cancel_in_each_state();
	more_fds_than_a_message_takes();
	ok(open_fds() == before);
	is_str(child_status_text(3 << 8), "exit status 3");
	is_str(child_status_text(9), "killed by signal 9 (Killed)");
	return tap_end();
}
