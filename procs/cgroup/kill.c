/* kill.c - the processes of a cgroup: lists them, kills them, counts those that the kernel's OOM killer killed.
 *
 * Where cgroup.kill is missing (v1, and v2 before Linux 5.14) a group is killed in passes, SLICE processes in one turn:
 *
 *   list the pids -> signal those that no pass before has signalled -> any such? -> list the pids
 *                                                                     none, or 16 passes: thaw, end
 *
 * One pass is not enough: a process may fork between the listing and its SIGKILL. The child is found by the next pass.
 * A process with a pending SIGKILL cannot fork any more, so each pass leaves only the children of that short moment,
 * and the passes normally end early. The first slice runs inside cgroup_kill(), so a small group dies in the call.
 *
 * From pass FREEZE_PASS on the group forks faster than it is killed (a fork bomb). On v1 it is then frozen: each
 * process stops at its next return to user mode, and a new child is born frozen. Nothing waits for the state FROZEN,
 * because the passes go on anyhow and a process in uninterruptible sleep never gets there. The freezer is not used
 * earlier: it belongs to the OCI runtime (pause, checkpoint). On v1 a frozen process does not die of SIGKILL before it
 * is thawed, so every kill ends with THAWED for the group and all below, whatever program froze them, and for its
 * parent where that one is frozen itself: the pod's group, whose other containers then run too. Groups above the pod's
 * are not touched. A crash of crispd before that leaves the group frozen until the next kill, which the next
 * StopContainer or the end of the first process brings. On v2 a frozen process dies of SIGKILL. (ARCHITECTURE P63)
 *
 * Waits on: one timer of 0 ms for each group that is being killed. (ARCHITECTURE P62) */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "procs/cgroup.h"
#include "procs/cgroup/tree.h"
#include "procs/pidstat.h"
#include "reactor/fault.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/words.h"

enum { SLICE = 32, SLICE_NS = 2000000 };
enum { KILL_PASSES = 16, FREEZE_PASS = 3, DEPTH_MAX = 32, DOUBTFUL_MAX = 64, PF_EXITING = 4 };

/* ---- lists ---- */

struct pids {
	pid_t *at; /* owned */
	size_t n, room;
};

static void pids_add(struct pids *p, pid_t pid)
{
	if (p->n == p->room) {
		p->room = p->room ? p->room * 2 : 64;
		p->at = own_must(realloc(p->at, p->room * sizeof(*p->at)));
	}
	p->at[p->n++] = pid;
}

static void pids_of(const char *dir, struct pids *out, size_t max)
{
	char file[CGROUP_PATH_MAX];
	auto_file FILE *f = NULL;
	int pid;

	snprintf(file, sizeof(file), "%.4000s/cgroup.procs", dir);
	f = fopen(file, "re");
	while (f && out->n < max && fscanf(f, "%d", &pid) == 1)
		if (pid > 0) /* 0: a process outside of crispd's PID namespace */
			pids_add(out, pid);
}

static void pids_below(const char *dir, struct pids *out, size_t max, int depth)
{
	auto_dir DIR *d = opendir(dir);
	struct dirent *sub;
	char below[CGROUP_PATH_MAX];

	pids_of(dir, out, max);
	while (d && depth && (sub = readdir(d)))
		if (sub->d_type == DT_DIR && sub->d_name[0] != '.' &&
		    snprintf(below, sizeof(below), "%s/%s", dir, sub->d_name) < (int)sizeof(below))
			pids_below(below, out, max, depth - 1);
}

static struct pids pids_list(const struct hierarchy *h, const char *path, size_t max)
{
	struct pids all = { 0 };

	if (h)
		pids_below(cgroup_file(h, path, "").s, &all, max, DEPTH_MAX);
	return all;
}

static int pid_order(const void *a, const void *b)
{
	return *(const pid_t *)a < *(const pid_t *)b ? -1 : *(const pid_t *)a > *(const pid_t *)b;
}

static void pids_sort(struct pids *p)
{
	if (p->n)
		qsort(p->at, p->n, sizeof(*p->at), pid_order);
}

static bool pids_have(const struct pids *sorted, pid_t pid)
{
	return sorted->n && bsearch(&pid, sorted->at, sorted->n, sizeof(*sorted->at), pid_order);
}

size_t cgroup_pids(const char *path, pid_t *pids, size_t max)
{
	struct pids all = pids_list(hierarchy_of_processes(), path, max);

	memcpy(pids, all.at ? all.at : pids, all.n * sizeof(*pids));
	free(all.at);
	return all.n;
}

pid_t *cgroup_all_pids(const char *path, size_t *n)
{
	struct pids all = pids_list(hierarchy_of_processes(), path, SIZE_MAX);

	*n = all.n;
	return all.at;
}

bool cgroup_has(const char *path, pid_t pid)
{
	size_t n;
	auto_free pid_t *all = cgroup_all_pids(path, &n);

	for (size_t i = 0; i < n; i++)
		if (all[i] == pid)
			return true;
	return false;
}

/* ---- is it the process that was listed? ---- */

enum membership { ELSEWHERE, MEMBER, DOUBTFUL };

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
 * the same pid meanwhile must not be killed. On v1 the kernel says "/" for a process whose first thread is ending or
 * has ended, although its other threads run in the group. */
static enum membership membership_of(const struct hierarchy *h, const char *path, pid_t pid)
{
	char file[32], line[CGROUP_PATH_MAX];
	auto_file FILE *f = NULL;
	struct pidstat stat;
	int names = -1;

	snprintf(file, sizeof(file), "/proc/%d/cgroup", (int)pid);
	f = fopen(file, "re");
	while (f && names < 0 && fgets(line, sizeof(line), f))
		names = cgroup_line_names(h, path, line);
	if (names == 1)
		return MEMBER;
	if (names == 0 && word_ends_in(line, ":/\n") && pidstat_read(pid, &stat) && stat.flags & PF_EXITING)
		return DOUBTFUL;
	return ELSEWHERE;
}

/* ---- the kill ---- */

struct killing {
	struct link link; /* in `killings` */
	struct link waiters; /* of struct cgroup_wait.link */
	struct timer timer;
	const struct hierarchy *h;
	struct pids now, before; /* before: signalled by the earlier passes, sorted */
	struct pids sent;        /* by this pass */
	size_t at;               /* in now */
	int pass;
	struct doubtful {
		pid_t pid;
		int fd;
	} doubtful[DOUBTFUL_MAX];
	size_t ndoubtful;
	char path[];
};

static struct link killings = { &killings, &killings };

static void killing_send(struct killing *k, pid_t pid, int fd)
{
	if (EFFECT(syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0)) == 0)
		pids_add(&k->sent, pid);
}

/* A process of which /proc does not say the group: its pidfd is open already, so when the group's own list still has
 * its pid after that, the pidfd is of the listed process, or of a dead one. */
static void killing_settle_doubts(struct killing *k)
{
	struct pids again = { 0 };

	if (!k->ndoubtful)
		return;
	again = pids_list(k->h, k->path, SIZE_MAX);
	pids_sort(&again);
	for (size_t i = 0; i < k->ndoubtful; i++) {
		if (pids_have(&again, k->doubtful[i].pid))
			killing_send(k, k->doubtful[i].pid, k->doubtful[i].fd);
		close(k->doubtful[i].fd);
	}
	k->ndoubtful = 0;
	free(again.at);
}

static void killing_one(struct killing *k, pid_t pid)
{
	auto_fd int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	enum membership m = fd < 0 ? ELSEWHERE : membership_of(k->h, k->path, pid);

	if (m == MEMBER)
		killing_send(k, pid, fd);
	if (m != DOUBTFUL)
		return;
	if (k->ndoubtful == DOUBTFUL_MAX)
		killing_settle_doubts(k);
	k->doubtful[k->ndoubtful++] = (struct doubtful){ pid, take_fd(&fd) };
}

/* The freezer of v1, for the group and all groups below. A group that is gone or was never made has none. */
static void freezer_write(const char *dir, const char *state, int depth)
{
	auto_dir DIR *d = opendir(dir);
	struct dirent *sub;
	char below[CGROUP_PATH_MAX];
	auto_fd int fd = -1;

	while (d && depth && (sub = readdir(d)))
		if (sub->d_type == DT_DIR && sub->d_name[0] != '.' &&
		    snprintf(below, sizeof(below), "%s/%s", dir, sub->d_name) < (int)sizeof(below))
			freezer_write(below, state, depth - 1);
	snprintf(below, sizeof(below), "%.4000s/freezer.state", dir);
	fd = open(below, O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && EFFECT(write(fd, state, strlen(state))) < 0)
		log_warn("freezer file=%s state=%s error=%s", below, state, strerror(errno));
}

static void freezer_set(const struct killing *k, const char *state, int depth)
{
	const struct hierarchy *h = k->h->v2 ? NULL : hierarchy_of("freezer");

	if (h)
		freezer_write(cgroup_file(h, k->path, "").s, state, depth);
}

static bool freezer_says(const struct hierarchy *h, const char *path, const char *file)
{
	char text[8];

	return h && cgroup_read(h, path, file, text, sizeof(text)) > 0 && text[0] == '1';
}

static void freezer_thaw_parent(const struct killing *k)
{
	const struct hierarchy *h = k->h->v2 ? NULL : hierarchy_of("freezer");
	size_t len = (size_t)(strrchr(k->path, '/') - k->path);
	auto_free char *parent = own_must(strndup(k->path, len));

	if (!len || !freezer_says(h, parent, "freezer.self_freezing"))
		return;
	log_info("thaw cgroup=%s because=%s", parent, k->path);
	freezer_write(cgroup_file(h, parent, "").s, "THAWED", 0);
}

bool cgroup_frozen_above(const char *path)
{
	const struct hierarchy *h = hierarchy_of("freezer");

	return h && !h->v2 && freezer_says(h, path, "freezer.parent_freezing");
}

/* A waiter may start another kill, so each one is off the list before its turn. */
static void killing_end(struct killing *k)
{
	struct link ready, *l;

	freezer_set(k, "THAWED", DEPTH_MAX);
	freezer_thaw_parent(k);
	list_drop(&k->link);
	timer_clear(&k->timer);
	list_init(&ready);
	while ((l = list_first(&k->waiters))) {
		list_drop(l);
		list_append(&ready, l);
	}
	for (size_t i = 0; i < k->ndoubtful; i++)
		close(k->doubtful[i].fd);
	free(k->now.at);
	free(k->before.at);
	free(k->sent.at);
	free(k);
	while ((l = list_first(&ready))) {
		list_drop(l);
		container_of(l, struct cgroup_wait, link)->fn(container_of(l, struct cgroup_wait, link));
	}
}

static void killing_list(struct killing *k)
{
	free(k->now.at);
	k->now = pids_list(k->h, k->path, SIZE_MAX);
	k->at = 0;
}

/* The pass is over. False: it has signalled no process, or it was the last one. */
static bool killing_next_pass(struct killing *k)
{
	killing_settle_doubts(k);
	if (!k->sent.n || ++k->pass == KILL_PASSES)
		return false;
	for (size_t i = 0; i < k->sent.n; i++)
		pids_add(&k->before, k->sent.at[i]);
	pids_sort(&k->before);
	k->sent.n = 0;
	if (k->pass == FREEZE_PASS)
		freezer_set(k, "FROZEN", 0);
	killing_list(k);
	return true;
}

/* At most SLICE processes, or as many as SLICE_NS allows: kill(2) wakes each thread of a process, 17-20 ms for 12,000.
 * True: the kill is over. */
static bool killing_slice(struct killing *k)
{
	int64_t begun_ns = loop_mono_ns();

	for (int n = 0; n < SLICE && (n == 0 || loop_mono_ns() - begun_ns < SLICE_NS);) {
		if (k->at == k->now.n) {
			if (!killing_next_pass(k))
				return true;
		} else if (pids_have(&k->before, k->now.at[k->at])) {
			k->at++;
		} else {
			killing_one(k, k->now.at[k->at++]);
			n++;
		}
	}
	return false;
}

static void on_killing_turn(struct timer *t)
{
	struct killing *k = container_of(t, struct killing, timer);

	if (killing_slice(k))
		killing_end(k);
	else
		timer_set(&k->timer, 0, on_killing_turn);
}

static struct killing *killing_of(const char *path)
{
	list_each(l, &killings) {
		struct killing *k = container_of(l, struct killing, link);

		if (strcmp(k->path, path) == 0)
			return k;
	}
	return NULL;
}

static void killing_begin(const struct hierarchy *h, const char *path)
{
	struct killing *k = own_must(calloc(1, sizeof(*k) + strlen(path) + 1));

	memcpy(k->path, path, strlen(path) + 1);
	k->h = h;
	list_init(&k->waiters);
	list_append(&killings, &k->link);
	killing_list(k);
	on_killing_turn(&k->timer);
}

void cgroup_kill(const char *path)
{
	const struct hierarchy *h = hierarchy_of_processes();
	struct err e;

	if (!h || strcmp(path, "/") == 0 || !*path)
		return;
	/* cgroup.kill (Linux 5.14) kills the whole tree at once, also frozen processes and those that are being
	 * forked. */
	if (h->v2 && cgroup_write(h, path, "cgroup.kill", "1", &e) == 0)
		return;
	if (!killing_of(path))
		killing_begin(h, path);
}

bool cgroup_kill_wait(const char *path, struct cgroup_wait *w, void (*fn)(struct cgroup_wait *w))
{
	struct killing *k = killing_of(path);

	if (!k)
		return false;
	w->fn = fn;
	list_append(&k->waiters, &w->link);
	return true;
}

void cgroup_kill_close(void)
{
	while (list_first(&killings))
		killing_end(container_of(list_first(&killings), struct killing, link));
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
