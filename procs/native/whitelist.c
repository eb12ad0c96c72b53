/* whitelist.c - native_refuses() of native.h: what of config.json crisp-zygote does itself.
 *
 * A list of what is known, and not of what is unknown: a member that a later version of crisp or a CDI file adds goes
 * by the fallback until it is written here and in the plan. */
#include <string.h>

#include "procs/native/native.h"
#include "reactor/words.h"

enum { RULES_MAX = 256 }; /* as a program for cgroup v2 they must fit into a plan */

struct refusal {
	struct arena *arena;
	const char *reason, *what; /* reason NULL: none */
};

static bool refuse(struct refusal *r, const char *reason, const char *what)
{
	if (!r->reason) {
		r->reason = reason;
		r->what = arena_printf(r->arena, "%.200s", what);
	}
	return false;
}

/* Members with a reason of their own: users read it in the metric. */
static const char *reason_of(const char *member)
{
	static const struct {
		const char *member, *reason;
	} known[] = {
		{ "hooks", "hooks" },
		{ "uidMappings", "user namespace" },
		{ "gidMappings", "user namespace" },
		{ "intelRdt", "RDT" },
		{ "netDevices", "network devices" },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(member, known[i].member) == 0)
			return known[i].reason;
	return "other";
}

static void only(struct refusal *r, const json_t *object, const char *name, const char *const *known)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)object, key, v)
		if (!word_is_one_of(key, known))
			refuse(r, reason_of(key), arena_printf(r->arena, "%s.%s", name, key));
}

/* ---- process ---- */

static void check_process(struct refusal *r, const json_t *process)
{
	static const char *const members[] = { "terminal", "user", "args", "env", "cwd", "capabilities",
					       "noNewPrivileges", "apparmorProfile", "selinuxLabel", "oomScoreAdj",
					       NULL };
	static const char *const user[] = { "uid", "gid", "additionalGids", NULL };
	static const char *const sets[] = { "bounding", "effective", "permitted", "inheritable", "ambient", NULL };

	only(r, process, "process", members);
	only(r, json_object_get(process, "user"), "process.user", user);
	only(r, json_object_get(process, "capabilities"), "process.capabilities", sets);
	if (json_object_get(process, "selinuxLabel") && !json_is_string(json_object_get(process, "selinuxLabel")))
		refuse(r, "other", "process.selinuxLabel");
	if (!json_is_array(json_object_get(process, "env")) || json_array_size(json_object_get(process, "args")) == 0)
		refuse(r, "other", "process.args");
}

/* ---- mounts ---- */

static const char *const bind_options[] = { "bind",    "rbind",  "ro",     "rw",      "rro",     "nosuid",  "nodev",
					    "noexec",  "private", "rprivate", "slave", "rslave", "shared", "rshared",
					    NULL };
static const char *const new_options[] = { "nosuid", "nodev", "noexec", "ro", "rw", "relatime", "strictatime",
					   "newinstance", NULL };

/* key=value of a file system of its own. */
static bool is_value(const char *type, const char *option)
{
	static const char *const tmpfs[] = { "mode=", "size=", NULL }, *const devpts[] = { "ptmxmode=", "mode=", "gid=",
											  NULL };
	const char *const *known = strcmp(type, "tmpfs") == 0 ? tmpfs : strcmp(type, "devpts") == 0 ? devpts : NULL;

	for (; known && *known; known++)
		if (strncmp(option, *known, strlen(*known)) == 0)
			return true;
	return false;
}

static bool is_below(const char *path, const char *above)
{
	size_t n = strlen(above);

	return strncmp(path, above, n) == 0 && path[n] == '/';
}

static void check_mount(struct refusal *r, const json_t *mount)
{
	static const char *const members[] = { "destination", "type", "source", "options", NULL };
	static const char *const types[] = { "proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", NULL };
	const char *to = json_string_value(json_object_get(mount, "destination"));
	const char *type = json_string_value(json_object_get(mount, "type"));
	const char *source = json_string_value(json_object_get(mount, "source"));
	bool bind = type && strcmp(type, "bind") == 0;
	size_t i;
	json_t *o;

	only(r, mount, "mounts", members);
	/* Below /proc runc lets only a few names pass, and it knows which. */
	if (!to || to[0] != '/' || !to[1] || is_below(to, "/proc"))
		refuse(r, "mount", to ? to : "destination");
	if (!type || !(bind || word_is_one_of(type, types)) || (bind && (!source || source[0] != '/')))
		refuse(r, "mount", type ? type : "type");
	json_array_foreach(json_object_get(mount, "options"), i, o) {
		const char *word = json_string_value(o);

		if (!word || !type || !(bind ? word_is_one_of(word, bind_options)
					     : word_is_one_of(word, new_options) || is_value(type, word)))
			refuse(r, "mount", word ? word : "options");
	}
}

static bool has_mount(const json_t *mounts, const char *to, const char *type)
{
	size_t i;
	json_t *m;

	json_array_foreach((json_t *)mounts, i, m) {
		const char *at = json_string_value(json_object_get(m, "destination"));
		const char *of = json_string_value(json_object_get(m, "type"));

		if (at && of && strcmp(at, to) == 0)
			return strcmp(of, type) == 0;
	}
	return false;
}

/* /dev and /proc must be the container's own: device nodes and masks are made there, and not on a host's file
 * system. */
static void check_mounts(struct refusal *r, const json_t *mounts)
{
	size_t i;
	json_t *m;

	json_array_foreach((json_t *)mounts, i, m)
		check_mount(r, m);
	if (!has_mount(mounts, "/proc", "proc"))
		refuse(r, "mount", "/proc");
	if (!has_mount(mounts, "/dev", "tmpfs"))
		refuse(r, "mount", "/dev");
}

/* ---- linux ---- */

static void check_namespaces(struct refusal *r, const json_t *list)
{
	static const char *const types[] = { "mount", "network", "ipc", "uts", "pid", "cgroup", NULL };
	bool mount = false;
	size_t i;
	json_t *n;

	json_array_foreach((json_t *)list, i, n) {
		const char *type = json_string_value(json_object_get(n, "type"));
		const char *path = json_string_value(json_object_get(n, "path"));

		if (!type || !word_is_one_of(type, types))
			refuse(r, type && strcmp(type, "user") == 0 ? "user namespace" : "namespace",
			       type ? type : "type");
		else if (strcmp(type, "mount") == 0)
			mount = !path;
		else if (strcmp(type, "cgroup") == 0 ? path != NULL : strcmp(type, "pid") != 0 && !path)
			refuse(r, "namespace", type);
	}
	if (!mount)
		refuse(r, "namespace", "mount");
}

static void check_resources(struct refusal *r, const json_t *resources)
{
	static const char *const members[] = { "devices", "cpu", "memory", "hugepageLimits", "unified", NULL };
	static const char *const cpu[] = { "shares", "quota", "period", "cpus", "mems", NULL };
	static const char *const memory[] = { "limit", "swap", NULL };

	only(r, resources, "linux.resources", members);
	if (json_array_size(json_object_get(resources, "devices")) > RULES_MAX)
		refuse(r, "device", "linux.resources.devices");
	only(r, json_object_get(resources, "cpu"), "linux.resources.cpu", cpu);
	only(r, json_object_get(resources, "memory"), "linux.resources.memory", memory);
}

static void check_devices(struct refusal *r, const json_t *devices)
{
	static const char *const members[] = { "path", "type", "major", "minor", "fileMode", "uid", "gid", NULL };
	static const char *const types[] = { "c", "u", "b", "p", NULL };
	size_t i;
	json_t *d;

	json_array_foreach((json_t *)devices, i, d) {
		const char *type = json_string_value(json_object_get(d, "type"));
		const char *path = json_string_value(json_object_get(d, "path"));

		only(r, d, "linux.devices", members);
		if (!type || !word_is_one_of(type, types) || !path || !is_below(path, "/dev"))
			refuse(r, "device", path ? path : "path");
	}
}

/* A filter that asks another process needs a listener, which the runtime hands over. */
static void check_seccomp(struct refusal *r, const json_t *seccomp)
{
	static const char *const members[] = { "defaultAction", "defaultErrnoRet", "architectures", "flags", "syscalls",
					       NULL };
	static const char *const flags[] = { "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
					     "SECCOMP_FILTER_FLAG_TSYNC", NULL };
	size_t i;
	json_t *v;

	only(r, seccomp, "linux.seccomp", members);
	json_array_foreach(json_object_get(seccomp, "flags"), i, v)
		if (!json_is_string(v) || !word_is_one_of(json_string_value(v), flags))
			refuse(r, "seccomp", "flags");
	json_array_foreach(json_object_get(seccomp, "syscalls"), i, v) {
		const char *action = json_string_value(json_object_get(v, "action"));

		if (!action || strcmp(action, "SCMP_ACT_NOTIFY") == 0)
			refuse(r, "seccomp", "SCMP_ACT_NOTIFY");
	}
}

static void check_linux(struct refusal *r, const json_t *linux_)
{
	static const char *const members[] = { "resources", "devices", "cgroupsPath", "namespaces", "maskedPaths",
					       "readonlyPaths", "rootfsPropagation", "seccomp", "mountLabel", NULL };
	const char *group = json_string_value(json_object_get(linux_, "cgroupsPath"));

	only(r, linux_, "linux", members);
	if (json_object_get(linux_, "mountLabel") && !json_is_string(json_object_get(linux_, "mountLabel")))
		refuse(r, "other", "linux.mountLabel");
	if (!group || group[0] != '/')
		refuse(r, "systemd", "linux.cgroupsPath");
	check_namespaces(r, json_object_get(linux_, "namespaces"));
	check_resources(r, json_object_get(linux_, "resources"));
	check_devices(r, json_object_get(linux_, "devices"));
	check_seccomp(r, json_object_get(linux_, "seccomp"));
}

const char *native_refuses(const json_t *config, struct arena *arena, const char **what)
{
	static const char *const members[] = { "ociVersion", "process", "linux", "mounts", "annotations", "root",
					       NULL };
	static const char *const root[] = { "path", "readonly", NULL };
	struct refusal r = { .arena = arena };

	only(&r, config, "config", members);
	only(&r, json_object_get(config, "root"), "root", root);
	check_process(&r, json_object_get(config, "process"));
	check_linux(&r, json_object_get(config, "linux"));
	check_mounts(&r, json_object_get(config, "mounts"));
	*what = r.what;
	return r.reason;
}
