/* volume.c - see volume.h. */
#include "procs/volume.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/mount_host.h"
#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/own.h"

bool volume_is_shifted(const struct mount_config *m)
{
	return m->uids.n || m->gids.n;
}

enum lookup_kind volume_lookup(const struct mount_config *m)
{
	return volume_is_shifted(m) ? LOOKUP_MOUNT : LOOKUP_PLACE;
}

const char *volume_path(struct container *c, size_t nth)
{
	return arena_printf(c->arena, "%s/volumes/%zu", c->bundle, nth);
}

int volume_make_parent(struct container *c, struct err *e)
{
	const char *path = arena_printf(c->arena, "%s/volumes", c->bundle);

	if (EFFECT(mkdir(path, 0711)) < 0 && errno != EEXIST)
		return err_os(e, ERR_INTERNAL, "make %s", path);
	return 0;
}

enum { STACKED_MAX = 64 };

static bool same_mappings(const struct id_mappings *x, const struct id_mappings *y)
{
	return x->n == y->n && (x->n == 0 || memcmp(x->at, y->at, x->n * sizeof(*x->at)) == 0);
}

static const char *volume_fault(const struct container *c, const struct mount_config *m, int userns)
{
	const struct ns_options *pod = &c->sandbox->config.security.ns;

	if (userns < 0)
		return "id mappings, and the pod has no user namespace";
	if (!same_mappings(&m->uids, &pod->uids) || !same_mappings(&m->gids, &pod->gids))
		return "id mappings that are not the pod's";
	if (m->image[0])
		return "id mappings of an image: its owners are shifted without";
	if (m->propagation == PROPAGATION_BIDIRECTIONAL)
		return "id mappings with bidirectional propagation: a user namespace mounts nothing on the host";
	return NULL;
}

int volume_check(const struct container *c, size_t nth, int userns, struct err *e)
{
	const struct mount_config *m = &c->config.mounts.at[nth];
	const char *fault = volume_fault(c, m, userns);

	return fault ? err_set(e, ERR_INVALID_ARGUMENT, "mount %s: %s", m->container_path, fault) : 0;
}

/* The mount point: a directory or a file, as the source is. */
static int volume_make_point(const struct looked *source, const char *target, struct err *e)
{
	auto_fd int fd = -1;

	if (S_ISDIR(source->mode) ? EFFECT(mkdir(target, 0700)) < 0
				  : (fd = EFFECT(open(target, O_CREAT | O_EXCL | O_CLOEXEC, 0600))) < 0)
		return err_os(e, ERR_INTERNAL, "make %s", target);
	return 0;
}

/* Mounts below the source are copied too but not shifted, as runtimes do with "idmap" ("ridmap" would shift them). The
 * copies leave the peer groups of their originals: else unmounting the copy would unmount the original. open_tree(2)
 * gets the fd of the look-up: by the path it would ask the file system again, which may not answer. */
static int volume_copy_mount(const struct looked *source, int userns, bool slave, const char *target, struct err *e)
{
	struct mount_attr apart = { .propagation = slave ? MS_SLAVE : MS_PRIVATE };
	struct mount_attr shift = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns };
	auto_fd int mnt = open_tree(source->fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

	if (mnt < 0)
		return err_os(e, ERR_INTERNAL, "copy the mount of %s", source->real);
	if (mount_setattr(mnt, "", AT_EMPTY_PATH | AT_RECURSIVE, &apart, sizeof(apart)) < 0)
		return err_os(e, ERR_INTERNAL, "take the mount of %s from its peers", source->real);
	if (mount_setattr(mnt, "", AT_EMPTY_PATH, &shift, sizeof(shift)) < 0)
		return err_os(e, ERR_INTERNAL, "%s: its file system has no idmapped mounts on this kernel",
			      source->real);
	if (EFFECT(move_mount(mnt, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH)) < 0)
		return err_os(e, ERR_INTERNAL, "mount at %s", target);
	return 0;
}

int volume_mount(struct container *c, size_t nth, int userns, struct err *e)
{
	const struct mount_config *m = &c->config.mounts.at[nth];
	const char *target = volume_path(c, nth);
	struct looked *source;

	if (!(source = mount_host_path(c->lookup, LOOKUP_MOUNT, m->host_path, e)) ||
	    volume_make_parent(c, e) < 0 || volume_make_point(source, target, e) < 0 ||
	    volume_copy_mount(source, userns, m->propagation == PROPAGATION_HOST_TO_CONTAINER, target, e) < 0)
		return err_wrap(e, "mount %s", m->container_path);
	return 0;
}

size_t volume_of_image(const struct container *c, size_t nth)
{
	return c->config.mounts.n + nth;
}

int volume_bind(struct container *c, size_t nth, const char *dir, struct err *e)
{
	const char *target = volume_path(c, nth);

	if (volume_make_parent(c, e) < 0)
		return -1;
	if (EFFECT(mkdir(target, 0700)) < 0 || EFFECT(mount(dir, target, NULL, MS_BIND, NULL)) < 0)
		return err_os(e, ERR_INTERNAL, "mount %s at %s", dir, target);
	return 0;
}

int volume_unmount(struct container *c, size_t nth, struct err *e)
{
	const char *path = volume_path(c, nth);

	for (int i = 0; i < STACKED_MAX; i++)
		if (EFFECT(umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW)) < 0)
			return errno == EINVAL || errno == ENOENT ? 0 : err_os(e, ERR_INTERNAL, "unmount %s", path);
	return err_set(e, ERR_INTERNAL, "unmount %s: more than %d mounts are upon it", path, STACKED_MAX);
}
