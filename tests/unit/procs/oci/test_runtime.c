/* test_runtime.c - procs/runtime.c, oci/program.c and oci/ops.c: the command lines, the probe, the words of a program
 * that fails. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/cgroup.h"
#include "procs/oci/program.h"
#include "procs/runtime.h"
#include "reactor/arena.h"
#include "reactor/log.h"
#include "reactor/own.h"
#include "tests/fakes/program.h"
#include "tests/fakes/world.h"
#include "tests/tap.h"

struct result {
	int calls;
	struct err err;
	int pid;
};

static char state[300], program[300];
static const struct runtime_stdio no_stdio = { .in = -1, .out = -1, .err = -1 };

static void record(void *arg, const struct err *e, struct child_result *r)
{
	struct result *res = arg;

	res->calls++;
	res->err = e ? *e : (struct err){ 0 };
	res->pid = r->pid;
}

/* The daemon starts, with two handlers whose program is one file. */
static void open_runtimes(void)
{
	const struct runtime_handler handlers[] = {
		{ .name = "runc", .type = "oci", .path = program, .fallback = "" },
		{ .name = "crun", .type = "oci", .path = program, .fallback = "" },
	};
	struct runtimes_config cfg = { handlers, 2, "runc", state, NULL };
	struct err e;
	int fd;

	log_open("test", LOG_LEVEL_ERROR);
	snprintf(state, sizeof(state), "%s/state", world_dir());
	snprintf(program, sizeof(program), "%s/program", world_dir());
	mkdir(state, 0700);
	fd = open(program, O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
	if (fd >= 0)
		close(fd);
	ok(runtimes_open(&cfg, &e) == 0);
}

static void probed(const char *name, const char *version, const char *features)
{
	struct result r = { 0 };

	runtime_delete(runtime_find(name), "x", true, record, &r);
	program_exit(0, version, "");
	program_exit(*features ? 0 : 256, features, "");
	world_settle();
	program_exit(0, "", "");
	ok(r.calls == 1 && r.err.code == ERR_OK);
}

static const char *log_of(size_t i, char path[400])
{
	const char *at = strstr(program_line(i), "--log ") + 6;

	snprintf(path, 400, "%.*s", (int)strcspn(at, " "), at);
	return path;
}

static void write_log(const char *text)
{
	char path[400];
	FILE *f = fopen(log_of(0, path), "we");

	fputs(text, f);
	fclose(f);
}

static bool logs_are_gone(void)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/runtime/.log", state);
	return rmdir(path) == 0 && mkdir(path, 0700) == 0;
}

static void what_a_run_looks_like(void)
{
	struct result r = { 0 };
	char want[1024], log[400];

	runtime_run(runtime_find(""), "c1", "/b/c1", "/g/c1", &no_stdio, record, &r);
	ok(r.calls == 0 && program_running() == 1);
	snprintf(want, sizeof(want),
		 "%s --root %s/runtime/runc --log %s --log-format json run --detach --pid-file /b/c1/pid --bundle "
		 "/b/c1 c1",
		 program, state, log_of(0, log));
	is_str(program_line(0), want);
	is_str(program_spec(0)->keep_id, "c1");
	is_str(program_spec(0)->pidfile, "/b/c1/pid");
	program_exit(0, "", "");
	ok(r.calls == 1 && r.err.code == ERR_OK && r.pid == 4711);
}

static void what_an_exec_looks_like(void)
{
	struct result r = { 0 };
	struct runtime_stdio tty = { .in = -1, .out = -1, .err = -1, .console_socket = "/s/console/1" };

	runtime_exec(runtime_find("runc"),
		     &(struct runtime_exec){ "c1", "/b", "/g/c1", "/b/p.json", "/b/p.pid", "exec/1", -1, 0, 0 }, &tty,
		     record, &r);
	ok(strstr(program_line(0),
		  " exec --detach --process /b/p.json --pid-file /b/p.pid --console-socket /s/console/1 c1") != NULL);
	is_str(program_spec(0)->keep_id, "exec/1");
	program_exit(0, "", "");
	ok(r.calls == 1);
}

static void an_update_reads_its_stdin(void)
{
	struct result r = { 0 };

	runtime_update(runtime_find("runc"), "c1", "/g/c1", "{\"cpu\":{}}", record, &r);
	ok(strstr(program_line(0), " update --resources - c1") != NULL);
	ok(program_spec(0)->stdin_len == 10);
	program_exit(0, "", "");
	ok(r.calls == 1 && logs_are_gone());
}

static void it_fails_in_its_own_words(void)
{
	struct result r = { 0 };

	runtime_run(runtime_find("runc"), "c1", "/b/c1", "/g/c1", &no_stdio, record, &r);
	write_log("{\"level\":\"warning\",\"msg\":\"old kernel\"}\n{\"level\":\"error\",\"msg\":\"exec: "
		  "\\\"nope\\\":\\nnot found\"}\n");
	program_exit(256, "", "");
	ok(r.calls == 1 && r.err.code == ERR_INTERNAL);
	is_str(r.err.msg, "runc run: exec: \"nope\": not found");

	runtime_delete(runtime_find("runc"), "c1", true, record, &r);
	program_exit(256, "", "usage\nunknown flag: --force\n\n");
	is_str(r.err.msg, "runc delete: unknown flag: --force");

	runtime_delete(runtime_find("runc"), "c1", false, record, &r);
	program_exit(3 << 8, "", "");
	is_str(r.err.msg, "runc delete: exit status 3");
	ok(logs_are_gone());
}

static void its_words_are_bounded(void)
{
	struct result r = { 0 };
	char text[4000];

	memset(text, 'x', sizeof(text));
	memcpy(text, "{\"level\":\"fatal\",\"msg\":\"", 24);
	memcpy(text + sizeof(text) - 3, "\"}", 3);
	runtime_run(runtime_find("runc"), "c1", "/b/c1", "/g/c1", &no_stdio, record, &r);
	write_log(text);
	program_exit(256, "", "");
	ok(strlen(r.err.msg) == strlen("runc run: ") + 500);
}

static void the_keeper_is_away(void)
{
	struct result r = { 0 };

	runtime_run(runtime_find("runc"), "c1", "/b/c1", "/g/c1", &no_stdio, record, &r);
	program_error(ERR_UNAVAILABLE, "the keeper is away");
	ok(r.calls == 1 && r.err.code == ERR_UNAVAILABLE);
	is_str(r.err.msg, "runc run: the keeper is away");
}

static void only_some_at_a_time(void)
{
	struct result r = { 0 };
	size_t slots = 2 * (size_t)sysconf(_SC_NPROCESSORS_ONLN);

	for (size_t i = 0; i < slots + 3; i++)
		runtime_delete(runtime_find("runc"), "c1", true, record, &r);
	ok(program_running() == slots);
	program_exit(0, "", "");
	ok(program_running() == slots && r.calls == 1);
	while (program_running())
		program_exit(0, "", "");
	ok((size_t)r.calls == slots + 3);
}

/* It waits for something else than a CPU, such as a file system that does not answer. */
static void a_slow_one_gives_its_slot_back(void)
{
	struct result r = { 0 };
	size_t slots = 2 * (size_t)sysconf(_SC_NPROCESSORS_ONLN);
	struct runtime_op *slow = NULL;

	for (size_t i = 0; i < slots; i++)
		slow = runtime_delete(runtime_find("runc"), "c1", true, record, &r);
	world_advance(999);
	runtime_delete(runtime_find("runc"), "c2", true, record, &r);
	ok(program_running() == slots);
	world_advance(1);
	ok(program_running() == slots + 1);
	runtime_cancel(slow); /* it holds none that it could give back again */
	for (size_t i = 0; i < slots + 3; i++)
		runtime_delete(runtime_find("runc"), "c3", true, record, &r);
	ok(program_running() == slots + slots - 1);
	while (program_running())
		program_exit(0, "", "");
	ok((size_t)r.calls == slots + slots + 3);
}

static void cancel_in_each_state(void)
{
	struct result r = { 0 };
	struct runtime_op *waits, *runs;
	size_t slots = 2 * (size_t)sysconf(_SC_NPROCESSORS_ONLN);
	int before = program_cancels;

	runs = runtime_delete(runtime_find("runc"), "c1", true, record, &r);
	for (size_t i = 1; i < slots; i++)
		runtime_delete(runtime_find("runc"), "c1", true, record, &r);
	waits = runtime_delete(runtime_find("runc"), "c1", true, record, &r);
	runtime_cancel(waits); /* QUEUED */
	runtime_cancel(runs);  /* RUNNING */
	ok(program_cancels == before + 1 && program_running() == slots - 1);
	while (program_running())
		program_exit(0, "", "");
	ok((size_t)r.calls == slots - 1);

	unlink(program);
	runtime_cancel(runtime_delete(runtime_find("runc"), "c1", true, record, &r)); /* refused, `done` not run yet */
	open_runtimes();
	runtime_cancel(runtime_delete(runtime_find("runc"), "c1", true, record, &r)); /* PROBE */
	ok(program_running() == 1);
	program_exit(0, "runc version 1.1.5\n", "");
	program_exit(256, "", "");
	world_settle();
	ok(program_running() == 0 && (size_t)r.calls == slots - 1);
}

static void no_program(void)
{
	struct result r = { 0 };

	unlink(program);
	runtime_run(runtime_find("runc"), "c1", "/b/c1", "/g/c1", &no_stdio, record, &r);
	ok(r.calls == 0);
	world_settle();
	ok(r.calls == 1 && r.err.code == ERR_FAILED_PRECONDITION && strstr(r.err.msg, "No such file"));
	open_runtimes(); /* the program is there now */
}

static void a_program_that_does_not_run(void)
{
	struct result r = { 0 };

	runtime_run(runtime_find("runc"), "c1", "/b/c1", "/g/c1", &no_stdio, record, &r);
	program_exit(1 << 8, "", "not for this machine\n");
	world_settle();
	ok(r.calls == 1 && r.err.code == ERR_FAILED_PRECONDITION && strstr(r.err.msg, "--version: exit status 1"));
	runtime_run(runtime_find("runc"), "c1", "/b/c1", "/g/c1", &no_stdio, record, &r);
	ok(strstr(program_line(0), "--version") != NULL); /* probed again */
	program_error(ERR_UNAVAILABLE, "the keeper is away");
	world_settle();
	ok(r.calls == 2 && r.err.code == ERR_UNAVAILABLE);
}

static void crun_must_not_see_cgroup2_beside_v1(void)
{
	struct cgroup_config cfg = { "/crisp", "cgroupfs", NULL };
	struct result r = { 0 };
	char path[300];
	struct err e;
	FILE *f;

	snprintf(path, sizeof(path), "%s/mountinfo", world_dir());
	f = fopen(path, "we");
	fputs("1 0 0:30 / /c/cpu rw - cgroup cgroup rw,cpu\n2 0 0:31 / /c/unified rw - cgroup2 cgroup2 rw\n", f);
	fclose(f);
	cfg.mountinfo = path;
	ok(cgroup_open(&cfg, &e) == 0);
	probed("crun", "crun version 1.8.1\ncommit: f8a\n", "");
	probed("runc", "runc version 1.1.5\n", "");
	runtime_run(runtime_find("crun"), "c1", "/b/c1", "/g/c1", &no_stdio, record, &r);
	is_str(program_spec(0)->hide_path, "/c/unified");
	program_exit(0, "", "");
	runtime_run(runtime_find("runc"), "c1", "/b/c1", "/g/c1", &no_stdio, record, &r);
	ok(program_spec(0)->hide_path == NULL);
	program_exit(0, "", "");
}

static void features(void)
{
	struct runtime_features f;

	open_runtimes();
	probed("runc", "runc version 1.2.0\n",
	       "{\"mountOptions\":[\"ro\",\"rro\"],\"linux\":{\"mountExtensions\":{\"idmap\":{\"enabled\":true}}}}");
	runtime_features(runtime_find("runc"), &f);
	ok(f.recursive_read_only && !f.user_namespaces); /* only the trial counts: test_userns.c */
	probed("crun", "crun version 1.8.1\n", "");
	runtime_features(runtime_find("crun"), &f);
	ok(f.recursive_read_only && !f.user_namespaces);
}

/* CVE-2025-31133. The program is used all the same. */
static void versions_with_a_known_fault(void)
{
	static const struct { const char *version; bool faulty; } versions[] = {
		{ "runc version 1.1.5+ds1\ncommit: x\n", true }, { "runc version 1.2.7\n", true },
		{ "runc version 1.2.8\n", false }, { "runc version 1.3.2-dev\n", true },
		{ "runc version 1.3.3\n", false }, { "runc version 1.4.0-rc.2\n", true },
		{ "runc version 1.4.0-rc.3\n", false }, { "runc version 1.4.0\n", false },
		{ "runc version 1.4.1-rc.1\n", false }, { "runc version 1.5.0\n", false },
		{ "runc version 2.0.0\n", false }, { "runc version 0.1.1\n", true },
		{ "runc version spring\n", false }, { "crun version 1.8.1\n", false },
		{ "youki version 0.0.1\n", false },
	};
	struct err e;

	for (size_t i = 0; i < sizeof(versions) / sizeof(*versions); i++) {
		open_runtimes();
		probed("runc", versions[i].version, "");
		ok(!*runtime_warning(runtime_find("runc")) == !versions[i].faulty);
		ok(runtime_usable(runtime_find("runc"), &e) == 0);
	}
	open_runtimes();
	probed("runc", versions[0].version, "");
	ok(strstr(runtime_warning(runtime_find("runc")), "handler runc: runc 1.1.5+ds1 lets a pod") != NULL);
	ok(!*runtime_warning(runtime_find("crun")));
}

static void a_new_program_is_probed_again(void)
{
	struct result r = { 0 };
	FILE *f = fopen(program, "ae");

	fputs("newer", f);
	fclose(f);
	runtime_delete(runtime_find("runc"), "c1", true, record, &r);
	ok(strstr(program_line(0), "--version") != NULL);
	program_exit(0, "runc version 1.3\n", "");
	program_exit(0, "{}", "");
	world_settle();
	program_exit(0, "", "");
	ok(r.calls == 1);
}

static void bad_configuration(void)
{
	struct runtime_handler h = { .name = "runc", .type = "vm", .path = program, .fallback = "" };
	struct runtimes_config cfg = { &h, 1, "runc", state, NULL };
	struct err e;

	ok(runtimes_open(&cfg, &e) < 0 && e.code == ERR_INVALID_ARGUMENT && strstr(e.msg, "vm"));
	h.type = "oci";
	cfg.default_name = "crun";
	ok(runtimes_open(&cfg, &e) < 0 && e.code == ERR_INVALID_ARGUMENT && strstr(e.msg, "crun"));
	h.name = "../x";
	ok(runtimes_open(&cfg, &e) < 0 && e.code == ERR_INVALID_ARGUMENT);
}

/* Debian's crun has no CRIU, and a runc may be built without it. The error comes before anything is frozen. */
static void checkpoints_need_a_program_that_has_them(void)
{
	struct result r = { 0 }, q = { 0 };

	open_runtimes();
	probed("crun", "crun version 1.8.1\n+SYSTEMD +SECCOMP\n", "");
	runtime_pause(runtime_find("crun"), "x", record, &r);
	world_settle();
	ok(r.calls == 1 && r.err.code == ERR_FAILED_PRECONDITION && strstr(r.err.msg, "was built without CRIU"));
	probed("runc", "runc version 1.1.5\n",
	       "{\"annotations\":{\"org.opencontainers.runc.checkpoint.enabled\":\"false\"}}");
	runtime_pause(runtime_find("runc"), "x", record, &q);
	world_settle();
	ok(q.calls == 1 && q.err.code == ERR_FAILED_PRECONDITION && program_running() == 0);
}

int main(void)
{
	open_runtimes();
	probed("runc", "runc version 1.1.5\n", "");
	what_a_run_looks_like();
	what_an_exec_looks_like();
	an_update_reads_its_stdin();
	it_fails_in_its_own_words();
	its_words_are_bounded();
	the_keeper_is_away();
	only_some_at_a_time();
	a_slow_one_gives_its_slot_back();
	cancel_in_each_state();
	no_program();
	a_program_that_does_not_run();
	crun_must_not_see_cgroup2_beside_v1();
	features();
	versions_with_a_known_fault();
	a_new_program_is_probed_again();
	bad_configuration();
	checkpoints_need_a_program_that_has_them();
	return tap_end();
}
