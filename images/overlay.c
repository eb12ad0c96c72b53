/* overlay.c - see overlay.h.
 *
 * fsconfig(2) takes strings of 255 bytes at most, and mount(2) one page of options. So both get names relative to the
 * layers directory, which is the working directory during the call. The daemon has one thread and uses no other
 * relative path.
 *
 * Owners are shifted by an idmapped mount of the layers directory: one mount for any number of layers (overlayfs takes
 * idmapped lower directories from kernel 5.19). During the call it is attached at <root>/shifted, because before 6.15
 * overlayfs takes no directory of a detached mount; afterwards overlayfs has clones of it. ".." at the root of this
 * mount leads to <root>, so "../" names work from there as from the layers directory. (ARCHITECTURE X27) */
#include "images/overlay.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reactor/arena.h"
#include "reactor/buf.h"
#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/own.h"

enum { PAGE = 4096 };

static const char *root;
static char layers_dir[PATH_MAX], shifted_dir[PATH_MAX];
static enum overlay_way way;

/* Set for every overlay, because a kernel may have other defaults: with these options the upper part gets no extended
 * attributes that another kernel, or a copy of the upper part, could not use. */
static const char *const options[][2] = { { "index", "off" }, { "metacopy", "off" }, { "redirect_dir", "off" } };
enum { OPTIONS = sizeof(options) / sizeof(*options) };

struct overlay {
	const struct strings *layers;
	int userns;
	const char *label;
};

/* The lower directory of an image without layers: an overlay needs at least one. */
static const char no_layers[] = "../empty";

enum overlay_way overlay_way(void)
{
	return way;
}

void overlay_force(enum overlay_way w)
{
	way = w;
}

static int fs_set(int fs, unsigned cmd, const char *key, const char *value)
{
	return fsconfig(fs, cmd, key, value, 0);
}

/* The kernel writes the reason into the fs context's log, as "e overlay: ...". The error gets the last line of it. */
static int fs_fail(int fs, struct err *e, const char *what)
{
	int saved = errno;
	char line[300], last[320] = "";
	ssize_t n;

	while ((n = read(fs, line, sizeof(line) - 1)) > 0) {
		line[n] = '\0';
		line[strcspn(line, "\n")] = '\0';
		snprintf(last, sizeof(last), " (%s)", n > 2 ? line + 2 : line);
	}
	errno = saved;
	return err_os(e, ERR_INTERNAL, "mount overlay: %s%s", what, last);
}

static int fs_layers(int fs, const struct strings *layers, struct err *e)
{
	if (layers->n == 0 && fs_set(fs, FSCONFIG_SET_STRING, "lowerdir+", no_layers) < 0)
		return fs_fail(fs, e, no_layers);
	for (size_t i = layers->n; i-- > 0;) /* the topmost first */
		if (fs_set(fs, FSCONFIG_SET_STRING, "lowerdir+", layers->at[i]) < 0)
			return fs_fail(fs, e, layers->at[i]);
	return 0;
}

static int fs_upper(int fs, const char *upper, struct err *e)
{
	char fs_dir[256], work_dir[256];

	if ((size_t)snprintf(fs_dir, sizeof(fs_dir), "%s/fs", upper) >= sizeof(fs_dir) ||
	    (size_t)snprintf(work_dir, sizeof(work_dir), "%s/work", upper) >= sizeof(work_dir))
		return err_set(e, ERR_INTERNAL, "mount overlay: the path %.100s.. is too long", upper);
	if (fs_set(fs, FSCONFIG_SET_STRING, "upperdir", fs_dir) < 0)
		return fs_fail(fs, e, fs_dir);
	if (fs_set(fs, FSCONFIG_SET_STRING, "workdir", work_dir) < 0)
		return fs_fail(fs, e, work_dir);
	/* No sync of the upper part: no writable layer is needed after a power cut. (ARCHITECTURE I10) */
	if (fs_set(fs, FSCONFIG_SET_FLAG, "volatile", NULL) < 0)
		return fs_fail(fs, e, "volatile");
	return 0;
}

static int move_to(int mnt, const char *target, struct err *e)
{
	if (EFFECT(move_mount(mnt, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH)) < 0)
		return err_os(e, ERR_INTERNAL, "mount at %s", target);
	return 0;
}

static int mount_by_fsopen(const struct overlay *o, const char *upper, const char *target, struct err *e)
{
	auto_fd int fs = fsopen("overlay", FSOPEN_CLOEXEC), mnt = -1;

	if (fs < 0)
		return err_os(e, ERR_INTERNAL, "mount overlay: fsopen");
	fs_set(fs, FSCONFIG_SET_STRING, "source", "overlay");
	if (fs_layers(fs, o->layers, e) < 0 || (upper && fs_upper(fs, upper, e) < 0))
		return -1;
	for (size_t i = 0; i < OPTIONS; i++)
		if (fs_set(fs, FSCONFIG_SET_STRING, options[i][0], options[i][1]) < 0)
			return fs_fail(fs, e, options[i][0]);
	if (*o->label && fs_set(fs, FSCONFIG_SET_STRING, "context", o->label) < 0)
		return fs_fail(fs, e, "context");
	if (fs_set(fs, FSCONFIG_CMD_CREATE, NULL, NULL) < 0)
		return fs_fail(fs, e, "create");
	mnt = fsmount(fs, FSMOUNT_CLOEXEC, upper ? 0 : MOUNT_ATTR_RDONLY);
	if (mnt < 0)
		return fs_fail(fs, e, "fsmount");
	return move_to(mnt, target, e);
}

static int mount_by_mount(const struct overlay *o, const char *upper, const char *target, struct err *e)
{
	const struct strings *layers = o->layers;
	struct buf b = { 0 };
	int rc = 0;

	buf_puts(&b, "lowerdir=");
	for (size_t i = layers->n; i-- > 0;)
		buf_printf(&b, "%s%s", layers->at[i], i ? ":" : "");
	if (layers->n == 0)
		buf_puts(&b, no_layers);
	if (upper)
		buf_printf(&b, ",upperdir=%s/fs,workdir=%s/work,volatile", upper, upper);
	for (size_t i = 0; i < OPTIONS; i++)
		buf_printf(&b, ",%s=%s", options[i][0], options[i][1]);
	if (*o->label) /* in quotes: a context may contain commas */
		buf_printf(&b, ",context=\"%s\"", o->label);
	if (b.len >= PAGE)
		rc = err_set(e, ERR_INTERNAL,
			"mount overlay: %zu layers do not fit into the one page that mount(2) has for options",
			layers->n);
	else if (EFFECT(mount("overlay", target, "overlay", upper ? 0 : MS_RDONLY, buf_str(&b))) < 0)
		rc = err_os(e, ERR_INTERNAL, "mount overlay of %zu layers at %s", layers->n, target);
	buf_free(&b);
	return rc;
}

/* upper/fs becomes the container's "/": it gets the owner that the topmost layer has in the working directory, which is
 * the shifted mount. */
static int own_upper(const struct strings *layers, const char *upper, struct err *e)
{
	struct arena *a = arena_new();
	const char *top = layers->n ? layers->at[layers->n - 1] : ".", *fs = arena_printf(a, "%s/fs", upper);
	struct stat st;
	int rc = stat(top, &st) < 0 || chown(fs, st.st_uid, st.st_gid) < 0 ? err_os(e, ERR_INTERNAL, "own %s", fs) : 0;

	arena_free(a);
	return rc;
}

static int mount_from(const char *dir, const struct overlay *o, const char *upper, const char *target, struct err *e)
{
	auto_fd int back = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int rc = 0;

	if (back < 0 || chdir(dir) < 0)
		return err_os(e, ERR_INTERNAL, "enter %s", dir);
	if (dir == shifted_dir && upper)
		rc = own_upper(o->layers, upper, e);
	if (rc == 0)
		rc = (way == OVERLAY_FSOPEN ? mount_by_fsopen : mount_by_mount)(o, upper, target, e);
	if (fchdir(back) < 0)
		abort(); /* the directory is open, so this cannot fail; all later relative names would be wrong */
	return rc;
}

static int attach_shifted(const char *dir, int userns, unsigned attrs, const char *target, struct err *e)
{
	struct mount_attr attr = {
		.attr_set = attrs | MOUNT_ATTR_IDMAP, .propagation = MS_PRIVATE, .userns_fd = (uint64_t)userns,
	};
	auto_fd int mnt = open_tree(AT_FDCWD, dir, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (mnt < 0)
		return err_os(e, ERR_INTERNAL, "bind %s", dir);
	if (mount_setattr(mnt, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return err_os(e, ERR_INTERNAL, "shift the owners of %s into a user namespace", dir);
	return move_to(mnt, target, e);
}

/* An unmount that failed once must not leave a mount below the next one. EINVAL: nothing is mounted there. */
static void shifted_drop(void)
{
	while (EFFECT(umount2(shifted_dir, MNT_DETACH | UMOUNT_NOFOLLOW)) == 0)
		;
	if (errno != EINVAL && errno != ENOENT)
		log_error("overlay_shifted path=%s error=%s", log_quote(shifted_dir), log_quote(strerror(errno)));
}

static int mount_way(const struct overlay *o, const char *upper, const char *target, struct err *e)
{
	int rc;

	if (o->userns < 0)
		return mount_from(layers_dir, o, upper, target, e);
	shifted_drop();
	if (attach_shifted(layers_dir, o->userns, 0, shifted_dir, e) < 0)
		return -1;
	rc = mount_from(shifted_dir, o, upper, target, e);
	shifted_drop();
	return rc;
}

/* The path, if it is below root, relative to the layers directory. */
static const char *relative(const char *path, struct arena *a)
{
	size_t n = strlen(root);

	return strncmp(path, root, n) == 0 && path[n] == '/' ? arena_printf(a, "..%s", path + n) : path;
}

int overlay_mount(const struct strings *layers, const char *upper, int userns, const char *label, const char *target,
		  struct err *e)
{
	struct arena *a = arena_new();
	struct overlay o = { layers, userns, label };
	int rc = mount_way(&o, relative(upper, a), target, e);

	arena_free(a);
	return rc;
}

static int bind_readonly(const char *dir, const char *target, struct err *e)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	auto_fd int mnt = open_tree(AT_FDCWD, dir, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (mnt < 0)
		return err_os(e, ERR_INTERNAL, "bind %s", dir);
	if (mount_setattr(mnt, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return err_os(e, ERR_INTERNAL, "make %s read-only", dir);
	return move_to(mnt, target, e);
}

int overlay_mount_readonly(const struct strings *layers, int userns, const char *label, const char *target,
			   struct err *e)
{
	const char *two[2] = { no_layers, layers->n ? layers->at[0] : NULL };
	struct strings padded = { two, 2 };
	struct overlay o = { layers->n == 1 ? &padded : layers, userns, label };
	char dir[PATH_MAX + NAME_MAX];

	/* An overlay without an upper part needs at least two lower directories: an empty one is put below the only
	 * layer. */
	if (layers->n > 1 || (layers->n == 1 && *label))
		return mount_way(&o, NULL, target, e);
	snprintf(dir, sizeof(dir), "%s/%s", layers_dir, layers->n ? layers->at[0] : no_layers);
	return userns < 0 ? bind_readonly(dir, target, e) : attach_shifted(dir, userns, MOUNT_ATTR_RDONLY, target, e);
}

/* Mounts an overlay with an upper part and makes a file in it. */
static int overlay_probe(const char *scratch, enum overlay_way which, int userns, struct err *e)
{
	struct strings none = { 0 };
	struct arena *a = arena_new();
	const char *target = arena_printf(a, "%s/mnt", scratch);
	auto_fd int fd = -1;
	int rc;

	way = which;
	rc = overlay_mount(&none, scratch, userns, "", target, e);
	if (rc == 0) {
		fd = open(arena_printf(a, "%s/probe", target), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		rc = fd < 0 ? err_os(e, ERR_INTERNAL, "write to an overlay below %s", root) : 0;
		EFFECT(umount2(target, MNT_DETACH));
	}
	arena_free(a);
	return rc;
}

static int overlay_make_dirs(const char *const *dirs, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (EFFECT(mkdir(dirs[i], 0700)) < 0 && errno != EEXIST)
			return err_os(e, ERR_FAILED_PRECONDITION, "make %s", dirs[i]);
	return 0;
}

/* Removes what overlay_probe() made: one file, the directories that overlayfs makes in work/, and the mount, which
 * stays if crispd is killed during the probe. */
static void overlay_clean(const char *scratch, struct arena *a)
{
	static const char *const left[] = { "fs/probe", "work/work/incompat/volatile/dirty",
		"work/work/incompat/volatile", "work/work/incompat", "work/work", "work/index", "work", "fs", "mnt" };

	EFFECT(umount2(arena_printf(a, "%s/mnt", scratch), MNT_DETACH));
	for (size_t i = 0; i < sizeof(left) / sizeof(*left); i++)
		remove(arena_printf(a, "%s/%s", scratch, left[i]));
	EFFECT(rmdir(scratch));
}

static const char *make_scratch(struct arena *a, struct err *e)
{
	const char *scratch = arena_printf(a, "%s/overlay-probe", root);
	const char *dirs[] = { scratch, arena_printf(a, "%s/fs", scratch), arena_printf(a, "%s/work", scratch),
		arena_printf(a, "%s/mnt", scratch) };

	overlay_clean(scratch, a);
	return overlay_make_dirs(dirs, sizeof(dirs) / sizeof(*dirs), e) < 0 ? NULL : scratch;
}

static int find_way(struct arena *a, struct err *e)
{
	const char *scratch = make_scratch(a, e);
	struct err why;
	int rc;

	if (!scratch)
		return -1;
	rc = overlay_probe(scratch, OVERLAY_FSOPEN, -1, &why);
	if (rc < 0) {
		log_info("overlay_probe way=fsopen error=%s", log_quote(why.msg));
		if (!make_scratch(a, e))
			return -1;
		rc = overlay_probe(scratch, OVERLAY_MOUNT, -1, e);
	}
	overlay_clean(scratch, a);
	if (rc == 0)
		return 0;
	/* By fsopen(2) the kernel says what it does not like. */
	if (strstr(why.msg, "overlay: "))
		*e = why;
	e->code = ERR_FAILED_PRECONDITION;
	return err_wrap(e, "no overlay below %s, which must be on a file system such as ext4 or xfs, not in an overlay",
			root);
}

int overlay_open(const char *root_dir, struct err *e)
{
	struct arena *a = arena_new();
	const char *dirs[] = { root_dir, layers_dir, shifted_dir, arena_printf(a, "%s/empty", root_dir) };
	int rc;

	root = root_dir;
	snprintf(layers_dir, sizeof(layers_dir), "%s/layers", root);
	snprintf(shifted_dir, sizeof(shifted_dir), "%s/shifted", root);
	shifted_drop(); /* left by a crispd that was killed during a mount */
	rc = overlay_make_dirs(dirs, sizeof(dirs) / sizeof(*dirs), e);
	if (rc == 0)
		rc = find_way(a, e);
	if (rc == 0)
		log_info("overlay_probe way=%s", way == OVERLAY_FSOPEN ? "fsopen" : "mount");
	arena_free(a);
	return rc;
}

int overlay_probe_userns(int userns, struct err *e)
{
	struct arena *a = arena_new();
	const char *scratch = make_scratch(a, e);
	int rc = scratch ? overlay_probe(scratch, way, userns, e) : -1;

	if (scratch)
		overlay_clean(scratch, a);
	arena_free(a);
	return rc;
}
