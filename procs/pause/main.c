/* main.c - pid 1 of a pod's shared PID namespace: reaps children, ends on SIGTERM or SIGINT.
 *
 * The containers of the pod see it in their /proc. So /proc/1/root, /proc/1/cwd and /proc/1/exe must lead to nothing of
 * the host, whatever capabilities the containers have (ARCHITECTURE S4). It is started as root in a mount namespace of
 * its own. Its argument:
 *   launch PIDFILE  in a pod's user namespace, which has to own the other two: makes the PID and the mount namespace
 *                   and a child in them, writes the child's pid into PIDFILE, which exists already, and ends. The child
 *                   goes on as with no argument.
 *   (none)          first run: binds its own program read-only over itself and executes that with the argument `pod`,
 *                   so that /proc/1/exe cannot be opened for writing
 *   pod             second run: makes an empty tmpfs its root, detaches the host's tree, becomes 65535:65535 without
 *                   capabilities, with an empty bounding set and a seccomp filter, and waits. options=TEXT in the
 *                   environment are the mount options of the tmpfs; with label=CONTEXT it takes that SELinux context
 *                   before the filter, if the policy allows it.
 *   wait            waits as pod does, and is nothing else: its namespaces, root, user and rights are those that an OCI
 *                   runtime gave it, as the first container of a pod (procs/sandbox_box.h)
 *   nothing         ends at once with success: the program with which crispd tries out an OCI runtime
 * No libc: a page of code, no relocations, no heap. Raw system calls of x86_64 and aarch64. */
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <linux/wait.h>
#include <asm/signal.h>
#include <asm/unistd.h>

enum { NOBODY = 65535, FAILED = 70, DETACH = 2 /* MNT_DETACH */ };
enum { NEW_PID = 0x20000000, NEW_MOUNTS = 0x20000, NO_SUCH_ID = -22 /* EINVAL */ };

#if defined(__x86_64__)
enum { ARCH = (int)AUDIT_ARCH_X86_64 };

static long call(long nr, long a, long b, long c, long d, long e)
{
	long ret;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return ret;
}
__asm__(".globl _start\n_start:\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall pause_main\n\thlt\n");
#elif defined(__aarch64__)
enum { ARCH = (int)AUDIT_ARCH_AARCH64 };

static long call(long nr, long a, long b, long c, long d, long e)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;

	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
	return x0;
}
__asm__(".globl _start\n_start:\n\tmov x0, sp\n\tbl pause_main\n\tbrk 0\n");
#else
#error "main.c knows the system calls of x86_64 and aarch64"
#endif

static void quit(int status)
{
	for (;;)
		call(__NR_exit_group, status, 0, 0, 0, 0);
}

/* Ends the process when a step failed: a pause that is only partly confined must not run. */
static void must(long ret)
{
	if (ret < 0)
		quit(FAILED);
}

static long mount(const char *source, const char *target, const char *type, unsigned long flags, const char *options)
{
	return call(__NR_mount, (long)source, (long)target, (long)type, (long)flags, (long)options);
}

/* The value of the environment variable whose name begins with `name`; NULL: not set. The two names that crispd sets
 * differ in their first letter. */
static const char *told(char **env, char name)
{
	for (; *env; env++)
		if ((*env)[0] == name) {
			const char *at = *env;

			while (*at && *at != '=')
				at++;
			return *at ? at + 1 : at;
		}
	return 0;
}

static void run_again_read_only(char **argv, char **env)
{
	char *again[] = { argv[0], "pod", 0 };

	must(mount(0, "/", 0, MS_REC | MS_PRIVATE, 0));
	must(mount(argv[0], argv[0], 0, MS_BIND, 0));
	must(mount(0, argv[0], 0, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, 0));
	must(call(__NR_execve, (long)argv[0], (long)again, (long)env, 0, 0));
}

static void put_pid(const char *path, long pid)
{
	char text[16], *at = text + sizeof(text);
	long fd = call(__NR_openat, -100 /* AT_FDCWD */, (long)path, 1 /* O_WRONLY */, 0, 0), len;

	must(fd);
	for (; pid > 0; pid /= 10)
		*--at = (char)('0' + pid % 10);
	len = text + sizeof(text) - at;
	if (call(__NR_write, fd, (long)at, len, 0, 0) != len)
		quit(FAILED);
}

/* Returns in the child, which is pid 1. */
static void launch(const char *pidfile)
{
	long pid;

	must(call(__NR_unshare, NEW_PID | NEW_MOUNTS, 0, 0, 0, 0));
	pid = call(__NR_clone, SIGCHLD, 0, 0, 0, 0);
	must(pid);
	if (pid == 0)
		return;
	put_pid(pidfile, pid);
	quit(0);
}

static void leave_the_host(const char *options)
{
	must(mount("none", "/proc", "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
		   options ? options : "mode=0555"));
	must(call(__NR_chdir, (long)"/proc", 0, 0, 0, 0));
	/* pivot_root(".", ".") leaves the old root mounted on top of the new one (pivot_root(2)); it is detached */
	must(call(__NR_pivot_root, (long)".", (long)".", 0, 0, 0));
	must(call(__NR_umount2, (long)".", DETACH, 0, 0, 0));
	must(call(__NR_chdir, (long)"/", 0, 0, 0, 0));
}

/* A pod's user namespace may be too small to have the id 65535. The process then stays root of that namespace, which is
 * an id without rights on the host. */
static void become_nobody(long how)
{
	long ret = call(how, NOBODY, NOBODY, NOBODY, 0, 0);

	if (ret != NO_SUCH_ID)
		must(ret);
}

static void drop_rights(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct none[2] = { { 0, 0, 0 }, { 0, 0, 0 } };

	/* Before the ids, which take CAP_SETPCAP away. The kernel answers EINVAL behind its last capability. */
	for (long cap = 0, has; (has = call(__NR_prctl, PR_CAPBSET_READ, cap, 0, 0, 0)) >= 0; cap++)
		if (has)
			must(call(__NR_prctl, PR_CAPBSET_DROP, cap, 0, 0, 0));
	must(call(__NR_setgroups, 0, 0, 0, 0, 0));
	become_nobody(__NR_setresgid);
	become_nobody(__NR_setresuid);
	must(call(__NR_capset, (long)&head, (long)none, 0, 0, 0));
	must(call(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	must(call(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0));
}

/* The file is opened while /proc is still there, and written when no step is left that the label would forbid. Where
 * the policy does not allow the change, the pause waits under the daemons' label, which is no reason to fail the pod.
 * (ARCHITECTURE P26) */
static void take_label(long fd, const char *label)
{
	long n = 0;

	if (!label)
		return;
	while (label[n])
		n++;
	call(__NR_write, fd, (long)label, n, 0, 0);
	call(__NR_close, fd, 0, 0, 0, 0);
}

static long open_label(const char *label)
{
	return label ? call(__NR_openat, 0, (long)"/proc/self/attr/current", 1 /* O_WRONLY */, 0, 0) : -1;
}

/* The system calls of wait_for_the_end(); the kernel makes restart_syscall(2) of a call that it interrupted. Any other
 * call ends the process, and with it the pod: a pause that makes another call does not run its own code any more. The
 * numbers of x32 have bit 30 set and so are none of these. (ARCHITECTURE S7) */
static void allow_only_waiting(void)
{
	static const struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, __builtin_offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)ARCH, 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, __builtin_offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_rt_sigtimedwait, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_wait4, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_exit_group, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_restart_syscall, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { sizeof(filter) / sizeof(*filter), (struct sock_filter *)filter };

	must(call(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)&program, 0, 0));
}

/* Signals are blocked and fetched by rt_sigtimedwait(2). To pid 1 of a PID namespace a signal with the default action
 * is not delivered from inside of it, but a blocked one is kept pending (kernel/signal.c, sig_ignored()). */
static void wait_for_the_end(void)
{
	unsigned long all = ~0UL; /* the kernel's set is 64 bits */

	must(call(__NR_rt_sigprocmask, SIG_BLOCK, (long)&all, 0, 8, 0));
	allow_only_waiting();
	for (;;) {
		long sig = call(__NR_rt_sigtimedwait, (long)&all, 0, 0, 8, 0);

		if (sig == SIGTERM || sig == SIGINT)
			quit(0);
		while (sig == SIGCHLD && call(__NR_wait4, -1, 0, WNOHANG, 0, 0) > 0)
			;
	}
}

void pause_main(long *stack); /* called by _start with argc, argv[0], argv[1], ..., NULL */

__attribute__((used, noreturn)) void pause_main(long *stack)
{
	char **argv = (char **)(stack + 1), **env = argv + stack[0] + 1;
	const char *label = told(env, 'l');
	long fd;

	if (stack[0] < 1)
		quit(FAILED);
	if (stack[0] == 2 && argv[1][0] == 'n')
		quit(0);
	if (stack[0] == 2 && argv[1][0] == 'w')
		wait_for_the_end();
	if (stack[0] == 3)
		launch(argv[2]);
	if (stack[0] != 2)
		run_again_read_only(argv, env);
	fd = open_label(label);
	leave_the_host(told(env, 'o'));
	drop_rights();
	take_label(fd, label);
	wait_for_the_end();
	__builtin_unreachable();
}
