/* confine.c - see confine.h. Two system calls and a filter of some twenty instructions: libcap-ng and libseccomp would
 * be most of the program's start. */
#include "procs/net/confine.h"

#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "reactor/privileges.h"

#if defined(__SANITIZE_ADDRESS__) /* looks for leaks in a process of its own */
#elif defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

static const int kept[] = { CAP_NET_ADMIN, CAP_SYS_ADMIN, CAP_DAC_OVERRIDE, -1 };

static const uint32_t refused[] = {
	SYS_execve, SYS_execveat, SYS_clone, SYS_clone3,
#ifdef SYS_fork
	SYS_fork, SYS_vfork,
#endif
	SYS_unshare, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_bpf, SYS_perf_event_open,
	SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_open_by_handle_at, SYS_mount,
	SYS_move_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_keyctl, SYS_add_key, SYS_userfaultfd,
};

enum { REFUSED = sizeof(refused) / sizeof(*refused) };

static bool is_kept(int cap)
{
	for (size_t i = 0; kept[i] >= 0; i++)
		if (kept[i] == cap)
			return true;
	return false;
}

static int confine_capabilities(struct err *e)
{
	/* EINVAL: there is no capability of that number any more */
	for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		if (!is_kept(cap) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return err_os(e, ERR_INTERNAL, "confine: bounding set");
	return privileges_keep(kept, e);
}

#ifdef ARCH
/* Another architecture's calls have other numbers: all of them are refused. */
static int confine_calls(struct err *e)
{
	struct sock_filter code[REFUSED + 7], *to = code;
	struct sock_fprog program = { .filter = code };

	*to++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	*to++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 0, REFUSED + 3);
	*to++ = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	/* x32, which has numbers of its own */
	*to++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, REFUSED + 1, 0);
	for (unsigned i = 0; i < REFUSED; i++)
		*to++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, refused[i], REFUSED - i, 0);
	*to++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	*to++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	program.len = (unsigned short)(to - code);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		return err_os(e, ERR_INTERNAL, "confine: seccomp");
	return 0;
}
#else
static int confine_calls(struct err *e)
{
	(void)e;
	return 0;
}
#endif

int confine(struct err *e)
{
	return confine_capabilities(e) < 0 || confine_calls(e) < 0 ? -1 : 0;
}
