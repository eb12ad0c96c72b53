/* proc.c - see probe.h: proc(5). */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/oracle/probe.h"

enum { TEXT_ROOM = 256 * 1024 };

static char text[TEXT_ROOM];

/* Splits `text` into lines; calls fn for each with its number. */
static void each_line(const char *path, void (*fn)(const char *path, int n, char *line))
{
	char *line, *save = NULL;
	int n = 0;

	if (slurp(path, text, sizeof(text)) < 0) {
		say_errno(path, errno);
		return;
	}
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		fn(path, n++, line);
}

/* Members of status that depend on the moment or on the machine are left out. */
static void status_line(const char *path, int n, char *line)
{
	static const char *const kept[] = {
		"Umask", "Uid", "Gid", "Groups", "NStgid", "SigQ", "ShdPnd", "SigBlk", "SigIgn", "SigCgt",
		"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Seccomp_filters",
		"Cpus_allowed_list", "Mems_allowed_list", "Speculation_Store_Bypass", "THP_enabled",
		"TracerPid", "untag_mask", "SpeculationIndirectBranch",
	};
	char *colon = strchr(line, ':'), key[64];

	(void)path;
	(void)n;
	if (!colon)
		return;
	*colon = '\0';
	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++) {
		if (strcmp(kept[i], line) != 0 || strcmp(line, "SigQ") == 0)
			continue;
		snprintf(key, sizeof(key), "status %s", line);
		say(key, "%s", colon + 1 + strspn(colon + 1, " \t"));
	}
}

/* mountinfo: "ID PARENT MAJ:MIN ROOT POINT OPTIONS FIELDS... - TYPE SOURCE SUPER". Ids and device numbers are left
 * out; a second mount on the same place gets a number. */
static void mount_line(const char *path, int n, char *line)
{
	static char *seen[4096];
	static int count;
	char key[4200], root[4096], point[4096], options[512], *dash = strstr(line, " - "), *optional;
	int at = 0, over = 0;

	(void)path;
	(void)n;
	if (!dash || sscanf(line, "%*s %*s %*s %4095s %4095s %511s%n", root, point, options, &at) != 3)
		return;
	for (int i = 0; i < count; i++)
		over += strcmp(seen[i], point) == 0;
	if (count < 4096)
		seen[count++] = strdup(point);
	*dash = '\0';
	optional = line + at;
	if (over)
		snprintf(key, sizeof(key), "mount %s (%d)", point, over + 1);
	else
		snprintf(key, sizeof(key), "mount %s", point);
	say(key, "root=%s options=%s propagation=%s - %s", root, options, *optional ? optional + 1 : "private",
	    dash + 3);
}

/* "Max open files   1024   4096   files" */
static void limit_line(const char *path, int n, char *line)
{
	char key[64], *end = strstr(line, "  ");

	(void)path;
	if (n == 0 || !end)
		return;
	snprintf(key, sizeof(key), "limit %.*s", (int)(end - line), line);
	say(key, "%s", end + strspn(end, " "));
}

/* "4:memory:/path": the number is the order in which the kernel made the hierarchies. */
static void cgroup_line(const char *path, int n, char *line)
{
	char key[256], *controllers = strchr(line, ':'), *group = controllers ? strchr(controllers + 1, ':') : NULL;

	(void)path;
	(void)n;
	if (!group)
		return;
	*group = '\0';
	snprintf(key, sizeof(key), "cgroup-of %s", controllers[1] ? controllers + 1 : "v2");
	say(key, "%s", group + 1);
}

static void plain_line(const char *path, int n, char *line)
{
	char key[128];

	snprintf(key, sizeof(key), "%s %d", path + strlen("/proc/self/"), n);
	say(key, "%s", line);
}

static void one_value(const char *name)
{
	char path[128], value[4096], *end;

	snprintf(path, sizeof(path), "/proc/self/%s", name);
	if (slurp(path, value, sizeof(value)) < 0) {
		say_errno(name, errno);
		return;
	}
	end = value + strlen(value);
	while (end > value && isspace((unsigned char)end[-1]))
		*--end = '\0';
	say(name, "%s", value);
}

static void links(const char *dir)
{
	char path[512], target[4096], key[300];
	struct dirent *entry;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/self/%s", dir);
	d = opendir(path);
	if (!d) {
		say_errno(dir, errno);
		return;
	}
	while ((entry = readdir(d))) {
		ssize_t len;

		if (entry->d_name[0] == '.' || (strcmp(dir, "fd") == 0 && atoi(entry->d_name) == dirfd(d)))
			continue;
		snprintf(path, sizeof(path), "/proc/self/%s/%s", dir, entry->d_name);
		snprintf(key, sizeof(key), "%s %s", dir, entry->d_name);
		len = readlink(path, target, sizeof(target) - 1);
		if (len < 0) {
			say_errno(key, errno);
			continue;
		}
		target[len] = '\0';
		if (strcmp(dir, "fd") == 0) {
			int fd = atoi(entry->d_name);

			say(key, "%s flags=%o fd_flags=%d", target, fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
		} else {
			say(key, "%s", target);
		}
	}
	closedir(d);
}

void probe_proc(void)
{
	static const char *const values[] = {
		"attr/current", "attr/exec", "attr/fscreate", "attr/keycreate", "attr/sockcreate",
		"attr/apparmor/current", "oom_score_adj", "oom_adj", "loginuid", "sessionid", "coredump_filter",
		"setgroups", "personality", "autogroup", "timens_offsets", "timerslack_ns",
	};

	each_line("/proc/self/status", status_line);
	each_line("/proc/self/mountinfo", mount_line);
	each_line("/proc/self/cgroup", cgroup_line);
	each_line("/proc/self/limits", limit_line);
	each_line("/proc/self/uid_map", plain_line);
	each_line("/proc/self/gid_map", plain_line);
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
		one_value(values[i]);
	links("ns");
	links("fd");
}
