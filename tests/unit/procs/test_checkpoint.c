/* test_checkpoint.c - procs/checkpoint.c and criu.c with a runtime that answers as the test says. */
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procs/bundle.h"
#include "procs/checkpoint.h"
#include "procs/criu.h"
#include "procs/stop.h"
#include "reactor/own.h"
#include "tests/fakes/keeper.h"
#include "tests/fakes/runtime.h"
#include "tests/fakes/world.h"
#include "tests/tap.h"

struct result {
	int calls;
	struct err err;
};

static struct container *c;
static char dir[300];
static pid_t child;

static void record(void *arg, const struct err *e)
{
	struct result *r = arg;

	r->calls++;
	r->err = e ? *e : (struct err){ 0 };
}

static void running(void)
{
	static int serial;

	child = fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	c = fake_running(child);
	snprintf(dir, sizeof(dir), "%s/stage%d", world_dir(), serial++);
	mkdir(dir, 0700);
}

static void dies(void)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	fake_exit(c->id, SIGKILL);
	world_settle();
	if (fake_runtime_pending())
		fake_runtime_ok(0);
}

static void frozen_dumped_thawed(void)
{
	struct result dumped = { 0 }, thawed = { 0 };
	struct checkpoint *k;
	struct stat st;

	running();
	k = checkpoint_start(c, dir, 60000, record, &dumped);
	is_str(fake_calls, "pause ");
	ok(c->frozen);
	fake_runtime_ok(0);
	is_str(fake_calls, "pause checkpoint ");
	ok(strncmp(fake_images, dir, strlen(dir)) == 0 && stat(fake_images, &st) == 0 && (st.st_mode & 07777) == 0700);
	ok(dumped.calls == 0);
	fake_runtime_ok(0);
	ok(dumped.calls == 1 && dumped.err.code == ERR_OK && c->frozen && c->checkpoint == k);
	checkpoint_thaw(k, record, &thawed);
	ok(thawed.calls == 0);
	fake_runtime_ok(0);
	ok(thawed.calls == 1 && thawed.err.code == ERR_OK && !c->frozen && !c->checkpoint);
	is_str(fake_calls, "pause checkpoint resume ");
	dies();
}

static void refused(const char *why, enum err_code code)
{
	struct result dumped = { 0 };

	(void)why;
	checkpoint_start(c, dir, 60000, record, &dumped);
	ok(dumped.calls == 0);
	world_settle();
	ok(dumped.calls == 1 && dumped.err.code == code && !c->checkpoint && !c->frozen);
}

static void what_cannot_be_checkpointed(void)
{
	running();
	c->sandbox->config.security.ns.has_userns = true;
	refused("a user namespace", ERR_FAILED_PRECONDITION);
	c->sandbox->config.security.ns.has_userns = false;
	c->removing = true;
	refused("being removed", ERR_ABORTED);
	c->removing = false;
	dies();
	refused("it has ended", ERR_FAILED_PRECONDITION);
}

static void no_criu_is_no_harm(void)
{
	struct result dumped = { 0 };

	running();
	checkpoint_start(c, dir, 60000, record, &dumped);
	fake_runtime_fail(ERR_FAILED_PRECONDITION, "install the package criu");
	ok(dumped.calls == 1 && dumped.err.code == ERR_FAILED_PRECONDITION && !c->frozen);
	is_str(fake_calls, "pause "); /* nothing was frozen, nothing is thawed */
	dies();
}

static void a_failed_dump_is_thawed_and_explained(void)
{
	struct result dumped = { 0 };
	char log[400];
	int fd;

	running();
	checkpoint_start(c, dir, 60000, record, &dumped);
	fake_runtime_ok(0);
	snprintf(log, sizeof(log), "%s/dump.log", dir);
	fd = open(log, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	dprintf(fd, "(00.1) Dumping\n(00.2) Error (criu/sk-inet.c:191): inet: Connected TCP socket\n(00.3) Error "
		    "(criu/cr-dump.c:1781): Dumping FAILED.\n");
	close(fd);
	fake_runtime_fail(ERR_INTERNAL, "criu failed");
	ok(dumped.calls == 0);
	fake_runtime_ok(0);
	ok(dumped.calls == 1 && dumped.err.code == ERR_INTERNAL && !c->frozen && !c->checkpoint);
	is_str(dumped.err.msg, "CRIU could not dump it: inet: Connected TCP socket; Dumping FAILED.");
	is_str(fake_calls, "pause checkpoint resume ");
	dies();
}

/* The runtime operation's own timeout ends the dump with DEADLINE_EXCEEDED. */
static void a_late_dump_keeps_its_code(void)
{
	struct result dumped = { 0 };

	running();
	checkpoint_start(c, dir, 1000, record, &dumped);
	fake_runtime_ok(0);
	fake_runtime_fail(ERR_DEADLINE_EXCEEDED, "late");
	fake_runtime_ok(0);
	ok(dumped.calls == 1 && dumped.err.code == ERR_DEADLINE_EXCEEDED && !c->frozen);
	dies();
}

static void no_time_left_after_freezing(void)
{
	struct result dumped = { 0 };

	running();
	checkpoint_start(c, dir, 1000, record, &dumped);
	world_spend(1000);
	fake_runtime_ok(0);
	is_str(fake_calls, "pause resume ");
	fake_runtime_ok(0);
	ok(dumped.calls == 1 && dumped.err.code == ERR_DEADLINE_EXCEEDED);
	dies();
}

static void a_stop_comes_first(void)
{
	struct result dumped = { 0 }, stopped = { 0 };

	running();
	checkpoint_start(c, dir, 60000, record, &dumped);
	fake_runtime_ok(0);
	stop_start(c, 5000, record, &stopped);
	is_str(fake_calls, "pause checkpoint cancel resume ");
	fake_runtime_ok(0);
	ok(dumped.calls == 1 && dumped.err.code == ERR_ABORTED && !c->checkpoint && !c->frozen);
	dies();
	ok(stopped.calls == 1 && stopped.err.code == ERR_OK);
}

static void a_stop_while_the_caller_copies(void)
{
	struct result dumped = { 0 }, thawed = { 0 }, stopped = { 0 };
	struct checkpoint *k;

	running();
	k = checkpoint_start(c, dir, 60000, record, &dumped);
	fake_runtime_ok(0);
	fake_runtime_ok(0);
	ok(dumped.calls == 1);
	stop_start(c, 5000, record, &stopped);
	is_str(fake_calls, "pause checkpoint resume ");
	fake_runtime_ok(0);
	ok(!c->frozen && c->checkpoint == k);
	checkpoint_thaw(k, record, &thawed);
	ok(thawed.calls == 0);
	world_settle();
	ok(thawed.calls == 1 && thawed.err.code == ERR_ABORTED && !c->checkpoint);
	dies();
	ok(stopped.calls == 1);
}

static void one_that_cannot_be_thawed_is_an_error(void)
{
	struct result dumped = { 0 }, thawed = { 0 };
	struct checkpoint *k;

	running();
	k = checkpoint_start(c, dir, 60000, record, &dumped);
	fake_runtime_ok(0);
	fake_runtime_ok(0);
	checkpoint_thaw(k, record, &thawed);
	fake_runtime_fail(ERR_INTERNAL, "no");
	ok(thawed.calls == 1 && thawed.err.code == ERR_INTERNAL && c->frozen);
	dies();
}

/* After a crash of the daemon: thawed at once, and again when the old CRIU must have ended. */
static void a_crash_is_mended(void)
{
	running();
	c->frozen = true;
	fake_calls[0] = '\0';
	checkpoint_adopt(c);
	is_str(fake_calls, "resume ");
	fake_runtime_ok(0);
	ok(!c->frozen);
	world_advance(5999);
	is_str(fake_calls, "resume ");
	world_advance(1);
	is_str(fake_calls, "resume resume ");
	fake_runtime_fail(ERR_INTERNAL, "container not paused");
	ok(!c->frozen);
	dies();
}

/* The container would stay frozen for ever. */
static void the_keeper_dies_while_it_is_thawed(void)
{
	struct result r = { 0 };

	running();
	ok(checkpoint_start(c, dir, 1000, record, &r) != NULL);
	fake_runtime_ok(0);
	fake_runtime_fail(ERR_INTERNAL, "criu failed");
	fake_runtime_fail(ERR_UNAVAILABLE, "the keeper died");
	ok(r.calls == 1 && c->frozen && !c->checkpoint);
	fake_calls[0] = '\0';
	world_advance(200);
	is_str(fake_calls, "resume ");
	fake_runtime_fail(ERR_UNAVAILABLE, "the keeper is away");
	ok(c->frozen);
	world_advance(200);
	is_str(fake_calls, "resume resume ");
	fake_runtime_ok(0);
	ok(!c->frozen);
	world_advance(6000);
	fake_runtime_fail(ERR_INTERNAL, "container not paused");
	dies();
}

static const char *config_text(void)
{
	static char text[8192];
	struct arena *a = arena_new();
	int fd = open(criu_config_path(c, a), O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	close(fd);
	arena_free(a);
	return text;
}

static bool inherits(const char *json)
{
	struct err e;
	auto_json json_t *streams = json_parse(json, strlen(json), "test", &e);

	return criu_write_inherit(c, streams, &e) == 0;
}

/* A label with 400 categories, as the kernel takes it: longer than most buffers. */
static const char *long_label(void)
{
	static char text[4096] = "a:b:c:s0";

	for (int i = 0; i < 400 && !strstr(text, "c798"); i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%cc%d", i ? ',' : ':', 2 * i);
	return text;
}

static int keep_cgroup(struct err *e)
{
	struct lookup *l = lookup_new("test");
	int ret;

	lookup_open("", (const char *const[]){ "/etc/criu", NULL }); /* a tmpfs of this test */
	criu_look(l);
	ret = criu_keep_cgroup(c, l, e);
	lookup_free(l);
	return ret;
}

static void streams_come_as_numbers(void)
{
	running();
	ok(inherits("{\"1\":\"file[2f:9fa252]\",\"2\":\"file[2f:a]\"}"));
	is_str(config_text(), "inherit-fd fd[1]:file[2f:9fa252]\ninherit-fd fd[2]:file[2f:a]\nleave-stopped\n");
	ok(inherits("{}"));
	is_str(config_text(), "leave-stopped\n");
	ok(criu_write_inherit(c, NULL, &(struct err){ 0 }) == 0);
	c->process_label = "a:b:c:s0:c1,c2";
	c->mount_label = "a:b:f:s0:c1,c2";
	ok(inherits("{}"));
	is_str(config_text(), "leave-stopped\nlsm-profile selinux:a:b:c:s0:c1,c2\nlsm-mount-context a:b:f:s0:c1,c2\n");
	c->process_label = long_label();
	ok(inherits("{}"));
	ok(strstr(config_text(), long_label()) && strstr(config_text(), "\nlsm-mount-context a:b:f:s0:c1,c2\n"));
	c->process_label = c->mount_label = "";
	ok(!inherits("{\"1\":\"file[2f:9]\\nexec-cmd\"}"));
	ok(!inherits("{\"1\":\"file[2f:9\"}"));
	ok(!inherits("{\"1\":\"pipe:[5]\"}"));
	ok(!inherits("{\"1\":5}"));
	dies();
}

/* The options for a restore. config.json is as small as possible. */
static const char *rpc_config(void)
{
	static char text[512];
	char path[400];
	struct err e;
	auto_file FILE *f = NULL;
	size_t n;
	auto_json json_t *config = json_pack("{s:{}}", "annotations");

	ok(bundle_write_config(c->bundle, config, &e) == 0 && keep_cgroup(&e) == 0);
	json_decref(config);
	config = bundle_read_config(c->bundle, &e);
	snprintf(path, sizeof(path), "%s/criu-rpc.conf", c->bundle);
	is_str(json_string_value(json_object_get(json_object_get(config, "annotations"), "org.criu.config")), path);
	f = fopen(path, "re");
	n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
	text[n] = '\0';
	return text;
}

static void etc_file(const char *name, const char *text)
{
	char path[64];
	auto_file FILE *f = NULL;

	snprintf(path, sizeof(path), "/etc/criu/%s", name);
	f = fopen(path, "we");
	fputs(text, f);
}

/* An /etc for this test alone; it is gone with the test's mount namespace. */
static void the_users_options_are_kept_for_a_restore(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "/etc", "tmpfs", 0, NULL) < 0) {
		printf("# an /etc of our own: %m\n");
		return;
	}
	running();
	is_str(rpc_config(), "manage-cgroups=ignore\n");
	ok(mkdir("/etc/criu", 0755) == 0);
	etc_file("runc.conf", "tcp-close\nmanage-cgroups=full");
	is_str(rpc_config(), "tcp-close\nmanage-cgroups=full\nmanage-cgroups=ignore\n");
	etc_file("crun.conf", "ext-unix-sk\n"); /* ignored: the handler is runc */
	is_str(rpc_config(), "tcp-close\nmanage-cgroups=full\nmanage-cgroups=ignore\n");
	ok(unlink("/etc/criu/runc.conf") == 0 && mkdir("/etc/criu/runc.conf", 0755) == 0);
	ok(keep_cgroup(&(struct err){ 0 }) < 0);
	dies();
}

int main(void)
{
	frozen_dumped_thawed();
	what_cannot_be_checkpointed();
	no_criu_is_no_harm();
	a_failed_dump_is_thawed_and_explained();
	a_late_dump_keeps_its_code();
	no_time_left_after_freezing();
	a_stop_comes_first();
	a_stop_while_the_caller_copies();
	one_that_cannot_be_thawed_is_an_error();
	a_crash_is_mended();
	the_keeper_dies_while_it_is_thawed();
	streams_come_as_numbers();
	the_users_options_are_kept_for_a_restore();
	return tap_end();
}
