/* copy.c - see copy.h. */
#include "images/unpack/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "reactor/log.h"
#include "reactor/own.h"

enum { COPY_BYTES = 1 << 20 };

static int copy_xattr(int from, int to, const char *name, struct err *e)
{
	auto_free char *value = own_must(malloc(XATTR_SIZE_MAX));
	ssize_t n = fgetxattr(from, name, value, XATTR_SIZE_MAX);

	if (n < 0 || fsetxattr(to, name, value, (size_t)n, 0) < 0)
		return err_os(e, ERR_INTERNAL, "copy extended attribute %s", log_quote(name));
	return 0;
}

static int copy_xattrs(int from, int to, bool with_overlay, struct err *e)
{
	auto_free char *names = own_must(malloc(XATTR_LIST_MAX));
	ssize_t n = flistxattr(from, names, XATTR_LIST_MAX);

	if (n < 0)
		return errno == ENOTSUP ? 0 : err_os(e, ERR_INTERNAL, "list extended attributes");
	for (const char *name = names; name < names + n; name += strlen(name) + 1)
		if ((with_overlay || strncmp(name, "trusted.overlay.", 16) != 0) &&
		    strcmp(name, "security.selinux") != 0 && copy_xattr(from, to, name, e) < 0)
			return -1;
	return 0;
}

static uid_t copy_uid(const struct copy_owner *o, uid_t uid)
{
	return o ? shift_id(o->uids, uid) : uid;
}

static gid_t copy_gid(const struct copy_owner *o, gid_t gid)
{
	return o ? shift_id(o->gids, gid) : gid;
}

int copy_attributes(int from, int to, bool with_overlay, const struct copy_owner *owner, struct err *e)
{
	struct timespec times[2];
	struct stat st;

	if (fstat(from, &st) < 0)
		return err_os(e, ERR_INTERNAL, "stat");
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	if (fchown(to, copy_uid(owner, st.st_uid), copy_gid(owner, st.st_gid)) < 0 ||
	    fchmod(to, st.st_mode & 07777) < 0)
		return err_os(e, ERR_INTERNAL, "set owner and mode");
	if (copy_xattrs(from, to, with_overlay, e) < 0)
		return -1;
	return futimens(to, times) < 0 ? err_os(e, ERR_INTERNAL, "set times") : 0;
}

static int copy_bytes(int from, int to, const char *name, struct err *e)
{
	ssize_t n;

	if (ioctl(to, FICLONE, from) == 0)
		return 0;
	while ((n = copy_file_range(from, NULL, to, NULL, COPY_BYTES, 0)) > 0)
		continue;
	return n < 0 ? err_os(e, ERR_INTERNAL, "copy %s", log_quote(name)) : 0;
}

static int copy_file(int from_dir, const char *name, int to_dir, const struct copy_owner *owner, struct err *e)
{
	auto_fd int from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	auto_fd int to =
		from < 0 ? -1 : openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (to < 0)
		return err_os(e, ERR_INTERNAL, "copy %s", log_quote(name));
	return copy_bytes(from, to, name, e) < 0 ? -1 : copy_attributes(from, to, false, owner, e);
}

static int copy_node(int from_dir, const char *name, const struct stat *st, int to_dir)
{
	char target[PATH_MAX];
	ssize_t n;

	if (!S_ISLNK(st->st_mode))
		return mknodat(to_dir, name, st->st_mode & S_IFMT, st->st_rdev);
	n = readlinkat(from_dir, name, target, sizeof(target) - 1);
	if (n < 0)
		return -1;
	target[n] = '\0';
	return symlinkat(target, to_dir, name);
}

int copy_object(int from_dir, const char *name, const struct stat *st, int to_dir, const struct copy_owner *owner,
		struct err *e)
{
	struct timespec times[2] = { st->st_atim, st->st_mtim };

	if (S_ISREG(st->st_mode))
		return copy_file(from_dir, name, to_dir, owner, e);
	if (copy_node(from_dir, name, st, to_dir) < 0 ||
	    fchownat(to_dir, name, copy_uid(owner, st->st_uid), copy_gid(owner, st->st_gid),
		     AT_SYMLINK_NOFOLLOW) < 0 ||
	    (!S_ISLNK(st->st_mode) && fchmodat(to_dir, name, st->st_mode & 07777, 0) < 0) ||
	    utimensat(to_dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return err_os(e, ERR_INTERNAL, "copy %s", log_quote(name));
	return 0;
}
