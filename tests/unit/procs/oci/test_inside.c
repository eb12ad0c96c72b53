/* test_inside.c - a program whose sandbox is a container: the commands, and what is made of their answers. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/oci/program.h"
#include "procs/oci/op.h"
#include "procs/runtime.h"
#include "reactor/log.h"
#include "tests/fakes/program.h"
#include "tests/fakes/world.h"
#include "tests/tap.h"

static char state[256], program[300];
static const struct runtime_handler *box;
static const struct runtime_stdio no_stdio = { .in = -1, .out = -1, .err = -1 };

struct result {
	int calls, status;
	struct err err;
};

static void record(void *arg, const struct err *e, struct child_result *r)
{
	struct result *res = arg;

	res->calls++;
	res->err = e ? *e : (struct err){ 0 };
	res->status = r->status;
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	fputs(text, f);
	fclose(f);
}

static int open_with(const char *base, struct err *e)
{
	const char *args[] = { "--platform=systrap", "--debug" };
	const struct runtime_handler handlers[] = {
		{ .name = "runc", .type = "oci", .path = program, .fallback = "" },
		{ .name = "box", .type = "oci", .path = program, .fallback = "",
		  .options = { .args = { args, 2 }, .sandbox_container = true, .create_timeout_ms = 7000,
			       .base_spec = base } },
	};
	struct runtimes_config cfg = { handlers, 2, "runc", state, NULL };

	return runtimes_open(&cfg, e);
}

static void open_runtimes(void)
{
	struct err e;
	struct result r = { 0 };

	log_open("test", LOG_LEVEL_ERROR);
	snprintf(state, sizeof(state), "%s/state", world_dir());
	snprintf(program, sizeof(program), "%s/program", world_dir());
	mkdir(state, 0700);
	write_file(program, "");
	chmod(program, 0755);
	ok(open_with("", &e) == 0);
	box = runtime_find("box");
	runtime_delete(box, "x", true, record, &r);
	program_exit(0, "runsc version release-20260905\nspec: 1.2.1\n", "");
	program_exit(0, "{}", "");
	world_settle();
	program_exit(0, "", "");
	ok(r.calls == 1 && r.err.code == ERR_OK);
}

/* The command behind the global flags. */
static const char *verb_of(size_t i)
{
	const char *at = strstr(program_line(i), "--log-format json ");

	return at ? at + 18 : program_line(i);
}

static void what_it_can(void)
{
	ok(runtime_traits(runtime_find("runc")) == 0);
	ok(runtime_traits(box) ==
	   (RUNTIME_SANDBOX | RUNTIME_INSIDE | RUNTIME_WAITS | RUNTIME_KILLS | RUNTIME_STATS |
	                           RUNTIME_FORWARDS));
}

static void the_sandbox_is_kept(void)
{
	struct runtime_sandbox s = { .id = "pod1", .bundle = "/s/box", .cgroup = "/g", .keep_id = "pause/pod1" };
	struct result r = { 0 };

	runtime_run_sandbox(box, &s, record, &r);
	is_str(verb_of(0), "--platform=systrap --debug run --detach --pid-file /s/box/pid --bundle /s/box pod1");
	is_str(program_spec(0)->keep_id, "pause/pod1");
	ok(program_spec(0)->timeout_ms == 7000);
	program_exit(0, "", "");
	ok(r.calls == 1 && r.err.code == ERR_OK);
	s.host_network = true;
	runtime_run_sandbox(box, &s, record, &r);
	ok(strstr(verb_of(0), "--network=host run --detach") != NULL);
	program_exit(0, "", "");
}

static void a_container_is_not(void)
{
	struct result r = { 0 };

	runtime_run(box, "c1", "/b/c1", "/g/c1", &no_stdio, record, &r);
	is_str(verb_of(0), "--platform=systrap --debug run --detach --pid-file /b/c1/pid --bundle /b/c1 c1");
	ok(!program_spec(0)->keep_id && !program_spec(0)->pidfile && program_spec(0)->finish);
	program_exit(0, "", "");
	ok(r.calls == 1 && r.err.code == ERR_OK);
}

static void wait_with(const char *answer, int exit_status, struct result *r)
{
	*r = (struct result){ 0 };
	runtime_wait(box, "c1", record, r);
	is_str(verb_of(0), "--platform=systrap --debug wait c1");
	ok(program_spec(0)->timeout_ms == 0);
	program_exit(exit_status, answer, "");
}

static void how_it_ended(void)
{
	struct result r;

	wait_with("{\"id\":\"c1\",\"exitStatus\":137}\n", 0, &r);
	ok(r.err.code == ERR_OK && r.status == 137 << 8);
	wait_with("{\"id\":\"c1\"}", 0, &r);
	ok(r.err.code == ERR_INTERNAL);
	wait_with("{\"exitStatus\":256}", 0, &r);
	ok(r.err.code == ERR_INTERNAL);
	wait_with("panic", 0, &r);
	ok(r.err.code == ERR_INTERNAL);
	wait_with("", 128 << 8, &r);
	ok(r.err.code == ERR_INTERNAL);
}

static void a_waiter_holds_no_slot(void)
{
	struct result r[40];

	for (size_t i = 0; i < 40; i++)
		runtime_wait(box, "c1", record, &r[i]);
	ok(program_running() == 40);
	while (program_running())
		program_exit(256, "", "");
}

static void signals(void)
{
	struct result r = { 0 };
	char pidfile[300], inside[310];

	runtime_kill(box, "c1", 15, false, record, &r);
	is_str(verb_of(0), "--platform=systrap --debug kill c1 15");
	program_exit(0, "", "");
	runtime_kill(box, "c1", 9, true, record, &r);
	is_str(verb_of(0), "--platform=systrap --debug kill --all c1 9");
	program_exit(0, "", "");
	snprintf(pidfile, sizeof(pidfile), "%s/x.pid", state);
	snprintf(inside, sizeof(inside), "%s.in", pidfile);
	write_file(inside, "42");
	runtime_exec_kill(box, "c1", pidfile, record, &r);
	is_str(verb_of(0), "--platform=systrap --debug kill --pgid 42 c1 9");
	program_exit(0, "", "");
	ok(r.calls == 3 && r.err.code == ERR_OK);
	write_file(inside, "-1 c2");
	runtime_exec_kill(box, "c1", pidfile, record, &r);
	world_settle();
	ok(r.calls == 4 && r.err.code == ERR_INTERNAL && program_running() == 0);
}

static void an_exec_tells_both_pids(void)
{
	struct result r = { 0 };

	runtime_exec(box,
		     &(struct runtime_exec){ "c1", "/b", "/g/c1", "/b/p.json", "/b/p.pid", "exec/1", -1, 0, 0 },
		     &no_stdio, record, &r);
	ok(strstr(program_line(0), " --pid-file /b/p.pid --internal-pid-file /b/p.pid.in c1") != NULL);
	is_str(program_spec(0)->keep_id, "exec/1");
	program_exit(0, "", "");
}

static void usage(void)
{
	static const char good[] = "{\"data\":{\"cpu\":{\"usage\":{\"total\":126}},\"memory\":{\"usage\":"
				   "{\"usage\":4096}},\"pids\":{\"current\":3}}}",
			  bad[] = "{\"type\":\"stats\"}";
	struct runtime_usage u;
	struct err e;

	ok(oci_usage_read(good, strlen(good), &u, &e) == 0);
	ok(u.cpu_ns == 126 && u.memory_bytes == 4096 && u.tasks == 3);
	ok(oci_usage_read(bad, strlen(bad), &u, &e) < 0 && e.code == ERR_INTERNAL);
	ok(oci_usage_read("x", 1, &u, &e) < 0 && e.code == ERR_INTERNAL);
}

static void a_port(void)
{
	struct result r = { 0 };

	runtime_forward(box, "pod1", "/s/console/4", 8080, record, &r);
	is_str(verb_of(0), "--platform=systrap --debug port-forward --stream /s/console/4 pod1 8080");
	program_exit(128 << 8, "", "connection was refused\n");
	ok(r.calls == 1 && r.err.code == ERR_INTERNAL && strstr(r.err.msg, "connection was refused"));
}

static void limits_are_refused(void)
{
	struct result r = { 0 };

	runtime_update(box, "c1", "/g/c1", "{}", record, &r);
	world_settle();
	ok(r.calls == 1 && r.err.code == ERR_UNIMPLEMENTED && program_running() == 0);
}

static void what_it_knows(void)
{
	char path[400];

	ok(!runtime_knows(box, "c1"));
	snprintf(path, sizeof(path), "%s/runtime/box/c1_sandbox:pod1.state", state);
	write_file(path, "{}");
	ok(runtime_knows(box, "c1") && !runtime_knows(box, "c"));
}

static void a_delete_is_forced(void)
{
	struct result r = { 0 };

	runtime_delete(box, "c1", false, record, &r);
	is_str(verb_of(0), "--platform=systrap --debug delete --force c1");
	program_exit(0, "", "");
}

static void a_program_that_is_no_runtime(void)
{
	struct result r = { 0 };
	struct err e;

	runtime_delete(runtime_find("runc"), "x", true, record, &r);
	program_exit(0, "true (GNU coreutils) 9.1\n", "");
	world_settle();
	ok(r.calls == 1 && r.err.code == ERR_FAILED_PRECONDITION && strstr(r.err.msg, "is no OCI runtime"));
	ok(runtime_usable(runtime_find("runc"), &e) < 0 && e.code == ERR_FAILED_PRECONDITION);
	program_exit(0, "kata-runtime  : 3.2.0\n   OCI specs: 1.0.2\n", ""); /* the question has asked again */
	program_exit(0, "{}", "");
	world_settle();
	ok(runtime_usable(runtime_find("runc"), &e) == 0);
}

static void the_base_of_config_json(void)
{
	char path[300];
	struct err e;

	snprintf(path, sizeof(path), "%s/base.json", state);
	ok(open_with(path, &e) < 0 && e.code == ERR_INVALID_ARGUMENT && strstr(e.msg, path));
	write_file(path, "[]");
	ok(open_with(path, &e) < 0 && e.code == ERR_INVALID_ARGUMENT && strstr(e.msg, "no object"));
	write_file(path, "{\"x\":1}");
	ok(open_with(path, &e) == 0);
	ok(json_integer_value(json_object_get(runtime_base_spec("box"), "x")) == 1 && !runtime_base_spec("runc"));
}

int main(void)
{
	open_runtimes();
	what_it_can();
	the_sandbox_is_kept();
	a_container_is_not();
	how_it_ended();
	a_waiter_holds_no_slot();
	signals();
	an_exec_tells_both_pids();
	usage();
	a_port();
	limits_are_refused();
	what_it_knows();
	a_delete_is_forced();
	a_program_that_is_no_runtime();
	the_base_of_config_json();
	return tap_end();
}
