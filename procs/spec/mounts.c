/* mounts.c - mounts of config.json: the default ones, the sandbox's files, CRI's mounts, image volumes.
 *
 * A CRI mount replaces any other mount at the same path, and a CRI mount at /dev also the default mounts below /dev.
 * Order: the defaults, then the others by depth of the path, so that no mount hides a deeper one.
 * Specs: CRI v1 Mount, MountPropagation; OCI runtime-spec config.md "Mounts"; kernel sharedsubtree.rst. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "procs/mount_host.h"
#include "procs/sandbox_files.h"
#include "procs/spec/part.h"
#include "procs/volume.h"

struct entry {
	const char *to;
	json_t *mount; /* owned until it is in the list */
	size_t depth, nth;
};

struct entries {
	struct spec *s;
	struct entry *at;
	size_t n;
	const char *propagation; /* of the root: the strongest that a mount needs */
	struct mount_table mounts; /* read when the first one is asked for */
};

static bool mounts_taken(const struct entries *all, const char *path)
{
	for (size_t i = 0; i < all->n; i++)
		if (strcmp(all->at[i].to, path) == 0)
			return true;
	return false;
}

static void add_entry(struct entries *all, const char *to, json_t *mount)
{
	size_t depth = 0;

	for (const char *p = to; *p; p++)
		depth += *p == '/';
	all->at[all->n] = (struct entry){ .to = to, .mount = own_must(mount), .depth = depth, .nth = all->n };
	all->n++;
}

static int by_depth(const void *x, const void *y)
{
	const struct entry *a = x, *b = y;

	return a->depth != b->depth ? (a->depth > b->depth) - (a->depth < b->depth)
				    : (a->nth > b->nth) - (a->nth < b->nth);
}

/* ---- the default mounts ---- */

static void add_default(json_t *mounts, const char *to, const char *type, const char *source, const char *options)
{
	json_t *list = own_must(json_array());

	while (*options) {
		size_t n = strcspn(options, ",");

		spec_add(list, json_stringn_nocheck(options, n));
		options += n + (options[n] == ',');
	}
	spec_add(mounts,
		 json_pack("{s:s,s:s,s:s,s:o}", "destination", to, "type", type, "source", source, "options", list));
}

struct how {
	bool privileged, host_network, userns, boxed;
	bool cgroup_writable; /* of the handler */
};

/* On v2 a container has a cgroup namespace, so what it writes is its own group; but not a privileged one. A mount of
 * cgroup2 from the node's namespace would take nsdelegate and memory_recursiveprot from the one file system, for the
 * node and for all: the node's mount is bound. A sandbox that is a container has a cgroup2 of its own.
 * (ARCHITECTURE N41) */
static void add_groups(json_t *to, const struct how *how)
{
	bool rw = how->privileged, v2 = spec_host()->cgroup_v2;

	if (rw && v2 && !how->boxed)
		add_default(to, "/sys/fs/cgroup", "bind", "/sys/fs/cgroup", "rbind,rprivate,nosuid,noexec,nodev,rw");
	else
		add_default(to, "/sys/fs/cgroup", "cgroup", "cgroup",
			    rw || (v2 && how->cgroup_writable) ? "nosuid,noexec,nodev,relatime,rw"
							       : "nosuid,noexec,nodev,relatime,ro");
}

static json_t *all_defaults(const struct how *how)
{
	json_t *to = own_must(json_array());

	add_default(to, "/proc", "proc", "proc", "nosuid,noexec,nodev");
	add_default(to, "/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k");
	add_default(to, "/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5");
	add_default(to, "/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev");
	/* The kernel lets only the owner of the network namespace mount sysfs, and the host's belongs to the host. */
	if (how->userns && how->host_network)
		add_default(to, "/sys", "bind", "/sys", "rbind,rro,nosuid,noexec,nodev");
	else
		add_default(to, "/sys", "sysfs", "sysfs",
			    how->privileged ? "nosuid,noexec,nodev,rw" : "nosuid,noexec,nodev,ro");
	add_groups(to, how);
	return to;
}

json_t *spec_default_mounts(const struct sandbox *sandbox, const struct security *sec)
{
	const struct runtime_handler *h = runtime_find(sandbox->config.runtime_handler);
	const struct how how = {
		.privileged = sec->privileged,
		.host_network = sandbox->config.security.ns.network == NS_NODE,
		.userns = ns_has_user(&sandbox->config.security.ns),
		.boxed = sandbox_boxed(sandbox),
		.cgroup_writable = h && h->options.cgroup_writable,
	};

	return all_defaults(&how);
}

static void add_defaults(struct entries *all)
{
	struct spec *s = all->s;
	const struct how how = {
		.privileged = s->sec->privileged,
		.host_network = s->in->namespaces.net[0] == '\0',
		.userns = s->userns,
		.boxed = sandbox_boxed(s->c->sandbox),
		.cgroup_writable = spec_options(s)->cgroup_writable,
	};
	bool dev = mounts_taken(all, "/dev");
	auto_json json_t *list = all_defaults(&how);
	json_t *m;
	size_t i;

	json_array_foreach(list, i, m) {
		const char *to = json_string_value(json_object_get(m, "destination"));

		if (!mounts_taken(all, to) && !(dev && strncmp(to, "/dev/", 5) == 0))
			spec_add(s->mounts, json_incref(m));
	}
}

/* ---- the sandbox's files ---- */

static void add_bind(struct entries *all, const char *to, const char *from, bool readonly)
{
	if (!mounts_taken(all, to))
		add_entry(all, to,
			  json_pack("{s:s,s:s,s:o,s:[sss]}", "destination", to, "type", "bind", "source",
				    spec_str(from), "options", "rbind", "rprivate", readonly ? "ro" : "rw"));
}

/* The flags of the tmpfs are said again: crun, and runc from 1.2 on, take "rw" for "with these flags and no others".
 * The node's own one is executable. (ARCHITECTURE N42) */
static void add_shm(struct entries *all, const char *from, bool host)
{
	if (!mounts_taken(all, "/dev/shm"))
		add_entry(all, "/dev/shm",
			  json_pack(host ? "{s:s,s:s,s:o,s:[sssss]}" : "{s:s,s:s,s:o,s:[ssssss]}", "destination",
				    "/dev/shm", "type", "bind", "source", spec_str(from), "options", "rbind",
				    "rprivate", "rw", "nosuid", "nodev", "noexec"));
}

static void add_sandbox_files(struct entries *all)
{
	static const char *const names[] = { "hostname", "hosts", "resolv.conf" };
	struct spec *s = all->s;
	const struct sandbox *sandbox = s->c->sandbox;
	bool host_ipc = s->in->namespaces.ipc[0] == '\0';

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		add_bind(all, arena_printf(s->a, "/etc/%s", names[i]),
			 arena_printf(s->a, "%s/%s", sandbox_files_dir(sandbox), names[i]), s->sec->readonly_rootfs);
	add_shm(all, host_ipc ? "/dev/shm" : arena_printf(s->a, "%s/shm", sandbox->dir), host_ipc);
}

/* ---- CRI's ---- */

static int read_only(struct spec *s, const struct mount_config *m, json_t *options, struct err *e)
{
	if (!m->recursive_read_only) {
		spec_add(options, spec_str(m->readonly || m->image[0] ? "ro" : "rw"));
		return 0;
	}
	if (!m->readonly)
		return err_set(e, ERR_INVALID_ARGUMENT, "mount %s: recursive_read_only without readonly",
			       m->container_path);
	if (m->propagation != PROPAGATION_PRIVATE)
		return err_set(e, ERR_INVALID_ARGUMENT, "mount %s: recursive_read_only needs private propagation",
			       m->container_path);
	if (!s->in->features.recursive_read_only) {
		err_set(e, ERR_UNKNOWN, "mount %s: runtime handler \"%s\" or this kernel cannot make it",
			m->container_path, s->c->runtime);
		e->reason = "RROUnsupported";
		return -1;
	}
	spec_add(options, spec_str("rro"));
	return 0;
}

/* The peer groups of the mount that holds the source. An image volume and a shifted volume are mounts that crispd made:
 * the mount is found by its mount point. For any other source the look-up has found the id of the mount. */
static int source_peers(struct entries *all, const struct mount_config *m, const char *source, struct mount_peers *out,
			struct err *e)
{
	struct looked *f;
	uint64_t id;

	if (m->image[0] || volume_is_shifted(m)) {
		if (mount_id_at(source, &id, e) < 0)
			return -1;
	} else {
		f = mount_host_path(all->s->c->lookup, LOOKUP_PLACE, m->host_path, e);
		if (!f)
			return -1;
		id = f->mount_id;
	}
	if (!all->mounts.n && mount_table_read(&all->mounts, all->s->a, e) < 0)
		return -1;
	return mount_peers(&all->mounts, id, out, e);
}

static int propagation(struct entries *all, const struct mount_config *m, const char *source, json_t *options,
		       struct err *e)
{
	struct mount_peers peers;

	if (m->propagation == PROPAGATION_PRIVATE) {
		spec_add(options, spec_str("rprivate"));
		return 0;
	}
	if (m->propagation != PROPAGATION_HOST_TO_CONTAINER && m->propagation != PROPAGATION_BIDIRECTIONAL)
		return err_set(e, ERR_INVALID_ARGUMENT, "mount %s: unknown propagation %d", m->container_path,
			       m->propagation);
	if (source_peers(all, m, source, &peers, e) < 0)
		return err_wrap(e, "mount %s", m->container_path);
	if (m->propagation == PROPAGATION_BIDIRECTIONAL) {
		if (!peers.shared)
			return err_set(e, ERR_INVALID_ARGUMENT, "mount %s: %s is not on a shared mount",
				       m->container_path, source);
		spec_add(options, spec_str("rshared"));
		all->propagation = "rshared";
		return 0;
	}
	if (!peers.shared && !peers.slave)
		return err_set(e, ERR_INVALID_ARGUMENT, "mount %s: %s is not on a shared or slave mount",
			       m->container_path, source);
	spec_add(options, spec_str("rslave"));
	if (!all->propagation)
		all->propagation = "rslave";
	return 0;
}

static int bind_options(const struct mount_config *m, json_t *options, struct err *e)
{
	for (size_t i = 0; i < m->mount_options.n; i++) {
		const char *o = m->mount_options.at[i];

		if (strcmp(o, "noexec") != 0 && strcmp(o, "nodev") != 0 && strcmp(o, "nosuid") != 0)
			return err_set(e, ERR_INVALID_ARGUMENT,
				       "mount %s: mount_options \"%s\" is not noexec, nodev or nosuid",
				       m->container_path, o);
		spec_add(options, spec_str(o));
	}
	return 0;
}

static const char *source_of(struct spec *s, size_t nth, struct err *e)
{
	const struct mount_config *m = &s->c->config.mounts.at[nth];
	const char *made = NULL;
	struct looked *f;

	for (size_t i = 0; i < s->in->n_image_volumes; i++)
		if (s->in->image_volumes[i].mount_index == nth)
			made = s->in->image_volumes[i].host_dir;
	if (m->image[0] && m->host_path[0]) {
		err_set(e, ERR_INVALID_ARGUMENT, "both image and host_path are set");
		return NULL;
	}
	if (!made && (m->image[0] || volume_is_shifted(m))) {
		err_set(e, ERR_INTERNAL, "%s \"%s\" was not mounted", m->image[0] ? "image" : "volume",
			m->image[0] ? m->image : m->host_path);
		return NULL;
	}
	if (made)
		return m->image[0] ? mount_inside(s->a, made, m->image_sub_path, e) : made;
	f = mount_host_path(s->c->lookup, LOOKUP_PLACE, m->host_path, e);
	return f ? f->real : NULL;
}

static int add_asked(struct entries *all, size_t nth, struct err *e)
{
	struct spec *s = all->s;
	const struct mount_config *m = &s->c->config.mounts.at[nth];
	const char *source, *to;
	json_t *options, *mount;

	if (m->container_path[0] != '/')
		return err_set(e, ERR_INVALID_ARGUMENT, "mount \"%s\": container_path is not absolute",
			       m->container_path);
	to = spec_clean_path(s->a, m->container_path);
	if (strcmp(to, "/") == 0)
		return err_set(e, ERR_INVALID_ARGUMENT, "mount: container_path is the root");
	source = source_of(s, nth, e);
	if (!source)
		return err_wrap(e, "mount %s", m->container_path);
	options = own_must(json_array());
	mount = json_pack("{s:o,s:s,s:o,s:o}", "destination", spec_str(to), "type", "bind", "source", spec_str(source),
			  "options", options);
	add_entry(all, to, mount);
	spec_add(options, spec_str("rbind"));
	if (propagation(all, m, source, options, e) < 0 || read_only(s, m, options, e) < 0)
		return -1;
	return bind_options(m, options, e);
}

/* ---- VOLUMEs of the image ---- */

static void add_image_volumes(struct entries *all)
{
	struct container *c = all->s->c;

	for (size_t i = 0; i < c->volumes.n; i++)
		add_bind(all, c->volumes.at[i], volume_path(c, volume_of_image(c, i)), false);
}

/* ---- mounts of CDI devices: they replace any other at the same path ---- */

static void mounts_take(struct entries *all, const char *path)
{
	for (size_t i = all->n; i-- > 0;)
		if (strcmp(all->at[i].to, path) == 0) {
			json_decref(all->at[i].mount);
			all->at[i] = all->at[--all->n];
		}
}

/* The options have "bind" or "rbind". A CDI mount without a type is a bind mount even if they have neither, because its
 * source is a path of the host: add_cdi() adds "rbind" then. */
static bool is_bind(const json_t *options)
{
	const json_t *v;
	size_t i;

	json_array_foreach((json_t *)options, i, v)
		if (strcmp(json_string_value(v), "bind") == 0 || strcmp(json_string_value(v), "rbind") == 0)
			return true;
	return false;
}

static void add_cdi(struct entries *all)
{
	struct spec *s = all->s;
	json_t *m;
	size_t i;

	json_array_foreach(json_object_get(s->cdi, "mounts"), i, m) {
		const char *to = spec_clean_path(s->a, json_string_value(json_object_get(m, "containerPath")));
		const char *type = json_string_value(json_object_get(m, "type"));
		json_t *options = json_copy(json_object_get(m, "options"));

		if (!options)
			options = json_array();
		if (!type && !is_bind(options))
			spec_add(options, spec_str("rbind"));
		mounts_take(all, to);
		add_entry(all, to,
			  json_pack("{s:s,s:s,s:O,s:o}", "destination", to, "type", type ? type : "bind", "source",
				    json_object_get(m, "hostPath"), "options", own_must(options)));
	}
}

int spec_mounts(struct spec *s, struct err *e)
{
	size_t asked = s->c->config.mounts.n;
	size_t room = asked + s->c->volumes.n + json_array_size(json_object_get(s->cdi, "mounts")) + 4;
	struct entries all = { .s = s, .at = arena_zalloc(s->a, room * sizeof(struct entry)) };
	int r = 0;

	for (size_t i = 0; i < asked && r == 0; i++)
		r = add_asked(&all, i, e);
	if (r == 0) {
		add_image_volumes(&all);
		add_cdi(&all);
		add_defaults(&all);
		add_sandbox_files(&all);
		qsort(all.at, all.n, sizeof(*all.at), by_depth);
	}
	for (size_t i = 0; i < all.n; i++)
		spec_add(s->mounts, all.at[i].mount);
	if (all.propagation)
		spec_put(s->linux_, "rootfsPropagation", spec_str(all.propagation));
	return r;
}
