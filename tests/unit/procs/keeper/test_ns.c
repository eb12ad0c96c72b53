/* test_ns.c - the namespaces of a sandbox through a real crisp-keeper (keeper_run.h). */
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "reactor/metric.h"
#include "tests/unit/procs/keeper_run.h"

static void role_inside(char **argv)
{
	struct ifreq lo = { .ifr_name = "lo" };
	char name[65], value[64] = "";
	auto_fd int s = socket(AF_INET, SOCK_DGRAM, 0), fd = open(argv[3], O_RDONLY);

	gethostname(name, sizeof(name));
	ioctl(s, SIOCGIFFLAGS, &lo);
	if (fd < 0 || read(fd, value, sizeof(value) - 1) < 0)
		strcpy(value, "?");
	printf("%s lo=%s %.*s", name, lo.ifr_flags & IFF_UP ? "up" : "down", (int)strcspn(value, "\n"), value);
}

static void role_outside(void)
{
	int rc = sethostname("mine", 4);

	printf("%u:%u rename: %s", getuid(), getgid(), rc < 0 ? strerror(errno) : "done");
}

/* "true" and any other word: ends with 0. */
static int be_child(char **argv)
{
	if (strcmp(argv[2], "inside") == 0)
		role_inside(argv);
	else if (strcmp(argv[2], "outside") == 0)
		role_outside();
	fflush(stdout);
	return 0;
}

struct ns_outcome {
	bool done;
	enum err_code code;
	char text[1024];
};

static void on_namespaces(void *arg, const struct err *e, bool left)
{
	struct ns_outcome *o = arg;

	ok(!left);
	o->done = true;
	o->code = e ? e->code : ERR_OK;
	snprintf(o->text, sizeof(o->text), "%s", e ? e->msg : "");
	loop_stop();
}

static struct ns_outcome make_ns(struct ns_request *r)
{
	struct ns_outcome o = { 0 };

	keeper_namespaces(r, on_namespaces, &o);
	wait_for(&o.done);
	return o;
}

static bool mounted(const char *path)
{
	auto_file FILE *f = fopen("/proc/self/mountinfo", "re");
	char line[1024];
	bool found = false;

	while (fgets(line, sizeof(line), f))
		found |= strstr(line, path) != NULL;
	return found;
}

/* Sends a message and waits for the answer: then all that was sent before has been done. The umounts follow some turns
 * later. */
static void settle(const char *path)
{
	run(&(struct child_spec){ .argv = ROLE("true") });
	comes_true(path_is_gone, path);
}

/* A user namespace that owns the others: a process that enters it is root in it and in them. */
static void with_a_user_namespace(const char *path)
{
	struct id_mapping map = { .host_id = 70000, .container_id = 0, .length = 1000 };
	struct id_mappings maps = { &map, 1 };
	struct pair sysctls[] = { { "net.ipv4.ip_unprivileged_port_start", "1" }, { "kernel.shm_rmid_forced", "1" } };
	struct ns_request r = {
		.id = "s2", .net = true, .ipc = true, .uts = true, .uids = &maps, .gids = &maps, .hostname = "owned",
		.netns_path = path, .sysctls = { sysctls, 2 },
	};
	struct ns_outcome o = make_ns(&r);
	struct outcome c;

	is_str(o.text, "");
	ok(mounted(path) && keeper_copy("sandbox/s2/user") >= 0);
	c = run(&(struct child_spec){ .argv = ROLE("inside", "/proc/self/uid_map"), .nenter = 4,
		.enter = (int[]){ keeper_copy("sandbox/s2/net"), keeper_copy("sandbox/s2/ipc"),
			keeper_copy("sandbox/s2/uts"), keeper_copy("sandbox/s2/user") } });
	is_str(c.out, "owned lo=up          0      70000       1000");
	c = run(&(struct child_spec){ .argv = ROLE("outside"), .nenter = 1,
		.enter = (int[]){ keeper_copy("sandbox/s2/user") } });
	is_str(c.out, "0:0 rename: Operation not permitted"); /* the UTS namespace of the host belongs to the host */
	keeper_namespaces_drop("s2", path, NULL, NULL);
	settle(path);
	ok(!mounted(path) && keeper_copy("sandbox/s2/user") == -1);

	sysctls[0].key = "net.ipv4.no_such_thing";
	o = make_ns(&r);
	ok(o.code == ERR_INVALID_ARGUMENT && strstr(o.text, "net.ipv4.no_such_thing"));
	map.container_id = 5; /* the id 0 is not mapped, so no process could be root */
	ok(make_ns(&r).code == ERR_INVALID_ARGUMENT);
	map = (struct id_mapping){ .host_id = 1, .container_id = 0, .length = 0 };
	o = make_ns(&r);
	ok(o.code == ERR_INVALID_ARGUMENT && strstr(o.text, "uid_map"));
	ok(!mounted(path) && access(path, F_OK) < 0 && keeper_copy("sandbox/s2/user") == -1);
}

static void keeper_namespace(const char *kind, char out[static 64])
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)getppid(), kind);
	n = readlink(path, out, 63);
	out[n < 0 ? 0 : n] = '\0';
}

static bool keeper_is_still_in(const char *kind, const char *before)
{
	char now[64];

	keeper_namespace(kind, now);
	return now[0] && strcmp(now, before) == 0;
}

static bool page_says(const void *line)
{
	struct buf page = { 0 };
	bool found;

	metric_text(&page);
	put_u32(&page, 0);
	found = strstr((const char *)page.at, line) != NULL;
	buf_free(&page);
	return found;
}

static long port_start_of(const char *netns)
{
	struct outcome c = run(&(struct child_spec){
		.argv = ROLE("inside", "/proc/sys/net/ipv4/ip_unprivileged_port_start"), .nenter = 1,
		.enter = (int[]){ keeper_copy(netns) } });

	return atol(strrchr(c.out, ' '));
}

/* Those that need no child: the keeper was inside of them, and is where it was before. */
static void made_by_the_keeper_itself(const char *path)
{
	static const char *const prepared[] = { "net.ipv4.ip_unprivileged_port_start", "7", NULL };
	struct pair sysctl = { prepared[0], prepared[1] };
	char before[2][64], long_name[80] = "";
	struct ns_request r = { .id = "s3", .ipc = true, .uts = true, .hostname = "here", .netns_path = path };
	struct ns_outcome o;
	struct outcome c;

	keeper_namespace("ipc", before[0]);
	keeper_namespace("uts", before[1]);
	o = make_ns(&r);
	is_str(o.text, "");
	c = run(&(struct child_spec){ .argv = ROLE("inside", "/proc/sys/kernel/ostype"), .nenter = 2,
		.enter = (int[]){ keeper_copy("sandbox/s3/ipc"), keeper_copy("sandbox/s3/uts") } });
	ok(strncmp(c.out, "here lo=", 8) == 0);
	keeper_namespaces_drop("s3", NULL, NULL, NULL);
	memset(long_name, 'x', sizeof(long_name) - 1);
	r.hostname = long_name;
	o = make_ns(&r);
	ok(o.code == ERR_INVALID_ARGUMENT && strstr(o.text, "set hostname x"));

	keeper_netns_pool(1, prepared);
	comes_true(page_says, "\ncrisp_netns_pool_ready 1\n");
	r = (struct ns_request){ .id = "s4", .net = true, .ipc = true, .uts = true, .hostname = "pooled",
				 .netns_path = path, .sysctls = { &sysctl, 1 } };
	o = make_ns(&r);
	is_str(o.text, "");
	ok(mounted(path));
	c = run(&(struct child_spec){ .argv = ROLE("inside", "/proc/sys/net/ipv4/ip_unprivileged_port_start"),
		.nenter = 3, .enter = (int[]){ keeper_copy("sandbox/s4/net"), keeper_copy("sandbox/s4/ipc"),
					       keeper_copy("sandbox/s4/uts") } });
	is_str(c.out, "pooled lo=up 7");
	comes_true(page_says, "\ncrisp_netns_pool_ready 1\n");
	keeper_namespaces_drop("s4", path, NULL, NULL);
	settle(path);
	sysctl.value = "9"; /* another one: a child sets it */
	ok(make_ns(&r).code == ERR_OK && port_start_of("sandbox/s4/net") == 9);
	comes_true(page_says, "\ncrisp_netns_pool_ready 1\n");
	keeper_namespaces_drop("s4", path, NULL, NULL);
	settle(path);
	r.sysctls.n = 0; /* none: the kernel's value, so none of the pool */
	ok(make_ns(&r).code == ERR_OK && port_start_of("sandbox/s4/net") == 1024);
	ok(page_says("\ncrisp_netns_pool_ready 1\n") && page_says("crisp_netns_pool_total{result=\"missed\"} 1\n"));
	keeper_namespaces_drop("s4", path, NULL, NULL);
	settle(path);
	r.sysctls.n = 1;
	sysctl.value = prepared[1];
	r.hostname = long_name;
	o = make_ns(&r); /* after the pin's file was made */
	ok(o.code == ERR_INVALID_ARGUMENT && !mounted(path) && access(path, F_OK) < 0);
	ok(keeper_copy("sandbox/s4/net") == -1 && keeper_copy("sandbox/s4/uts") == -1);
	keeper_netns_pool(0, NULL);
	comes_true(page_says, "\ncrisp_netns_pool_ready 0\n");
	ok(keeper_is_still_in("ipc", before[0]) && keeper_is_still_in("uts", before[1]));
}

static void story_namespaces(void)
{
	char path[160], dir[128];
	struct pair sysctls[] = { { "net.ipv4.ip_unprivileged_port_start", "1" }, { "kernel.shm_rmid_forced", "1" } };
	struct ns_request r = {
		.id = "s1", .net = true, .ipc = true, .uts = true, .hostname = "inside", .netns_path = path,
		.sysctls = { sysctls, 2 },
	};
	int before = count_fds(getppid()), ours = count_fds(getpid());
	struct ns_outcome o;
	struct outcome c;

	snprintf(dir, sizeof(dir), "%s/netns", shared->dir);
	snprintf(path, sizeof(path), "%s/crisp-s1", dir);
	o = make_ns(&r);
	ok(o.code == ERR_OK && mounted(path));
	ok(keeper_copy("sandbox/s1/net") >= 0 && keeper_copy("sandbox/s1/ipc") >= 0 &&
	   keeper_copy("sandbox/s1/uts") >= 0);
	c = run(&(struct child_spec){.argv = ROLE("inside", "/proc/sys/net/ipv4/ip_unprivileged_port_start"),
				     .nenter = 3,
				     .enter = (int[]){keeper_copy("sandbox/s1/net"), keeper_copy("sandbox/s1/ipc"),
						      keeper_copy("sandbox/s1/uts")}});
	is_str(c.out, "inside lo=up 1");
	ok(make_ns(&r).code == ERR_INTERNAL && mounted(path)); /* there is one already, and it stays */
	keeper_namespaces_drop("s1", path, NULL, NULL);
	settle(path);
	ok(!mounted(path) && access(path, F_OK) < 0 && keeper_copy("sandbox/s1/net") == -1);

	sysctls[0] = (struct pair){ "net.ipv4.no_such_thing", "1" };
	o = make_ns(&r);
	ok(o.code == ERR_INVALID_ARGUMENT && strstr(o.text, "net.ipv4.no_such_thing"));
	sysctls[0] = (struct pair){ "kernel.panic", "1" };
	ok(make_ns(&r).code == ERR_INVALID_ARGUMENT);
	sysctls[0] = (struct pair){ "net/../kernel/panic", "1" };
	ok(make_ns(&r).code == ERR_INVALID_ARGUMENT);
	ok(!mounted(path) && access(path, F_OK) < 0 && keeper_copy("sandbox/s1/net") == -1);

	r.sysctls.n = 0;
	memset(&o, 0, sizeof(o));
	keeper_namespaces_cancel(keeper_namespaces(&r, on_namespaces, &o));
	for (int i = 0; i < 3; i++) /* made by now, or not begun */
		run(&(struct child_spec){ .argv = ROLE("true") });
	settle(path);
	ok(!o.done && !mounted(path) && access(path, F_OK) < 0);
	with_a_user_namespace(path);
	made_by_the_keeper_itself(path);
	rmdir(dir);
	ok(comes_to_fds(getppid(), before) && count_fds(getpid()) == ours);
}

int main(int argc, char **argv)
{
	world_open();
	if (argc > 2 && strcmp(argv[1], "role") == 0)
		return be_child(argv);
	if (getenv(KEEPER_FD_ENV)) {
		be_crispd();
		ok(ready_code == ERR_OK && keeper_here());
		story_namespaces();
		story_over();
	}
	world_make();
	if (geteuid() == 0)
		play("namespaces");
	world_remove();
	return tap_end();
}
