/* test_cgroup.c - procs/cgroup.c and procs/cgroup/: mountinfo as text, and as root real groups of v1 and of v2. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procs/cgroup.h"
#include "procs/cgroup/tree.h"
#include "reactor/arena.h"
#include "reactor/log.h"
#include "tests/fakes/world.h"
#include "tests/missing.h"
#include "tests/tap.h"

static struct err e;

static const char *mountinfo_of(const char *text)
{
	static char path[300];
	FILE *f;

	snprintf(path, sizeof(path), "%s/mountinfo", world_dir());
	f = fopen(path, "we");
	fputs(text, f);
	fclose(f);
	return path;
}

/* The text is the mountinfo; NULL: that of this machine. */
static int open_with(const char *text, const char *root)
{
	struct cgroup_config cfg = { root, "cgroupfs", text ? mountinfo_of(text) : NULL };

	return cgroup_open(&cfg, &e);
}

/* ---- on paper ---- */

static void hybrid(void)
{
	struct arena *a = arena_new();
	const char *const *tasks;

	ok(open_with("1 0 0:25 / /sys/fs/cgroup ro - tmpfs tmpfs ro\n"
		     "2 1 0:26 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
		     "3 1 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
		     "4 1 0:28 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
		     "5 1 0:29 / /sys/fs/cgroup/other rw - cgroup cgroup rw,name=other\n"
		     "6 1 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
		     "7 1 0:27 / /mnt/again rw - cgroup cgroup rw,memory\n",
		     "/crisp") == 0);
	ok(!cgroup_is_v2() && nhierarchies == 3);
	is_str(cgroup_hybrid(), "/sys/fs/cgroup/unified");
	is_str(hierarchy_of("cpuacct")->mount, "/sys/fs/cgroup/cpu,cpuacct");
	ok(hierarchy_of("pids") == NULL);
	is_str(hierarchy_of_processes()->mount, "/sys/fs/cgroup/memory");
	tasks = cgroup_tasks(a, "/crisp/p");
	is_str(tasks[0], "/sys/fs/cgroup/cpu,cpuacct/crisp/p/tasks");
	ok(tasks[2] && !tasks[3]);
	arena_free(a);
}

static void unified(void)
{
	struct arena *a = arena_new();

	ok(open_with("1 0 0:25 / /sys/fs/cgr\\040oup rw - cgroup2 cgroup2 rw,nsdelegate\n", "/crisp") == 0);
	ok(cgroup_is_v2() && !cgroup_hybrid() && cgroup_tasks(a, "/x") == NULL);
	is_str(hierarchy_of("memory")->mount, "/sys/fs/cgr oup");
	ok(open_with("1 0 0:25 / /s rw - cgroup cgroup rw,name=systemd\n2 0 0:26 / /u rw - cgroup2 cgroup2 rw\n",
		     "/crisp") == 0);
	ok(cgroup_is_v2()); /* name=systemd alone carries no controller */
	arena_free(a);
}

static void nothing_usable(void)
{
	struct cgroup_config cfg = { "/crisp", "cgroupfs", missing("mountinfo") };

	ok(open_with("1 0 0:25 / / rw - ext4 /dev/x rw\nrubbish\n - \n\n", "/crisp") < 0 &&
	   e.code == ERR_FAILED_PRECONDITION);
	ok(cgroup_open(&cfg, &e) < 0 && e.code == ERR_FAILED_PRECONDITION);
	ok(open_with("", "crisp") < 0 && e.code == ERR_INVALID_ARGUMENT);
	cfg.driver = "systemd";
	ok(cgroup_open(&cfg, &e) < 0 && e.code == ERR_FAILED_PRECONDITION);
	cfg.mountinfo = mountinfo_of("1 0 0:26 / /c rw - cgroup cgroup rw,memory\n");
	ok(cgroup_open(&cfg, &e) < 0 && e.code == ERR_INVALID_ARGUMENT && strstr(e.msg, "needs cgroup v2"));
	cfg.driver = "auto";
	ok(cgroup_open(&cfg, &e) == 0 && !cgroup_systemd());
	cfg.driver = "cgroups";
	ok(cgroup_open(&cfg, &e) < 0 && e.code == ERR_INVALID_ARGUMENT);
}

static void pod_paths(void)
{
	struct arena *a = arena_new();

	open_with("1 0 0:25 / /c rw - cgroup2 cgroup2 rw\n", "/crisp");
	is_str(cgroup_pod_path(a, "", "id"), "/crisp/id");
	is_str(cgroup_pod_path(a, "/kubepods/burstable/podx", "id"), "/kubepods/burstable/podx");
	is_str(cgroup_pod_path(a, "/test.slice//", "id"), "/test.slice"); /* taken literally by this driver */
	is_str(cgroup_pod_path(a, "test.slice", "id"), "/test.slice");
	is_str(cgroup_pod_path(a, "/", "id"), "/");
	is_str(cgroup_below(a, "/", "c"), "/c");
	is_str(cgroup_below(a, "/p", "c"), "/p/c");
	/* The sandbox's own group: a leaf below a cgroup_parent; without one the pod's group itself. */
	is_str(cgroup_own_path(a, "/kubepods/podx", "id"), "/kubepods/podx/id");
	is_str(cgroup_pause_path(a, "/kubepods/podx", "id"), "/kubepods/podx/id");
	is_str(cgroup_own_path(a, "/", "id"), "/id");
	is_str(cgroup_own_path(a, "/crisp/id", "id"), "/crisp/id");
	is_str(cgroup_pause_path(a, "/crisp/id", "id"), "/crisp/id/pause");
	is_str(cgroup_own_path(a, "/crisp/pid", "id"), "/crisp/pid/id");
	ok(cgroup_make("/a/../../etc", &e) < 0 && e.code == ERR_INVALID_ARGUMENT);
	ok(cgroup_make("a", &e) < 0 && cgroup_make("/a//b", &e) < 0 && cgroup_make("/a/..", &e) < 0);
	arena_free(a);
}

static int open_systemd(const char *root)
{
	struct cgroup_config cfg = { root, "systemd", mountinfo_of("1 0 0:25 / /c rw - cgroup2 cgroup2 rw\n") };

	return cgroup_open(&cfg, &e);
}

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void systemds_names(void)
{
	static const char kube[] = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podx_y.slice";
	struct arena *a = arena_new();
	char id[65];

	ok(open_systemd("/crisp") == 0 && cgroup_systemd());
	is_str(cgroup_pod_path(a, "", "id"), "/crisp.slice/crisp-id.slice");
	is_str(cgroup_pod_path(a, kube, "id"), kube);
	is_str(cgroup_pod_path(a, "kubepods-burstable-podx_y.slice", "id"), kube); /* the last one counts */
	is_str(cgroup_pod_path(a, "/test.slice/", "id"), "/test.slice");
	is_str(cgroup_container_path(a, "/a.slice", "c"), "/a.slice/crisp-c.scope");
	is_str(cgroup_container_path(a, "/crisp/old", "c"), "/crisp/old/c"); /* of a pod that cgroupfs made */
	is_str(cgroup_own_path(a, "/k.slice/k-p.slice", "id"), "/k.slice/k-p.slice/id");
	is_str(cgroup_own_path(a, "/crisp.slice/crisp-id.slice", "id"), "/crisp.slice/crisp-id.slice");
	is_str(cgroup_pause_path(a, "/k.slice/k-p.slice", "id"), "/k.slice/k-p.slice/crisp-id.scope");
	is_str(cgroup_pod_path(a, "", "userns-trial-x"), "/crisp.slice/crisp-userns_trial_x.slice");
	is_str(cgroup_unit("/k.slice/k-p.slice"), "k-p.slice");
	ok(cgroup_unit("/crisp/id") == NULL);
	is_str(cgroup_runtime_path(a, "/k.slice/k-p.slice/crisp-c1.scope"), "k-p.slice:crisp:c1");
	is_str(cgroup_runtime_path(a, "/crisp-c1.scope"), "-.slice:crisp:c1");
	is_str(cgroup_runtime_path(a, "/crisp/id/c"), "/crisp/id/c");
	is_str(cgroup_root_path(a), "/crisp.slice");
	ok(cgroup_id_of("crisp-" HEX64 ".slice", id) && strcmp(id, HEX64) == 0);
	ok(!cgroup_id_of("crisp-userns-trial-runc.slice", id) && !cgroup_id_of(HEX64, id));
	ok(open_systemd("/a/crisp-2.slice") == 0);
	is_str(cgroup_root_path(a), "/crisp.slice/crisp-2.slice");
	is_str(cgroup_pod_path(a, "", "id"), "/crisp.slice/crisp-2.slice/crisp-2-id.slice");
	arena_free(a);
}

static void parents_that_systemd_cannot_have(void)
{
	static const char *const bad[] = { "/kubepods/podx", "/a/../b.slice", "/a-.slice", "/-a.slice", "/a--b.slice",
					   "/a b.slice", "/.slice", "/a.scope" };

	ok(open_systemd("/crisp") == 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ok(cgroup_check_parent(bad[i], &e) < 0 && e.code == ERR_INVALID_ARGUMENT);
	ok(cgroup_check_parent("", &e) == 0 && cgroup_check_parent("/a.slice/a-b.slice", &e) == 0);
	ok(open_systemd("/two words") < 0 && strstr(e.msg, "cgroup.root"));
	ok(open_with("1 0 0:26 / /c rw - cgroup cgroup rw,memory\n", "/crisp") == 0 && !cgroup_systemd());
	ok(cgroup_check_parent("/kubepods/podx", &e) == 0);
	ok(cgroup_id_of(HEX64, (char[65]){ 0 }) && !cgroup_id_of("x" HEX64, (char[65]){ 0 }));
}

/* ---- for real ---- */

static char base[64]; /* "/crisp-test-<pid>" */

static bool exists(const char *path)
{
	for (size_t i = 0; i < nhierarchies; i++)
		if (access(cgroup_file(&hierarchies[i], path, "").s, F_OK) < 0)
			return false;
	return true;
}

static const char *below(const char *name)
{
	static char path[4][128];
	static int i;

	i = (i + 1) % 4;
	snprintf(path[i], sizeof(path[i]), "%s%s", base, name);
	return path[i];
}

/* A child in the cgroup. It joins by itself, as the children of the keeper do. */
static pid_t member(const char *path)
{
	int ready[2];
	char byte;
	pid_t pid;

	ok(pipe2(ready, O_CLOEXEC) == 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (size_t i = 0; i < nhierarchies; i++)
			if (cgroup_write(&hierarchies[i], path, hierarchies[i].v2 ? "cgroup.procs" : "tasks", "0", &e) <
			    0)
				_exit(1);
		if (write(ready[1], "x", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	close(ready[1]);
	ok(read(ready[0], &byte, 1) == 1);
	close(ready[0]);
	return pid;
}

static void made_and_removed(void)
{
	char text[256];

	ok(cgroup_make(below("/pod"), &e) == 0 && cgroup_make(below("/pod"), &e) == 0);
	ok(exists(below("/pod")));
	if (hierarchy_of("cpuset") && !cgroup_is_v2()) {
		ok(cgroup_read(hierarchy_of("cpuset"), below("/pod"), "cpuset.cpus", text, sizeof(text)) > 1);
		ok(cgroup_read(hierarchy_of("cpuset"), below("/pod"), "cpuset.mems", text, sizeof(text)) > 1);
	}
	ok(cgroup_make_leaf(below("/pod/c1"), &e) == 0);
	cgroup_remove(below("/pod"));
	ok(exists(below("/pod"))); /* not in the call */
	world_settle();
	ok(!exists(below("/pod")));
	cgroup_remove(below("/pod"));
	cgroup_remove("/");
	cgroup_remove("");
	world_settle();
	ok(cgroup_remove_now("") && cgroup_remove_now(below("/none")));
	ok(cgroup_make(below("/pod"), &e) == 0);
	ok(cgroup_remove_now(below("/pod")) && !exists(below("/pod")));
	world_settle();
}

static struct cgroup_wait removed;
static int removals;

static void on_group_removed(struct cgroup_wait *w)
{
	removals += w == &removed;
}

static void killed_with_all_below(void)
{
	pid_t outer, inner, pids[8];
	int status;

	removals = 0;
	ok(cgroup_make(below("/pod"), &e) == 0 && cgroup_make_leaf(below("/pod/c0"), &e) == 0 &&
	   cgroup_make_leaf(below("/pod/c1"), &e) == 0);
	outer = member(below("/pod/c0"));
	inner = member(below("/pod/c1"));
	ok(cgroup_pids(below("/pod"), pids, 8) == 2 && cgroup_pids(below("/pod/c1"), pids, 8) == 1 && pids[0] == inner);
	ok(cgroup_pids(below("/pod"), pids, 1) == 1);
	ok(!cgroup_remove_now(below("/pod"))); /* busy */
	ok(cgroup_remove_wait(below("/pod"), &removed, on_group_removed));
	world_settle();
	ok(exists(below("/pod/c1")));
	cgroup_kill(below("/pod"));
	ok(waitpid(outer, &status, 0) == outer && WTERMSIG(status) == SIGKILL);
	ok(waitpid(inner, &status, 0) == inner && WTERMSIG(status) == SIGKILL);
	ok(cgroup_pids(below("/pod"), pids, 8) == 0);
	world_advance(10);
	ok(!exists(below("/pod"))); /* the second try */
	world_advance(1000); /* a process may count in some hierarchies for longer */
	ok(removals == 1);
	ok(!cgroup_remove_wait(below("/pod"), &removed, on_group_removed));
	cgroup_kill(below("/pod"));
	ok(cgroup_pids(below("/pod"), pids, 8) == 0);
}

/* The file GROUP/cgroup.procs of a hierarchy made of plain files in world_dir(). */
static void put_procs(const char *group, pid_t one, pid_t other)
{
	char command[300];
	FILE *f;

	snprintf(command, sizeof(command), "mkdir -p '%.250s'", cgroup_file(hierarchy_of_processes(), group, "").s);
	ok(system(command) == 0);
	f = fopen(cgroup_file(hierarchy_of_processes(), group, "cgroup.procs").s, "we");
	ok(f && fprintf(f, "%d\n%d\n", (int)one, (int)other) > 0 && fclose(f) == 0);
}

/* A process may end between the reading of cgroup.procs and the signal, and its pid may be used again. Here the
 * children are in real groups, and a cgroup.procs that is a plain file lists two of them which are not below /pod.
 * mountinfo as for open_with(): the real groups. */
static void a_stranger_with_a_listed_pid_is_spared(const char *mountinfo)
{
	const struct hierarchy *real = hierarchy_of_processes();
	char paper[400];
	pid_t inside, beside, outside;
	int status;

	ok(cgroup_make(below("/pod"), &e) == 0 && cgroup_make_leaf(below("/pod/c0"), &e) == 0 &&
	   cgroup_make_leaf(below("/podling"), &e) == 0);
	inside = member(below("/pod/c0"));
	beside = member(below("/podling"));
	outside = fork();
	if (outside == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	if (real->v2)
		snprintf(paper, sizeof(paper), "1 0 0:25 / %s rw - cgroup2 cgroup2 rw\n", world_dir());
	else
		snprintf(paper, sizeof(paper), "1 0 0:25 / %s rw - cgroup cgroup rw%.*s\n", world_dir(),
			 (int)strlen(real->controllers) - 1, real->controllers);
	ok(open_with(paper, base) == 0);
	put_procs(below("/pod"), outside, beside);
	put_procs(below("/pod/c0"), inside, outside);
	cgroup_kill(below("/pod"));
	ok(waitpid(inside, &status, 0) == inside && WTERMSIG(status) == SIGKILL);
	ok(waitpid(outside, &status, WNOHANG) == 0);
	ok(waitpid(beside, &status, WNOHANG) == 0);
	kill(outside, SIGTERM);
	kill(beside, SIGTERM);
	ok(waitpid(outside, &status, 0) == outside && WTERMSIG(status) == SIGTERM);
	ok(waitpid(beside, &status, 0) == beside && WTERMSIG(status) == SIGTERM);
	ok(open_with(mountinfo, base) == 0);
	ok(cgroup_remove_now(below("/pod")) && cgroup_remove_now(below("/podling")));
}

static void at_the_end_the_rest_is_tried_once_more(void)
{
	ok(cgroup_make(below("/pod"), &e) == 0);
	cgroup_remove(below("/pod"));
	cgroup_close();
	ok(!exists(below("/pod")) && !exists(base));
	world_settle();
}

/* The three fixed points, and values that Kubernetes makes of 100m, 500m, 2 and 8 CPUs. */
static void shares_become_weights(void)
{
	static const int64_t pairs[][2] = { { 0, 1 }, { 1, 1 }, { 2, 1 }, { 3, 2 }, { 102, 17 }, { 512, 59 },
					    { 1024, 100 }, { 2048, 174 }, { 8192, 532 }, { 262143, 10000 },
					    { 262144, 10000 }, { INT64_MAX, 10000 }, { -5, 1 } };

	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		ok(cgroup_weight(pairs[i][0]) == pairs[i][1]);
}

static void limits_v1(void)
{
	struct resources r = { .set = true,
			       .cpu_shares = 512,
			       .cpu_period = 100000,
			       .cpu_quota = 50000,
			       .memory_limit = 64 << 20,
			       .cpuset_cpus = "0",
			       .cpuset_mems = "" };
	char text[256];

	ok(cgroup_make(below("/pod"), &e) == 0);
	ok(cgroup_limit(below("/pod"), &r, &e) == 0);
	cgroup_read(hierarchy_of("cpu"), below("/pod"), "cpu.shares", text, sizeof(text));
	is_str(text, "512\n");
	cgroup_read(hierarchy_of("memory"), below("/pod"), "memory.limit_in_bytes", text, sizeof(text));
	is_str(text, "67108864\n");
	cgroup_read(hierarchy_of("cpuset"), below("/pod"), "cpuset.cpus", text, sizeof(text));
	is_str(text, "0\n");
	ok(cgroup_oom_kills(below("/pod")) == 0 && cgroup_oom_kills(below("/none")) == -1);
	r.cpu_shares = -5;
	ok(cgroup_limit(below("/none"), &r, &e) < 0 && e.code == ERR_INTERNAL);
	cgroup_remove(below("/pod"));
	cgroup_close();
	ok(!exists(base));
}

/* The child allocates memory until it is killed; the counter of its own group counts the kill. */
static void oom_is_counted(void)
{
	struct resources r = {
		.set = true, .memory_limit = 8 << 20, .memory_swap_limit = 8 << 20, .cpuset_cpus = "", .cpuset_mems = ""
	};
	int status;
	pid_t pid;

	ok(cgroup_make(below("/pod"), &e) == 0 && cgroup_limit(below("/pod"), &r, &e) == 0);
	pid = fork();
	if (pid == 0) {
		for (size_t i = 0; i < nhierarchies; i++)
			cgroup_write(&hierarchies[i], below("/pod"), "tasks", "0", &e);
		for (;;) {
			char *p = malloc(1 << 20);

			memset(p, 1, 1 << 20);
		}
	}
	ok(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
	ok(cgroup_oom_kills(below("/pod")) == 1);
	cgroup_remove(below("/pod"));
	world_settle();
	cgroup_close();
}

static bool can_write(const char *mount)
{
	char path[300];
	bool yes;

	snprintf(path, sizeof(path), "%s%s", mount, base);
	yes = mkdir(path, 0755) == 0;
	rmdir(path);
	return yes;
}

static void on_v1(void)
{
	if (open_with(NULL, base) < 0 || cgroup_is_v2() || !can_write(hierarchies[0].mount)) {
		printf("ok %d # SKIP no writable cgroup v1 hierarchy\n", ++tap_n);
		return;
	}
	made_and_removed();
	killed_with_all_below();
	a_stranger_with_a_listed_pid_is_spared(NULL);
	at_the_end_the_rest_is_tried_once_more();
	if (hierarchy_of("cpu") && hierarchy_of("memory") && hierarchy_of("cpuset")) {
		limits_v1();
		oom_is_counted();
	}
}

/* The cgroup2 of this machine, wherever it is mounted, taken for the only hierarchy. */
static void on_v2(void)
{
	char line[1024], text[1024] = "";
	FILE *f = fopen("/proc/self/mountinfo", "re");

	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, " - cgroup2 "))
			snprintf(text, sizeof(text), "%s", line);
	if (f)
		fclose(f);
	if (!*text || open_with(text, base) < 0 || !can_write(hierarchies[0].mount)) {
		printf("ok %d # SKIP no writable cgroup v2 hierarchy\n", ++tap_n);
		return;
	}
	made_and_removed();
	killed_with_all_below();
	a_stranger_with_a_listed_pid_is_spared(text);
	at_the_end_the_rest_is_tried_once_more();
}

int main(void)
{
	log_open("test", LOG_LEVEL_ERROR);
	snprintf(base, sizeof(base), "/crisp-test-%d", (int)getpid());
	shares_become_weights();
	hybrid();
	unified();
	nothing_usable();
	pod_paths();
	systemds_names();
	parents_that_systemd_cannot_have();
	on_v1();
	on_v2();
	return tap_end();
}
