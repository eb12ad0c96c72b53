/* exec_tree.c - kills a process with all its descendants.
 *
 *   CHILDREN ---children of all stopped processes read---> SESSION ---no further process---> KILL ---all---> over
 *       ^                                                     |
 *       +----------------further ones stopped-----------------+
 *
 * Every process is stopped before its children are read. A stopped process cannot fork, and it cannot wait for its
 * children, so the kernel does not use their pids again. Then all get SIGKILL, which also ends a stopped process. The
 * first process gets it last: its exit record tells that the others have theirs.
 * A process whose parent died earlier was reparented and is nobody's descendant here. It is found in the container's
 * cgroup by its session, which is the exec's own: runc makes the exec's first process a session leader, and crun leaves
 * it in the session that the keeper gave crun. A daemon that made a session of its own stays, and dies with the
 * container.
 * /proc/<pid>/task/<tid>/children: proc_pid_task_tid_children(5), needs CONFIG_PROC_CHILDREN (Debian: set).
 * (ARCHITECTURE P7)
 *
 * A tree may have tens of thousands of threads, and each costs some system calls. So a turn of the loop does SLICE
 * steps, or what it can do in SLICE_NS; a step is one thread, one member of the cgroup or one SIGKILL. The kernel wakes
 * each thread of a process before kill(2) returns: 17-20 ms of CPU for 12,000, and 40-100 ms when they contend for the
 * CPUs. The first slice runs inside the call. A process
 * that another program kills and reaps between two slices may lose its pid to a new process, so SIGKILL goes by a pidfd
 * after a look at the start time. Waits on: one timer of 0 ms. (ARCHITECTURE P62) */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "procs/cgroup.h"
#include "procs/exec.h"
#include "procs/pidstat.h"
#include "reactor/fault.h"
#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/own.h"

/* Each round of SESSION may find what was forked during the one before; a fork bomb would never let it end. */
enum { SLICE = 32, SLICE_NS = 2000000, ROUNDS_MAX = 16, PIDS = 1 << 22 /* PID_MAX_LIMIT of 64-bit kernels */ };

struct member {
	pid_t pid;
	int64_t start_ticks;
};

struct tree {
	struct link link; /* in `trees` */
	struct timer timer;
	struct member *at; /* stopped */
	size_t n, room;
	uint8_t *seen;     /* bit n: process n is in `at` */
	size_t done;       /* of at: children read */
	int task;          /* directory of threads that is being read, of at[done]; -1: none */
	/* A small buffer, because the kernel makes an inode for each entry that it returns. */
	_Alignas(struct dirent64) char entries[512];
	size_t entry, entries_len;
	pid_t first, session; /* session 0: not to be searched */
	pid_t *group;         /* a round of SESSION */
	size_t group_n, group_at, found;
	int rounds;
	bool all_stopped; /* KILL */
	char cgroup[];
};

static struct link trees = { &trees, &trees };

static void tree_stop(struct tree *t, pid_t pid)
{
	struct pidstat stat;

	if (pid >= PIDS || t->seen[pid / 8] >> (pid % 8) & 1 || EFFECT(kill(pid, SIGSTOP)) < 0 ||
	    !pidstat_read(pid, &stat))
		return;
	t->seen[pid / 8] |= (uint8_t)(1 << (pid % 8));
	if (t->n == t->room) {
		t->room = t->room ? t->room * 2 : 64;
		t->at = own_must(realloc(t->at, t->room * sizeof(*t->at)));
	}
	t->at[t->n++] = (struct member){ pid, stat.start_ticks };
}

/* ---- CHILDREN ---- */

static void tree_read_thread(struct tree *t, const char *tid)
{
	char file[64];
	auto_file FILE *f = NULL;
	int child;

	snprintf(file, sizeof(file), "/proc/%d/task/%.12s/children", (int)t->at[t->done].pid, tid);
	f = fopen(file, "re");
	while (f && fscanf(f, "%d", &child) == 1)
		if (child > 1)
			tree_stop(t, child);
}

static void tree_open_threads(struct tree *t)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/task", (int)t->at[t->done].pid);
	t->task = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	t->entry = t->entries_len = 0;
}

/* The next thread of the process; NULL: there is none. */
static const char *tree_next_thread(struct tree *t)
{
	const struct dirent64 *entry;
	ssize_t n = 0;

	if (t->task >= 0 && t->entry == t->entries_len) {
		n = getdents64(t->task, t->entries, sizeof(t->entries));
		t->entry = 0;
		t->entries_len = n > 0 ? (size_t)n : 0;
	}
	if (t->entry == t->entries_len)
		return NULL;
	entry = (const void *)(t->entries + t->entry);
	t->entry += entry->d_reclen;
	return entry->d_name;
}

/* One step. False: the children of all processes are read. */
static bool tree_children_step(struct tree *t)
{
	const char *tid;

	if (t->done == t->n)
		return false;
	if (t->task < 0)
		tree_open_threads(t);
	tid = tree_next_thread(t);
	if (tid && tid[0] != '.')
		tree_read_thread(t, tid);
	if (tid)
		return true;
	if (t->task >= 0)
		close(take_fd(&t->task));
	t->done++;
	return true;
}

/* ---- SESSION ---- */

/* One step. False: no process of the session is left that is not in the tree. */
static bool tree_session_step(struct tree *t)
{
	struct pidstat of;
	pid_t pid;

	if (!t->session)
		return false;
	if (!t->group) {
		if (t->rounds++ == ROUNDS_MAX || !(t->group = cgroup_all_pids(t->cgroup, &t->group_n)))
			return false;
		t->group_at = 0;
		t->found = t->n;
	}
	if (t->group_at < t->group_n) {
		pid = t->group[t->group_at++];
		if (pidstat_read(pid, &of) && of.session == t->session)
			tree_stop(t, pid);
		return true;
	}
	free(take_ptr(&t->group));
	return t->n > t->found;
}

/* ---- KILL ---- */

/* One step. False: all have their SIGKILL. A process whose first thread has ended counts as dead for pidstat_open(). */
static bool tree_kill_step(struct tree *t)
{
	auto_fd int fd = -1;
	struct pidstat now;
	struct member m;

	if (!t->n)
		return false;
	m = t->at[--t->n];
	fd = (int)syscall(SYS_pidfd_open, m.pid, 0);
	if (fd >= 0 && pidstat_read(m.pid, &now) && now.start_ticks == m.start_ticks)
		EFFECT(syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0));
	return true;
}

static void tree_free(struct tree *t)
{
	list_drop(&t->link);
	timer_clear(&t->timer);
	free(t->at);
	free(t->seen);
	free(t->group);
	free(t);
}

static void on_tree_turn(struct timer *timer)
{
	struct tree *t = container_of(timer, struct tree, timer);
	int64_t begun_ns = loop_mono_ns();

	for (int i = 0; i < SLICE && loop_mono_ns() - begun_ns < SLICE_NS; i++) {
		t->all_stopped = t->all_stopped || (!tree_children_step(t) && !tree_session_step(t));
		if (t->all_stopped && !tree_kill_step(t))
			return tree_free(t);
	}
	timer_set(&t->timer, 0, on_tree_turn);
}

bool exec_tree_busy(pid_t pid)
{
	list_each(l, &trees)
		if (container_of(l, struct tree, link)->first == pid)
			return true;
	return false;
}

void exec_kill_tree(pid_t pid, const char *cgroup)
{
	struct pidstat first = { 0 };
	struct tree *t;

	if (pid <= 1 || exec_tree_busy(pid))
		return;
	t = own_must(calloc(1, sizeof(*t) + strlen(cgroup) + 1));
	memcpy(t->cgroup, cgroup, strlen(cgroup) + 1);
	t->seen = own_must(calloc(PIDS / 8, 1)); /* only the pages that are used get memory */
	t->task = -1;
	t->first = pid;
	list_append(&trees, &t->link);
	if (pidstat_read(pid, &first) && *cgroup && first.session > 0 && first.session != getsid(0))
		t->session = first.session; /* never this daemon's */
	tree_stop(t, pid);
	on_tree_turn(&t->timer);
}
