/* seccomp.c - the system calls that a container may make: linux.seccomp of config.json.
 *
 * RuntimeDefault is containerd 2's profile: a list of calls for every container, further calls for those with a
 * capability, and a few with certain arguments only. Every other call is EPERM. Localhost profiles: profile.c.
 * Specs: CRI v1 SecurityProfile; OCI runtime-spec config-linux.md "Seccomp". (ARCHITECTURE P21) */
#include <linux/capability.h>
#include <string.h>

#include "procs/seccomp_bpf.h"
#include "procs/spec/part.h"

/* Runtimes skip names that the kernel or libseccomp does not know. */
/* clang-format off */
static const char *const always[] = {
	/* files */
	"access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat "
	"faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 "
	"fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstat64 fstatat64 "
	"fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd getdents getdents64 getxattr "
	"inotify_add_watch inotify_init inotify_init1 inotify_rm_watch ioctl lchown lchown32 lgetxattr link linkat "
	"listxattr llistxattr _llseek lremovexattr lseek lsetxattr lstat lstat64 mkdir mkdirat mknod mknodat "
	"name_to_handle_at newfstatat open openat openat2 pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev "
	"pwritev2 read readahead readlink readlinkat readv removexattr rename renameat renameat2 rmdir sendfile "
	"sendfile64 setxattr splice stat stat64 statfs statfs64 statx symlink symlinkat sync sync_file_range syncfs "
	"tee truncate truncate64 umask unlink unlinkat utime utimensat utimensat_time64 utimes vmsplice write "
	"writev cachestat",
	/* asynchronous input and output, waiting */
	"io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit epoll_create "
	"epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 "
	"_newselect poll ppoll ppoll_time64 pselect6 pselect6_time64 select signalfd signalfd4",
	/* memory */
	"brk madvise membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall map_shadow_stack mmap mmap2 "
	"mprotect mremap msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect remap_file_pages",
	/* processes, threads, their limits and priorities */
	"capget capset execve execveat exit exit_group fork futex futex_requeue futex_time64 futex_wait futex_waitv "
	"futex_wake get_robust_list get_thread_area getcpu getpgid getpgrp getpid getppid getpriority getrlimit "
	"getrusage getsid gettid ioprio_get ioprio_set landlock_add_rule landlock_create_ruleset "
	"landlock_restrict_self pidfd_open pidfd_send_signal prctl prlimit64 process_mrelease rseq "
	"sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam "
	"sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr "
	"sched_setparam sched_setscheduler sched_yield seccomp set_robust_list set_thread_area set_tid_address "
	"setpgid setpriority setrlimit setsid sysinfo times ugetrlimit uname vfork wait4 waitid waitpid",
	/* users and groups */
	"getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getresgid getresgid32 getresuid "
	"getresuid32 getuid getuid32 setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 "
	"setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setuid setuid32",
	/* signals */
	"kill pause restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn "
	"rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack sigprocmask sigreturn "
	"tgkill tkill",
	/* time; the clock is set by CAP_SYS_TIME alone, in the kernel */
	"adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime "
	"clock_gettime64 clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer time "
	"timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 "
	"timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64",
	/* sockets, but for socket() itself */
	"accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg "
	"recvmmsg_time64 recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketcall socketpair",
	/* System V and POSIX messages, semaphores, shared memory; random numbers */
	"ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend "
	"mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 "
	"shmat shmctl shmdt shmget getrandom",
	/* tracing: safe since seccomp filters run after ptrace, kernel 4.8 */
	"process_vm_readv process_vm_writev ptrace",
#if defined(__x86_64__)
	"arch_prctl modify_ldt",
#elif defined(__aarch64__)
	"arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls",
#elif defined(__powerpc64__)
	"sync_file_range2 swapcontext",
#elif defined(__s390x__)
	"s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr",
#elif defined(__riscv)
	"riscv_flush_icache",
#endif
};

static const struct {
	int cap;
	const char *names;
} with_cap[] = {
	{ CAP_DAC_READ_SEARCH, "open_by_handle_at" },
	{ CAP_SYS_ADMIN, "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount "
			 "mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname "
			 "sethostname setns syslog umount umount2 unshare" },
	{ CAP_SYS_BOOT, "reboot" },
	{ CAP_SYS_CHROOT, "chroot" },
	{ CAP_SYS_MODULE, "delete_module init_module finit_module" },
	{ CAP_SYS_PACCT, "acct" },
	{ CAP_SYS_PTRACE, "kcmp pidfd_getfd process_madvise" },
	{ CAP_SYS_RAWIO, "iopl ioperm" },
	{ CAP_SYS_TIME, "settimeofday stime clock_settime clock_settime64" },
	{ CAP_SYS_TTY_CONFIG, "vhangup" },
	{ CAP_SYS_NICE, "get_mempolicy mbind set_mempolicy set_mempolicy_home_node" },
	{ CAP_SYSLOG, "syslog" },
	{ CAP_BPF, "bpf" },
	{ CAP_PERFMON, "perf_event_open" },
};
/* clang-format on */

/* PER_LINUX, PER_LINUX32, both with UNAME26, and 0xffffffff, which only reads the personality. */
static const uint32_t personalities[] = { 0, 8, 0x20000, 0x20008, 0xffffffff };

enum {
	CLONE_NEW_ANY = 0x7e020000, /* CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET} */
	VSOCK = 40,		    /* AF_VSOCK reaches the hypervisor, and no network policy filters it */
	NOSYS = 38,
#if defined(__s390x__)
	CLONE_FLAGS_ARG = 1,
#else
	CLONE_FLAGS_ARG = 0,
#endif
};

static void add_names(json_t *array, const char *words)
{
	while (*words) {
		size_t n = strcspn(words, " ");

		spec_add(array, json_stringn_nocheck(words, n));
		words += n + (words[n] == ' ');
	}
}

static void allow(json_t *calls, json_t *names)
{
	spec_add(calls, json_pack("{s:o,s:s}", "names", names, "action", "SCMP_ACT_ALLOW"));
}

static void allow_when(json_t *calls, const char *name, int index, const char *op, uint64_t value, uint64_t value_two)
{
	spec_add(calls,
		 json_pack("{s:[s],s:s,s:[{s:i,s:I,s:I,s:s}]}", "names", name, "action", "SCMP_ACT_ALLOW", "args",
			   "index", index, "value", (json_int_t)value, "valueTwo", (json_int_t)value_two, "op", op));
}

static json_t *always_names(void)
{
	static json_t *names; /* the same for every container: shared by reference */

	if (!names) {
		names = own_must(json_array());
		for (size_t i = 0; i < sizeof(always) / sizeof(*always); i++)
			add_names(names, always[i]);
	}
	return json_incref(names);
}

static json_t *default_architectures(void)
{
#if defined(__x86_64__)
	return json_pack("[sss]", "SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32");
#elif defined(__aarch64__)
	return json_pack("[ss]", "SCMP_ARCH_ARM", "SCMP_ARCH_AARCH64");
#elif defined(__s390x__)
	return json_pack("[ss]", "SCMP_ARCH_S390", "SCMP_ARCH_S390X");
#else
	return json_pack("[s]", spec_native_arch());
#endif
}

static json_t *runtime_default(uint64_t caps)
{
	json_t *calls = own_must(json_array());

	allow(calls, always_names());
	allow_when(calls, "socket", 0, "SCMP_CMP_NE", VSOCK, 0);
	for (size_t i = 0; i < sizeof(personalities) / sizeof(*personalities); i++)
		allow_when(calls, "personality", 0, "SCMP_CMP_EQ", personalities[i], 0);
	for (size_t i = 0; i < sizeof(with_cap) / sizeof(*with_cap); i++) {
		if (caps & CAP(with_cap[i].cap)) {
			json_t *names = own_must(json_array());

			add_names(names, with_cap[i].names);
			allow(calls, names);
		}
	}
	if (!(caps & CAP(CAP_SYS_ADMIN))) {
		allow_when(calls, "clone", CLONE_FLAGS_ARG, "SCMP_CMP_MASKED_EQ", CLONE_NEW_ANY, 0);
		/* clone3 has its flags behind a pointer, which no filter can read. ENOSYS makes libc use clone. */
		spec_add(calls, json_pack("{s:[s],s:s,s:i}", "names", "clone3", "action", "SCMP_ACT_ERRNO", "errnoRet",
					  NOSYS));
	}
	return json_pack("{s:s,s:o,s:o}", "defaultAction", "SCMP_ACT_ERRNO", "architectures", default_architectures(),
			 "syscalls", calls);
}

/* The message `seccomp` overrides the old string, whose values are "", "unconfined", "runtime/default",
 * "docker/default", "localhost/PATH". */
static int seccomp_asked(const struct security *sec, struct profile *p, struct err *e)
{
	const char *old = sec->seccomp_profile_path;

	*p = sec->seccomp;
	if (p->set) {
		if (p->type != PROFILE_LOCALHOST && p->localhost_ref[0])
			return err_set(e, ERR_INVALID_ARGUMENT, "seccomp: localhost_ref goes with type Localhost only");
		return 0;
	}
	*p = (struct profile){ .type = PROFILE_UNCONFINED, .localhost_ref = "" };
	if (old[0] == '\0' || strcmp(old, "unconfined") == 0)
		return 0;
	if (strcmp(old, "runtime/default") == 0 || strcmp(old, "docker/default") == 0)
		p->type = PROFILE_RUNTIME_DEFAULT;
	else if (strncmp(old, "localhost/", 10) == 0)
		p->type = PROFILE_LOCALHOST, p->localhost_ref = old;
	else
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "seccomp_profile_path \"%s\": not runtime/default, unconfined or localhost/PATH", old);
	return 0;
}

static const char *profile_path(const struct profile *p)
{
	return strncmp(p->localhost_ref, "localhost/", 10) == 0 ? p->localhost_ref + 10 : p->localhost_ref;
}

void spec_seccomp_look(struct lookup *lookup, const struct security *sec)
{
	struct profile p;
	struct err e;

	if (!sec->privileged && seccomp_asked(sec, &p, &e) == 0 && p.type == PROFILE_LOCALHOST &&
	    *profile_path(&p) == '/')
		lookup_add(lookup, LOOKUP_TEXT, profile_path(&p));
}

/* The profile stays in config.json beside the compiled filter: a runtime that does not know the annotation still
 * applies the profile. */
static void put_filter(struct spec *s, const json_t *profile)
{
	const char *base64;

	if (s->in->features.seccomp_bpf && (base64 = seccomp_bpf_base64(profile)))
		spec_put(json_object_get(s->root, "annotations"), "run.oci.seccomp_bpf_data", spec_str(base64));
}

int spec_seccomp(struct spec *s, struct err *e)
{
	json_t *profile = NULL;
	struct profile p;

	if (s->sec->privileged)
		return 0;
	if (seccomp_asked(s->sec, &p, e) < 0)
		return -1;
	switch (p.type) {
	case PROFILE_UNCONFINED:
		return 0;
	case PROFILE_RUNTIME_DEFAULT:
		profile = runtime_default(s->caps);
		break;
	case PROFILE_LOCALHOST:
		if (spec_profile_load(s->c->lookup, profile_path(&p), s->caps, s->host, &profile, e) < 0)
			return -1;
		break;
	default:
		return err_set(e, ERR_INVALID_ARGUMENT, "seccomp: unknown profile type %d", p.type);
	}
	spec_put(s->linux_, "seccomp", profile);
	put_filter(s, profile);
	return 0;
}
