/* test_run_real.c - containers through a real keeper, a real log pump and the runtimes of this machine.
 * Needs root, a static busybox, and runc or crun; without them the plan is skipped. Whatever is made must be gone
 * afterwards. */
#include <ftw.h>
#include <sys/stat.h>

#include "procs/cgroup.h"
#include "procs/create.h"
#include "procs/exec.h"
#include "procs/log_pump.h"
#include "procs/remove.h"
#include "procs/runtime.h"
#include "procs/sandbox_down.h"
#include "procs/sandbox_up.h"
#include "procs/start.h"
#include "procs/stop.h"
#include "reactor/log.h"
#pragma GCC diagnostic ignored "-Wunused-function" /* not every story needs every tool */
#include "tests/unit/procs/keeper_run.h"

static struct err unlisted; /* container_list_it() cannot fail here */

static const char busybox[] = "/bin/busybox";
static const struct runtime_handler handlers[] = {
	{ .name = "runc", .type = "oci", .path = "/usr/sbin/runc", .fallback = "" },
	{ .name = "crun", .type = "oci", .path = "/usr/bin/crun", .fallback = "" },
};
static struct arena *arena;
static struct sandboxes_config table;
static struct sandbox_up_config up_cfg;
static struct sandbox *pod;
static struct container_config asked; /* the config of the next container */
static struct container_image image;

static const char *in_dir(const char *name)
{
	return arena_printf(arena, "%s/%s", shared->dir, name);
}

static void blank(const struct field *fields, void *object)
{
	auto_json json_t *nothing = json_object();
	struct err e;

	fields_from_json(fields, object, nothing, arena, &e);
}

/* ---- one operation at a time ---- */

static bool over;
static struct err last;

static void on_over(void *arg, const struct err *e)
{
	(void)arg;
	last = e ? *e : (struct err){ 0 };
	over = true;
	loop_stop();
}

static bool went_well(void)
{
	wait_for(&over);
	over = false;
	if (last.code != ERR_OK)
		printf("# %s\n", last.msg);
	return last.code == ERR_OK;
}

static bool start(struct container *c)
{
	start_start(c, on_over, NULL);
	return went_well();
}

static bool stop(struct container *c, int64_t grace_ms)
{
	stop_start(c, grace_ms, on_over, NULL);
	return went_well();
}

static void on_ended(struct container_wait *w)
{
	(void)w;
	on_over(NULL, NULL);
}

static int exit_of_container(struct container *c)
{
	struct container_wait w = { 0 };

	container_wait(c, &w, on_ended);
	went_well();
	return c->exit_code;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	return at->level ? remove(path) : 0;
}

static int empty_rootfs(void *arg, struct container *c, struct err *e)
{
	(void)arg;
	nftw(arena_printf(arena, "%s/rootfs", c->bundle), remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	(void)e;
	return 0;
}

static void on_turn(struct lane_pass *p)
{
	(void)p;
	on_over(NULL, NULL);
}

static bool remove_it(struct container *c)
{
	struct lane_pass pass = { 0 };

	lane_enter(&c->lane, &pass, on_turn);
	went_well();
	remove_start(c, &pass, empty_rootfs, on_over, NULL);
	return went_well();
}

/* ---- a pod and containers of it ---- */

static void pod_up(const char *runtime)
{
	struct sandbox_config config;

	blank(sandbox_config_fields, &config);
	config.name = "web";
	config.namespace_ = config.uid = "ns";
	config.log_directory = in_dir("log");
	config.runtime_handler = runtime;
	config.security.ns.network = NS_NODE;
	config.security.ns.pid = NS_CONTAINER;
	pod = sandbox_new(&config);
	sandbox_up_start(pod, on_over, NULL);
	ok(went_well());
}

static void pod_down(void)
{
	sandbox_down_start(pod, on_over, NULL);
	ok(went_well());
	sandbox_free(pod);
}

static struct container *make(const char *name, const char *script)
{
	static const char *argv[] = { busybox, "sh", "-c", NULL };
	struct container *c;
	struct err e;

	argv[3] = arena_strdup(arena, script);
	asked.name = name;
	asked.log_path = arena_printf(arena, "%s.log", name);
	asked.command = (struct strings){ argv, 4 };
	c = container_new(pod, &asked, &image);
	ok(create_bundle(c, &e) == 0);
	mkdir(arena_printf(arena, "%s/rootfs/bin", c->bundle), 0755);
	mkdir(arena_printf(arena, "%s/rootfs/tmp", c->bundle), 0777);
	if (link(busybox, arena_printf(arena, "%s/rootfs%s", c->bundle, busybox)) < 0)
		abort();
	if (create_config(c, NULL, 0, "node", &e) < 0)
		printf("# %s\n", e.msg);
	container_list_it(c, &unlisted);
	return c;
}

/* The log's text without times: "stdout F hello\n". */
static const char *log_text(const char *name)
{
	auto_file FILE *f = fopen(arena_printf(arena, "%s/log/%s.log", shared->dir, name), "re");
	char line[4096];
	const char *text = "";

	while (f && fgets(line, sizeof(line), f))
		text = arena_printf(arena, "%s%s", text, strchr(line, ' ') ? strchr(line, ' ') + 1 : line);
	return text;
}

static struct exec_result ran;
static char ran_out[4096];

static void on_exec(void *arg, const struct err *e, const struct exec_result *r)
{
	ran = r ? *r : (struct exec_result){ 0 };
	snprintf(ran_out, sizeof(ran_out), "%.*s", (int)ran.out_len, ran.out_len ? (const char *)ran.out : "");
	on_over(arg, e);
}

static bool exec_in(struct container *c, const char *script, int64_t timeout_ms)
{
	const char *argv[] = { busybox, "sh", "-c", script };

	exec_sync(c, &(struct strings){ argv, 4 }, timeout_ms, on_exec, NULL);
	return went_well();
}

/* ---- stories, for one runtime each ---- */

static void output_and_exit_code(void)
{
	struct container *c = make("talk", "echo hello; echo oops >&2; printf half; exit 3");

	ok(start(c));
	ok(exit_of_container(c) == 3);
	is_str(c->reason, "Error");
	ok(strstr(log_text("talk"), "stdout F hello\n") && strstr(log_text("talk"), "stderr F oops\n") &&
	   strstr(log_text("talk"), "stdout P half"));
	ok(remove_it(c));
}

static void a_command_that_is_not_there(void)
{
	struct container *c;
	struct err e;
	const char *nope = "/bin/nope";

	c = make("nope", "");
	c->config.command = (struct strings){ &nope, 1 };
	ok(create_config(c, NULL, 0, "node", &e) == 0);
	ok(!start(c) && last.code == ERR_INTERNAL && strstr(last.msg, "/bin/nope"));
	ok(c->state == CONTAINER_EXITED && c->exit_code == 128 && !c->in_runtime);
	ok(remove_it(c));
}

static void execs(void)
{
	struct container *c = make("execs", "echo up; while :; do sleep 1000; done");

	ok(start(c));
	ok(exec_in(c, "echo out; echo err >&2; exit 7", 5000) && ran.exit_code == 7);
	is_str(ran_out, "out\n");
	/* in the container's cgroup */
	ok(exec_in(c, "cat /proc/self/cgroup | grep -c /crisp-test-; echo $PPID", 5000) && atoi(ran_out) > 0);
	exec_sync(c, &(struct strings){ (const char *[]){ "/bin/nope" }, 1 }, 0, on_exec, NULL);
	ok(!went_well() && last.code == ERR_INTERNAL && strstr(last.msg, "/bin/nope"));
	ok(!exec_in(c, "sleep 1000 & sleep 1000 & wait", 300) && last.code == ERR_DEADLINE_EXCEEDED);
	/* The container's two, and four of this. What the exec above left is being killed. */
	ok(exec_in(c,
		   "for i in $(seq 200); do n=$(ls -d /proc/[0-9]* | wc -l); [ $n -gt 6 ] || break; sleep 0.1; done; "
		   "echo $n", 30000) && atoi(ran_out) <= 6);
	/* a background child keeps the pipes */
	ok(exec_in(c, "sleep 1000 & echo started", 5000) && ran.exit_code == 0);
	/* the device list holds for execs too */
	ok(exec_in(c, "mknod /tmp/kmsg c 1 11; cat /tmp/kmsg", 5000) && ran.exit_code != 0);
	ok(stop(c, 0) && c->exit_code == 137);
	ok(!exec_in(c, "true", 0) && last.code == ERR_FAILED_PRECONDITION);
	ok(remove_it(c));
}

static void stopped_by_its_signal_or_by_force(void)
{
	static const char trap_is_set[] = "until [ -e /set ]; do sleep 0.05; done";
	struct container *c = make("polite", "trap 'echo bye; exit 0' TERM; : >/set; while :; do sleep 0.1; done");

	ok(start(c));
	ok(exec_in(c, trap_is_set, 0));
	ok(stop(c, 10000) && c->exit_code == 0 && strstr(log_text("polite"), "bye"));
	ok(remove_it(c));
	c = make("deaf", "trap '' TERM; : >/set; sleep 1000 & while :; do sleep 0.1; done");
	ok(start(c));
	ok(exec_in(c, trap_is_set, 0));
	ok(stop(c, 200) && c->exit_code == 137);
	ok(remove_it(c));
	c = make("running", "while :; do sleep 1000; done");
	ok(start(c));
	ok(remove_it(c)); /* killed first */
}

static void killed_for_memory(void)
{
	struct container *c;

	asked.resources.set = true;
	asked.resources.memory_limit = asked.resources.memory_swap_limit = 16 << 20;
	c = make("oom", "exec dd if=/dev/zero of=/dev/null bs=64M count=1");
	asked.resources.memory_limit = asked.resources.memory_swap_limit = 0;
	ok(start(c));
	ok(exit_of_container(c) == 137);
	is_str(c->reason, "OOMKilled");
	ok(remove_it(c));
}

static void a_terminal(void)
{
	struct container *c;

	asked.tty = true;
	c = make("tty", "[ -t 0 ] && [ -t 1 ] && echo terminal; exit 4");
	asked.tty = false;
	ok(start(c));
	ok(exit_of_container(c) == 4);
	ok(strstr(log_text("tty"), "stdout F terminal") != NULL);
	ok(remove_it(c));
}

static void stdin_comes_through(void)
{
	struct container *c;
	const char *name;

	asked.stdin_ = true;
	c = make("stdin", "read line; echo got $line; read more || echo eof");
	asked.stdin_ = false;
	ok(start(c));
	name = arena_printf(arena, "container/%s/stdin", c->id);
	ok(write(keeper_copy(name), "word\n", 5) == 5);
	keeper_ask_release(name);
	ok(exit_of_container(c) == 0);
	ok(strstr(log_text("stdin"), "got word\n") && strstr(log_text("stdin"), "eof\n"));
	ok(remove_it(c));
}

static int to_start;

static void on_one_started(void *arg, const struct err *e)
{
	(void)arg;
	last = e ? *e : (struct err){ 0 };
	if (--to_start == 0 || e)
		over = true;
	loop_stop();
}

static void ten_at_once(void)
{
	struct container *c[10];
	int64_t begun;

	for (int i = 0; i < 10; i++)
		c[i] = make(arena_printf(arena, "ten%d", i), "sleep 1000");
	begun = loop_mono_ns();
	to_start = 10;
	for (int i = 0; i < 10; i++)
		start_start(c[i], on_one_started, NULL);
	ok(went_well());
	printf("# ten starts at once: %.1f ms\n", (double)(loop_mono_ns() - begun) / 1e6);
	for (int i = 0; i < 10; i++)
		ok(remove_it(c[i]));
}

static int fds_before, keeper_fds_before;

static void all_stories(const char *runtime)
{
	pod_up(runtime);
	output_and_exit_code(); /* the first container opens fds that stay open */
	fds_before = count_fds(getpid());
	keeper_fds_before = count_fds(getppid());
	output_and_exit_code();
	a_command_that_is_not_there();
	execs();
	stopped_by_its_signal_or_by_force();
	killed_for_memory();
	a_terminal();
	stdin_comes_through();
	ten_at_once();
	ok(comes_to_fds(getpid(), fds_before));
	ok(comes_to_fds(getppid(), keeper_fds_before));
	pod_down();
	cgroup_close();
	story_over();
}

static void story_runc(void)
{
	all_stories("runc");
}

static void story_crun(void)
{
	all_stories("crun");
}

/* ---- kill -9 of crispd ---- */

static void adopt_one(void *arg, struct container *c)
{
	(void)arg;
	start_adopt(c);
}

static struct container *named(const char *name)
{
	return container_named(pod, name, 0);
}

static void find_pod(void *arg, struct sandbox *s)
{
	(void)arg;
	pod = s;
}

static void first_life(void)
{
	struct container *begins;
	const char *its_state;

	pod_up("");
	ok(start(make("counts", "i=0; while [ $i -lt 200 ]; do echo line $i; i=$((i+1)); sleep 0.01; done; exit 5")));
	ok(start(make("waits", "sleep 1000")));
	ok(start(make("ends", "sleep 0.2; exit 6")));
	begins = make("begins", "sleep 1000");
	start_start(begins, on_over, NULL);
	/* The runtime's own state shows that it is at work. Without that the keeper might not have read the request
	 * yet. */
	its_state = arena_printf(arena, "%s/runtime/%s/%s", table.state, begins->runtime, begins->id);
	ok(comes_true(path_is_there, its_state));
	shared_save();
	kill(getpid(), SIGKILL);
}

static void second_life(void)
{
	const char *text;
	bool whole = true;

	sandbox_each(find_pod, NULL);
	ok(pod != NULL);
	container_each(adopt_one, NULL);
	ok(exit_of_container(named("ends")) == 6);
	ok(named("waits")->state == CONTAINER_RUNNING && exec_in(named("waits"), "echo alive", 5000));
	is_str(ran_out, "alive\n");
	ok(named("begins")->state == CONTAINER_RUNNING); /* its `run` was waited for */
	ok(exit_of_container(named("counts")) == 5);
	text = log_text("counts");
	for (int i = 0; i < 200 && whole; i++) {
		const char *line = arena_printf(arena, "stdout F line %d\n", i);

		whole = strncmp(text, line, strlen(line)) == 0;
		text += strlen(line);
	}
	ok(whole && !*text); /* none lost, none doubled */
	for (int i = 0; i < 4; i++)
		ok(remove_it(named((const char *[]){ "counts", "waits", "ends", "begins" }[i])));
	pod_down();
	cgroup_close();
	story_over();
}

static void story_killed(void)
{
	if (shared->lives == 1)
		first_life();
	else
		second_life();
}

/* ---- the two programs ---- */

static const struct {
	const char *name, *needs;
	void (*run)(void);
} stories[] = { { "runc", "/usr/sbin/runc", story_runc },
		{ "crun", "/usr/bin/crun", story_crun },
		{ "killed", "/usr/sbin/runc", story_killed } };

static void be_crispd_with_containers(void)
{
	const char *by_default = access(handlers[0].path, X_OK) == 0 ? "runc" : "crun";
	struct runtimes_config runtimes = { handlers, 2, by_default, NULL, NULL };
	struct cgroup_config cgroups = { NULL, "cgroupfs", NULL };
	struct err e;

	be_crispd();
	arena = arena_new();
	log_open("test", LOG_LEVEL_WARN);
	cgroups.root = arena_printf(arena, "/crisp-test-%d", (int)shared->pids[3]);
	table = (struct sandboxes_config){ .root = in_dir("root"),
					   .state = in_dir("state"),
					   .netns_dir = in_dir("netns") };
	runtimes.state = table.state;
	ok(cgroup_open(&cgroups, &e) == 0 && runtimes_open(&runtimes, &e) == 0);
	sandboxes_open(&table);
	containers_open(table.root, table.state);
	up_cfg = (struct sandbox_up_config){ .pause_path = no_such("pause"), /* below shared->dir */
					     .node_name = "node",
					     .hosts = no_such("hosts"),
					     .resolv_conf = no_such("resolv.conf") };
	sandbox_up_open(&up_cfg);
	ok(log_pumps_open(&e) == 0);
	ok(sandboxes_load(&e) == 0 && containers_load(&e) == 0);
	blank(container_config_fields, &asked);
	asked.security.seccomp = (struct profile){ .set = true, .type = PROFILE_RUNTIME_DEFAULT };
	asked.security.ns.pid = NS_CONTAINER;
	asked.security.ns.network = NS_NODE;
	image = (struct container_image){ "sha256:1", "r", "busybox", { 0 }, { 0 }, { 0 }, "", "", "" };
}

static void world_with_directories(void)
{
	world_make();
	arena = arena_new();
	shared->pids[3] = getpid();
	for (size_t i = 0; i < 4; i++)
		mkdir(in_dir((const char *[]){ "root", "state", "netns", "log" }[i]), 0755);
}

static int remove_any(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	if (type == FTW_F && (strstr(path, "/state/") || strstr(path, "/root/")))
		printf("# left: %s\n", path);
	return at->level ? remove(path) : 0;
}

static void world_with_directories_remove(void)
{
	nftw(shared->dir, remove_any, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	ok(rmdir(shared->dir) == 0);
	arena_free(arena);
}

int main(void)
{
	world_open();
	if (getenv(KEEPER_FD_ENV)) {
		be_crispd_with_containers();
		for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++)
			if (strcmp(stories[i].name, shared->story) == 0)
				stories[i].run();
		return 1;
	}
	if (geteuid() != 0 || access(busybox, X_OK) < 0) {
		printf("1..0 # SKIP needs root and a static busybox\n");
		return 0;
	}
	world_with_directories();
	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++)
		if (access(stories[i].needs, X_OK) == 0)
			play(stories[i].name);
	world_with_directories_remove();
	return tap_end();
}
