/* test_shim_sandbox.c - procs/shim/sandbox.c: a pod's sandbox that its shim has, with a shim that this test plays. */
#include <signal.h>
#include <sys/wait.h>

#include "tests/unit/procs/shim/peer.h"

static const struct runtime_handler *api;
static const char pod_config[] = "a PodSandboxConfig";
#define UP "Connect CreateSandbox StartSandbox Platform "

static struct runtime_op *ask_pod_named(const char *id, struct result *r)
{
	struct runtime_op *op;

	op = runtime_run_sandbox(api, &(struct runtime_sandbox){ .id = id, .bundle = bundle, .cgroup = "/group",
								 .keep_id = "pause/pod", .netns_path = "/run/netns/p",
								 .config = pod_config,
								 .config_len = strlen(pod_config) },
				 record, r);
	world_settle();
	return op;
}

static struct runtime_op *ask_pod(struct result *r)
{
	return ask_pod_named("pod", r);
}

static void pod_runs(uint64_t pid)
{
	struct result r = { 0 };

	fake_start();
	fake.sandbox_pid = pid;
	fake.os = "linux";
	ask_pod(&r);
	ok(strstr(program_line(0), " -id pod start") != NULL);
	program_answers(json_answer());
	ok(r.calls == 1 && r.err.code == ERR_OK && r.pid == (pid <= INT32_MAX ? (int)pid : 0));
	is_str(fake.log, UP);
	fake.log[0] = '\0';
}

/* by_program: its `delete` has to clean up. */
static void pod_goes(bool by_program)
{
	struct result r = { 0 };

	runtime_delete(api, "pod", true, record, &r);
	world_settle();
	for (int i = 0; i < 3; i++)
		world_advance(20);
	ok(program_running() == by_program);
	if (by_program) {
		ok(strstr(program_line(0), " delete"));
		program_exit(0, "", "");
		world_settle();
	}
	ok(r.calls == 1 && r.err.code == ERR_OK && !runtime_knows(api, "pod"));
	runtime_delete(api, "pod", true, record, &r);
	world_settle();
	ok(r.calls == 2 && r.err.code == ERR_OK); /* idempotent */
}

static void container_runs(void)
{
	struct result r = { 0 };

	runtime_run(api, "c1", bundle, "/group", &no_stdio, record, &r);
	world_settle();
	ok(program_running() == 0 && r.calls == 1 && r.err.code == ERR_OK && r.pid == 4242);
	is_str(fake.log, "Create Start ");
	fake.log[0] = '\0';
}

static void from_start_to_end(void)
{
	struct result wait = { 0 }, del = { 0 };

	pod_runs(77);
	is_str(fake.sandbox.netns, "/run/netns/p");
	is_str(fake.sandbox.config_type, "runtime.v1.PodSandboxConfig");
	is_str(fake.sandbox.config, pod_config);
	is_str(fake.sandbox.annotation, "pod");
	container_runs();
	runtime_wait(api, "pod", record, &wait);
	world_settle();
	ok(wait.calls == 0);
	is_str(fake.log, "PingSandbox WaitSandbox ");
	fake_waited(7);
	ok(wait.calls == 1 && wait.err.code == ERR_OK && wait.status == 7 << 8);
	runtime_wait(api, "pod", record, &wait);
	world_settle();
	ok(wait.calls == 2 && wait.status == 7 << 8);
	fake.log[0] = '\0';
	runtime_delete(api, "c1", true, record, &del);
	world_settle();
	while (fake.nwaits)
		fake_waited(137);
	ok(del.calls == 1);
	is_str(fake.log, "Kill Wait Delete "); /* and no Shutdown */
	fake.log[0] = '\0';
	pod_goes(false);
	is_str(fake.log, "StopSandbox ShutdownSandbox "); /* also of one whose end was told: that may be false */
	fake_die();
}

static void put_info(const char *key, const void *value, size_t len)
{
	struct buf entry = { 0 };

	pb_put_str(&entry, 1, key);
	pb_put_bytes(&entry, 2, value, len);
	pb_put_bytes(&fake.reply, 4, entry.at, entry.len);
	buf_free(&entry);
}

static void status_is(const char *text)
{
	struct result r = { 0 };

	fake.replies_to = "SandboxStatus";
	runtime_sandbox_status(api, "pod", record, &r);
	world_settle();
	ok(r.calls == 1 && r.err.code == ERR_OK);
	is_str(r.out, text);
	buf_free(&fake.reply);
}

/* What is no UTF-8 is left out, and what is too much. */
static void its_status(void)
{
	struct result r = { 0 };
	char key[16], much[5000];

	pod_runs(77);
	pb_put_u64(&fake.reply, 2, 4711);
	pb_put_str(&fake.reply, 3, "SANDBOX_READY");
	put_info("vmm", "qemu", 4);
	put_info("bad", "\xff\xfe", 2);
	put_info("\xff", "x", 1);
	status_is("{\"info\":{\"bad\":\"\",\"vmm\":\"qemu\"},\"pid\":4711,\"state\":\"SANDBOX_READY\"}");
	status_is("{\"info\":{}}");
	buf_append(&fake.reply, "\x12\xff\xff", 3); /* broken */
	status_is("{\"info\":{}}");
	memset(much, 'x', sizeof(much));
	for (int i = 0; i < 100; i++) {
		snprintf(key, sizeof(key), "%d", i);
		put_info(key, i ? "y" : much, i ? 1 : sizeof(much));
	}
	runtime_sandbox_status(api, "pod", record, &r);
	world_settle();
	ok(r.calls == 1 && r.out_len > 4096 && r.out_len < 4096 + 64 * 16);
	buf_free(&fake.reply);
	fake.hangs = "SandboxStatus";
	runtime_sandbox_status(api, "pod", record, &r);
	world_settle();
	world_advance(2000);
	ok(r.calls == 2 && r.err.code == ERR_DEADLINE_EXCEEDED);
	fake.hangs = NULL;
	pod_goes(false);
	fake_die();
}

/* SandboxMetricsResponse { 1 Metric { 3 Any } }, whose Any is what Stats of a task answers. */
static void its_usage(void)
{
	struct buf metrics = { 0 }, cpu = { 0 }, metric = { 0 };
	struct result r = { 0 };
	struct runtime_usage u;
	struct err e;

	pod_runs(77);
	pb_put_u64(&cpu, 1, 5000000);
	pb_put_bytes(&metrics, 2, cpu.at, cpu.len);
	shim_put_any(&metric, 3, "io.containerd.cgroups.v2.Metrics", metrics.at, metrics.len);
	pb_put_bytes(&fake.reply, 1, metric.at, metric.len);
	fake.replies_to = "SandboxMetrics";
	runtime_stats(api, "pod", record, &r);
	world_settle();
	is_str(fake.log, "SandboxMetrics ");
	ok(r.calls == 1 && runtime_usage_read(api, r.out, r.out_len, &u, &e) == 0 && u.cpu_ns == 5000000000);
	buf_free(&fake.reply);
	runtime_stats(api, "pod", record, &r); /* as containerd's 1.7 answers */
	world_settle();
	ok(r.calls == 2 && r.err.code == ERR_OK);
	ok(runtime_usage_read(api, r.out, r.out_len, &u, &e) < 0 && e.code == ERR_INTERNAL);
	buf_free(&metrics);
	buf_free(&cpu);
	buf_free(&metric);
	pod_goes(false);
	fake_die();
}

/* FAILED_PRECONDITION says what to do, and the shim is ended by the service Task. */
static void a_shim_without_the_api(void)
{
	struct result r = { 0 };

	fake_start();
	fake.no_api = fake.stays = true;
	ask_pod(&r);
	program_answers(json_answer());
	ok(r.calls == 1 && r.err.code == ERR_FAILED_PRECONDITION);
	ok(strstr(r.err.msg, "has no sandbox API") && strstr(r.err.msg, "sandbox: container"));
	fake.log[0] = '\0';
	r.calls = 0;
	runtime_delete(api, "pod", true, record, &r);
	world_settle();
	is_str(fake.log, "StopSandbox ShutdownSandbox Shutdown ");
	ok(r.calls == 0); /* it lives */
	fake_die();
	world_advance(20);
	ok(r.calls == 1 && r.err.code == ERR_OK && program_running() == 0 && !runtime_knows(api, "pod"));
}

static void another_platform(void)
{
	struct result r = { 0 };

	fake_start();
	fake.os = "windows";
	ask_pod(&r);
	program_answers(json_answer());
	ok(r.calls == 1 && r.err.code == ERR_INTERNAL && strstr(r.err.msg, "of the platform \"windows/\""));
	pod_goes(false);
	fake_die();
}

/* The runc shim of containerd 1.7: no pid, and an answer of WaitSandbox that tells no end. Then it is the shim's. */
static void one_that_tells_no_end(uint64_t pid)
{
	struct result wait = { 0 };

	pod_runs(pid);
	fake.waits_for_nothing = true;
	runtime_wait(api, "pod", record, &wait);
	world_settle();
	ok(wait.calls == 0);
	is_str(fake.log, "PingSandbox WaitSandbox ");
	world_advance(600000);
	ok(wait.calls == 0);
	fake_die();
	ok(wait.calls == 0 && program_running() == 1 && strstr(program_line(0), " delete"));
	program_exit(0, "", "");
	world_settle();
	ok(wait.calls == 1 && wait.err.code == ERR_OK && wait.status == 137 << 8);
	pod_goes(false);
}

/* With a pid the same answer is an end. */
static void an_end_without_a_time(void)
{
	struct result wait = { 0 };

	pod_runs(77);
	fake.waits_for_nothing = true;
	runtime_wait(api, "pod", record, &wait);
	world_settle();
	ok(wait.calls == 1 && wait.err.code == ERR_OK && wait.status == 0);
	is_str(fake.log, "PingSandbox WaitSandbox ");
	pod_goes(false);
	fake_die();
}

/* Its process is gone, and a child that it has left listens on at its socket. */
static void a_socket_that_survives(bool restart)
{
	struct result wait = { 0 };
	int status, there[2];
	char byte;

	ok(pipe2(there, O_CLOEXEC) == 0);
	fake.shim_pid = fork();
	if (fake.shim_pid == 0) {
		if (chdir(bundle) == 0 && write(there[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	ok(read(there[0], &byte, 1) == 1);
	close(there[0]);
	close(there[1]);
	pod_runs(77);
	if (!restart)
		runtime_wait(api, "pod", record, &wait);
	world_settle();
	ok(shim_task_find(shim_handler_of(api), "pod")->shim_pid == fake.shim_pid);
	kill(fake.shim_pid, SIGKILL);
	ok(waitpid(fake.shim_pid, &status, 0) == fake.shim_pid);
	if (restart) {
		open_runtimes();
		world_settle();
		api = runtime_find("api");
		runtime_wait(api, "pod", record, &wait);
	}
	fake_hang_up();
	ok(wait.calls == 0 && program_running() == 1 && strstr(program_line(0), " delete"));
	program_exit(0, "", "");
	world_settle();
	ok(wait.calls == 1 && wait.status == 137 << 8);
	pod_goes(false);
	fake_die();
	fake.shim_pid = 0;
}

/* It listens, and answers nothing: a wait that is asked again does not wait for ever. */
static void a_shim_that_is_silent(void)
{
	struct result wait = { 0 };

	pod_runs(77);
	fake.silent = true;
	runtime_wait(api, "pod", record, &wait);
	world_settle();
	world_advance(9999);
	ok(wait.calls == 0);
	world_advance(1);
	ok(wait.calls == 1 && wait.err.code == ERR_INTERNAL && program_running() == 0);
	fake.silent = false;
	pod_goes(false);
	fake_die();
}

/* Only its program is there to remove what the shim had; no other shim takes the pod's containers. */
static void a_shim_that_dies(void)
{
	struct result wait = { 0 }, run = { 0 };

	pod_runs(77);
	runtime_wait(api, "pod", record, &wait);
	world_settle();
	fake_die();
	ok(wait.calls == 0 && program_running() == 1 && strstr(program_line(0), " delete"));
	program_exit(0, "", "");
	world_settle();
	ok(wait.calls == 1 && wait.status == 137 << 8);
	runtime_run(api, "c1", bundle, "/group", &no_stdio, record, &run);
	world_settle();
	ok(program_running() == 0 && run.calls == 1 && run.err.code == ERR_INTERNAL);
	ok(strstr(run.err.msg, "the shim that has the sandbox pod is dead"));
	runtime_delete(api, "c1", true, record, &run);
	world_settle();
	program_exit(0, "", ""); /* `delete`: nothing is known of that start */
	world_settle();
	ok(run.calls == 2);
	pod_goes(false);
}

/* method: what it does not answer; after its time the shim is killed, and its program cleans up. */
static void a_shim_that_hangs_in(const char *method, int64_t patience_ms)
{
	struct result r = { 0 };
	struct shim_task *t;

	pod_runs(77);
	t = shim_task_find(shim_handler_of(api), "pod");
	ok(t && t->api && t->pid == 77);
	fake.hangs = method;
	runtime_delete(api, "pod", true, record, &r);
	world_settle();
	world_advance(patience_ms - 1);
	ok(r.calls == 0 && program_running() == 0);
	world_advance(1);
	ok(program_running() == 1 && strstr(program_line(0), " delete"));
	fake_die();
	program_exit(0, "", "");
	world_settle();
	ok(r.calls == 1 && r.err.code == ERR_OK && !runtime_knows(api, "pod"));
}

/* It answers ShutdownSandbox and lives on. */
static void a_shim_that_stays(void)
{
	struct result r = { 0 };

	pod_runs(77);
	fake.stays = true;
	runtime_delete(api, "pod", true, record, &r);
	world_settle();
	for (int i = 0; i < 249; i++)
		world_advance(20);
	ok(r.calls == 0 && program_running() == 0);
	world_advance(20);
	ok(r.calls == 0 && program_running() == 1 && strstr(program_line(0), " delete"));
	fake_die();
	program_exit(0, "", "");
	world_settle();
	ok(r.calls == 1 && r.err.code == ERR_OK);
}

static void bundle_is_of(const char *pod)
{
	char text[100];

	snprintf(text, sizeof(text), "{\"annotations\":{\"io.kubernetes.cri.sandbox-id\":\"%s\"}}", pod);
	write_file(bundle, "config.json", text);
}

/* By its answer to `start` the pod "other" comes to the shim of "pod". When it goes, "pod" stays. */
static void a_shim_of_two_pods(bool has_shutdown)
{
	struct result run = { 0 }, del = { 0 };

	pod_runs(77);
	bundle_is_of("other");
	ask_pod_named("other", &run);
	program_answers(json_answer());
	ok(run.calls == 1 && run.err.code == ERR_OK);
	fake.stays = true;
	fake.fails = has_shutdown ? NULL : "ShutdownSandbox";
	fake.code = ERR_UNIMPLEMENTED;
	fake.log[0] = '\0';
	runtime_delete(api, "other", true, record, &del);
	world_settle();
	is_str(fake.log, "StopSandbox ShutdownSandbox ");
	for (int i = 0; i < 300; i++)
		world_advance(20);
	ok(del.calls == 1 && del.err.code == ERR_OK && program_running() == 0);
	ok(runtime_knows(api, "pod") && !runtime_knows(api, "other"));
	bundle_is_of("pod");
	fake.stays = false;
	fake.fails = NULL;
	pod_goes(false);
	fake_die();
}

/* What it says is the process of another pod's shim, which would be killed in its place. */
static void a_pid_of_another_shim(void)
{
	struct result r = { 0 };
	char before[sizeof(address)];
	int status, there[2];
	char byte;

	ok(pipe2(there, O_CLOEXEC) == 0);
	fake.shim_pid = fork();
	if (fake.shim_pid == 0) {
		if (chdir(bundle) == 0 && write(there[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	ok(read(there[0], &byte, 1) == 1);
	close(there[0]);
	close(there[1]);
	pod_runs(77);
	ok(shim_task_find(shim_handler_of(api), "pod")->shim_pid == fake.shim_pid);
	fake_die();
	memcpy(before, address, sizeof(before));
	snprintf(address, sizeof(address), "unix://%s/other.sock", world_dir());
	bundle_is_of("other");
	fake_start();
	ask_pod_named("other", &r);
	program_answers(json_answer());
	ok(r.calls == 1 && r.err.code == ERR_OK);
	ok(shim_task_find(shim_handler_of(api), "other")->shim_pid == 0);
	runtime_delete(api, "other", true, record, &r);
	world_settle();
	world_advance(20);
	ok(r.calls == 2 && r.err.code == ERR_OK && waitpid(fake.shim_pid, &status, WNOHANG) == 0);
	fake_die();
	memcpy(address, before, sizeof(before));
	bundle_is_of("pod");
	kill(fake.shim_pid, SIGKILL);
	ok(waitpid(fake.shim_pid, &status, 0) == fake.shim_pid);
	fake.shim_pid = 0;
	pod_goes(true);
}

/* What was not stopped is told to end all the same, and its program cleans up behind it. */
static void a_stop_that_fails(void)
{
	pod_runs(77);
	fake.fails = "StopSandbox";
	pod_goes(true);
	is_str(fake.log, "StopSandbox ShutdownSandbox ");
	fake_die();
	pod_runs(0);
	fake.stop_ends = true;
	pod_goes(true);
	is_str(fake.log, "StopSandbox ");
	fake_die();
}

/* fails: the method that the shim refuses. It is ended at the undo. */
static void a_start_that_fails_in(const char *method)
{
	struct result r = { 0 };

	fake_start();
	fake.fails = method;
	ask_pod(&r);
	program_answers(json_answer());
	ok(r.calls == 1 && r.err.code == ERR_INTERNAL && strstr(r.err.msg, method) && strstr(r.err.msg, "it failed"));
	fake.fails = NULL;
	pod_goes(false);
	fake_die();
}

/* The daemon dies while that call is under way; the next one gives up what may be there. */
static void a_start_that_was_cut_off_in(const char *method, bool by_program)
{
	struct result r = { 0 };
	struct runtime_op *op;

	fake_start();
	fake.hangs = method;
	op = ask_pod(&r);
	program_answers(json_answer());
	ok(r.calls == 0 && fake.nwaits == 1);
	runtime_cancel(op);
	open_runtimes();
	world_settle();
	api = runtime_find("api");
	ok(runtime_knows(api, "pod"));
	fake.hangs = NULL;
	fake.fails = by_program ? "StopSandbox" : NULL;
	fake.code = ERR_NOT_FOUND;
	pod_goes(by_program);
	fake_die();
}

/* A CreateSandbox that takes longer than create_timeout. */
static void a_start_that_takes_too_long(void)
{
	struct result r = { 0 };

	fake_start();
	fake.hangs = "CreateSandbox";
	ask_pod(&r);
	program_answers(json_answer());
	world_advance(8999);
	ok(r.calls == 0);
	world_advance(1);
	ok(r.calls == 1 && r.err.code == ERR_DEADLINE_EXCEEDED);
	pod_goes(false);
	fake_die();
}

static void after_a_restart(void)
{
	struct result wait = { 0 };

	pod_runs(77);
	container_runs();
	open_runtimes();
	world_settle();
	api = runtime_find("api");
	runtime_wait(api, "pod", record, &wait);
	world_settle();
	ok(fake.nwaits == 1 && strcmp(fake.log, "PingSandbox WaitSandbox ") == 0);
	fake_waited(3);
	ok(wait.calls == 1 && wait.status == 3 << 8);
	runtime_delete(api, "c1", true, record, &wait);
	world_settle();
	while (fake.nwaits)
		fake_waited(137);
	pod_goes(false);
	fake_die();
}

int main(void)
{
	peer_open();
	api = runtime_find("api");
	ok(runtime_traits(api) == (runtime_traits(shim) | RUNTIME_SANDBOX_API));
	from_start_to_end();
	its_status();
	its_usage();
	a_shim_without_the_api();
	another_platform();
	one_that_tells_no_end(0);
	one_that_tells_no_end(UINT64_C(1) << 40); /* which is no pid */
	an_end_without_a_time();
	a_socket_that_survives(false);
	a_socket_that_survives(true);
	a_shim_that_is_silent();
	a_shim_that_dies();
	a_shim_that_hangs_in("StopSandbox", 30000);
	a_shim_that_hangs_in("ShutdownSandbox", 30000);
	a_shim_that_stays();
	a_shim_of_two_pods(true);
	a_shim_of_two_pods(false);
	a_pid_of_another_shim();
	a_stop_that_fails();
	a_start_that_fails_in("CreateSandbox");
	a_start_that_fails_in("StartSandbox");
	a_start_that_was_cut_off_in("Connect", false);
	a_start_that_was_cut_off_in("CreateSandbox", true);
	a_start_that_was_cut_off_in("StartSandbox", false);
	a_start_that_takes_too_long();
	after_a_restart();
	return tap_end();
}
