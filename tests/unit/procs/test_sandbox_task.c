/* test_sandbox_task.c - procs/sandbox_task.c: when a sandbox's own group is made, and when it is made again. */
#include "procs/sandbox_task.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/cgroup.h"
#include "procs/container.h"
#include "reactor/log.h"
#include "tests/fakes/world.h"
#include "tests/tap.h"

static char root[300];

/* Directories of the test stand for the one hierarchy. */
static void open_all(void)
{
	static struct sandboxes_config where;
	struct cgroup_config cfg = { "/crisp", "cgroupfs", NULL };
	char mountinfo[400];
	FILE *f;
	struct err e;

	snprintf(root, sizeof(root), "%s/root", world_dir());
	mkdir(root, 0700);
	snprintf(mountinfo, sizeof(mountinfo), "%s/mountinfo", world_dir());
	f = fopen(mountinfo, "we");
	fprintf(f, "1 0 0:26 / %s rw - cgroup cgroup rw,memory\n", root);
	fclose(f);
	cfg.mountinfo = mountinfo;
	ok(cgroup_open(&cfg, &e) == 0);
	where = (struct sandboxes_config){ root, root, "" };
	sandboxes_open(&where);
	containers_open(root, root);
	ok(sandboxes_load(&e) == 0 && containers_load(&e) == 0);
	sandbox_task_watch();
}

static struct sandbox *ready(const char *parent)
{
	struct sandbox_config config;
	struct sandbox *s;

	fields_zero(sandbox_config_fields, &config);
	config.name = "p";
	config.cgroup_parent = parent;
	s = sandbox_new(&config);
	s->hidden = false;
	sandbox_set_str(s, &s->cgroup, "/kubepods/pod1");
	sandbox_set_state(s, SANDBOX_READY);
	return s;
}

static struct container *running(struct sandbox *s, int pid)
{
	static const struct container_image image = {
		.id = "i", .ref = "r", .name = "n", .working_dir = "", .user = "", .stop_signal = ""};
	struct container_config config;
	struct container *c;
	struct err e;

	fields_zero(container_config_fields, &config);
	config.name = pid == 5 ? "a" : pid == 6 ? "b" : "c";
	c = container_new(s, &config, &image);
	ok(container_list_it(c, &e) == 0);
	container_set_running(c, pid);
	return c;
}

static const char *group(const struct sandbox *s)
{
	static char path[600];

	snprintf(path, sizeof(path), "%s/kubepods/pod1/%s", root, s->id);
	return path;
}

static bool is_there(const struct sandbox *s)
{
	return access(group(s), F_OK) == 0;
}

/* A file in the group would keep it from being removed, as a process would. Its time of change does not. */
static bool was_made_anew(const struct sandbox *s)
{
	const struct timespec long_ago[2] = { { 1, 0 }, { 1, 0 } };
	struct stat st;
	bool anew = stat(group(s), &st) == 0 && st.st_mtime != 1;

	utimensat(AT_FDCWD, group(s), long_ago, 0);
	return anew;
}

static void end(struct container *c)
{
	container_set_exited(c, 0, "Completed", "", 9);
	world_settle();
}

static void it_follows_the_process(void)
{
	struct sandbox *s = ready("/kubepods/pod1");
	struct container *a, *b, *c;

	world_settle();
	ok(!is_there(s) && sandbox_task_pid(s) == 0);
	a = running(s, 5);
	ok(!is_there(s)); /* one turn later */
	world_settle();
	ok(is_there(s) && was_made_anew(s) && sandbox_task_pid(s) == 5);
	b = running(s, 6);
	world_settle();
	ok(!was_made_anew(s)); /* the first container still counts */
	end(a);
	ok(was_made_anew(s) && sandbox_task_pid(s) == 6);
	end(b);
	ok(is_there(s) && !was_made_anew(s) && sandbox_task_pid(s) == 0);
	c = running(s, 7);
	world_settle();
	ok(was_made_anew(s));
	sandbox_set_state(s, SANDBOX_NOTREADY);
	end(c);
	container_free(a);
	container_free(b);
	container_free(c);
	rmdir(group(s));
	sandbox_free(s);
}

static void only_an_empty_group_is_touched(void)
{
	struct sandbox *s = ready("");
	struct container *c = running(s, 5);

	world_settle();
	ok(!is_there(s)); /* no cgroup_parent: the pod's group is the sandbox's */
	end(c);
	container_free(c);
	sandbox_free(s);
	s = ready("/kubepods/pod1");
	s->pause_pid = 4;
	c = running(s, 5);
	world_settle();
	ok(!is_there(s) && sandbox_task_pid(s) == 4); /* the pause made its own */
	container_set_exited(c, 0, "Completed", "", 9);
	container_free(c);
	sandbox_free(s); /* before its turn has come */
	world_settle();
}

int main(void)
{
	log_open("test", LOG_LEVEL_ERROR);
	open_all();
	it_follows_the_process();
	only_an_empty_group_is_touched();
	return tap_end();
}
