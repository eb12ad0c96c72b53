/* main.c - pid 1 of a pod's shared PID namespace: reaps, ends on SIGTERM or SIGINT, has nothing to steal.
 *
 * The containers of the pod see it in their /proc, so /proc/1/root, /proc/1/cwd and /proc/1/exe must lead to nothing of
 * the host, whatever capabilities they were given. It is started as root in a mount namespace of its own:
 *   launch PIDFILE (in a pod's user namespace, which has to own the other two): makes the PID and the mount
 *               namespace, writes the pid of what then begins with the first run into PIDFILE, which is there already,
 *               and ends
 *   first run:  binds its own program read-only over itself and executes that, so that /proc/1/exe cannot be opened
 *               for writing
 *   second run: makes an empty tmpfs its root, detaches the host's tree, becomes 65535:65535 without capabilities,
 *               waits
 *               with label=CONTEXT in its environment it takes that SELinux context in the end, if the policy lets it;
 *               options=TEXT are the tmpfs's
 *   nothing:    ends at once, with success: what a runtime is tried out with
 * No libc: a page of code, no relocations, no heap. Raw system calls of x86_64 and aarch64. */
#include <linux/capability.h>
#include <linux/mount.h>
#include <linux/prctl.h>
#include <linux/wait.h>
#include <asm/signal.h>
#include <asm/unistd.h>

enum { NOBODY = 65535, FAILED = 70, DETACH = 2 /* MNT_DETACH */ };
enum { NEW_PID = 0x20000000, NEW_MOUNTS = 0x20000, NO_SUCH_ID = -22 /* EINVAL */ };

#if defined(__x86_64__)
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

/* Ends the process when a step failed: half a confinement is none. */
static void must(long ret)
{
	if (ret < 0)
		quit(FAILED);
}

static long mount(const char *source, const char *target, const char *type, unsigned long flags, const char *options)
{
	return call(__NR_mount, (long)source, (long)target, (long)type, (long)flags, (long)options);
}

/* What stands behind "NAME=" in the environment; NULL. Names differ in their first letter. */
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
	/* the old root lies on top of the new one, and goes */
	must(call(__NR_pivot_root, (long)".", (long)".", 0, 0, 0));
	must(call(__NR_umount2, (long)".", DETACH, 0, 0, 0));
	must(call(__NR_chdir, (long)"/", 0, 0, 0, 0));
}

/* A pod's user namespace may be too small to have it: then it stays that one's root, which is nobody outside. */
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

	must(call(__NR_setgroups, 0, 0, 0, 0, 0));
	become_nobody(__NR_setresgid);
	become_nobody(__NR_setresuid);
	must(call(__NR_capset, (long)&head, (long)none, 0, 0, 0));
	must(call(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	must(call(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0));
}

/* Opened while there is a proc, written when nothing is left to do that the label would forbid. A policy that does not
 * let it change has a process that only waits under the daemons' label: nothing to fail a pod for. */
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

/* Signals are blocked and fetched: a blocked one reaches even pid 1 from inside its namespace (kernel/signal.c,
 * sig_ignored()). */
static void wait_for_the_end(void)
{
	unsigned long all = ~0UL; /* the kernel's set is 64 bits */

	must(call(__NR_rt_sigprocmask, SIG_BLOCK, (long)&all, 0, 8, 0));
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
