/* fuzz_proc.c - any bytes as the kernel's texts about mounts and processes. A container chooses parts of them: the
 * names of processes, cgroups and mount points. The first byte selects the text. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "procs/cgroup.h"
#include "procs/cgroup/tree.h"
#include "procs/mount_host.h"
#include "procs/pidstat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void mountinfo(const char *text, size_t len)
{
	static char path[32];
	static int file = -1;
	struct cgroup_config cfg = { "/crisp", "cgroupfs", path };
	struct err e;

	if (file < 0)
		file = memfd_create("mountinfo", MFD_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	if (ftruncate(file, 0) < 0 || pwrite(file, text, len, 0) != (ssize_t)len)
		abort();
	if (cgroup_open(&cfg, &e) < 0)
		return;
	if (!nhierarchies || nhierarchies > HIERARCHIES_MAX)
		abort();
	for (size_t i = 0; i < nhierarchies; i++)
		if (strlen(cgroup_file(&hierarchies[i], "/a", "b").s) >= CGROUP_PATH_MAX ||
		    hierarchies[i].v2 == (*hierarchies[i].controllers == ','))
			abort();
}

static void peers(const char *text)
{
	struct mount_peers out;

	mount_peers_parse(text, &out);
	if (out.shared && !strstr(text, " shared:"))
		abort();
}

static void cgroup(const char *text)
{
	const struct hierarchy v1 = { "/m", ",cpu,cpuacct,", 0, false }, v2 = { "/m", "", 0, true };

	if (cgroup_line_names(&v2, "/crisp/a", text) == 1 && !strstr(text, "/crisp/a"))
		abort();
	cgroup_line_names(&v1, "/crisp/a", text);
}

static void stat_line(const char *text)
{
	struct pidstat out;

	if (pidstat_parse(text, &out) && !strchr(text, ')'))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (!size)
		return 0;
	text = malloc(size);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	switch (data[0] % 4) {
	case 0: mountinfo(text, size - 1); break;
	case 1: peers(text); break;
	case 2: cgroup(text); break;
	default: stat_line(text);
	}
	free(text);
	return 0;
}
