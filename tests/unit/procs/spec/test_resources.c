/* test_resources.c - limits, oom_score_adj, devices and their rules. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fakes/spec_pod.h"
#include "tests/quiet_link.h"
#include "tests/tap.h"

static void with(struct spec_pod *p, const char *resources)
{
	char config[512];

	snprintf(config, sizeof(config), "{'resources':%s}", resources);
	spec_pod_open(p, config);
}

static void cpu_and_memory(void)
{
	struct spec_pod p;

	with(&p, "{'set':true,'cpu_period':100000,'cpu_quota':-1,'cpu_shares':512,'cpuset_cpus':'0-1','cpuset_mems':'0'"
		 ",'memory_limit':1000}");
	ok(spec_pod_make(&p));
	is_str(spec_pod_get(&p, "linux.resources.cpu"),
	       "{'cpus':'0-1','mems':'0','period':100000,'shares':512}");
	is_str(spec_pod_get(&p, "linux.resources.memory"), "{'limit':1000}");
	is_str(spec_pod_get(&p, "linux.resources.pids"), "");
	spec_pod_host.swap_accounting = true;
	ok(spec_pod_make(&p)); /* memory_swap_limit is not set: no swap */
	is_str(spec_pod_get(&p, "linux.resources.memory"), "{'limit':1000,'swap':1000}");
	p.container.config.resources.memory_swap_limit = 3000;
	ok(spec_pod_make(&p));
	is_str(spec_pod_get(&p, "linux.resources.memory"), "{'limit':1000,'swap':3000}");
	spec_pod_close(&p);
}

static void nothing_asked(void)
{
	struct spec_pod p;

	with(&p, "{}");
	spec_pod_host.swap_accounting = true;
	ok(spec_pod_make(&p));
	is_str(spec_pod_get(&p, "linux.resources"),
	       "{'cpu':{},'devices':[{'access':'rwm','allow':false}],'memory':{}}");
	is_str(spec_pod_get(&p, "process.rlimits"), "");
	spec_pod_close(&p);
}

static void hugepages_and_unified_where_they_exist(void)
{
	struct spec_pod p;

	with(&p, "{'set':true,'hugepages':[{'page_size':'2MB','limit':4194304}],'unified':[['memory.high','max']]}");
	ok(spec_pod_make(&p));
	is_str(spec_pod_get(&p, "linux.resources.hugepageLimits"), "");
	is_str(spec_pod_get(&p, "linux.resources.unified"), "");
	spec_pod_host.hugetlb = spec_pod_host.cgroup_v2 = true;
	ok(spec_pod_make(&p));
	is_str(spec_pod_get(&p, "linux.resources.hugepageLimits"), "[{'limit':4194304,'pageSize':'2MB'}]");
	is_str(spec_pod_get(&p, "linux.resources.unified"), "{'memory.high':'max'}");
	p.container.config.resources.unified.at[0].key = "\xff";
	is_str(spec_pod_error(&p), "INVALID_ARGUMENT: resources.unified: a key is not UTF-8");
	spec_pod_close(&p);
}

static void oom_score(void)
{
	struct spec_pod p;

	with(&p, "{'set':true,'oom_score_adj':-997}");
	ok(spec_pod_make(&p));
	is_str(spec_pod_get(&p, "process.oomScoreAdj"), "-997");
	spec_pod_host.lowers_oom_score = false; /* then no container gets a value below the daemon's */
	ok(spec_pod_make(&p));
	is_str(spec_pod_get(&p, "process.oomScoreAdj"), "0");
	p.container.config.resources.oom_score_adj = 900;
	ok(spec_pod_make(&p));
	is_str(spec_pod_get(&p, "process.oomScoreAdj"), "900");
	p.container.config.resources.oom_score_adj = 1001;
	is_str(spec_pod_error(&p), "INVALID_ARGUMENT: oom_score_adj 1001 is not in -1000..1000");
	spec_pod_close(&p);
}

static void a_negative_limit(void)
{
	struct spec_pod p;

	with(&p, "{'set':true,'cpu_quota':-2}");
	is_str(spec_pod_error(&p), "INVALID_ARGUMENT: resources: negative cpu_shares, cpu_period or cpu_quota");
	spec_pod_close(&p);
}

/* ---- devices ---- */

#define RULES "linux.resources.devices"

static void a_device(void)
{
	struct spec_pod p;

	spec_pod_open(&p, "{'devices':[{'host_path':'/dev/null','container_path':'/dev//"
			  "x','permissions':'rw'},{'host_path':'/dev/zero'}]}");
	ok(spec_pod_make(&p));
	ok(strncmp(spec_pod_get(&p, "linux.devices.0"),
		   "{'fileMode':438,'gid':0,'major':1,'minor':3,'path':'/dev/x','type':'c'", 65) == 0);
	is_str(spec_pod_get(&p, "linux.devices.1.path"), "'/dev/zero'");
	is_str(spec_pod_get(&p, RULES),
	       "[{'access':'rwm','allow':false},{'access':'rw','allow':true,'major':1,'minor':3,'type':'c'},"
	       "{'access':'rwm','allow':true,'major':1,'minor':5,'type':'c'}]");
	spec_pod_close(&p);
}

static void links_and_directories(void)
{
	struct spec_pod p;
	const char *link;

	spec_pod_open(&p, "{'devices':[{'container_path':'/dev/l','permissions':'r'},{'container_path':'/dev/"
			  "l','host_path':'/dev/zero'}]}");
	link = spec_pod_path(&p, "link");
	ok(quiet_link("/dev/full", link) == 0);
	p.container.config.devices.at[0].host_path = link;
	ok(spec_pod_make(&p));
	is_str(spec_pod_get(&p, "linux.devices.0.minor"), "7");
	is_str(spec_pod_get(&p, "linux.devices.1"), ""); /* the first device at a path is used */
	spec_pod_close(&p);

	spec_pod_open(&p, "{'devices':[{'container_path':'/dev/host','host_path':'/dev','permissions':'r'}]}");
	ok(spec_pod_make(&p));
	ok(strstr(spec_pod_get(&p, "linux.devices"), "'path':'/dev/host/null'") != NULL);
	ok(strstr(spec_pod_get(&p, "linux.devices"), "/console'") == NULL);
	spec_pod_close(&p);
}

static const char *refused(const char *devices)
{
	static char out[512];
	struct spec_pod p;

	spec_pod_open(&p, devices);
	snprintf(out, sizeof(out), "%s", spec_pod_error(&p));
	spec_pod_close(&p);
	return out;
}

static void what_is_no_device(void)
{
	is_str(refused("{'devices':[{'host_path':'/dev/no-such'}]}"),
	       "INVALID_ARGUMENT: device /dev/no-such: No such file or directory");
	is_str(refused("{'devices':[{'host_path':'null'}]}"), "INVALID_ARGUMENT: device null: Invalid argument");
	is_str(refused("{'devices':[{'host_path':'/proc/version'}]}"),
	       "INVALID_ARGUMENT: device /proc/version: not a device");
	is_str(refused("{'devices':[{'host_path':'/dev/null','permissions':'rx'}]}"),
	       "INVALID_ARGUMENT: device /dev/null: permissions 'rx' are not of r, w, m");
}

int main(void)
{
	cpu_and_memory();
	nothing_asked();
	hugepages_and_unified_where_they_exist();
	oom_score();
	a_negative_limit();
	a_device();
	links_and_directories();
	what_is_no_device();
	return tap_end();
}
