/* fuzz_slices.c - a client's cgroup_parent and list of CPUs, with systemd's names and with paths.
 *
 * The first byte selects the driver. A parent that is accepted gives absolute paths; with systemd each element of the
 * pod's path is a unit's name that systemd takes. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "procs/cgroup.h"
#include "procs/cgroup/tree.h"
#include "procs/cgroup/unit_limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void open_driver(bool with_systemd)
{
	static const char v2[] = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
	static char path[32];
	static int file = -1;
	struct cgroup_config cfg = { "/crisp", with_systemd ? "systemd" : "cgroupfs", path };
	struct err e;

	if (file < 0) {
		file = memfd_create("mountinfo", MFD_CLOEXEC);
		must(pwrite(file, v2, strlen(v2), 0) == (ssize_t)strlen(v2));
		snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	}
	must(cgroup_open(&cfg, &e) == 0);
}

static void check_units(const char *path)
{
	while (*path == '/' && path[1]) {
		size_t n = strcspn(++path, "/");

		must(n > strlen(".slice") && n <= 255 && strncmp(path + n - strlen(".slice"), ".slice", 6) == 0);
		path += n;
	}
	must(!*path || strcmp(path, "/") == 0);
}

static void check_parent(struct arena *a, const char *parent)
{
	char *pod = cgroup_pod_path(a, parent, ID), *container = cgroup_container_path(a, pod, ID), *given;
	char id[65];

	must(pod[0] == '/' && container[0] == '/' && cgroup_own_path(a, pod, ID)[0] == '/');
	must(cgroup_pause_path(a, pod, ID)[0] == '/' && strstr(container, ID));
	given = cgroup_runtime_path(a, container);
	must(*given);
	cgroup_unit(container);
	cgroup_id_of(parent, id);
	if (!cgroup_systemd())
		return;
	check_units(pod);
	must(strstr(given, ":crisp:" ID) && !strchr(given, '/'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t bits[CPU_BYTES_MAX];
	struct arena *a;
	struct err e;
	char *text;

	if (!size)
		return 0;
	a = arena_new();
	text = arena_strndup(a, (const char *)data + 1, size - 1);
	open_driver(data[0] & 1);
	if (cgroup_check_parent(text, &e) == 0)
		check_parent(a, text);
	must(unit_limits_bits(text, bits) <= sizeof(bits));
	arena_free(a);
	return 0;
}
