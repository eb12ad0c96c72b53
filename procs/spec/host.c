/* host.c - what this machine and the daemon's own process allow, read once. */
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>

#include "procs/apparmor.h"
#include "procs/cgroup.h"
#include "procs/spec/part.h"

static void first_word(const char *path, char *out, size_t size)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, out, size - 1);

	out[n < 0 ? 0 : n] = '\0';
	out[strcspn(out, " \n")] = '\0';
}

static uint64_t bounding_set(void)
{
	uint64_t set = 0;

	for (int i = 0; i < CAPS; i++)
		if (prctl(PR_CAPBSET_READ, i, 0, 0, 0) == 1)
			set |= CAP(i);
	return set;
}

static bool hugetlb_controller(bool v2)
{
	char controllers[512];
	auto_fd int fd = -1;
	ssize_t n;

	if (!v2)
		return access("/sys/fs/cgroup/hugetlb", F_OK) == 0;
	fd = open("/sys/fs/cgroup/cgroup.controllers", O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, controllers, sizeof(controllers) - 1);
	controllers[n < 0 ? 0 : n] = '\0';
	return strstr(controllers, "hugetlb") != NULL;
}

static struct spec_host host_look(void)
{
	struct spec_host h = { .caps = bounding_set(), .cgroup_v2 = cgroup_is_v2() };
	struct utsname u;
	char word[32];
	char *end;

	first_word("/proc/self/oom_score_adj", word, sizeof(word));
	h.oom_score_adj = (int)strtol(word, NULL, 10);
	h.lowers_oom_score = h.caps & CAP(CAP_SYS_RESOURCE);
	/* v1 has the memsw files only if the kernel was booted with swap accounting; v2 always accounts for swap, if
	 * the kernel has swap at all. */
	h.swap_accounting =
		access(h.cgroup_v2 ? "/proc/swaps" : "/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes", F_OK) == 0;
	h.hugetlb = hugetlb_controller(h.cgroup_v2);
	h.apparmor = apparmor_enabled();
	uname(&u);
	h.kernel_major = (unsigned)strtoul(u.release, &end, 10);
	h.kernel_minor = *end == '.' ? (unsigned)strtoul(end + 1, NULL, 10) : 0;
	return h;
}

const struct spec_host *spec_host(void)
{
	static struct spec_host host;
	static bool known;

	if (!known)
		host = host_look();
	known = true;
	return &host;
}
