/* devices.c - linux.devices and the device cgroup's rules.
 *
 * The first rule denies everything. The runtimes themselves allow null, zero, full, random, urandom, tty, ptmx and
 * pts. A privileged container has all device nodes of the host and may use them. Specs: CRI v1 Device; OCI
 * config-linux.md "Devices". (ARCHITECTURE P5) */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "reactor/lookup.h"
#include "procs/spec/part.h"
#include "reactor/map.h"

enum { DEPTH_MAX = 8, ENTRIES_MAX = 16384 };

struct devices {
	struct spec *s;
	struct map seen; /* container paths */
	size_t entries;  /* of directories */
	const char *access;
};

/* Directories that have a mount of their own in every container, or that belong to another container engine. */
static bool skipped_dir(const char *name)
{
	static const char *const names[] = { "pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static void devices_add_node(struct devices *d, const char *path, const struct looked *node)
{
	struct spec *s = d->s;
	const char *type = S_ISBLK(node->mode) ? "b" : "c", *key = arena_strdup(s->a, path);
	json_int_t major = major(node->rdev), minor = minor(node->rdev);

	if (map_get(&d->seen, key))
		return;
	map_put(&d->seen, key, d);
	spec_add(s->devices, json_pack("{s:o,s:s,s:I,s:I,s:i,s:I,s:I}", "path", spec_str(path), "type", type, "major",
				       major, "minor", minor, "fileMode", (int)(node->mode & 07777), "uid",
				       (json_int_t)node->uid, "gid", (json_int_t)node->gid));
	if (d->access)
		spec_add(s->device_rules, json_pack("{s:b,s:s,s:I,s:I,s:s}", "allow", 1, "type", type, "major", major,
						    "minor", minor, "access", d->access));
}

/* Only directories on the node's own file systems: opening and reading another one could wait for its server. */
static int devices_add_dir(struct devices *d, const char *host, const char *inside, int depth, struct err *e)
{
	auto_dir DIR *dir = lookup_open_dir(host);
	struct dirent *entry;

	if (depth > DEPTH_MAX)
		return err_set(e, ERR_INVALID_ARGUMENT, "device %s: nested deeper than %d directories", host,
			       DEPTH_MAX);
	if (!dir)
		return depth && (errno == ENOENT || errno == EAGAIN)
			       ? 0
			       : err_os(e, ERR_INVALID_ARGUMENT, "device %s", host);
	while ((entry = readdir(dir)) != NULL) {
		const char *name = entry->d_name, *path = arena_printf(d->s->a, "%s/%s", host, name);
		const char *to = arena_printf(d->s->a, "%s/%s", inside, name);
		struct statx st;

		if (++d->entries > ENTRIES_MAX)
			return err_set(e, ERR_INVALID_ARGUMENT, "device %s: over %d entries in directories", host,
				       ENTRIES_MAX);
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
		    statx(dirfd(dir), name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
			  STATX_BASIC_STATS, &st) < 0)
			continue; /* the node may be gone since readdir(3) */
		if (S_ISDIR(st.stx_mode) && !skipped_dir(name) && devices_add_dir(d, path, to, depth + 1, e) < 0)
			return -1;
		/* In a container the console is its terminal, and ptmx belongs to its own devpts instance. */
		if ((S_ISCHR(st.stx_mode) || S_ISBLK(st.stx_mode)) && strcmp(name, "console") != 0 &&
		    strcmp(to, "/dev/ptmx") != 0)
			devices_add_node(d, to, &(struct looked){ .mode = st.stx_mode, .uid = st.stx_uid,
				.gid = st.stx_gid, .rdev = makedev(st.stx_rdev_major, st.stx_rdev_minor) });
	}
	return 0;
}

static int devices_add(struct devices *d, const char *host, const char *inside, const char *access, struct err *e)
{
	const char *path = spec_clean_path(d->s->a, inside[0] ? inside : host);
	struct looked *f = host[0] == '/' ? lookup_get(d->s->c->lookup, LOOKUP_NODE, host, e) : NULL;

	if (host[0] == '/' && !f)
		return -1;
	if (!f || f->error) {
		errno = f ? f->error : EINVAL;
		return err_os(e, ERR_INVALID_ARGUMENT, "device %s", host);
	}
	d->access = access[0] ? access : "rwm";
	if (strspn(d->access, "rwm") != strlen(d->access) || strlen(d->access) > 3)
		return err_set(e, ERR_INVALID_ARGUMENT, "device %s: permissions \"%s\" are not of r, w, m", host,
			       access);
	if (S_ISDIR(f->mode))
		return devices_add_dir(d, f->real, path, 0, e);
	if (!S_ISCHR(f->mode) && !S_ISBLK(f->mode))
		return err_set(e, ERR_INVALID_ARGUMENT, "device %s: not a device", host);
	devices_add_node(d, path, f);
	return 0;
}

/* With the host's /dev mounted in the container, the node /dev/console for a terminal comes from the host too. */
static bool wants_console(const struct container_config *cfg)
{
	bool host_dev = false;

	for (size_t i = 0; i < cfg->mounts.n; i++)
		host_dev |= strcmp(cfg->mounts.at[i].container_path, "/dev") == 0 &&
			    strcmp(cfg->mounts.at[i].host_path, "/dev") == 0;
	for (size_t i = 0; i < cfg->devices.n; i++)
		if (strcmp(cfg->devices.at[i].container_path, "/dev/console") == 0)
			return false;
	return cfg->tty && host_dev;
}

static int devices_fill(struct devices *d, struct err *e)
{
	const struct container_config *cfg = &d->s->c->config;

	for (size_t i = 0; i < cfg->devices.n; i++)
		if (devices_add(d, cfg->devices.at[i].host_path, cfg->devices.at[i].container_path,
			       cfg->devices.at[i].permissions, e) < 0)
			return -1;
	if (wants_console(cfg) && devices_add(d, "/dev/console", "/dev/console", "rwm", e) < 0)
		return -1;
	if (!d->s->sec->privileged || spec_options(d->s)->privileged_without_host_devices)
		return 0;
	d->access = NULL; /* one rule allows all */
	json_array_clear(d->s->device_rules);
	spec_add(d->s->device_rules, json_pack("{s:b,s:s}", "allow", 1, "access", "rwm"));
	return devices_add_dir(d, "/dev", "/dev", 0, e);
}

int spec_devices(struct spec *s, struct err *e)
{
	struct devices d = { .s = s };
	int r;

	spec_add(s->device_rules, json_pack("{s:b,s:s}", "allow", 0, "access", "rwm"));
	r = devices_fill(&d, e);
	map_free(&d.seen);
	return r < 0 ? -1 : spec_cdi_devices(s, e);
}
