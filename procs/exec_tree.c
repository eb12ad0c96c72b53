/* exec_tree.c - kills a process with all its descendants.
 *
 * Every process is stopped before its children are read: a stopped one forks no more, and as it cannot wait for its
 * children their pids are not used again. Then all get SIGKILL, which a stopped process obeys. One whose parent died
 * before is somebody else's child by then and not found; it stays in the container's cgroup and dies with that.
 * /proc/<pid>/task/<tid>/children: proc_pid_task_tid_children(5), needs CONFIG_PROC_CHILDREN (Debian: set). */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#include "procs/exec.h"
#include "reactor/own.h"

enum { TREE_MAX = 4096 };

struct tree {
	pid_t pids[TREE_MAX];
	size_t n;
};

static void add_stopped(struct tree *t, pid_t pid)
{
	if (t->n < TREE_MAX && kill(pid, SIGSTOP) == 0)
		t->pids[t->n++] = pid;
}

static void add_children_of_thread(struct tree *t, pid_t pid, const char *tid)
{
	char file[64];
	auto_file FILE *f = NULL;
	int child;

	snprintf(file, sizeof(file), "/proc/%d/task/%.12s/children", (int)pid, tid);
	f = fopen(file, "re");
	while (f && fscanf(f, "%d", &child) == 1)
		if (child > 1)
			add_stopped(t, child);
}

static void add_children(struct tree *t, pid_t pid)
{
	char path[32];
	auto_dir DIR *d = NULL;
	struct dirent *thread;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	d = opendir(path);
	while (d && (thread = readdir(d)))
		if (thread->d_name[0] != '.')
			add_children_of_thread(t, pid, thread->d_name);
}

void exec_kill_tree(pid_t pid)
{
	auto_free struct tree *t = new_zero(struct tree);

	if (pid <= 1)
		return;
	add_stopped(t, pid);
	for (size_t i = 0; i < t->n; i++)
		add_children(t, t->pids[i]);
	for (size_t i = 0; i < t->n; i++)
		kill(t->pids[i], SIGKILL);
}
