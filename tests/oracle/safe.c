/* safe.c - see probe.h: system calls made for real. Each is made in a child of its own, with arguments that do no harm
 * when the call is allowed: a bad pointer, a bad descriptor, or an effect that ends with the child. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/oracle/probe.h"

#define BAD ((long)-1L)
#define NR_X32(nr) (0x40000000L + (nr))

/* name, number, arguments */
static const struct call {
	const char *name;
	long nr, a, b, c, d;
} calls[] = {
	{ "unshare user", SYS_unshare, CLONE_NEWUSER, 0, 0, 0 },
	{ "unshare mount", SYS_unshare, CLONE_NEWNS, 0, 0, 0 },
	{ "unshare net", SYS_unshare, CLONE_NEWNET, 0, 0, 0 },
	{ "unshare files", SYS_unshare, CLONE_FILES, 0, 0, 0 },
	{ "setns", SYS_setns, BAD, 0, 0, 0 },
	{ "clone3", SYS_clone3, 0, 0, 0, 0 },
	{ "clone bad flags", SYS_clone, CLONE_THREAD, 0, 0, 0 },
	{ "clone new user", SYS_clone, CLONE_NEWUSER | CLONE_FS, 0, 0, 0 }, /* refused by the kernel: EINVAL */
	{ "mount", SYS_mount, 0, BAD, 0, 0 },
	{ "umount2", SYS_umount2, BAD, 0, 0, 0 },
	{ "pivot_root", SYS_pivot_root, BAD, BAD, 0, 0 },
	{ "chroot", SYS_chroot, BAD, 0, 0, 0 },
	{ "fsopen", SYS_fsopen, BAD, 0, 0, 0 },
	{ "open_tree", SYS_open_tree, BAD, BAD, 0, 0 },
	{ "move_mount", SYS_move_mount, BAD, BAD, BAD, BAD },
	{ "mount_setattr", SYS_mount_setattr, BAD, 0, 0, 0 },
	{ "bpf", SYS_bpf, 5, BAD, 0, 0 },
	{ "perf_event_open", SYS_perf_event_open, BAD, 0, BAD, BAD },
	{ "ptrace attach", SYS_ptrace, 16, 0x7fffffff, 0, 0 },
	{ "process_vm_readv", SYS_process_vm_readv, 0x7fffffff, 0, 0, 0 },
	{ "kcmp", SYS_kcmp, 0x7fffffff, 0x7fffffff, 0, 0 },
	{ "pidfd_open", SYS_pidfd_open, 1, 0, 0, 0 },
	{ "pidfd_getfd", SYS_pidfd_getfd, BAD, 0, 0, 0 },
	{ "keyctl", SYS_keyctl, 0, 0xfffffffdL, 0, 0 },
	{ "add_key", SYS_add_key, 0, 0, 0, 0 },
	{ "request_key", SYS_request_key, 0, 0, 0, 0 },
	{ "io_uring_setup", SYS_io_uring_setup, 0, 0, 0, 0 },
	{ "io_uring_enter", SYS_io_uring_enter, BAD, 0, 0, 0 },
	{ "userfaultfd", SYS_userfaultfd, 0x7fff0000, 0, 0, 0 },
	{ "kexec_load", SYS_kexec_load, 0, 1000, 0, 0 },
	{ "init_module", SYS_init_module, BAD, 0, 0, 0 },
	{ "delete_module", SYS_delete_module, BAD, 0, 0, 0 },
	{ "reboot", SYS_reboot, 0, 0, 0, 0 }, /* without the magic numbers */
	{ "swapon", SYS_swapon, BAD, 0, 0, 0 },
	{ "acct", SYS_acct, BAD, 0, 0, 0 },
	{ "settimeofday", SYS_settimeofday, BAD, 0, 0, 0 },
	{ "clock_adjtime", SYS_clock_adjtime, 0x7fffffff, 0, 0, 0 },
	{ "quotactl", SYS_quotactl, BAD, 0, 0, 0 },
	{ "syslog", SYS_syslog, 10, 0, 0, 0 },
	{ "iopl", SYS_iopl, 4, 0, 0, 0 },
	{ "open_by_handle_at", SYS_open_by_handle_at, BAD, 0, 0, 0 },
	{ "name_to_handle_at", SYS_name_to_handle_at, BAD, BAD, 0, 0 },
	{ "fanotify_init", SYS_fanotify_init, 0x7fff0000, 0, 0, 0 },
	{ "personality query", SYS_personality, 0xffffffffL, 0, 0, 0 },
	{ "personality linux32", SYS_personality, 8, 0, 0, 0 },
	{ "personality no random", SYS_personality, 0x40000, 0, 0, 0 },
	{ "socket vsock", SYS_socket, 40, SOCK_STREAM, 0, 0 },
	{ "socket alg", SYS_socket, 38, SOCK_SEQPACKET, 0, 0 },
	{ "socket packet", SYS_socket, AF_PACKET, SOCK_RAW, 0, 0 },
	{ "socket raw", SYS_socket, AF_INET, SOCK_RAW, 1, 0 },
	{ "socket ping", SYS_socket, AF_INET, SOCK_DGRAM, 1, 0 },
	{ "setuid", SYS_setuid, 12345, 0, 0, 0 },
	{ "setgid", SYS_setgid, 12345, 0, 0, 0 },
	{ "setgroups", SYS_setgroups, 0, 0, 0, 0 },
	{ "sethostname", SYS_sethostname, BAD, BAD, 0, 0 },
	{ "setpriority", SYS_setpriority, 0, 0, -5L, 0 },
	{ "sched_setattr", SYS_sched_setattr, 0, 0, 0, 0 },
	{ "setrlimit raise", SYS_prlimit64, 0, 7, BAD, 0 },
	{ "mlockall", SYS_mlockall, MCL_FUTURE, 0, 0, 0 },
	{ "mbind", SYS_mbind, 0, 0, 0, 0 },
	{ "set_mempolicy", SYS_set_mempolicy, 0, 0, 0, 0 },
	{ "memfd_create", SYS_memfd_create, BAD, 0, 0, 0 },
	{ "memfd_secret", 447, 0x7fff0000, 0, 0, 0 },
	{ "landlock_create_ruleset", 444, 0, 0, 1, 0 },
	{ "futex_waitv", 449, 0, 0, 0, 0 },
	{ "cachestat", 451, BAD, 0, 0, 0 },
	{ "fchmodat2", 452, BAD, BAD, 0, 0 },
	{ "map_shadow_stack", 453, 1, 0, 0, 0 },
	{ "statmount", 457, 0, 0, 0, 0 },
	{ "listmount", 458, 0, 0, 0, 0 },
	{ "lsm_get_self_attr", 459, 0, 0, 0, 0 },
	{ "mseal", 462, 1, 0, 0, 0 },
	{ "openat2", SYS_openat2, BAD, BAD, 0, 0 },
	{ "newer than any profile", 900, 0, 0, 0, 0 },
	{ "far out", 0x7000, 0, 0, 0, 0 },
	{ "negative", BAD, 0, 0, 0, 0 },
	{ "x32 getpid", NR_X32(39), 0, 0, 0, 0 },
};

/* What the child did: its error, or the signal that ended it. */
static void call_once(const struct call *c)
{
	int *error = mmap(NULL, sizeof(*error), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char key[80];
	int status;
	pid_t pid;

	if (error == MAP_FAILED)
		return;
	snprintf(key, sizeof(key), "call %s", c->name);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		*error = syscall(c->nr, c->a, c->b, c->c, c->d, 0L, 0L) < 0 ? errno : 0;
		_exit(0);
	}
	if (pid < 0)
		say_errno(key, errno);
	else if (waitpid(pid, &status, 0) == pid && WIFSIGNALED(status))
		say(key, "signal %d", WTERMSIG(status));
	else
		say_errno(key, *error);
	munmap(error, sizeof(*error));
}

void probe_safe_calls(void)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		call_once(&calls[i]);
}
