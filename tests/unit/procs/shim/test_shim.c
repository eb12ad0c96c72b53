/* test_shim.c - handlers of type shim: what their program is told, what is made of its answers, and the operations
 * against a shim that this test plays. */
#include <sys/resource.h>

#include "procs/keeper.h"
#include "tests/unit/procs/shim/peer.h"

static void answers_of_start(void)
{
	static const char result[] = "\x08\x03\x12\x09unix:///s\x1a\x05ttrpc";
	static const char grpc[] = "{\"version\":3,\"address\":\"unix:///s\",\"protocol\":\"grpc\"}";
	static const char vsock[] = "{\"version\":3,\"address\":\"vsock://3:1\",\"protocol\":\"ttrpc\"}";
	struct shim_answer a;
	struct err e;

	ok(shim_answer_parse(result, sizeof(result) - 1, &a, &e) == 0 && a.version == 3);
	is_str(a.address, "unix:///s");
	ok(shim_answer_parse("unix:///run/s/0a\n", 17, &a, &e) == 0 && a.version == 2);
	is_str(a.address, "unix:///run/s/0a");
	ok(shim_answer_parse("/run/s/0a", 9, &a, &e) == 0);
	is_str(a.address, "unix:///run/s/0a");
	ok(shim_answer_parse(json_answer(), strlen(json_answer()), &a, &e) == 0 && a.version == 3);
	ok(shim_answer_parse(grpc, sizeof(grpc) - 1, &a, &e) < 0 && e.code == ERR_UNIMPLEMENTED);
	is_str(e.msg, "the shim speaks grpc: only ttrpc is spoken here");
	ok(shim_answer_parse(vsock, sizeof(vsock) - 1, &a, &e) < 0 && e.code == ERR_UNIMPLEMENTED);
	ok(shim_answer_parse("\x08\x07\x12\x02/s", 6, &a, &e) < 0 && e.code == ERR_UNIMPLEMENTED);
	ok(shim_answer_parse("no such command", 15, &a, &e) < 0 && e.code == ERR_INTERNAL);
	ok(shim_answer_parse("", 0, &a, &e) < 0 && e.code == ERR_INTERNAL);
	ok(shim_answer_parse((const char[]){ 'u', 'n' }, 2, &a, &e) < 0 && e.code == ERR_INTERNAL);
}

static void programs_by_path_and_type(void)
{
	struct err e = { 0 };

	ok(runtime_usable(shim, &e) == 0);
	ok(runtime_usable(runtime_find("named"), &e) < 0 && e.code == ERR_FAILED_PRECONDITION);
	ok(strstr(e.msg, "/containerd-shim-nosuch-v2") != NULL);
	ok(runtime_traits(shim) ==
	   (RUNTIME_WAITS | RUNTIME_KILLS | RUNTIME_STATS | RUNTIME_EXEC_WAITS | RUNTIME_STREAMS));
	ok(runtime_traits(runtime_find("box")) == (runtime_traits(shim) | RUNTIME_SANDBOX));
}

/* The pod's task begins its shim, to which its containers go, and which ends with that task. */
static void a_sandbox_is_the_first_task(void)
{
	const struct runtime_handler *box = runtime_find("box"), *old = shim;
	struct runtime_sandbox pod = { .id = "pod1", .bundle = bundle, .cgroup = "/group", .keep_id = "pause/pod1" };
	struct result one = { 0 }, two = { 0 };

	shim = box;
	fake_start();
	runtime_run_sandbox(box, &pod, record, &one);
	world_settle();
	ok(strstr(program_line(0), " -id pod1 start") != NULL);
	program_answers(json_answer());
	ok(one.calls == 1 && one.err.code == ERR_OK && one.pid == 4242);
	run_one("c1", &two);
	ok(program_running() == 0 && two.calls == 1 && two.err.code == ERR_OK);
	is_str(fake.log, "Connect Create Start Create Start ");
	fake.log[0] = '\0';
	remove_one("c1");
	ok(!strstr(fake.log, "Shutdown"));
	remove_one("pod1");
	ok(strstr(fake.log, "Shutdown"));
	fake_die();
	shim = old;
}

static void from_start_to_end(void)
{
	struct result run = { 0 }, wait = { 0 }, del = { 0 };

	fake_start();
	run_one("c1", &run);
	ok(runtime_knows(shim, "c1"));
	ok(program_running() == 1 && strstr(program_line(0), " -id c1 start") != NULL);
	program_answers(json_answer());
	ok(run.calls == 1 && run.err.code == ERR_OK && run.pid == 4242);
	is_str(fake.log, "Connect Create Start ");
	runtime_wait(shim, "c1", record, &wait);
	world_settle();
	ok(wait.calls == 0);
	fake_waited(7);
	ok(wait.calls == 1 && wait.status == 7 << 8);
	is_str(fake.log, "Connect Create Start Wait Delete ");
	/* Asked again, without the shim. */
	runtime_wait(shim, "c1", record, &wait);
	world_settle();
	ok(wait.calls == 2 && wait.status == 7 << 8);
	runtime_delete(shim, "c1", false, record, &del);
	world_settle();
	ok(del.calls == 1 && del.err.code == ERR_OK && !runtime_knows(shim, "c1"));
	is_str(fake.log, "Connect Create Start Wait Delete Shutdown ");
	runtime_delete(shim, "c1", true, record, &del);
	world_settle();
	ok(del.calls == 2 && del.err.code == ERR_OK); /* idempotent */
	fake_die();
}

/* Two containers of one pod that start at once: one `start`, and one Shutdown behind the last. */
static void a_pod_has_one_shim(void)
{
	struct result one = { 0 }, two = { 0 };

	fake_start();
	run_one("c1", &one);
	run_one("c2", &two);
	ok(program_running() == 1);
	program_answers(json_answer());
	ok(one.calls == 1 && two.calls == 1 && one.err.code == ERR_OK && two.err.code == ERR_OK);
	ok(program_running() == 0);
	fake.log[0] = '\0';
	remove_one("c1");
	ok(!strstr(fake.log, "Shutdown"));
	remove_one("c2");
	ok(strstr(fake.log, "Shutdown"));
	fake_die();
}

/* An Any of that type with that value, as Stats answers it. */
static void put_stats(struct buf *out, const char *type, const struct buf *value)
{
	shim_put_any(out, 1, type, value->at, value->len);
}

static void put_inside(struct buf *out, uint32_t field, uint32_t inner, uint64_t value)
{
	struct buf b = { 0 };

	pb_put_u64(&b, inner, value);
	pb_put_bytes(out, field, b.at, b.len);
	buf_free(&b);
}

static bool reads(const struct buf *answer, struct runtime_usage *u)
{
	struct err e;

	if (runtime_usage_read(shim, (const char *)answer->at, answer->len, u, &e) == 0)
		return true;
	ok(e.code == ERR_INTERNAL);
	return false;
}

/* cgroup v1: 2 pids { 1 }, 3 cpu { 1 usage { 1 } }, 4 memory { 19 rss, 30 inactive_file, 33 usage { 2 } };
 * v2: 1 pids { 1 }, 2 cpu { 1 usage_usec }, 4 memory { 1 anon, 13 inactive_file, 32 usage }. */
static void usage_of_both_kinds(void)
{
	struct buf v1 = { 0 }, v2 = { 0 }, part = { 0 }, answer = { 0 };
	struct runtime_usage u;

	put_inside(&v1, 2, 1, 3);
	put_inside(&part, 1, 1, 5000000000);
	pb_put_bytes(&v1, 3, part.at, part.len);
	buf_free(&part);
	pb_put_u64(&part, 19, 111);
	pb_put_u64(&part, 30, 222);
	put_inside(&part, 33, 2, 4444);
	pb_put_bytes(&v1, 4, part.at, part.len);
	buf_free(&part);
	put_stats(&answer, "io.containerd.cgroups.v1.Metrics", &v1);
	ok(reads(&answer, &u) && u.tasks == 3 && u.cpu_ns == 5000000000 && u.memory_bytes == 4444);
	ok(u.rss_bytes == 111 && u.inactive_file_bytes == 222);
	answer.len--;
	ok(!reads(&answer, &u));
	buf_free(&answer);
	put_inside(&v2, 1, 1, 3);
	put_inside(&v2, 2, 1, 5000000);
	pb_put_u64(&part, 1, 111);
	pb_put_u64(&part, 13, 222);
	pb_put_u64(&part, 32, 4444);
	pb_put_bytes(&v2, 4, part.at, part.len);
	put_stats(&answer, "io.containerd.cgroups.v2.Metrics", &v2);
	ok(reads(&answer, &u) && u.tasks == 3 && u.cpu_ns == 5000000000 && u.memory_bytes == 4444);
	ok(u.rss_bytes == 111 && u.inactive_file_bytes == 222);
	buf_free(&answer);
	put_stats(&answer, "windows.stats", &v2);
	ok(!reads(&answer, &u));
	answer.len = 0;
	ok(!reads(&answer, &u));
	buf_free(&part);
	buf_free(&v1);
	buf_free(&v2);
	buf_free(&answer);
}

/* The one that waits for the other's shim starts its own when that fails. */
static void a_start_that_fails(void)
{
	struct result one = { 0 }, two = { 0 };

	fake_start();
	run_one("c1", &one);
	run_one("c2", &two);
	program_exit(1 << 8, "", "what\nit says");
	world_settle();
	ok(one.calls == 1 && one.err.code == ERR_INTERNAL && strstr(one.err.msg, "start: it says"));
	ok(program_running() == 1 && strstr(program_line(0), "-id c2 start"));
	program_answers("unexpected");
	ok(two.calls == 1 && strstr(two.err.msg, "printed no address"));
	for (int i = 1; i <= 2; i++) {
		struct result del = { 0 };

		write_file(bundle, "shim-address", "");
		runtime_delete(shim, i == 1 ? "c1" : "c2", true, record, &del);
		world_settle();
		ok(program_running() == 1 && strstr(program_line(0), " delete"));
		program_exit(0, "", "");
		world_settle();
		ok(del.calls == 1 && del.err.code == ERR_OK);
	}
	fake_die();
}

static void the_shim_refuses(void)
{
	struct result run = { 0 };

	fake_start();
	fake.fails = "Create";
	run_one("c1", &run);
	program_answers(json_answer());
	ok(run.calls == 1 && run.err.code == ERR_INTERNAL);
	is_str(run.err.msg, "shim run: it failed");
	remove_one("c1");
	fake_die();
}

/* A dead shim has left a container: its program removes it, and knows how it ended. */
static void a_shim_that_dies(void)
{
	struct result run = { 0 }, wait = { 0 }, del = { 0 };

	fake_start();
	run_one("c1", &run);
	program_answers(json_answer());
	runtime_wait(shim, "c1", record, &wait);
	world_settle();
	fake_die();
	ok(wait.calls == 0 && program_running() == 1 && strstr(program_line(0), " delete"));
	program_exit(0, "\x10\x09", "");
	world_settle();
	ok(wait.calls == 1 && wait.err.code == ERR_OK && wait.status == 9 << 8);
	runtime_delete(shim, "c1", false, record, &del);
	world_settle();
	ok(del.calls == 1 && del.err.code == ERR_OK && !runtime_knows(shim, "c1"));
}

/* It answers nothing: a delete gives it up after its time, and its program cleans up. */
static void a_shim_that_hangs(void)
{
	struct result run = { 0 }, del = { 0 };

	fake_start();
	run_one("c1", &run);
	program_answers(json_answer());
	fake.silent = true;
	runtime_delete(shim, "c1", true, record, &del);
	world_settle();
	world_advance(4000);
	ok(del.calls == 0 && program_running() == 0);
	world_advance(2000);
	ok(program_running() == 1 && strstr(program_line(0), " delete"));
	fake_die();
	program_exit(0, "", "");
	world_settle();
	ok(del.calls == 1 && del.err.code == ERR_OK && !runtime_knows(shim, "c1"));
}

/* No fd is left for a connection, as a user may bring about with many streams: that says nothing about the shim. */
static void out_of_fds(void)
{
	struct result run = { 0 }, del = { 0 }, wait = { 0 };
	struct rlimit limit, none;
	int next;

	fake_start();
	run_one("c1", &run);
	program_answers(json_answer());
	runtime_wait(shim, "c1", record, &wait);
	world_settle();
	ok(fake.nwaits == 1);
	fake_hang_up();
	getrlimit(RLIMIT_NOFILE, &limit);
	next = dup(STDIN_FILENO);
	close(next);
	none = (struct rlimit){ (rlim_t)next, limit.rlim_max };
	setrlimit(RLIMIT_NOFILE, &none);
	runtime_delete(shim, "c1", true, record, &del);
	world_settle();
	ok(del.calls == 1 && del.err.code == ERR_INTERNAL && program_running() == 0);
	for (int i = 0; i < 100; i++)
		world_advance(200);
	ok(wait.calls == 0 && program_running() == 0);
	setrlimit(RLIMIT_NOFILE, &limit);
	world_advance(200);
	ok(fake.nwaits == 1);
	fake_waited(7);
	ok(wait.calls == 1 && wait.status == 7 << 8);
	remove_one("c1");
	fake_die();
}

/* What the last crispd wrote down is enough to find shim and task. */
static void after_a_restart(void)
{
	struct result run = { 0 }, wait = { 0 };

	fake_start();
	run_one("c1", &run);
	program_answers(json_answer());
	open_runtimes();
	world_settle();
	ok(runtime_knows(shim, "c1"));
	runtime_wait(shim, "c1", record, &wait);
	world_settle();
	ok(fake.nwaits == 1);
	fake_waited(3);
	ok(wait.calls == 1 && wait.status == 3 << 8);
	remove_one("c1");
	fake_die();
}

/* The daemon died between `start` and the record of its answer: the shim is found by the file, and ended. */
static void a_start_that_was_cut_off(void)
{
	struct result run = { 0 };

	fake_start();
	run_one("c1", &run);
	write_file(bundle, "shim-address", json_answer());
	program_error(ERR_UNAVAILABLE, "the keeper died");
	world_settle();
	ok(run.calls == 1 && run.err.code == ERR_UNAVAILABLE);
	fake.log[0] = '\0';
	fake.fails = "Kill";
	remove_one("c1");
	is_str(fake.log, "Kill Delete Shutdown ");
	fake_die();
}

/* The daemon dies while that call of a start is under way. What the shim made is given up then: where it knows nothing
 * of a task whose Create was sent, its runtime may have left something, which the program deletes. */
static void a_start_that_was_cut_off_in(const char *method, bool may_have_run, bool by_program)
{
	struct result run = { 0 }, del = { 0 };
	struct runtime_op *op;

	fake_start();
	op = runtime_run(shim, "c1", bundle, "/group", &no_stdio, record, &run);
	world_settle();
	ok(runtime_knows(shim, "c1") && !runtime_may_have_run(shim, "c1"));
	fake.hangs = method;
	program_answers(json_answer());
	ok(run.calls == 0 && fake.nwaits == 1);
	runtime_cancel(op);
	open_runtimes();
	world_settle();
	ok(runtime_knows(shim, "c1") && runtime_may_have_run(shim, "c1") == may_have_run);
	fake.log[0] = '\0';
	fake.hangs = NULL;
	fake.unknown = true;
	runtime_delete(shim, "c1", true, record, &del);
	world_settle();
	ok(program_running() == by_program);
	if (by_program) {
		ok(strstr(program_line(0), " delete"));
		program_exit(0, "", "");
		world_settle();
	}
	ok(del.calls == 1 && del.err.code == ERR_OK && !runtime_knows(shim, "c1"));
	is_str(fake.log, "Kill Delete Shutdown ");
	fake_die();
}

/* The next daemon takes it up: `calls` are what the shim is asked for, where it answers Start with that code. */
static void a_start_that_is_taken_up(enum err_code answer, const char *calls)
{
	struct result run = { 0 }, wait = { 0 };
	struct runtime_op *op;
	pid_t pid = 0;

	fake_start();
	fake.hangs = "Start";
	op = runtime_run(shim, "c1", bundle, "/group", &no_stdio, record, &run);
	world_settle();
	ok(!runtime_take_up(shim, "c1", &pid));
	program_answers(json_answer());
	ok(keeper_copy("container/c1/shim") >= 0); /* so the shim does not see that the daemon dies */
	runtime_cancel(op);
	for (int i = 0; i < 2; i++) { /* also of a daemon that dies at once */
		open_runtimes();
		world_settle();
		ok(runtime_take_up(shim, "c1", &pid) && pid == 4242);
	}
	ok(keeper_copy("container/c1/shim") >= 0);
	fake.log[0] = '\0';
	fake.hangs = NULL;
	while (fake.nwaits) /* of the daemon that died: nobody hears it */
		ttrpc_reply(fake.waits[--fake.nwaits], NULL, 0);
	fake.fails = answer == ERR_OK ? NULL : "Start";
	fake.code = answer;
	runtime_wait(shim, "c1", record, &wait);
	world_settle();
	for (int i = 0; i < 4; i++)
		world_advance(200);
	is_str(fake.log, calls);
	ok(keeper_copy("container/c1/shim") < 0);
	ok(fake.nwaits == 1 && wait.calls == 0);
	fake_waited(5);
	ok(wait.calls == 1 && wait.err.code == ERR_OK && wait.status == 5 << 8);
	fake.fails = NULL;
	remove_one("c1");
	fake_die();
}

static void an_exec(void)
{
	struct result run = { 0 }, exec = { 0 }, end = { 0 };
	char process[400], pidfile[400], mark[410];

	fake_start();
	run_one("c1", &run);
	program_answers(json_answer());
	write_file(bundle, "exec-x1.json", "{}");
	snprintf(process, sizeof(process), "%s/exec-x1.json", bundle);
	snprintf(pidfile, sizeof(pidfile), "%s/exec-x1.pid", bundle);
	snprintf(mark, sizeof(mark), "%s.in", pidfile);
	runtime_exec(shim,
		     &(struct runtime_exec){ .id = "c1", .bundle = bundle, .process_path = process,
					     .pidfile = pidfile, .keep_id = "exec/x1" },
		     &no_stdio, record, &exec);
	world_settle();
	ok(exec.calls == 1 && exec.err.code == ERR_OK && access(mark, F_OK) == 0);
	is_str(fake.log, "Connect Create Start Exec:x1 Start:x1 ");
	ok(keeper_copy("container/c1/shim") < 0);
	fake.log[0] = '\0';
	runtime_exec_wait(shim, "c1", "exec/x1", record, &end);
	runtime_exec_kill(shim, "c1", pidfile, record, &exec);
	runtime_resize(shim, "c1", "exec/x1", 80, 24, record, &exec);
	runtime_close_stdin(shim, "c1", "exec/x1", record, &exec);
	world_settle();
	ok(exec.calls == 4);
	fake_waited(137);
	ok(end.calls == 1 && end.status == 137 << 8);
	is_str(fake.log, "Wait:x1 Kill:x1 ResizePty:x1 CloseIO:x1 Delete:x1 ");
	unlink(mark);
	fake.fails = "Start";
	runtime_exec(shim,
		     &(struct runtime_exec){ .id = "c1", .bundle = bundle, .process_path = process,
					     .pidfile = pidfile, .keep_id = "exec/x1" },
		     &no_stdio, record, &exec);
	world_settle();
	ok(exec.calls == 5 && exec.err.code == ERR_INTERNAL);
	is_str(exec.err.msg, "shim exec: it failed");
	fake.fails = NULL;
	unlink(process);
	unlink(mark);
	remove_one("c1");
	fake_die();
}

/* `calls`: what the shim is asked for, when it answers a Kill of the exec with that code. */
static void a_kill_of_an_exec(enum err_code answer, const char *calls, enum err_code result)
{
	struct result run = { 0 }, kill = { 0 };
	char pidfile[400];

	fake_start();
	run_one("c1", &run);
	program_answers(json_answer());
	snprintf(pidfile, sizeof(pidfile), "%s/exec-x1.pid", bundle);
	fake.log[0] = '\0';
	fake.fails = answer == ERR_OK ? NULL : "Kill";
	fake.code = answer;
	runtime_exec_kill(shim, "c1", pidfile, record, &kill);
	world_settle();
	ok(kill.calls == 1 && kill.err.code == result);
	is_str(fake.log, calls);
	fake.fails = NULL;
	remove_one("c1");
	fake_die();
}

/* A FIFO is told by its name; a pipe has none. */
static void stdio_has_names(void)
{
	struct result run = { 0 };
	char path[400];
	int pipes[2], fd;

	fake_start();
	snprintf(path, sizeof(path), "%s/stdout", bundle);
	ok(mkfifo(path, 0600) == 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	runtime_run(shim, "c1", bundle, "/group", &(struct runtime_stdio){ .in = -1, .out = fd, .err = fd }, record,
		    &run);
	world_settle();
	program_answers(json_answer());
	ok(run.calls == 1 && run.err.code == ERR_OK);
	is_str(fake.create_stdout, path);
	is_str(fake.create_stdin, "");
	remove_one("c1");
	ok(pipe(pipes) == 0);
	runtime_run(shim, "c1", bundle, "/group", &(struct runtime_stdio){ .in = -1, .out = pipes[1], .err = -1 },
		    record, &run);
	world_settle();
	ok(run.calls == 2 && run.err.code == ERR_INTERNAL && program_running() == 0);
	close(pipes[0]);
	close(pipes[1]);
	close(fd);
	unlink(path);
	fake_die();
}

/* Start is answered before the shim has opened stdin: the operation ends when it has, or 1 s later. */
static void stdin_has_a_reader(bool opened)
{
	struct result run = { 0 };
	char path[400];
	int ours, theirs, fd = -1;

	fake_start();
	snprintf(path, sizeof(path), "%s/stdin", bundle);
	ok(mkfifo(path, 0600) == 0);
	theirs = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	ours = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	runtime_run(shim, "c1", bundle, "/group", &(struct runtime_stdio){ .in = theirs, .out = -1, .err = -1 }, record,
		    &run);
	close(theirs);
	world_settle();
	program_answers(json_answer());
	is_str(fake.create_stdin, path);
	is_str(fake.log, "Connect Create Start ");
	world_advance(500);
	ok(run.calls == 0);
	if (opened)
		fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	world_advance(opened ? 1 : 1000);
	ok(run.calls == 1 && run.err.code == ERR_OK && run.pid == 4242);
	remove_one("c1");
	if (fd >= 0)
		close(fd);
	close(ours);
	unlink(path);
	fake_die();
}

int main(void)
{
	peer_open();
	answers_of_start();
	programs_by_path_and_type();
	from_start_to_end();
	a_pod_has_one_shim();
	a_start_that_fails();
	a_sandbox_is_the_first_task();
	usage_of_both_kinds();
	the_shim_refuses();
	a_shim_that_dies();
	a_shim_that_hangs();
	out_of_fds();
	after_a_restart();
	a_start_that_was_cut_off();
	a_start_that_was_cut_off_in("Connect", false, false);
	a_start_that_was_cut_off_in("Create", false, true);
	a_start_that_was_cut_off_in("Start", true, false);
	a_start_that_is_taken_up(ERR_OK, "Start Wait ");
	a_start_that_is_taken_up(ERR_FAILED_PRECONDITION, "Start Wait ");      /* it runs */
	a_start_that_is_taken_up(ERR_DEADLINE_EXCEEDED, "Start Wait ");        /* and its first Start did not end */
	a_start_that_is_taken_up(ERR_UNKNOWN, "Start Start Start Wait ");      /* it runs, or not */
	an_exec();
	a_kill_of_an_exec(ERR_OK, "Kill:x1 ", ERR_OK);
	a_kill_of_an_exec(ERR_NOT_FOUND, "Kill:x1 ", ERR_NOT_FOUND);
	a_kill_of_an_exec(ERR_FAILED_PRECONDITION, "Kill:x1 Delete:x1 ", ERR_OK); /* it was not started */
	a_kill_of_an_exec(ERR_UNKNOWN, "Kill:x1 ", ERR_INTERNAL);
	stdio_has_names();
	stdin_has_a_reader(true);
	stdin_has_a_reader(false);
	return tap_end();
}
