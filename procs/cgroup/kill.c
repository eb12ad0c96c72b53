/* kill.c - the processes of a cgroup: lists them, kills them, counts those that the kernel's OOM killer killed. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "procs/cgroup.h"
#include "procs/cgroup/tree.h"
#include "reactor/own.h"

enum { KILL_PASSES = 16, PIDS_MAX = 4096, DEPTH_MAX = 32 };

static size_t pids_of(const char *dir, pid_t *pids, size_t max)
{
	char file[CGROUP_PATH_MAX];
	auto_file FILE *f = NULL;
	size_t n = 0;
	int pid;

	snprintf(file, sizeof(file), "%.4000s/cgroup.procs", dir);
	f = fopen(file, "re");
	while (f && n < max && fscanf(f, "%d", &pid) == 1)
		if (pid > 0) /* 0: a process outside of crispd's PID namespace */
			pids[n++] = pid;
	return n;
}

static size_t pids_below(const char *dir, pid_t *pids, size_t max, int depth)
{
	auto_dir DIR *d = opendir(dir);
	size_t n = pids_of(dir, pids, max);
	struct dirent *sub;
	char below[CGROUP_PATH_MAX];

	while (d && depth && (sub = readdir(d)))
		if (sub->d_type == DT_DIR && sub->d_name[0] != '.' &&
		    snprintf(below, sizeof(below), "%s/%s", dir, sub->d_name) < (int)sizeof(below))
			n += pids_below(below, pids + n, max - n, depth - 1);
	return n;
}

size_t cgroup_pids(const char *path, pid_t *pids, size_t max)
{
	const struct hierarchy *h = hierarchy_of_processes();

	return h ? pids_below(cgroup_file(h, path, "").s, pids, max, DEPTH_MAX) : 0;
}

int cgroup_line_names(const struct hierarchy *h, const char *path, const char *line)
{
	const char *controllers = strchr(line, ':'), *at = controllers ? strchr(controllers + 1, ':') : NULL;
	size_t len = strlen(path);
	char have[512];

	if (!at)
		return -1;
	snprintf(have, sizeof(have), ",%.*s,", (int)(at - controllers - 1), controllers + 1);
	if (strcmp(have, h->v2 ? ",," : h->controllers) != 0)
		return -1;
	/* strstr, because the mount may show only a part of the hierarchy: the line then has more in front. */
	at = strstr(at + 1, path);
	return at && (at[len] == '/' || at[len] == '\n');
}

/* Does the line of this hierarchy in /proc/<pid>/cgroup still name the path? A process outside of the group that got
 * the same pid meanwhile must not be killed. */
static bool cgroup_has_pid(const struct hierarchy *h, const char *path, pid_t pid)
{
	char file[32], line[CGROUP_PATH_MAX];
	auto_file FILE *f = NULL;
	int names = -1;

	snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)pid);
	f = fopen(file, "re");
	while (f && names < 0 && fgets(line, sizeof(line), f))
		names = cgroup_line_names(h, path, line);
	return names == 1;
}

static bool cgroup_kill_one(const struct hierarchy *h, const char *path, pid_t pid)
{
	auto_fd int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	return fd >= 0 && cgroup_has_pid(h, path, pid) && syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0;
}

static int pid_order(const void *a, const void *b)
{
	return *(const pid_t *)a < *(const pid_t *)b ? -1 : *(const pid_t *)a > *(const pid_t *)b;
}

/* Where cgroup.kill is missing (v1, and v2 before Linux 5.14): list the pids, kill those that the pass before had not
 * seen, and repeat until a pass kills no new process.
 *
 * One pass is not enough: a process may fork between the listing and its SIGKILL. The child is found by the next pass.
 * A process with a pending SIGKILL cannot fork any more, so each pass leaves only the children of that short moment,
 * and the passes normally end early. 16 is only the bound on the time that the loop spends here.
 *
 * The freezer is not used to stop forks during the kill. It belongs to the OCI runtime (pause, checkpoint); freezing is
 * not complete when the write returns, so crispd would have to wait for it; on v1 a frozen process does not die of
 * SIGKILL before it is thawed; and a crash of crispd in between would leave a container frozen for ever.
 *
 * A fork bomb with a pids limit ends here: its forks fail at the limit, and each pass takes up to PIDS_MAX processes. A
 * fork bomb without a limit may outrun all 16 passes. Then some of it survives this call; StopContainer's machine
 * (stop.c) kills the group again while it waits for the exit, and if the main process is dead, cgroup_remove() finds
 * the group busy and logs cgroup_busy. */
static void cgroup_kill_by_passes(const struct hierarchy *h, const char *path)
{
	auto_free pid_t *room = own_must(calloc(2 * PIDS_MAX, sizeof(*room)));
	pid_t *now = room, *before = room + PIDS_MAX;
	size_t nbefore = 0;

	for (int pass = 0; pass < KILL_PASSES; pass++) {
		size_t n = pids_below(cgroup_file(h, path, "").s, now, PIDS_MAX, DEPTH_MAX), fresh = 0;
		pid_t *other = before;

		for (size_t i = 0; i < n; i++)
			if (!bsearch(&now[i], before, nbefore, sizeof(*before), pid_order))
				fresh += cgroup_kill_one(h, path, now[i]);
		if (!fresh)
			return;
		qsort(now, n, sizeof(*now), pid_order);
		before = now;
		nbefore = n;
		now = other;
	}
}

void cgroup_kill(const char *path)
{
	const struct hierarchy *h = hierarchy_of_processes();
	struct err e;

	if (!h || strcmp(path, "/") == 0 || !*path)
		return;
	/* cgroup.kill (Linux 5.14) kills the whole tree at once, also processes that are being forked. */
	if (h->v2 && cgroup_write(h, path, "cgroup.kill", "1", &e) == 0)
		return;
	cgroup_kill_by_passes(h, path);
}

int64_t cgroup_oom_kills(const char *path)
{
	const struct hierarchy *h = hierarchy_of("memory");
	char text[1024], *at;

	/* v2: memory.events also counts the groups below; below a container's group these are the container's own. v1:
	 * oom_kill in memory.oom_control (Linux 4.13). */
	if (!h || cgroup_read(h, path, h->v2 ? "memory.events" : "memory.oom_control", text, sizeof(text)) <= 0)
		return -1;
	for (at = text; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
		if (strncmp(at, "oom_kill ", 9) == 0)
			return strtoll(at + 9, NULL, 10);
	return -1;
}
