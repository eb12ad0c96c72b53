/* exec_tree.c - kills a process with all its descendants.
 *
 * Every process is stopped before its children are read. A stopped process cannot fork, and it cannot wait for its
 * children, so the kernel does not use their pids again. Then all get SIGKILL, which also ends a stopped process.
 * A process whose parent died earlier was reparented and is nobody's descendant here. It is found in the container's
 * cgroup by its session, which is the exec's own: runc makes the exec's first process a session leader, and crun leaves
 * it in the session that the keeper gave crun. A daemon that made a session of its own stays, and dies with the
 * container.
 * /proc/<pid>/task/<tid>/children: proc_pid_task_tid_children(5), needs CONFIG_PROC_CHILDREN (Debian: set).
 * (ARCHITECTURE P7) */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

#include "procs/cgroup.h"
#include "procs/exec.h"
#include "procs/pidstat.h"
#include "reactor/own.h"

enum { TREE_MAX = 4096 };

struct tree {
	pid_t pids[TREE_MAX];
	size_t n;
};

static void tree_stop(struct tree *t, pid_t pid)
{
	if (t->n < TREE_MAX && kill(pid, SIGSTOP) == 0)
		t->pids[t->n++] = pid;
}

static void tree_add_thread(struct tree *t, pid_t pid, const char *tid)
{
	char file[64];
	auto_file FILE *f = NULL;
	int child;

	snprintf(file, sizeof(file), "/proc/%d/task/%.12s/children", (int)pid, tid);
	f = fopen(file, "re");
	while (f && fscanf(f, "%d", &child) == 1)
		if (child > 1)
			tree_stop(t, child);
}

static void tree_add_children(struct tree *t, pid_t pid)
{
	char path[32];
	auto_dir DIR *d = NULL;
	struct dirent *thread;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	d = opendir(path);
	while (d && (thread = readdir(d)))
		if (thread->d_name[0] != '.')
			tree_add_thread(t, pid, thread->d_name);
}

static bool tree_has(const struct tree *t, pid_t pid)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->pids[i] == pid)
			return true;
	return false;
}

static void tree_add_session(struct tree *t, pid_t session, const char *cgroup)
{
	static pid_t members[TREE_MAX];
	size_t n = cgroup_pids(cgroup, members, TREE_MAX);
	struct pidstat of;

	for (size_t i = 0; i < n; i++)
		if (pidstat_read(members[i], &of) && of.session == session && !tree_has(t, members[i]))
			tree_stop(t, members[i]);
}

void exec_kill_tree(pid_t pid, const char *cgroup)
{
	auto_free struct tree *t = new_zero(struct tree);
	struct pidstat first = { 0 };
	size_t done = 0;

	if (pid <= 1)
		return;
	pidstat_read(pid, &first);
	tree_stop(t, pid);
	while (done < t->n) {
		for (; done < t->n; done++)
			tree_add_children(t, t->pids[done]);
		if (*cgroup && first.session > 0 && first.session != getsid(0)) /* never this daemon's */
			tree_add_session(t, first.session, cgroup);
	}
	for (size_t i = 0; i < t->n; i++)
		kill(t->pids[i], SIGKILL);
}
