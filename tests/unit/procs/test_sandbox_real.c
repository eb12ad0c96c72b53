/* test_sandbox_real.c - sandboxes through a real keeper and the reference CNI plugins, in a network and mount namespace
 * of their own. Needs root, bridge, host-local and portmap; without them the plan is skipped. All that is made must be
 * gone afterwards. */
#include <net/if.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "procs/cgroup.h"
#include "procs/network.h"
#include "procs/sandbox_down.h"
#include "procs/sandbox_ns.h"
#include "procs/sandbox_sweep.h"
#include "procs/sandbox_up.h"
#include "procs/spec.h"
#include "reactor/record.h"
#pragma GCC diagnostic ignored "-Wunused-function" /* not every story needs every tool */
#include "tests/unit/procs/keeper_run.h"
#include "tests/unit/procs/sandbox_run.h"

static const char bin_dir[] = "/usr/lib/cni";
static char pause_program[4096];
static const char *bin_dirs[2];
static struct network_config cni;
static struct sandboxes_config table;
static struct sandbox_up_config up_cfg;

static const char *in_dir(const char *name)
{
	return arena_printf(arena, "%s/%s", shared->dir, name);
}

static void put(const char *path, const char *text, mode_t mode)
{
	auto_file FILE *f = fopen(path, "we");

	fputs(text, f);
	fchmod(fileno(f), mode);
}

static int entries(const char *dir)
{
	auto_dir DIR *d = opendir(dir);
	struct dirent *f;
	int n = 0;

	while (d && (f = readdir(d)))
		n += f->d_name[0] != '.';
	return n;
}

/* The parts of crispd that sandboxes need. */
static void be_crispd_with_sandboxes(void)
{
	struct err e;

	be_crispd();
	arena = arena_new();
	bin_dirs[0] = in_dir("bin");
	bin_dirs[1] = bin_dir;
	cni = (struct network_config){ .bin_dirs = { bin_dirs, 2 }, .conf_dir = in_dir("net.d") };
	table = (struct sandboxes_config){ .root = in_dir("root"),
					   .state = in_dir("state"),
					   .netns_dir = in_dir("netns") };
	up_cfg = (struct sandbox_up_config){ .hosts = in_dir("hosts"), .pause_path = pause_program,
					     .node_name = "node-1",
					     .resolv_conf = in_dir("resolv.conf") };
	ok(cgroup_open(&(struct cgroup_config){ .root = arena_printf(arena, "/crisp-test-%d", (int)shared->pids[3]),
						.driver = "cgroupfs" },
		       &e) == 0);
	sandboxes_open(&table);
	sandbox_up_open(&up_cfg);
	ok(sandboxes_load(&e) == 0);
	blank();
	config.hostname = "web-0";
}

static bool over;
static struct err last;

static void on_over(void *arg, const struct err *e)
{
	(void)arg;
	last.code = ERR_OK;
	if (e)
		last = *e;
	over = true;
	loop_stop();
}

static void on_changed(void *arg)
{
	(void)arg;
}

static void with_conflist(const char *plugins)
{
	put(in_dir("net.d/10-test.conflist"),
	    arena_printf(arena, "{\"cniVersion\":\"1.0.0\",\"name\":\"test\",\"plugins\":[%s]}", plugins), 0644);
	network_open(&cni, on_changed, NULL);
}

static const char *bridge(void)
{
	return arena_printf(
		arena,
		"{\"type\":\"bridge\",\"bridge\":\"crisptest0\",\"isGateway\":true,\"ipMasq\":true,\"ipam\":"
		"{\"type\":\"host-local\",\"dataDir\":\"%s\",\"ranges\":[[{\"subnet\":\"10.77.0.0/24\"}]],"
		"\"routes\":[{\"dst\":\"0.0.0.0/0\"}]}}",
		in_dir("ipam"));
}

static struct sandbox *up(void)
{
	struct sandbox *s = sandbox_new(&config);

	over = false;
	sandbox_up_start(s, on_over, NULL);
	wait_for(&over);
	if (last.code != ERR_OK)
		printf("# %s\n", last.msg);
	return s;
}

static void down(struct sandbox *s)
{
	over = false;
	sandbox_down_start(s, on_over, NULL);
	wait_for(&over);
	if (last.code != ERR_OK)
		printf("# %s\n", last.msg);
}

/* "stdout" of a program in the sandbox's network and UTS namespaces. */
static const char *inside(const struct sandbox *s, const char *const *argv)
{
	static struct outcome o;
	int fds[] = { keeper_copy(arena_printf(arena, "sandbox/%s/net", s->id)),
		      keeper_copy(arena_printf(arena, "sandbox/%s/uts", s->id)) };

	o = run(&(struct child_spec){ .argv = argv, .enter = fds, .nenter = 2, .stdout_max = sizeof(o.out) - 1 });
	return o.out;
}

static const char *outside(const char *const *argv)
{
	static struct outcome o;

	o = run(&(struct child_spec){ .argv = argv, .stdout_max = sizeof(o.out) - 1 });
	return o.out;
}

#define ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })

static bool path_goes(const char *path)
{
	return comes_true(path_is_gone, path);
}

static bool is_empty(const void *dir)
{
	return entries(dir) == 0;
}

static bool no_veth(const void *arg)
{
	(void)arg;
	return !strstr(outside(ARGV("/sbin/ip", "-o", "link")), "veth");
}

static bool is_notready(const void *sandbox)
{
	return ((const struct sandbox *)sandbox)->state == SANDBOX_NOTREADY;
}

/* Lease files are named by their address; host-local has two other files. */
static int leases(void)
{
	auto_dir DIR *d = opendir(in_dir("ipam/test"));
	struct dirent *f;
	int n = 0;

	while (d && (f = readdir(d)))
		n += strncmp(f->d_name, "10.", 3) == 0;
	return n;
}

static void nothing_of_ours_is_left(void)
{
	ok(entries(in_dir("root/sandboxes")) == 0 && entries(in_dir("state/sandboxes")) == 0);
	ok(leases() == 0);
	ok(comes_true(is_empty, in_dir("netns"))); /* done by the keeper, which does not tell when */
	ok(comes_true(no_veth, NULL)); /* the kernel tears namespaces down later, in batches */
}

static void nothing_is_left(void)
{
	nothing_of_ours_is_left();
	ok(!strstr(outside(ARGV("/usr/sbin/iptables", "-t", "nat", "-S")), "10.77.0."));
}

static void end(void)
{
	printf("# lives: %d\n", shared->lives);
	cgroup_close();
	story_over();
}

/* ---- the stories ---- */

static void story_pod(void)
{
	struct sandbox *s;
	struct spec_namespaces ns;
	struct err e;
	char netns[400];

	config.security.ns.pid = NS_POD;
	config.sysctls =
		(struct pairs){ (struct pair[]){ { "net/ipv4/conf/eth0/arp_filter", "1" }, { "kernel.shmmni", "77" } },
				2 };
	with_conflist(
		arena_printf(arena, "%s,{\"type\":\"portmap\",\"capabilities\":{\"portMappings\":true}}", bridge()));
	s = up();
	ok(last.code == ERR_OK && s->state == SANDBOX_READY && s->ips.n == 1);
	is_str(s->ips.at[0], "10.77.0.2");
	ok(strstr(inside(s, ARGV("/sbin/ip", "-o", "addr")), "inet 10.77.0.2/24") != NULL);
	ok(strstr(inside(s, ARGV("/sbin/ip", "-o", "addr")), "inet 127.0.0.1/8") != NULL);
	is_str(inside(s, ARGV("/bin/hostname")), "web-0\n");
	is_str(inside(s, ARGV("/sbin/sysctl", "-n", "net.ipv4.ip_unprivileged_port_start")), "0\n");
	is_str(inside(s, ARGV("/sbin/sysctl", "-n", "net.ipv4.conf.eth0.arp_filter")), "1\n");
	ok(access("/proc/sys/net/ipv4/conf/crisptest0", F_OK) == 0); /* the thread is back in the test's namespace */
	ok(leases() == 1);
	ok(sandbox_namespaces(s, arena, &ns, &e) == 0 && access(ns.ipc, F_OK) == 0 && access(ns.pid, F_OK) == 0);
	ok(kill(s->pause_pid, 0) == 0);
	ok(comes_true(is_empty, arena_printf(arena, "/proc/%d/root/", (int)s->pause_pid))); /* once it has begun */
	ok(sandbox_adopt(s));
	snprintf(netns, sizeof(netns), "%s", s->netns_path);
	down(s);
	ok(last.code == ERR_OK && s->made == 0 && s->pause_pid == 0);
	ok(path_goes(netns));
	down(s);
	ok(last.code == ERR_OK);
	sandbox_free(s);
	nothing_is_left();
	end();
}

static void story_host_port(void)
{
	struct port_mapping port = { PROTOCOL_TCP, 80, 8080, "" };
	struct sandbox *s;
	char netns[400];

	config.ports.at = &port;
	config.ports.n = 1;
	with_conflist(
		arena_printf(arena, "%s,{\"type\":\"portmap\",\"capabilities\":{\"portMappings\":true}}", bridge()));
	s = up();
	ok(last.code == ERR_OK);
	ok(strstr(outside(ARGV("/bin/sh", "-c", "iptables -t nat -S | grep DNAT")), "10.77.0.") != NULL);
	snprintf(netns, sizeof(netns), "%s", s->netns_path);
	down(s);
	ok(last.code == ERR_OK && path_goes(netns));
	sandbox_free(s);
	nothing_is_left();
	end();
}

/* A second plugin fails as the script says: what the bridge plugin made must be undone. */
static void fails(const char *script, const char *why)
{
	struct sandbox *s;
	char netns[400];

	put(in_dir("bin/odd"), arena_printf(arena, "#!/bin/sh\n[ $CNI_COMMAND = DEL ] && exit 0\n%s\n", script), 0755);
	s = up();
	ok(last.code == ERR_INTERNAL && strstr(last.msg, "CNI ADD by plugin odd: ") == last.msg &&
	   strstr(last.msg, why));
	ok(s->hidden && s->made == 0);
	snprintf(netns, sizeof(netns), "%s", s->netns_path);
	ok(path_goes(netns));
	sandbox_free(s);
	nothing_is_left();
}

static void story_odd_plugins(void)
{
	put(in_dir("bin/odd"), "", 0755);
	with_conflist(arena_printf(arena, "%s,{\"type\":\"odd\"}", bridge()));
	fails("echo '{\"cniVersion\":\"1.0.0\",\"code\":11,\"msg\":\"come back later\"}'; exit 1",
	      "code 11: come back later");
	fails("echo '<html>'; exit 0", "its result: line 1");
	fails("echo oops >&2; exit 3", "exit status 3: oops");
	fails("kill -9 $$", "killed by signal 9");
	fails("exit 0", "it printed no result");
	fails("yes | head -c 2000000", "printed more than 1048576 bytes");
	unlink(in_dir("bin/odd"));
	end();
}

static void story_gone_plugin(void)
{
	struct sandbox *s;
	const char *why;

	with_conflist("{\"type\":\"nowhere-to-be-found\"}");
	ok(!network_ready(&why) && strstr(why, "nowhere-to-be-found is not in "));
	s = up();
	ok(last.code == ERR_FAILED_PRECONDITION && strstr(last.msg, "CNI plugin nowhere-to-be-found is not in "));
	ok(s->hidden); /* nothing was begun, so nothing is to be undone */
	down(s);
	ok(last.code == ERR_OK && s->made == 0);
	ok(path_goes(s->netns_path));
	sandbox_free(s);
	nothing_is_left();
	end();
}

static void story_refused_sysctl(void)
{
	struct pair bad[] = { { "net.ipv4.conf.eth0.no_such_thing", "1" } };
	struct sandbox *s;

	config.sysctls = (struct pairs){ bad, 1 };
	with_conflist(bridge());
	s = up();
	ok(last.code == ERR_INVALID_ARGUMENT && strstr(last.msg, "sysctl net.ipv4.conf.eth0.no_such_thing"));
	ok(s->hidden && path_goes(s->netns_path));
	sandbox_free(s);
	bad[0].key = "net.core.no_such_thing";
	s = up();
	ok(last.code == ERR_INVALID_ARGUMENT && strstr(last.msg, "net.core.no_such_thing"));
	sandbox_free(s);
	nothing_is_left();
	end();
}

static void kill_self(void)
{
	shared_save();
	kill(getpid(), SIGKILL);
}

static void on_one(void *arg, struct sandbox *s)
{
	*(struct sandbox **)arg = s;
}

/* crispd is killed while a pod is up; the next crispd adopts the pod as it is. */
static void story_killed_with_a_pod(void)
{
	struct sandbox *s = NULL;
	char netns[400];

	config.security.ns.pid = NS_POD;
	with_conflist(bridge());
	if (shared->lives == 1) {
		s = up();
		ok(last.code == ERR_OK);
		kill_self();
	}
	sandbox_each(on_one, &s);
	ok(s && s->state == SANDBOX_READY && s->ips.n == 1);
	ok(sandbox_adopt(s));
	kill(s->pause_pid, SIGKILL);
	ok(comes_true(is_notready, s));
	snprintf(netns, sizeof(netns), "%s", s->netns_path);
	down(s);
	ok(last.code == ERR_OK && path_goes(netns));
	sandbox_free(s);
	nothing_is_left();
	end();
}

/* The record of a pod is damaged while crispd is away: the pod is left alone. Once an operator has removed the damaged
 * file, what the keeper and the disk still have is given back. */
static void story_lost_record(void)
{
	struct sandbox *s = NULL;
	char id[ID_SIZE] = "";
	auto_file FILE *f = NULL;

	with_conflist(bridge());
	if (shared->lives == 1) {
		s = up();
		put(arena_printf(arena, "%s/%s.json", in_dir("root/sandboxes"), s->id), "{", 0600);
		put(in_dir("root/id"), s->id, 0600);
		kill_self();
	}
	f = fopen(in_dir("root/id"), "re");
	ok(f && fgets(id, sizeof(id), f) != NULL);
	sandbox_each(on_one, &s);
	ok(s == NULL && entries(in_dir("netns")) == 1 && entries(in_dir("state/sandboxes")) == 1);
	if (shared->lives == 2) {
		ok(sandbox_lost(id));
		sandboxes_sweep();
		ok(entries(in_dir("netns")) == 1 && entries(in_dir("state/sandboxes")) == 1);
		ok(unlink(arena_printf(arena, "%s/%s.json.corrupt", in_dir("root/sandboxes"), id)) == 0);
		kill_self();
	}
	ok(!sandbox_lost(id) && entries(in_dir("root/sandbox-files")) == 1);
	sandboxes_sweep();
	ok(comes_true(is_empty, in_dir("netns")));
	ok(entries(in_dir("state/sandboxes")) == 0 && entries(in_dir("root/sandbox-files")) == 0 && leases() == 0);
	cgroup_remove(arena_printf(arena, "/crisp-test-%d/%s", (int)shared->pids[3], id));
	unlink(in_dir("root/id"));
	end();
}

/* Each crispd is killed one turn later in the making of a pod than the one before; the next one undoes what the record
 * names. The keeper kills the plugin with its crispd, so an iptables chain that the plugin had just made may stay: no
 * DEL looks for it. */
static void story_killed_half_way(void)
{
	struct sandbox *s = NULL;

	with_conflist(bridge());
	sandbox_each_hidden(on_one, &s);
	if (!s)
		sandbox_each(on_one, &s);
	if (s) {
		char netns[400];

		snprintf(netns, sizeof(netns), "%s", s->netns_path);
		down(s);
		ok(last.code == ERR_OK && path_goes(netns));
		sandbox_free(s);
		nothing_of_ours_is_left();
	}
	if (shared->told < 0)
		end();
	shared->told++;
	over = false;
	sandbox_up_start(sandbox_new(&config), on_over, NULL);
	for (int i = 0; i < shared->told && !over; i++)
		ev_run(EV_DEFAULT, EVRUN_ONCE);
	if (over)
		shared->told = -1; /* it was up before the turns were over */
	kill_self();
}

static const struct {
	const char *name;
	void (*run)(void);
} stories[] = {
	{ "pod", story_pod },
	{ "host_port", story_host_port },
	{ "odd_plugins", story_odd_plugins },
	{ "gone_plugin", story_gone_plugin },
	{ "refused_sysctl", story_refused_sysctl },
	{ "killed_with_a_pod", story_killed_with_a_pod },
	{ "killed_half_way", story_killed_half_way },
	{ "lost_record", story_lost_record },
};

static bool possible(void)
{
	for (const char *const *p = ARGV("bridge", "host-local", "portmap"); *p; p++) {
		char path[64];

		snprintf(path, sizeof(path), "%s/%s", bin_dir, *p);
		if (access(path, X_OK) < 0)
			return false;
	}
	return geteuid() == 0 && unshare(CLONE_NEWNET | CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", "/run", "tmpfs", 0, "mode=0755") == 0; /* iptables' lock, and nobody's bus */
}

static void world_with_directories(void)
{
	world_make();
	arena = arena_new();
	shared->pids[3] = getpid();
	for (const char *const *d = ARGV("bin", "net.d", "root", "state", "netns", "ipam"); *d; d++)
		mkdir(in_dir(*d), 0755);
}

static void world_with_directories_remove(void)
{
	unlink(in_dir("net.d/10-test.conflist"));
	unlink(in_dir("ipam/test/last_reserved_ip.0"));
	unlink(in_dir("ipam/test/lock"));
	rmdir(in_dir("ipam/test"));
	rmdir(in_dir("root/sandboxes"));
	rmdir(in_dir("root/sandbox-files"));
	rmdir(in_dir("state/sandboxes"));
	for (const char *const *d = ARGV("bin", "net.d", "root", "state", "netns", "ipam"); *d; d++)
		ok(rmdir(in_dir(*d)) == 0);
	world_remove();
	arena_free(arena);
}

int main(void)
{
	world_open();
	built(pause_program, "crisp-pause");
	if (getenv(KEEPER_FD_ENV)) {
		be_crispd_with_sandboxes();
		for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++)
			if (strcmp(stories[i].name, shared->story) == 0)
				stories[i].run();
		return 1;
	}
	if (!possible()) {
		printf("1..0 # SKIP needs root and the reference CNI plugins\n");
		return 0;
	}
	world_with_directories();
	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++)
		play(stories[i].name);
	world_with_directories_remove();
	return tap_end();
}
