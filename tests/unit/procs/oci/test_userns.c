/* test_userns.c - oci/userns.c: a handler has the feature user_namespaces only after its trial. As root: the trial
 * mounts a tmpfs. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/cgroup.h"
#include "procs/keeper.h"
#include "procs/runtime.h"
#include "reactor/log.h"
#include "reactor/own.h"
#include "tests/fakes/keeper.h"
#include "tests/fakes/program.h"
#include "tests/fakes/world.h"
#include "tests/tap.h"

static char state[300], program[300], pause_path[300];
static bool rootfs_fails;
static int rootfs_asked;

static const char *below(const char *dir, const char *name)
{
	static char path[600];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void put(const char *path, const char *text, mode_t mode)
{
	auto_fd int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, mode);

	ok(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static int rootfs(int userns, struct err *e)
{
	rootfs_asked++;
	ok(userns == keeper_copy("sandbox/userns-trial-runc/user"));
	return rootfs_fails ? err_set(e, ERR_INTERNAL, "no shifted layers here") : 0;
}

static void a_machine(void)
{
	struct cgroup_config cfg = { "/crisp", "cgroupfs", NULL };
	char mountinfo[300], line[600], cpu[300];
	struct err e;

	log_open("test", LOG_LEVEL_ERROR);
	snprintf(state, sizeof(state), "%s/state", world_dir());
	snprintf(program, sizeof(program), "%s/program", world_dir());
	snprintf(pause_path, sizeof(pause_path), "%s/pause", world_dir());
	snprintf(mountinfo, sizeof(mountinfo), "%s/mountinfo", world_dir());
	snprintf(cpu, sizeof(cpu), "%s/cpu", world_dir());
	mkdir(state, 0700);
	mkdir(cpu, 0700);
	put(program, "", 0755);
	put(pause_path, "the pause", 0755);
	snprintf(line, sizeof(line), "1 0 0:30 / %s rw - cgroup cgroup rw,cpu\n", cpu);
	put(mountinfo, line, 0600);
	cfg.mountinfo = mountinfo;
	ok(cgroup_open(&cfg, &e) == 0);
}

/* The daemon starts: the program is probed, and then the trial begins. */
static void start(void)
{
	const struct runtime_handler handler = { .name = "runc", .type = "oci", .path = program, .fallback = "" };
	struct runtimes_config cfg = { &handler, 1, "runc", state, NULL };
	struct err e;

	rootfs_fails = false;
	rootfs_asked = 0;
	ok(runtimes_open(&cfg, &e) == 0);
	runtime_trials_open(&(struct runtime_trials_config){ state, pause_path, rootfs });
	program_exit(0, "runc version 1.1.5\n", "");
	program_exit(256, "", "");
	world_settle();
}

static bool works(void)
{
	struct runtime_features f;

	runtime_features(runtime_find("runc"), &f);
	return f.user_namespaces;
}

static void nothing_is_left(void)
{
	world_advance(1000);
	ok(access(below(state, "userns-trial"), F_OK) < 0);
	ok(access(below(world_dir(), "cpu/crisp/userns-trial-runc"), F_OK) < 0);
	ok(fake_holds == 0 && program_running() == 0);
}

static void it_works(void)
{
	struct stat st;

	start();
	ok(!works() && program_running() == 0);
	fake_namespaces(ERR_OK);
	ok(rootfs_asked == 1 && program_running() == 1);
	ok(strstr(program_line(0), " run --bundle ") && !strstr(program_line(0), "--detach"));
	ok(program_spec(0)->stdin_data != NULL); /* anything but /dev/null */
	ok(stat(below(state, "userns-trial/runc/rootfs/program"), &st) == 0 && st.st_size == 9 &&
	   (st.st_mode & 0111) == 0111);
	ok(stat(below(state, "userns-trial/runc/rootfs"), &st) == 0 && st.st_uid == 65536);
	ok(access(below(state, "userns-trial/runc/config.json"), F_OK) == 0);
	program_exit(0, "", "");
	ok(works());
	nothing_is_left();
	ok(works() && program_running() == 0); /* no second trial */
	runtime_trials_close();
}

static void it_does_not(void)
{
	start();
	fake_namespaces(ERR_OK);
	program_exit(256, "", "cannot join\n");
	ok(strstr(program_line(0), " delete --force userns-trial-runc") != NULL);
	program_exit(0, "", "");
	ok(strstr(program_line(0), " run --bundle ") != NULL); /* one may have been left */
	program_exit(256, "", "cannot join\n");
	program_exit(0, "", "");
	ok(!works());
	nothing_is_left();
	runtime_trials_close();
}

static void what_else_it_takes(void)
{
	start();
	fake_namespaces(ERR_RESOURCE_EXHAUSTED);
	ok(!works());
	nothing_is_left();
	runtime_trials_close();

	start();
	rootfs_fails = true;
	fake_namespaces(ERR_OK);
	ok(!works() && rootfs_asked == 1);
	nothing_is_left();
	runtime_trials_close();
}

static void a_keeper_that_is_away_says_nothing(void)
{
	start();
	fake_namespaces(ERR_UNAVAILABLE);
	nothing_is_left();
	ok(!works()); /* asking begins the trial again */
	fake_namespaces(ERR_OK);
	program_exit(0, "", "");
	ok(works());
	nothing_is_left();
	runtime_trials_close();
}

static void a_new_program_is_tried_again(void)
{
	start();
	fake_namespaces(ERR_OK);
	program_exit(0, "", "");
	ok(works());
	put(program, "newer", 0755);
	works();
	program_exit(0, "runc version 1.2\n", "");
	ok(!works());
	program_exit(0, "{}", "");
	world_settle();
	fake_namespaces(ERR_OK);
	program_exit(0, "", "");
	ok(works());
	nothing_is_left();
	runtime_trials_close();
}

static void the_daemon_ends_meanwhile(void)
{
	start();
	runtime_trials_close();
	nothing_is_left();
	start();
	fake_namespaces(ERR_OK);
	runtime_trials_close();
	nothing_is_left();
	start();
	fake_namespaces(ERR_OK);
	program_exit(256, "", "");
	runtime_trials_close();
	nothing_is_left();
}

static int ended;

static void on_ended(void)
{
	ended++;
}

/* A stop lets what runs come to its end, and begins nothing. */
static void the_daemon_waits_for_it(void)
{
	ended = 0;
	start();
	fake_namespaces(ERR_OK);
	runtime_trials_end(on_ended);
	world_settle();
	ok(ended == 0 && program_running() == 1);
	program_exit(0, "", "");
	ok(works());
	world_settle();
	ok(ended == 1);
	nothing_is_left();
	runtime_trials_close();

	ended = 0;
	start();
	fake_namespaces(ERR_OK);
	program_exit(256, "", "killed\n");
	runtime_trials_end(on_ended);
	ok(strstr(program_line(0), " delete --force userns-trial-runc") != NULL);
	program_exit(0, "", "");
	world_settle();
	ok(ended == 1 && program_running() == 0); /* it is not run once more */
	nothing_is_left();
	runtime_trials_close();

	ended = 0;
	start();
	fake_namespaces(ERR_OK);
	program_exit(0, "", "");
	runtime_trials_end(on_ended);
	ok(ended == 0);
	world_settle();
	ok(ended == 1);
	runtime_trials_close();
}

int main(void)
{
	if (geteuid() != 0) {
		puts("1..0 # SKIP only root may mount");
		return 0;
	}
	a_machine();
	it_works();
	it_does_not();
	what_else_it_takes();
	a_keeper_that_is_away_says_nothing();
	a_new_program_is_tried_again();
	the_daemon_ends_meanwhile();
	the_daemon_waits_for_it();
	return tap_end();
}
