/* cgroup_on_paper.h - a cgroup v2 of plain files: the test writes what the kernel would say (tests/fakes/world.h). */
#ifndef TESTS_CGROUP_ON_PAPER_H
#define TESTS_CGROUP_ON_PAPER_H

#include <stdio.h>
#include <sys/stat.h>

#include "procs/cgroup.h"
#include "tests/fakes/world.h"
#include "tests/tap.h"

/* world_dir() is taken for the mount of the only hierarchy; the group /pod is in it. */
static inline void paper_open(void)
{
	char path[300], text[400];
	struct cgroup_config cfg = { "/crisp", "cgroupfs", path };
	struct err e;
	FILE *f;

	snprintf(path, sizeof(path), "%s/mountinfo", world_dir());
	snprintf(text, sizeof(text), "1 0 0:25 / %s rw - cgroup2 cgroup2 rw\n", world_dir());
	f = fopen(path, "we");
	fputs(text, f);
	fclose(f);
	ok(cgroup_open(&cfg, &e) == 0 && cgroup_is_v2());
	snprintf(path, sizeof(path), "%s/pod", world_dir());
	ok(mkdir(path, 0700) == 0);
}

#endif
