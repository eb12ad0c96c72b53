/* test_mounts.c - the mounts of config.json: their order, sources and options. */
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fakes/spec_pod.h"
#include "tests/quiet_link.h"
#include "tests/tap.h"

/* "/proc /dev ..." in the order of config.json. */
static const char *order(struct spec_pod *p)
{
	const char *all = "";
	size_t i;
	json_t *m;

	json_array_foreach(json_object_get(p->config, "mounts"), i, m)
		all = arena_printf(p->arena, "%s%s%s", all, *all ? " " : "",
				   json_string_value(json_object_get(m, "destination")));
	return all;
}

/* In host_path "@/" is the test's own directory. */
static void pod(struct spec_pod *p, const char *config)
{
	spec_pod_open(p, config);
	for (size_t i = 0; i < p->container.config.mounts.n; i++) {
		const char **host = &p->container.config.mounts.at[i].host_path;

		if (strncmp(*host, "@/", 2) == 0)
			*host = spec_pod_path(p, *host + 2);
	}
}

static void an_ordinary_container(void)
{
	struct spec_pod p;

	pod(&p, "{}");
	ok(spec_pod_make(&p));
	is_str(order(&p), "/proc /dev /dev/pts /dev/mqueue /sys /sys/fs/cgroup /etc/hostname /etc/hosts "
			  "/etc/resolv.conf /dev/shm");
	ok(strstr(spec_pod_mount(&p, "/sys"), "'ro'") && strstr(spec_pod_mount(&p, "/sys/fs/cgroup"), "'ro'"));
	ok(strstr(spec_pod_mount(&p, "/etc/hosts"), "'rw'") &&
	   strstr(spec_pod_mount(&p, "/etc/hosts"), "/files/hosts"));
	ok(strstr(spec_pod_mount(&p, "/dev/shm"), "/sandbox/shm") != NULL);
	ok(strstr(spec_pod_mount(&p, "/dev/shm"), "['rbind','rprivate','rw','nosuid','nodev','noexec']") != NULL);
	is_str(spec_pod_get(&p, "linux.rootfsPropagation"), "");
	spec_pod_close(&p);
}

static void readonly_root_and_host_ipc(void)
{
	struct spec_pod p;

	pod(&p, "{'security':{'readonly_rootfs':true}}");
	p.in.namespaces.ipc = "";
	ok(spec_pod_make(&p));
	ok(strstr(spec_pod_mount(&p, "/etc/resolv.conf"), "'ro'") != NULL);
	is_str(spec_pod_mount(&p, "/dev/shm"),
	       "{'destination':'/dev/shm','options':['rbind','rprivate','rw','nosuid','nodev'],'source':'/dev/shm',"
	       "'type':'bind'}");
	spec_pod_close(&p);
}

static void cri_mounts_override_and_are_sorted_by_depth(void)
{
	struct spec_pod p;

	pod(&p,
	    "{'mounts':[{'container_path':'/a/b/c','host_path':'@/x'},{'container_path':'/a','host_path':'@/y'},"
	    "{'container_path':'/etc//hosts/','host_path':'@/h'},{'container_path':'/dev/shm','host_path':'@/s'}]}");
	spec_pod_file(&p, "h", "");
	ok(spec_pod_make(&p));
	is_str(order(&p), "/proc /dev /dev/pts /dev/mqueue /sys /sys/fs/cgroup /a /etc/hosts /dev/shm /etc/hostname "
			  "/etc/resolv.conf /a/b/c");
	is_str(spec_pod_mount(&p, "/etc/hosts"),
	       arena_printf(p.arena,
			    "{'destination':'/etc/hosts','options':['rbind','rprivate','rw'],"
			    "'source':'%s/h','type':'bind'}",
			    p.dir));
	spec_pod_close(&p);
}

static void a_dev_of_ones_own_drops_what_is_below(void)
{
	struct spec_pod p;

	pod(&p, "{'mounts':[{'container_path':'/dev','host_path':'/dev','readonly':true}]}");
	ok(spec_pod_make(&p));
	is_str(order(&p), "/proc /sys /sys/fs/cgroup /dev /etc/hostname /etc/hosts /etc/resolv.conf /dev/shm");
	spec_pod_close(&p);
}

static void the_host_path(void)
{
	struct stat st;
	struct spec_pod p;

	pod(&p, "{'mounts':[{'container_path':'/a','host_path':'@/deep/er'},{'container_path':'/b','host_path':'@/"
		"link','readonly':true}]}");
	ok(quiet_link("deep", spec_pod_path(&p, "link")) == 0);
	ok(spec_pod_make(&p)); /* a missing host_path is made as a directory */
	ok(stat(spec_pod_path(&p, "deep/er"), &st) == 0 && S_ISDIR(st.st_mode) && (st.st_mode & 07777) == 0755);
	is_str(spec_pod_mount(&p, "/b"),
	       arena_printf(p.arena,
			    "{'destination':'/b','options':['rbind','rprivate','ro'],'source':'%s/deep',"
			    "'type':'bind'}",
			    p.dir));
	spec_pod_file(&p, "file", "");
	p.container.config.mounts.at[0].host_path = spec_pod_path(&p, "file/below");
	ok(strstr(spec_pod_error(&p), "INTERNAL: mount /a: host_path ") && strstr(p.e.msg, "Not a directory"));
	spec_pod_close(&p);
}

static const char *refused(const char *mount)
{
	static char out[512];
	struct spec_pod p;
	char config[512];

	snprintf(config, sizeof(config), "{'mounts':[%s]}", mount);
	pod(&p, config);
	snprintf(out, sizeof(out), "%s", spec_pod_error(&p));
	spec_pod_close(&p);
	return out;
}

static void what_cannot_be(void)
{
	is_str(refused("{'container_path':'a','host_path':'/'}"),
	       "INVALID_ARGUMENT: mount 'a': container_path is not absolute");
	is_str(refused("{'container_path':'/x/..','host_path':'/'}"),
	       "INVALID_ARGUMENT: mount: container_path is the root");
	is_str(refused("{'container_path':'/a','host_path':'b'}"),
	       "INVALID_ARGUMENT: mount /a: host_path 'b' is not absolute");
	is_str(refused("{'container_path':'/a'}"), "INVALID_ARGUMENT: mount /a: host_path '' is not absolute");
	is_str(refused("{'container_path':'/a','host_path':'/','propagation':9}"),
	       "INVALID_ARGUMENT: mount /a: unknown propagation 9");
	is_str(refused("{'container_path':'/a','host_path':'/','mount_options':['suid']}"),
	       "INVALID_ARGUMENT: mount /a: mount_options 'suid' is not noexec, nodev or nosuid");
	is_str(refused("{'container_path':'/a','host_path':'/','recursive_read_only':true}"),
	       "INVALID_ARGUMENT: mount /a: recursive_read_only without readonly");
	is_str(refused("{'container_path':'/a','image':'i','host_path':'/'}"),
	       "INVALID_ARGUMENT: mount /a: both image and host_path are set");
	is_str(refused("{'container_path':'/a','image':'i'}"), "INTERNAL: mount /a: image 'i' was not mounted");
}

static void recursive_read_only(void)
{
	struct spec_pod p;

	pod(&p, "{'mounts':[{'container_path':'/a','host_path':'/"
		"','readonly':true,'recursive_read_only':true,'mount_options':['nodev']}]}");
	ok(spec_pod_make(&p));
	ok(strstr(spec_pod_mount(&p, "/a"), "['rbind','rprivate','rro','nodev']") != NULL);
	p.in.features.recursive_read_only = false;
	ok(strncmp(spec_pod_error(&p), "UNKNOWN RROUnsupported: mount /a: ", 34) == 0);
	spec_pod_close(&p);
}

static void idmapped_mounts(void)
{
	struct spec_image_volume volume = { .mount_index = 0, .host_dir = "/bundle/volumes/0" };
	struct spec_pod p;

	pod(&p, "{'mounts':[{'container_path':'/a','host_path':'/"
		"','uids':[{'host_id':5,'length':9}],'gids':[{'host_id':6,'length':9}]}]}");
	is_str(spec_pod_error(&p), "INTERNAL: mount /a: volume '/' was not mounted");
	p.in.image_volumes = &volume;
	p.in.n_image_volumes = 1;
	ok(spec_pod_make(&p));
	ok(strstr(spec_pod_mount(&p, "/a"), "'source':'/bundle/volumes/0'") != NULL);
	ok(strstr(spec_pod_mount(&p, "/a"), "Mappings") == NULL); /* crispd has shifted it */
	spec_pod_close(&p);
}

static void sys_of_a_foreign_network_namespace(void)
{
	const char *userns =
		"{'ns':{'has_userns':true,'uids':[{'host_id':1,'length':9}],'gids':[{'host_id':1,'length':9}]}}";
	struct spec_pod p;
	char config[256];

	snprintf(config, sizeof(config), "{'security':%s}", userns);
	pod(&p, config);
	spec_pod_security(&p, userns);
	p.in.namespaces.user = "/n/user";
	ok(spec_pod_make(&p));
	ok(strstr(spec_pod_mount(&p, "/sys"), "'type':'sysfs'") != NULL);
	p.in.namespaces.net = "";
	ok(spec_pod_make(&p));
	ok(strstr(spec_pod_mount(&p, "/sys"), "'type':'bind'") != NULL);
	spec_pod_close(&p);
}

static void image_volumes(void)
{
	struct spec_image_volume volume = { .mount_index = 1 };
	struct spec_pod p;

	pod(&p, "{'mounts':[{'container_path':'/a','host_path':'/'},{'container_path':'/"
		"v','image':'i','image_sub_path':'sub/dir'}]}");
	mkdir(spec_pod_path(&p, "vol"), 0755);
	mkdir(spec_pod_path(&p, "vol/sub"), 0755);
	ok(symlink("../../../real", spec_pod_path(&p, "vol/sub/dir")) == 0); /* in the image: /real, not the host's */
	volume.host_dir = spec_pod_path(&p, "vol");
	p.in.image_volumes = &volume;
	p.in.n_image_volumes = 1;
	ok(strncmp(spec_pod_error(&p), "UNKNOWN ImageVolumeMountFailed: mount /v: ", 42) == 0);
	mkdir(spec_pod_path(&p, "vol/real"), 0755);
	ok(spec_pod_make(&p));
	is_str(spec_pod_mount(&p, "/v"),
	       arena_printf(p.arena,
			    "{'destination':'/v','options':['rbind','rprivate','ro'],'source':'%s/vol/real',"
			    "'type':'bind'}",
			    p.dir));
	p.container.config.mounts.at[1].image_sub_path = "";
	ok(spec_pod_make(&p));
	ok(strstr(spec_pod_mount(&p, "/v"), "/vol'") != NULL);
	spec_pod_close(&p);
}

/* Needs a mount namespace of its own, hence root. */
static void propagation(void)
{
	struct spec_pod p;
	const char *at;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		printf("ok %d # SKIP propagation: needs root\n", ++tap_n);
		return;
	}
	pod(&p, "{'mounts':[{'container_path':'/a','host_path':'@/m/sub','propagation':1}]}");
	at = spec_pod_path(&p, "m");
	mkdir(at, 0755);
	ok(mount("tmpfs", at, "tmpfs", 0, NULL) == 0);
	mkdir(spec_pod_path(&p, "m/sub"), 0755);
	ok(strstr(spec_pod_error(&p), "is not on a shared or slave mount") && p.e.code == ERR_INVALID_ARGUMENT);
	mount(NULL, at, NULL, MS_SHARED, NULL);
	ok(spec_pod_make(&p));
	ok(strstr(spec_pod_mount(&p, "/a"), "'rslave'") != NULL);
	is_str(spec_pod_get(&p, "linux.rootfsPropagation"), "'rslave'");
	p.container.config.mounts.at[0].propagation = PROPAGATION_BIDIRECTIONAL;
	ok(spec_pod_make(&p));
	ok(strstr(spec_pod_mount(&p, "/a"), "'rshared'") != NULL);
	is_str(spec_pod_get(&p, "linux.rootfsPropagation"), "'rshared'");
	mount(NULL, at, NULL, MS_PRIVATE, NULL);
	ok(strstr(spec_pod_error(&p), "is not on a shared mount") && p.e.code == ERR_INVALID_ARGUMENT);
	umount2(at, MNT_DETACH);
	spec_pod_close(&p);
}

/* A new mount would change the options of the node's cgroup2. On v1 the container's groups are bound by the runtime. */
static void a_privileged_container_has_the_nodes_groups(void)
{
	struct spec_pod p;

	spec_pod_open(&p, "{'security':{'privileged':true}}");
	spec_pod_security(&p, "{'privileged':true}");
	spec_pod_host.cgroup_v2 = true;
	ok(spec_pod_make(&p));
	is_str(spec_pod_mount(&p, "/sys/fs/cgroup"),
	       "{'destination':'/sys/fs/cgroup','options':['rbind','rprivate','nosuid','noexec','nodev','rw'],"
	       "'source':'/sys/fs/cgroup','type':'bind'}");
	spec_pod_host.cgroup_v2 = false;
	ok(spec_pod_make(&p));
	ok(strstr(spec_pod_mount(&p, "/sys/fs/cgroup"), "'type':'cgroup'") != NULL);
	spec_pod_close(&p);
}

/* On v1 the group would be the node's, so the option means nothing there. */
static void cgroup_is_writable_where_the_handler_says_so(void)
{
	static const struct runtime_handler handlers[] = {
		{ .name = "plain", .type = "oci", .path = "/bin/true", .fallback = "" },
		{ .name = "rw", .type = "oci", .path = "/bin/true", .fallback = "",
		  .options.cgroup_writable = true },
	};
	char state[] = "/tmp/crisp-mounts-XXXXXX";
	const struct runtimes_config runtimes = { handlers, 2, "plain", mkdtemp(state), "/nonexistent" };
	static const struct { const char *handler; bool v2; const char *option; } each[] = {
		{ "rw", true, "'rw'" }, { "rw", false, "'ro'" }, { "plain", true, "'ro'" },
	};
	struct arena *a = arena_new();
	struct spec_pod p;
	struct err e;

	ok(runtimes_open(&runtimes, &e) == 0);
	for (size_t i = 0; i < sizeof(each) / sizeof(*each); i++) {
		spec_pod_open(&p, "{}");
		spec_pod_host.cgroup_v2 = each[i].v2;
		p.sandbox.config.runtime_handler = each[i].handler;
		ok(spec_pod_make(&p));
		ok(strstr(spec_pod_mount(&p, "/sys/fs/cgroup"), each[i].option) != NULL);
		spec_pod_close(&p);
	}
	static const char *const made[] = { "runtime/.log", "runtime/plain", "runtime/rw", "runtime", "" };

	for (size_t i = 0; i < sizeof(made) / sizeof(*made); i++)
		ok(rmdir(arena_printf(a, "%s/%s", state, made[i])) == 0);
	arena_free(a);
}

int main(void)
{
	an_ordinary_container();
	readonly_root_and_host_ipc();
	cri_mounts_override_and_are_sorted_by_depth();
	a_dev_of_ones_own_drops_what_is_below();
	the_host_path();
	what_cannot_be();
	recursive_read_only();
	idmapped_mounts();
	sys_of_a_foreign_network_namespace();
	image_volumes();
	propagation();
	a_privileged_container_has_the_nodes_groups();
	cgroup_is_writable_where_the_handler_says_so();
	return tap_end();
}
