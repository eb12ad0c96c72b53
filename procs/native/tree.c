/* tree.c - native.h: mounts, links, devices and namespaces of a plan. */
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "procs/cgroup.h"
#include "procs/native/native.h"
#include "reactor/own.h"

struct mounts {
	struct making *m;
	struct plan_mount *at;
	size_t n, room;
	struct plan_link *links;
	size_t nlinks;
	const char *label; /* SELinux: the context of the container's files; NULL: none */
};

static struct plan_mount *mount_add(struct mounts *all, uint32_t kind, const char *target)
{
	struct plan_mount *p;

	if (all->n == all->room) {
		struct plan_mount *more = arena_zalloc(all->m->arena, (all->room * 2 + 16) * sizeof(*more));

		if (all->n)
			memcpy(more, all->at, all->n * sizeof(*more));
		all->at = more;
		all->room = all->room * 2 + 16;
	}
	p = &all->at[all->n++];
	*p = (struct plan_mount){ .kind = kind, .target = making_text(all->m, target), .fd = -1 };
	return p;
}

static bool is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* True: the word was a flag of the mount. */
static bool mount_flag(struct plan_mount *p, const char *word)
{
	static const struct {
		const char *word;
		uint64_t set;
	} known[] = {
		{ "ro", MOUNT_ATTR_RDONLY },	     { "nosuid", MOUNT_ATTR_NOSUID },	{ "nodev", MOUNT_ATTR_NODEV },
		{ "noexec", MOUNT_ATTR_NOEXEC },     { "rw", 0 },			{ "relatime", 0 },
		{ "strictatime", MOUNT_ATTR_STRICTATIME }, { "newinstance", 0 },	{ "bind", 0 },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (is(word, known[i].word)) {
			p->set |= known[i].set;
			return true;
		}
	return false;
}

/* ---- bind mounts ---- */

static uint64_t propagation_of(const char *word)
{
	if (*word == 'r')
		word++;
	return is(word, "private") ? MS_PRIVATE : is(word, "slave") ? MS_SLAVE : is(word, "shared") ? MS_SHARED : 0;
}

static void mount_bind(struct mounts *all, const json_t *mount, const char *target)
{
	struct plan_mount *p = mount_add(all, PLAN_MOUNT_BIND, target);
	size_t i;
	json_t *o;

	p->source = making_text(all->m, json_string_value(json_object_get(mount, "source")));
	json_array_foreach(json_object_get(mount, "options"), i, o) {
		const char *word = json_string_value(o);

		if (is(word, "rbind")) {
			p->flags |= PLAN_MOUNT_RECURSIVE;
		} else if (is(word, "rro")) {
			p->set |= MOUNT_ATTR_RDONLY;
			p->flags |= PLAN_MOUNT_ATTR_RECURSIVE;
		} else if (!mount_flag(p, word)) {
			p->propagation = propagation_of(word);
		}
	}
}

/* ---- new file systems ---- */

/* These take no context: their files have labels of their own, or get one when they are there (mqueue). */
static bool labels_itself(const char *type)
{
	return is(type, "proc") || is(type, "sysfs") || is(type, "cgroup2") || is(type, "mqueue");
}

static size_t option_add(struct mounts *all, struct plan_option *o, size_t n, const char *key, const char *value)
{
	o[n] = (struct plan_option){ making_text(all->m, key), making_text(all->m, value) };
	return n + 1;
}

static void mount_new(struct mounts *all, const json_t *mount, const char *type, const char *target)
{
	struct plan_mount *p = mount_add(all, PLAN_MOUNT_NEW, target);
	const json_t *options = json_object_get(mount, "options");
	struct plan_option *o = arena_zalloc(all->m->arena, (json_array_size(options) + 3) * sizeof(*o));
	const char *source = json_string_value(json_object_get(mount, "source"));
	size_t n = source ? option_add(all, o, 0, "source", source) : 0, i; /* the name in /proc/mounts */
	json_t *v;

	p->type = making_text(all->m, type);
	json_array_foreach((json_t *)options, i, v) {
		const char *word = json_string_value(v), *value = strchr(word, '=');

		if (mount_flag(p, word))
			continue;
		if (value)
			word = arena_strndup(all->m->arena, word, (size_t)(value - word));
		n = option_add(all, o, n, word, value ? value + 1 : NULL);
	}
	if (all->label && !labels_itself(type))
		n = option_add(all, o, n, "context", all->label);
	/* Mount points are made in a tmpfs: it becomes read-only when all mounts stand. */
	if (is(type, "tmpfs") && p->set & MOUNT_ATTR_RDONLY) {
		p->set &= ~(uint64_t)MOUNT_ATTR_RDONLY;
		p->flags |= PLAN_MOUNT_LATE_READONLY;
	}
	p->options = making_list(all->m, o, n, sizeof(*o));
}

/* ---- /sys/fs/cgroup ---- */

static void link_add(struct mounts *all, const char *path, const char *target)
{
	struct plan_link *more = arena_zalloc(all->m->arena, (all->nlinks + 1) * sizeof(*more));

	if (all->nlinks)
		memcpy(more, all->links, all->nlinks * sizeof(*more));
	all->links = more;
	all->links[all->nlinks++] = (struct plan_link){ making_text(all->m, target), making_text(all->m, path) };
}

/* "cpu" is a link to "cpu,cpuacct", as on the host. */
static void link_controllers(struct mounts *all, const char *target, const char *name)
{
	char *words = arena_strdup(all->m->arena, name), *save = NULL;

	if (!strchr(name, ','))
		return;
	for (char *w = strtok_r(words, ",", &save); w; w = strtok_r(NULL, ",", &save))
		link_add(all, arena_printf(all->m->arena, "%s/%s", target, w), name);
}

/* v1 has no namespace of groups here: a tmpfs with the container's own group of each hierarchy. */
static void mount_groups_v1(struct mounts *all, const json_t *mount, const char *target)
{
	struct arena *a = all->m->arena;
	struct plan_mount flags = { 0 }, *p;
	struct plan_option options[3];
	size_t n;
	const char **mounted = cgroup_mounts(a);
	size_t i;
	json_t *o;

	json_array_foreach(json_object_get(mount, "options"), i, o)
		mount_flag(&flags, json_string_value(o));
	p = mount_add(all, PLAN_MOUNT_NEW, target);
	p->type = making_text(all->m, "tmpfs");
	n = option_add(all, options, 0, "source", "tmpfs");
	n = option_add(all, options, n, "mode", "755");
	if (all->label)
		n = option_add(all, options, n, "context", all->label);
	p->options = making_list(all->m, options, n, sizeof(*options));
	p->set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
	p->flags = flags.set & MOUNT_ATTR_RDONLY ? PLAN_MOUNT_LATE_READONLY : 0;
	for (; *mounted; mounted++) {
		const char *name = strrchr(*mounted, '/') + 1;

		p = mount_add(all, PLAN_MOUNT_BIND, arena_printf(a, "%s/%s", target, name));
		p->source = making_text(all->m, arena_printf(a, "%s%s", *mounted, all->m->group));
		p->set = flags.set;
		p->propagation = MS_PRIVATE;
		link_controllers(all, target, name);
	}
}

/* Without a namespace of groups the host's mount is bound: a new mount of cgroup2 from the first namespace would set
 * the options of the one file system anew, for the host too. */
static void mount_groups(struct mounts *all, const json_t *mount, const char *target)
{
	struct plan_mount *p;
	size_t i;
	json_t *o;

	if (!cgroup_is_v2())
		return mount_groups_v1(all, mount, target);
	if (all->m->head.flags & PLAN_NEW_CGROUP)
		return mount_new(all, mount, "cgroup2", target);
	p = mount_add(all, PLAN_MOUNT_BIND, target);
	p->source = making_text(all->m, cgroup_mounts(all->m->arena)[0]);
	p->flags = PLAN_MOUNT_RECURSIVE;
	p->propagation = MS_PRIVATE;
	json_array_foreach(json_object_get(mount, "options"), i, o)
		mount_flag(p, json_string_value(o));
}

/* ---- the whole ---- */

static uint64_t root_propagation(const char *word)
{
	return word ? propagation_of(word) : 0;
}

static void mount_one(struct mounts *all, const json_t *mount)
{
	const char *target = json_string_value(json_object_get(mount, "destination"));
	const char *type = json_string_value(json_object_get(mount, "type"));

	if (is(type, "bind"))
		mount_bind(all, mount, target);
	else if (is(type, "cgroup"))
		mount_groups(all, mount, target);
	else
		mount_new(all, mount, type, target);
}

int plan_mounts(struct making *m, const json_t *config, struct err *e)
{
	static const char *const links[][2] = {
		{ "/dev/fd", "/proc/self/fd" },	      { "/dev/stdin", "/proc/self/fd/0" },
		{ "/dev/stdout", "/proc/self/fd/1" }, { "/dev/stderr", "/proc/self/fd/2" },
		{ "/dev/core", "/proc/kcore" },	      { "/dev/ptmx", "pts/ptmx" },
	};
	const json_t *linux_ = json_object_get(config, "linux");
	const char *word = json_string_value(json_object_get(linux_, "rootfsPropagation"));
	struct mounts all = { .m = m, .label = json_string_value(json_object_get(linux_, "mountLabel")) };
	size_t i;
	json_t *v;

	if (!json_array_size(json_object_get(config, "mounts")))
		return err_set(e, ERR_INTERNAL, "config.json has no mounts");
	json_array_foreach(json_object_get(config, "mounts"), i, v)
		mount_one(&all, v);
	for (i = 0; i < sizeof(links) / sizeof(*links); i++)
		link_add(&all, links[i][0], links[i][1]);
	m->head.root_propagation = root_propagation(word);
	m->head.file_label = making_text(m, all.label);
	if (json_is_true(json_object_get(json_object_get(config, "root"), "readonly")))
		m->head.flags |= PLAN_ROOT_READONLY;
	m->head.mounts = making_list(m, all.at, all.n, sizeof(*all.at));
	m->head.links = making_list(m, all.links, all.nlinks, sizeof(*all.links));
	m->head.masked = making_texts(m, json_object_get(linux_, "maskedPaths"));
	m->head.readonly = making_texts(m, json_object_get(linux_, "readonlyPaths"));
	return 0;
}

/* ---- devices ---- */

static bool has_device(const json_t *devices, const char *path)
{
	size_t i;
	json_t *d;

	json_array_foreach((json_t *)devices, i, d)
		if (is(json_string_value(json_object_get(d, "path")), path))
			return true;
	return false;
}

static uint32_t device_mode(const json_t *d)
{
	const char *type = json_string_value(json_object_get(d, "type"));
	const json_t *mode = json_object_get(d, "fileMode");

	return (uint32_t)(mode ? json_integer_value(mode) & 07777 : 0666) |
	       (*type == 'b' ? S_IFBLK : *type == 'p' ? S_IFIFO : S_IFCHR);
}

/* Those of the OCI runtime-spec, "Default Devices", and those of the container. */
int plan_devices(struct making *m, const json_t *linux_, struct err *e)
{
	static const struct {
		const char *path;
		uint32_t major, minor;
	} defaults[] = { { "/dev/null", 1, 3 },	  { "/dev/zero", 1, 5 },    { "/dev/full", 1, 7 },
			 { "/dev/random", 1, 8 }, { "/dev/urandom", 1, 9 }, { "/dev/tty", 5, 0 } };
	const json_t *devices = json_object_get(linux_, "devices");
	size_t most = json_array_size(devices) + sizeof(defaults) / sizeof(*defaults), n = 0, i;
	struct plan_device *all = arena_zalloc(m->arena, most * sizeof(*all));
	json_t *d;

	json_array_foreach((json_t *)devices, i, d) {
		if (!json_is_string(json_object_get(d, "path")) || !json_is_string(json_object_get(d, "type")))
			return err_set(e, ERR_INTERNAL, "config.json has a device without a path");
		all[n++] = (struct plan_device){
			.path = making_text(m, json_string_value(json_object_get(d, "path"))),
			.mode = device_mode(d),
			.major = (uint32_t)json_integer_value(json_object_get(d, "major")),
			.minor = (uint32_t)json_integer_value(json_object_get(d, "minor")),
			.uid = (uint32_t)json_integer_value(json_object_get(d, "uid")),
			.gid = (uint32_t)json_integer_value(json_object_get(d, "gid")),
		};
	}
	for (i = 0; i < sizeof(defaults) / sizeof(*defaults); i++)
		if (!has_device(devices, defaults[i].path))
			all[n++] = (struct plan_device){ making_text(m, defaults[i].path), S_IFCHR | 0666,
							 defaults[i].major, defaults[i].minor, 0, 0 };
	m->head.devices = making_list(m, all, n, sizeof(*all));
	return 0;
}

/* ---- namespaces ---- */

void plan_namespaces(struct making *m, const json_t *linux_)
{
	static const struct {
		const char *type;
		uint32_t flag;
	} known[] = { { "network", CLONE_NEWNET }, { "ipc", CLONE_NEWIPC }, { "uts", CLONE_NEWUTS },
		      { "pid", CLONE_NEWPID } };
	struct plan_namespace all[8];
	size_t n = 0, i;
	json_t *v;

	json_array_foreach(json_object_get(linux_, "namespaces"), i, v) {
		const char *type = json_string_value(json_object_get(v, "type"));
		const char *path = json_string_value(json_object_get(v, "path"));

		if (is(type, "cgroup"))
			m->head.flags |= PLAN_NEW_CGROUP;
		if (is(type, "pid") && !path)
			m->head.flags |= PLAN_NEW_PID;
		for (size_t k = 0; path && n < 8 && k < sizeof(known) / sizeof(*known); k++)
			if (is(type, known[k].type))
				all[n++] = (struct plan_namespace){ known[k].flag, making_text(m, path) };
	}
	m->head.namespaces = making_list(m, all, n, sizeof(*all));
}
