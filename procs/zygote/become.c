/* become.c - see zygote.h: from the container's root to its program, in the order of runc.
 *
 * Without no_new_privs the filter is loaded while the process may still do so (CAP_SYS_ADMIN); else it comes last, so
 * that it has to allow nothing but execve(2). Each fd above the birth fd is closed, not only marked: execve(2) of
 * /proc/self/fd/N must find nothing (CVE-2024-21626).
 *
 * The process dies with the keeper: by its death signal at first; a change of the user takes that off (kernel/cred.c,
 * commit_creds()), and then EXECUTES cannot be told any more, which ends it. What is left is the instant between that
 * and execve(2): the process is in its group already, by which crispd ends what no keeper reported. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "procs/zygote/zygote.h"
#include "reactor/fault.h"

enum { BIRTH_FD = 3, KEYRING_MODE = 0x3f1b0000 /* possessor: all; user: view, read, search, link */ };

/* The host's session keyring would be inherited else. ENOSYS: a kernel without keys; EDQUOT and the like are errors. */
void become_keyring(const struct born *b)
{
	const char *name = plan_text(b->plan, b->plan->keyring);
	long ring;

	if (!name)
		return;
	ring = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name);
	if (ring < 0 && errno != ENOSYS)
		born_fail(b, "unable to join session keyring");
	if (ring >= 0 && b->plan->kind == PLAN_RUN && syscall(SYS_keyctl, KEYCTL_SETPERM, ring, KEYRING_MODE) < 0)
		born_fail(b, "unable to mod keyring permissions");
}

static void become_limits(const struct born *b)
{
	const struct plan_limit *l = plan_at(b->plan, b->plan->limits);

	for (uint32_t i = 0; i < b->plan->limits.n; i++)
		if (setrlimit((int)l[i].resource, &(struct rlimit){ l[i].soft, l[i].hard }) < 0)
			born_fail(b, "error setting rlimit %u", (unsigned)l[i].resource);
}

static void become_filtered(const struct born *b)
{
	struct sock_fprog program = { (unsigned short)b->plan->filter.n, plan_at(b->plan, b->plan->filter) };

	if (b->plan->flags & PLAN_FILTER &&
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, (unsigned)b->plan->filter_flags, &program) < 0)
		born_fail(b, "error loading seccomp filter into kernel: error loading seccomp filter");
}

/* stdio at 0 to 2, the birth fd at 3, nothing else. */
static void become_stdio(struct born *b)
{
	int from[3] = { b->fds[ZYGOTE_IN], b->fds[ZYGOTE_OUT], b->fds[ZYGOTE_ERR] };
	int birth = fcntl(b->fds[ZYGOTE_BIRTH], F_DUPFD_CLOEXEC, BIRTH_FD + 1);

	if (birth < 0)
		born_fail(b, "duplicate an fd");
	b->fds[ZYGOTE_BIRTH] = birth;
	for (int i = 0; i < 3; i++) {
		if (b->terminal >= 0)
			from[i] = b->terminal;
		else if (from[i] < 0)
			from[i] = null_open(b);
		from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, BIRTH_FD + 1);
		if (from[i] < 0)
			born_fail(b, "duplicate an fd");
	}
	fault_quiet();
	for (int i = 0; i < 3; i++)
		if (dup2(from[i], i) < 0)
			born_fail(b, "dup2");
	if (dup3(birth, BIRTH_FD, O_CLOEXEC) < 0)
		born_fail(b, "dup3");
	b->fds[ZYGOTE_BIRTH] = BIRTH_FD;
	if (fault_close_from(BIRTH_FD + 1) < 0)
		born_fail(b, "close_range");
}

/* So that the process can open /dev/stdout again. Never a null device: it would be changed for everybody. */
static void become_owner(const struct born *b)
{
	struct stat st;

	for (int fd = 0; fd < 3; fd++) {
		if (fstat(fd, &st) < 0)
			born_fail(b, "fstat of the stdio");
		if (st.st_uid == b->plan->uid || (S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)))
			continue;
		if (fchown(fd, b->plan->uid, st.st_gid) < 0 && errno != EINVAL && errno != EPERM && errno != EROFS)
			born_fail(b, "chown of the stdio");
	}
}

static void become_bounded(const struct born *b)
{
	/* EINVAL: behind the kernel's last capability. */
	for (unsigned cap = 0; cap < 64; cap++) {
		if (b->plan->bounding & 1ull << cap)
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
			continue;
		if (errno == EINVAL)
			return;
		born_fail(b, "unable to apply bounding set");
	}
}

static void become_capable(const struct born *b)
{
	const struct plan *p = b->plan;
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = {
		{ (uint32_t)p->effective, (uint32_t)p->permitted, (uint32_t)p->inheritable },
		{ (uint32_t)(p->effective >> 32), (uint32_t)(p->permitted >> 32), (uint32_t)(p->inheritable >> 32) },
	};

	if (syscall(SYS_capset, &head, data) < 0)
		born_fail(b, "unable to apply caps");
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (unsigned cap = 0; cap < 64; cap++)
		if (p->ambient & 1ull << cap && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			born_fail(b, "unable to apply caps: ambient capability %u", cap);
}

static _Noreturn void become_no_cwd(const struct born *b, int error)
{
	errno = error;
	born_fail(b, "chdir to cwd (\"%s\") set in config.json failed", plan_text(b->plan, b->plan->cwd));
}

static void become_user(struct born *b)
{
	const struct plan *p = b->plan;
	const char *cwd = plan_text(p, p->cwd);
	char there[PATH_MAX];
	int error = chdir(cwd) < 0 ? errno : 0;

	/* Once more as the user, who may go where root may not (a directory of NFS). */
	if (error && error != EACCES && error != EPERM)
		become_no_cwd(b, error);
	become_bounded(b);
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		born_fail(b, "unable to set keep caps");
	become_owner(b);
	if (syscall(SYS_setgroups, p->groups.n, plan_at(p, p->groups)) < 0 ||
	    syscall(SYS_setresgid, p->gid, p->gid, p->gid) < 0 || syscall(SYS_setresuid, p->uid, p->uid, p->uid) < 0)
		born_fail(b, "unable to setup user");
	if (error && chdir(cwd) < 0)
		become_no_cwd(b, errno);
	/* "(unreachable)/…": the directory is not below the root (CVE-2024-21626). */
	if (syscall(SYS_getcwd, there, sizeof(there)) < 0 || there[0] != '/')
		born_refuse(b, "current working directory is outside of container mount namespace root -- possible "
			       "container breakout detected");
	prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
	become_capable(b);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); /* a change of user may have set it */
}

/* ---- the program ---- */

static int executable(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno;
	if (S_ISDIR(st.st_mode))
		return EISDIR;
	return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ? errno : 0;
}

static const char *path_of(const struct plan *p)
{
	const union plan_word *env = plan_at(p, p->env);

	for (uint32_t i = 0; i < p->env.n; i++)
		if (strncmp(env[i].text, "PATH=", 5) == 0)
			return env[i].text + 5;
	return "";
}

static const char *find_program(const struct born *b, const char *name)
{
	static char path[PATH_MAX];
	int error;

	if (strchr(name, '/')) {
		error = executable(name);
		if (error == 0)
			return name;
		errno = error;
		if (error == EACCES || error == EISDIR)
			born_fail(b, "exec: \"%s\"", name);
		born_fail(b, "exec: \"%s\": stat %s", name, name);
	}
	for (const char *dir = path_of(b->plan); *dir;) {
		size_t len = strcspn(dir, ":");

		if (len && dir[0] == '/' &&
		    snprintf(path, sizeof(path), "%.*s/%s", (int)len, dir, name) < (int)sizeof(path) &&
		    executable(path) == 0)
			return path;
		dir += len + (dir[len] == ':');
	}
	born_refuse(b, "exec: \"%s\": executable file not found in $PATH", name);
}

static char **words_of(const struct plan *p, struct plan_list list)
{
	union plan_word *w = plan_at(p, list);

	for (uint32_t i = 0; i < list.n; i++)
		w[i].text = plan_text(p, (uint32_t)w[i].at);
	return (char **)w;
}

_Noreturn void become(struct born *b)
{
	char **args = words_of(b->words, b->words->args), **env = words_of(b->plan, b->plan->env);
	const char *program;

	_Static_assert(sizeof(union plan_word) == sizeof(char *), "a list of words is a vector of execve(2)");
	born_wait_to_go(b);
	become_stdio(b);
	become_limits(b);
	if (b->plan->flags & PLAN_NO_NEW_PRIVS && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		born_fail(b, "no_new_privs");
	if (!(b->plan->flags & PLAN_NO_NEW_PRIVS))
		become_filtered(b);
	become_user(b);
	program = find_program(b, args[0]);
	prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
	born_tell(b, BIRTH_EXECUTES);
	if (b->plan->flags & PLAN_NO_NEW_PRIVS)
		become_filtered(b);
	EFFECT(execve(program, args, env));
	born_fail(b, "exec %s", program);
}
