/* privileges.c - see privileges.h. By capset(2) itself: libcap-ng speaks of the process's first thread, and would be
 * the only library of crisp-tree. */
#include "reactor/privileges.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

int privileges_keep(const int *capabilities, struct err *e)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	for (; *capabilities >= 0; capabilities++)
		sets[CAP_TO_INDEX(*capabilities)].permitted |= CAP_TO_MASK(*capabilities);
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		sets[i].effective = sets[i].permitted;
	if (syscall(SYS_capset, &head, sets) < 0)
		return err_os(e, ERR_INTERNAL, "capset");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_os(e, ERR_INTERNAL, "no_new_privs");
	return 0;
}

void privileges_last(void)
{
	enum { WHO_PROCESS = 1, BEST_EFFORT_7 = 2 << 13 | 7 }; /* ioprio_set(2) */

	setpriority(PRIO_PROCESS, 0, 19);
	syscall(SYS_ioprio_set, WHO_PROCESS, 0, BEST_EFFORT_7);
}
