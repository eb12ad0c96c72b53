/* cgroups.c - see floor.h: cgroups(7). On v1 the child writes "0" into `tasks`, on v2 it is born in its group: a pid
 * that is written into cgroup.procs waits for the kernel's grace period, 7 to 15 ms. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/floor/floor.h"
#include "bench/floor/message.h"

enum { HIERARCHIES = 24 };

static char *hierarchy[HIERARCHIES]; /* .../CGROUP */
static unsigned hierarchies;
static bool v2;

/* cpuset.cpus and cpuset.mems of a new v1 group are empty; no process can join the group until both are written. */
static void copy_up(const char *group, const char *file)
{
	char path[4096], text[256];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/../%s", group, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = read(fd, text, sizeof(text));
	close(fd);
	snprintf(path, sizeof(path), "%s/%s", group, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	need(fd >= 0 && write(fd, text, (size_t)n) == n, path);
	close(fd);
}

void cgroups_find(const char *cgroup)
{
	FILE *f = fopen("/proc/self/mounts", "re");
	char line[1024], where[256], type[32];

	need(f != NULL, "/proc/self/mounts");
	for (int pass = 0; pass < 2 && !hierarchies; pass++, rewind(f))
		while (fgets(line, sizeof(line), f))
			if (sscanf(line, "%*s %255s %31s", where, type) == 2 &&
			    strcmp(type, pass ? "cgroup2" : "cgroup") == 0 && hierarchies < HIERARCHIES) {
				need(asprintf(&hierarchy[hierarchies++], "%s%s", where, cgroup) > 0, where);
				v2 = pass;
			}
	fclose(f);
	for (unsigned i = 0; i < hierarchies; i++) {
		mkdir(hierarchy[i], 0755);
		copy_up(hierarchy[i], "cpuset.cpus");
		copy_up(hierarchy[i], "cpuset.mems");
	}
}

unsigned cgroups_count(void)
{
	return hierarchies;
}

const char *cgroups_at(unsigned i)
{
	return hierarchy[i];
}

/* What a container may open, as on v1: null, zero, full, random, urandom, tty, console, ptmx, pts. */
static void allow_devices(const char *group)
{
	static const char *const rules[] = {
		"c *:* m",   "b *:* m",	  "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm",   "c 1:8 rwm",
		"c 1:9 rwm", "c 5:0 rwm", "c 5:1 rwm", "c 5:2 rwm", "c 136:* rwm",
	};
	char path[4200];
	int fd;

	snprintf(path, sizeof(path), "%s/devices.deny", group);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return; /* another hierarchy, or v2, where the rules are a program */
	need(write(fd, "a", 1) == 1, path);
	close(fd);
	snprintf(path, sizeof(path), "%s/devices.allow", group);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	need(fd >= 0, path);
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
		need(write(fd, rules[i], strlen(rules[i])) > 0, path);
	close(fd);
}

void cgroups_make(unsigned n)
{
	char path[4096];

	for (unsigned i = 0; i < hierarchies; i++) {
		snprintf(path, sizeof(path), "%s/%u", hierarchy[i], n);
		need(mkdir(path, 0755) == 0, path);
		copy_up(path, "cpuset.cpus");
		copy_up(path, "cpuset.mems");
		allow_devices(path);
	}
}

bool cgroups_are_v2(void)
{
	return v2;
}

int cgroups_fd(unsigned n)
{
	char path[4096];
	int fd;

	if (!v2)
		return -1;
	snprintf(path, sizeof(path), "%s/%u", hierarchy[0], n);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	need(fd >= 0, path);
	return fd;
}

void cgroups_join(unsigned n)
{
	char path[4096];
	int fd;

	for (unsigned i = 0; i < hierarchies && !v2; i++) {
		snprintf(path, sizeof(path), "%s/%u/tasks", hierarchy[i], n);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		need(fd >= 0 && write(fd, "0", 1) == 1, path);
		close(fd);
	}
}

void cgroups_remove(unsigned n)
{
	char path[4096];

	for (unsigned i = 0; i < hierarchies; i++) {
		snprintf(path, sizeof(path), "%s/%u", hierarchy[i], n);
		for (int again = 0; rmdir(path) < 0 && errno == EBUSY && again < 1000; again++)
			usleep(100); /* EBUSY: a dead process leaves its group only shortly after it was waited for */
	}
}

void cgroups_remove_parents(void)
{
	for (unsigned i = 0; i < hierarchies; i++)
		rmdir(hierarchy[i]);
}
