/* tree.c - see zygote.h. The root is changed first; only then a name is looked up, and it can lead to nothing but the
 * container's own files, whatever links the image has. (CVE-2021-30465, CVE-2025-31133, CVE-2026-41579) */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "procs/zygote/zygote.h"
#include "reactor/fault.h"

#define ATTACH_HERE "/r" /* a directory of the zygote's own root */

void tree_enter(struct born *b)
{
	if (EFFECT(move_mount(b->root, "", AT_FDCWD, ATTACH_HERE, MOVE_MOUNT_F_EMPTY_PATH)) < 0 || fchdir(b->root) < 0)
		born_fail(b, "error attaching rootfs");
	/* pivot_root(".", ".") leaves the old root mounted on top of the new one (pivot_root(2)) */
	if (EFFECT(syscall(SYS_pivot_root, ".", ".")) < 0 || EFFECT(umount2(".", MNT_DETACH)) < 0 || chdir("/") < 0)
		born_fail(b, "error jailing process inside rootfs: pivot_root");
	close(b->root);
	b->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (b->root < 0)
		born_fail(b, "open the new root");
	umask(0);
}

static void tree_attach(const struct born *b, int tree, int target, const char *name)
{
	if (EFFECT(move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH)) < 0)
		born_fail(b, "error mounting to rootfs at \"%s\"", name);
}

/* mqueue takes no context as an option. */
static void tree_label(const struct born *b, int tree, const char *name)
{
	const char *label = plan_text(b->plan, b->plan->file_label);
	int top = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (top < 0 || fsetxattr(top, "security.selinux", label, strlen(label) + 1, 0) < 0)
		born_fail(b, "failed to label the mount at \"%s\"", name);
	close(top);
}

/* A file system of the container's own namespaces. */
static int tree_new(const struct born *b, const struct plan_mount *m)
{
	const struct plan_option *o = plan_at(b->plan, m->options);
	const char *type = plan_text(b->plan, m->type), *target = plan_text(b->plan, m->target);
	int fs = fsopen(type, FSOPEN_CLOEXEC), tree;

	if (fs < 0)
		born_fail(b, "error mounting \"%s\" to rootfs at \"%s\"", type, target);
	for (uint32_t i = 0; i < m->options.n; i++) {
		const char *key = plan_text(b->plan, o[i].key), *value = plan_text(b->plan, o[i].value);

		if (fsconfig(fs, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value, 0) < 0)
			born_fail(b, "error mounting \"%s\" to rootfs at \"%s\": option %s", type, target, key);
	}
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		born_fail(b, "error mounting \"%s\" to rootfs at \"%s\"", type, target);
	tree = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)m->set);
	if (tree < 0)
		born_fail(b, "error mounting \"%s\" to rootfs at \"%s\"", type, target);
	close(fs);
	if (b->plan->file_label && strcmp(type, "mqueue") == 0)
		tree_label(b, tree, target);
	return tree;
}

/* The container's own /proc and the root of its own /dev, once they are mounted. */
struct tree_own {
	dev_t proc, dev; /* 0: not yet */
	ino_t dev_root;
};

static void tree_own(const struct born *b, struct tree_own *own, const struct plan_mount *m)
{
	const char *target = plan_text(b->plan, m->target);
	struct stat st;

	if (m->kind != PLAN_MOUNT_NEW || (strcmp(target, "/proc") != 0 && strcmp(target, "/dev") != 0))
		return;
	if (fstat(m->fd, &st) < 0)
		born_fail(b, "fstat of %s", target);
	if (strcmp(target, "/proc") == 0) {
		own->proc = st.st_dev;
	} else {
		own->dev = st.st_dev;
		own->dev_root = st.st_ino;
	}
}

/* A link of the image may lead a target there. Masks and read-only paths of /proc would then lie upon the volume, and
 * device nodes would be made in it, which may be a directory of the node. (ARCHITECTURE P137) */
static void tree_allowed(const struct born *b, const struct tree_own *own, int place, const char *target)
{
	struct stat st;

	if (fstat(place, &st) < 0)
		born_fail(b, "error mounting to rootfs at \"%s\"", target);
	if (own->proc && st.st_dev == own->proc)
		born_refuse(b, "error mounting to rootfs at \"%s\": it leads into /proc", target);
	if (own->dev && st.st_dev == own->dev && st.st_ino == own->dev_root)
		born_refuse(b, "error mounting to rootfs at \"%s\": it leads to /dev", target);
}

void tree_mounts(struct born *b)
{
	struct plan_mount *m = plan_at(b->plan, b->plan->mounts);
	struct tree_own own = { 0 };

	for (uint32_t i = 0; i < b->plan->mounts.n; i++) {
		const char *target = plan_text(b->plan, m[i].target);
		int place = m[i].is_file ? place_make_file(b->root, target) : place_make_dir(b->root, target, 0755);

		if (place < 0)
			born_fail(b, "error mounting to rootfs at \"%s\": make mountpoint", target);
		tree_allowed(b, &own, place, target);
		if (m[i].kind == PLAN_MOUNT_NEW)
			m[i].fd = tree_new(b, &m[i]);
		tree_attach(b, m[i].fd, place, target);
		tree_own(b, &own, &m[i]);
		close(place);
		if (!(m[i].flags & PLAN_MOUNT_LATE_READONLY)) {
			close(m[i].fd);
			m[i].fd = -1;
		}
	}
}

/* ---- devices and links ---- */

static void tree_device(const struct born *b, const struct plan_device *d)
{
	const char *path = plan_text(b->plan, d->path);
	char name[256];
	int dir = place_make_parent(b->root, path, name), node;
	struct stat st;

	if (dir < 0)
		born_fail(b, "error creating device nodes: parent of %s", path);
	if (EFFECT(mknodat(dir, name, d->mode, makedev(d->major, d->minor))) < 0 && errno != EEXIST)
		born_fail(b, "error creating device nodes: mknod %s", path);
	node = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (node < 0 || fstat(node, &st) < 0)
		born_fail(b, "error creating device nodes: %s", path);
	if ((st.st_mode & S_IFMT) != (d->mode & S_IFMT) ||
	    (!S_ISFIFO(st.st_mode) && st.st_rdev != makedev(d->major, d->minor)))
		born_refuse(b, "error creating device nodes: %s is another file", path);
	/* By its name: the directory is the container's own, and nothing of it runs yet. */
	if (fchownat(node, "", d->uid, d->gid, AT_EMPTY_PATH) < 0 || fchmodat(dir, name, d->mode & 07777, 0) < 0)
		born_fail(b, "error creating device nodes: mode of %s", path);
	close(node);
	close(dir);
}

static void tree_link(const struct born *b, const struct plan_link *l)
{
	const char *target = plan_text(b->plan, l->target), *path = plan_text(b->plan, l->path);
	char name[256];
	int dir = place_make_parent(b->root, path, name);

	if (dir < 0 || (EFFECT(symlinkat(target, dir, name)) < 0 && errno != EEXIST))
		born_fail(b, "error creating the link %s", path);
	close(dir);
}

void tree_devices(struct born *b)
{
	const struct plan_device *d = plan_at(b->plan, b->plan->devices);
	const struct plan_link *l = plan_at(b->plan, b->plan->links);

	for (uint32_t i = 0; i < b->plan->devices.n; i++)
		tree_device(b, &d[i]);
	for (uint32_t i = 0; i < b->plan->links.n; i++)
		tree_link(b, &l[i]);
}

/* ---- the end ---- */

/* One empty read-only tmpfs for all masked directories. */
static int tree_empty(const struct born *b)
{
	const char *label = plan_text(b->plan, b->plan->file_label);
	int fs = fsopen("tmpfs", FSOPEN_CLOEXEC), tree = -1;

	if (fs >= 0 && (!label || fsconfig(fs, FSCONFIG_SET_STRING, "context", label, 0) == 0) &&
	    fsconfig(fs, FSCONFIG_SET_STRING, "nr_blocks", "1", 0) == 0 &&
	    fsconfig(fs, FSCONFIG_SET_STRING, "nr_inodes", "2", 0) == 0 &&
	    fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) == 0 &&
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		tree = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY);
	if (tree < 0)
		born_fail(b, "error making an empty directory for masked paths");
	close(fs);
	return tree;
}

static int tree_copy(const struct born *b, int of, unsigned flags, const char *name)
{
	int tree = open_tree(of, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | flags);

	if (tree < 0)
		born_fail(b, "open_tree for %s", name);
	return tree;
}

/* A path of the container, or -1 when there is none. */
static int tree_existing(const struct born *b, const char *path)
{
	int fd = place_open(b->root, path, O_PATH);

	if (fd < 0 && errno != ENOENT && errno != ENOTDIR)
		born_fail(b, "open %s", path);
	return fd;
}

static void tree_read_only(const struct born *b)
{
	const uint32_t *path = plan_at(b->plan, b->plan->readonly);
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	for (uint32_t i = 0; i < b->plan->readonly.n; i++) {
		const char *name = plan_text(b->plan, path[i]);
		int place = tree_existing(b, name), tree;

		if (place < 0)
			continue;
		tree = tree_copy(b, place, AT_RECURSIVE, name);
		if (mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
			born_fail(b, "make %s read-only", name);
		tree_attach(b, tree, place, name);
		close(tree);
		close(place);
	}
}

/* A private copy: with a shared root the one that is attached is shared, and what is mounted on it would be on all. */
static int tree_copy_empty(const struct born *b, int empty, const char *name)
{
	struct mount_attr attr = { .propagation = MS_PRIVATE };
	int tree = tree_copy(b, empty, 0, name);

	if (mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		born_fail(b, "make the mask of %s private", name);
	return tree;
}

/* A file gets the null device, by an fd that was seen to be it (CVE-2025-31133). The first directory gets the empty
 * tmpfs itself, the others get copies of that: before Linux 6.15 what is not attached cannot be copied.
 * (ARCHITECTURE N40) */
static void tree_masks(struct born *b)
{
	const uint32_t *path = plan_at(b->plan, b->plan->masked);
	int empty = -1;

	for (uint32_t i = 0; i < b->plan->masked.n; i++) {
		const char *name = plan_text(b->plan, path[i]);
		int place = tree_existing(b, name), tree;
		struct stat st;

		if (place < 0)
			continue;
		if (fstat(place, &st) < 0)
			born_fail(b, "mask %s", name);
		if (!S_ISDIR(st.st_mode))
			tree = tree_copy(b, null_open(b), 0, name);
		else if (empty < 0)
			tree = empty = tree_empty(b);
		else
			tree = tree_copy_empty(b, empty, name);
		tree_attach(b, tree, place, name);
		if (tree != empty)
			close(tree);
		close(place);
	}
	if (empty >= 0)
		close(empty);
}

/* As runc does. What else is wrong with it is chdir(2)'s to report, also as the container's user. */
static void tree_cwd(const struct born *b)
{
	const char *cwd = plan_text(b->plan, b->plan->cwd);
	int fd = place_make_dir(b->root, cwd, 0755);

	if (fd < 0 && errno == ENOTDIR)
		born_fail(b, "mkdir %s", cwd);
	if (fd >= 0)
		close(fd);
}

void tree_finish(struct born *b)
{
	const struct plan_mount *m = plan_at(b->plan, b->plan->mounts);
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	tree_cwd(b);

	for (uint32_t i = 0; i < b->plan->mounts.n; i++)
		if (m[i].fd >= 0 && mount_setattr(m[i].fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
			born_fail(b, "make %s read-only", plan_text(b->plan, m[i].target));
	if (b->plan->root_propagation &&
	    EFFECT(mount(NULL, "/", NULL, (unsigned long)b->plan->root_propagation | MS_REC, NULL)) < 0)
		born_fail(b, "error setting rootfs propagation");
	if (b->plan->flags & PLAN_ROOT_READONLY &&
	    mount_setattr(b->root, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		born_fail(b, "error setting rootfs as readonly");
	umask(022);
	tree_read_only(b);
	tree_masks(b);
}
