/* confine.c - see confine.h. */
#include "images/unpack/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "reactor/own.h"
#include "reactor/privileges.h"

enum { MEMORY_MAX = 1 << 30, FDS_MAX = 64 };

int confine_enter(int dir_fd, const char *path, struct err *e)
{
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
		.propagation = MS_PRIVATE,
	};
	auto_fd int mount = (int)syscall(SYS_open_tree, dir_fd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (mount < 0)
		return err_os(e, ERR_INTERNAL, "confine: open_tree");
	if (syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return err_os(e, ERR_INTERNAL, "confine: mount_setattr");
	if (fchdir(mount) < 0 || chroot(".") < 0)
		return err_os(e, ERR_INTERNAL, "confine: chroot");
	return take_fd(&mount); /* the mount exists as long as this fd is open */
}

static int limit(int what, rlim_t max, struct err *e)
{
	struct rlimit r = { max, max };

	return setrlimit(what, &r) < 0 ? err_os(e, ERR_INTERNAL, "confine: setrlimit") : 0;
}

static int set_limits(uint64_t max_file_bytes, struct err *e)
{
#ifndef __SANITIZE_ADDRESS__ /* its shadow memory alone is terabytes of address space */
	if (limit(RLIMIT_AS, MEMORY_MAX, e) < 0)
		return -1;
#endif
	signal(SIGXFSZ, SIG_IGN); /* so that write(2) returns EFBIG, which becomes an error with the entry's name */
	return limit(RLIMIT_CORE, 0, e) < 0 || limit(RLIMIT_NPROC, 0, e) < 0 || limit(RLIMIT_NOFILE, FDS_MAX, e) < 0 ||
		limit(RLIMIT_FSIZE, max_file_bytes, e) < 0 ? -1 : 0;
}

/* What both filters allow: the stream, memory, time, the end. */
static const int allowed_both[] = {
	SCMP_SYS(read),
	SCMP_SYS(pread64),
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(futex),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(exit_group),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(tgkill), /* abort(3) */
#ifdef __SANITIZE_ADDRESS__
	SCMP_SYS(mprotect),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(sched_yield),
	SCMP_SYS(readlink),
	SCMP_SYS(rt_sigaction),
#endif
};

static const int allowed_files[] = {
	/* the report, and content */
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(pwrite64),
	SCMP_SYS(close),
	/* finding and making things */
	SCMP_SYS(openat),
	SCMP_SYS(openat2),
	SCMP_SYS(mkdirat),
	SCMP_SYS(mknodat),
	SCMP_SYS(symlinkat),
	SCMP_SYS(linkat),
	SCMP_SYS(unlinkat),
	SCMP_SYS(readlinkat),
	SCMP_SYS(getdents64),
	SCMP_SYS(dup),
	SCMP_SYS(fcntl),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(fstatfs),
	SCMP_SYS(lseek),
	/* attributes */
	SCMP_SYS(fchown),
	SCMP_SYS(fchownat),
	SCMP_SYS(fchmod),
	SCMP_SYS(fchmodat),
	SCMP_SYS(utimensat),
	SCMP_SYS(fsetxattr),
	SCMP_SYS(ftruncate),
};

/* The thread that inflates (ahead.h) reads the blob, and makes bytes. */
static const int allowed_thread[] = {
	SCMP_SYS(exit),
#ifdef __SANITIZE_ADDRESS__
	SCMP_SYS(write), /* its reports */
#endif
};

static int allow(scmp_filter_ctx filter, const int *calls, size_t n)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	return r;
}

/* Beside allowed_both. */
static int set_filter(const int *calls, size_t n, struct err *e)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r = filter ? 0 : -ENOMEM;

	if (r == 0)
		r = allow(filter, allowed_both, sizeof(allowed_both) / sizeof(*allowed_both));
	if (r == 0)
		r = allow(filter, calls, n);
	if (r == 0) /* no executable pages */
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (r == 0) /* tree_remove() reads the flags of a file that it cannot remove; changing them is not allowed */
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				     SCMP_A1(SCMP_CMP_EQ, FS_IOC_GETFLAGS, 0));
	if (r == 0)
		r = seccomp_load(filter);
	if (filter)
		seccomp_release(filter);
	errno = -r;
	return r < 0 ? err_os(e, ERR_INTERNAL, "confine: seccomp") : 0;
}

int confine_seal(uint64_t max_file_bytes, struct err *e)
{
	static const int keep[] = { CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_MKNOD, CAP_SETFCAP, -1 };

	return set_limits(max_file_bytes, e) < 0 || privileges_keep(keep, e) < 0 ||
		set_filter(allowed_files, sizeof(allowed_files) / sizeof(*allowed_files), e) < 0 ? -1 : 0;
}

int confine_thread(struct err *e)
{
	static const int none[] = { -1 };

	if (privileges_keep(none, e) < 0)
		return -1;
	return set_filter(allowed_thread, sizeof(allowed_thread) / sizeof(*allowed_thread), e);
}
