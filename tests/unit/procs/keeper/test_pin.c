/* test_pin.c - procs/keeper/pin.c, with a real keeper: a pin is gone when the keeper has said so, whatever hides it,
 * and nobody believes it gone when the keeper died. */
#include <sys/mount.h>
#include <sys/stat.h>

#include "tests/unit/procs/keeper_run.h"

struct outcome_ns {
	bool done, left;
	enum err_code code;
	char text[1024];
};

static char dir[128], path[160];

static void note(struct outcome_ns *o, const struct err *e)
{
	o->done = true;
	o->code = e ? e->code : ERR_OK;
	snprintf(o->text, sizeof(o->text), "%s", e ? e->msg : "");
	loop_stop();
}

static void on_made(void *arg, const struct err *e, bool left)
{
	((struct outcome_ns *)arg)->left = left;
	note(arg, e);
}

static void on_dropped(void *arg, const struct err *e)
{
	note(arg, e);
}

static struct outcome_ns make(void)
{
	struct outcome_ns o = { 0 };

	keeper_namespaces(&(struct ns_request){ .id = "s", .net = true, .netns_path = path, .hostname = "" }, on_made,
			  &o);
	wait_for(&o.done);
	return o;
}

static struct outcome_ns drop(void)
{
	struct outcome_ns o = { 0 };

	keeper_namespaces_drop("s", path, on_dropped, &o);
	ok(!o.done);
	wait_for(&o.done);
	return o;
}

/* How many mounts are at the path, hidden ones too. */
static int mounts_at(const char *where)
{
	auto_file FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[1024], at[512], want[256];
	int n = 0;

	/* mountinfo writes the space of "net ns" as \040 */
	snprintf(want, sizeof(want), "%s/net\\040ns%s", shared->dir, where + strlen(dir));
	while (fgets(line, sizeof(line), f))
		n += sscanf(line, "%*d %*d %*s %*s %511s", at) == 1 && strcmp(at, want) == 0;
	return n;
}

static void plain(void)
{
	ok(make().code == ERR_OK && mounts_at(path) == 1 && keeper_copy("sandbox/s/net") >= 0);
	ok(drop().code == ERR_OK && mounts_at(path) == 0 && access(path, F_OK) < 0);
	ok(keeper_copy("sandbox/s/net") < 0);
	ok(drop().code == ERR_OK); /* there is none any more */
}

/* As `ip netns add` does at its first run on a host, twice. */
static void below_copies_of_its_directory(void)
{
	ok(make().code == ERR_OK);
	ok(mount(dir, dir, NULL, MS_BIND | MS_REC, NULL) == 0 && mount(NULL, dir, NULL, MS_SHARED | MS_REC, NULL) == 0);
	ok(mount(dir, dir, NULL, MS_BIND | MS_REC, NULL) == 0);
	ok(mounts_at(path) >= 2);
	is_str(drop().text, "");
	ok(mounts_at(path) == 0 && access(path, F_OK) < 0);
	while (umount2(dir, MNT_DETACH) == 0)
		continue;
	ok(mounts_at(dir) == 0 && access(path, F_OK) < 0);
}

static void below_another_file_system(void)
{
	ok(make().code == ERR_OK);
	ok(mount("test", dir, "tmpfs", 0, NULL) == 0 && mounts_at(path) == 1 && access(path, F_OK) < 0);
	is_str(drop().text, "");
	ok(mounts_at(path) == 0 && mounts_at(dir) == 1);
	ok(umount2(dir, MNT_DETACH) == 0 && access(path, F_OK) < 0);
}

static void many_mounts_upon_it(void)
{
	ok(make().code == ERR_OK);
	for (int i = 0; i < 3; i++)
		ok(mount("/proc/self/ns/net", path, NULL, MS_BIND, NULL) == 0);
	ok(drop().code == ERR_OK && mounts_at(path) == 0 && access(path, F_OK) < 0);
}

/* What cannot be removed is told. */
static void a_directory_in_its_place(void)
{
	struct outcome_ns o;

	ok(mkdir(path, 0700) == 0);
	o = drop();
	ok(o.code == ERR_INTERNAL && strstr(o.text, "unlink ") != NULL);
	o = make();
	ok(o.code == ERR_INTERNAL && !o.left);
	ok(rmdir(path) == 0);
}

/* The keeper has the request and dies before it is carried out. */
static void the_keeper_dies(void)
{
	struct outcome_ns o = { 0 };

	ok(make().code == ERR_OK);
	kill(getppid(), SIGSTOP);
	keeper_namespaces_drop("s", path, on_dropped, &o);
	shared_save();
	kill(getppid(), SIGKILL);
	wait_for(&o.done);
	ok(o.code == ERR_UNAVAILABLE && mounts_at(path) == 1);
	o = drop(); /* no keeper is there */
	ok(o.code == ERR_UNAVAILABLE && mounts_at(path) == 1);
	if (!is_back)
		wait_for(&is_back);
	ok(drop().code == ERR_OK && mounts_at(path) == 0 && access(path, F_OK) < 0);
}

int main(void)
{
	world_open();
	if (getenv(KEEPER_FD_ENV)) {
		be_crispd();
		snprintf(dir, sizeof(dir), "%s/net ns", shared->dir);
		snprintf(path, sizeof(path), "%s/crisp-s", dir);
		plain();
		below_copies_of_its_directory();
		below_another_file_system();
		many_mounts_upon_it();
		a_directory_in_its_place();
		if (shared->lives == 1) {
			the_keeper_dies();
			shared_save();
			kill(getpid(), SIGKILL); /* the keeper of now is not its parent, and starts the next */
		}
		rmdir(dir);
		story_over();
	}
	world_make();
	if (geteuid() == 0)
		play("pins");
	world_remove();
	return tap_end();
}
