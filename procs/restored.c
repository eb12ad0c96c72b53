/* restored.c - see restored.h.
 *
 *   LOOK ---every thread compared, SIGCONT---> RUNS
 *     +------a thread has more--------------------> REFUSED
 *
 * Waits on: the next turn of the loop, after 2 ms of work (LOOK): an archive may hold very many threads. */
#include "procs/restored.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procs/bundle.h"
#include "procs/cgroup.h"
#include "procs/pidstat.h"
#include "procs/spec.h"
#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum { PIDS_MAX = 32768, STATUS_MAX = 1 << 20, TURN_NS = 2 * 1000000 };

/* ---- what the request gives ---- */

static uint64_t limits_caps(const json_t *caps, const char *set)
{
	return spec_caps_of(json_object_get(caps, set));
}

void restored_limits_read(struct restored_limits *out, const json_t *config, struct arena *a)
{
	const json_t *process = json_object_get(config, "process"), *user = json_object_get(process, "user"),
		     *caps = json_object_get(process, "capabilities"),
		     *groups = json_object_get(user, "additionalGids");
	int64_t *gids = arena_zalloc(a, (json_array_size(groups) + 1) * sizeof(*gids));

	for (size_t i = 0; i < json_array_size(groups); i++)
		gids[i] = json_integer_value(json_array_get(groups, i));
	*out = (struct restored_limits){
		.uid = json_get_int(user, "uid"), .gid = json_get_int(user, "gid"),
		.groups = { gids, json_array_size(groups) },
		.bounding = limits_caps(caps, "bounding"), .permitted = limits_caps(caps, "permitted"),
		.inheritable = limits_caps(caps, "inheritable"), .ambient = limits_caps(caps, "ambient"),
		.no_new_privs = json_is_true(json_object_get(process, "noNewPrivileges")),
		.seccomp = json_is_object(json_object_get(json_object_get(config, "linux"), "seccomp")) ||
			   json_object_get(json_object_get(config, "annotations"), "run.oci.seccomp_bpf_data"),
		.apparmor = json_get_str(a, process, "apparmorProfile"),
		.selinux = json_get_str(a, process, "selinuxLabel"),
	};
}

/* The capabilities that a process of the request holds after execve(2): a user other than root keeps the ambient ones.
 */
static uint64_t limits_held(const struct restored_limits *l)
{
	return l->uid == 0 ? l->permitted : l->ambient;
}

/* ---- one thread ---- */

/* The text behind "name:" at the begin of a line; NULL: there is no such line. */
static const char *status_field(const char *status, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = status; at; at = strchr(at, '\n'), at = at ? at + 1 : NULL)
		if (strncmp(at, name, n) == 0 && at[n] == ':')
			return at + n + 1;
	return NULL;
}

static int no_field(const char *name, struct err *e)
{
	return err_set(e, ERR_INTERNAL, "/proc/<pid>/status has no usable line %s", name);
}

static bool limits_have_group(const struct restored_limits *l, int64_t gid)
{
	for (size_t i = 0; i < l->groups.n; i++)
		if (l->groups.at[i] == gid)
			return true;
	return gid == l->gid;
}

/* Numbers up to the end of the line. min: so many must be there. */
static int compare_ids(const struct restored_limits *l, const char *status, const char *name, size_t min, struct err *e)
{
	const char *at = status_field(status, name);
	bool group = name[0] != 'U';
	size_t n = 0;
	char *end;

	if (!at)
		return no_field(name, e);
	for (;; n++, at = end) {
		long long id;

		at += strspn(at, " \t");
		id = strtoll(at, &end, 10);
		if (*at == '\n' || end == at)
			break;
		if (group ? !limits_have_group(l, id) : id != l->uid)
			return err_set(e, ERR_PERMISSION_DENIED, "%s: %lld is not of the request", name, id);
	}
	return n < min ? no_field(name, e) : 0;
}

static int compare_caps(const char *status, const char *name, uint64_t given, struct err *e)
{
	const char *at = status_field(status, name);
	unsigned long long have;

	if (!at || sscanf(at, " %llx", &have) != 1)
		return no_field(name, e);
	return have & ~given ? err_set(e, ERR_PERMISSION_DENIED, "%s: %016llx is more than the request's %016llx", name,
				       have, (unsigned long long)given)
			     : 0;
}

static int compare_flag(const char *status, const char *name, bool wanted, struct err *e)
{
	const char *at = status_field(status, name);
	int have;

	if (!at || sscanf(at, " %d", &have) != 1)
		return no_field(name, e);
	return wanted && have == 0 ? err_set(e, ERR_PERMISSION_DENIED, "%s: 0, and the request has it", name) : 0;
}

/* A process may have changed its ids since its start where the request lets it: with CAP_SETUID or CAP_SETGID. A
 * program of the image that is setuid, or has capabilities, gives at most the bounding set, and nothing with
 * no_new_privs. Another uid is refused all the same, because such a program cannot be told from an archive that lies.
 */
int restored_compare(const struct restored_limits *l, const char *status, struct err *e)
{
	uint64_t held = limits_held(l), most = l->no_new_privs ? held : l->bounding;

	if (!(held & (UINT64_C(1) << CAP_SETUID)) && compare_ids(l, status, "Uid", 4, e) < 0)
		return -1;
	if (!(held & (UINT64_C(1) << CAP_SETGID)) &&
	    (compare_ids(l, status, "Gid", 4, e) < 0 || compare_ids(l, status, "Groups", 0, e) < 0))
		return -1;
	if (compare_caps(status, "CapInh", most | l->inheritable, e) < 0 ||
	    compare_caps(status, "CapPrm", most, e) < 0 || compare_caps(status, "CapEff", most, e) < 0 ||
	    compare_caps(status, "CapBnd", l->bounding, e) < 0 || compare_caps(status, "CapAmb", most, e) < 0)
		return -1;
	return compare_flag(status, "NoNewPrivs", l->no_new_privs, e) < 0
		       ? -1
		       : compare_flag(status, "Seccomp", l->seccomp, e);
}

/* ---- the machine ---- */

enum restored_state { LOOK, RUNS, REFUSED };
static const struct sm_state restored_states[] = {
	[LOOK]    = { "LOOK",    TO(RUNS) | TO(REFUSED) },
	[RUNS]    = { "RUNS",    0 },
	[REFUSED] = { "REFUSED", 0 },
};

struct restored {
	struct sm sm;
	char id[ID_SIZE];
	struct restored_limits limits;
	pid_t *pids;
	size_t n, next;
	pid_t first;
	DIR *threads; /* of pids[next]; NULL: not open yet */
	char *text;
	struct timer timer;
	struct err err;
	restored_done *done;
	void *arg;
	struct arena *arena;
};

static void restored_over(struct restored *r)
{
	restored_done *done = r->done;
	void *arg = r->arg;
	struct err e = r->err;

	sm_move(&r->sm, e.code == ERR_OK ? RUNS : REFUSED);
	timer_clear(&r->timer);
	if (r->threads)
		closedir(r->threads);
	free(r->pids);
	free(r->text);
	arena_free(r->arena);
	free(r);
	done(arg, e.code == ERR_OK ? NULL : &e);
}

/* Text of a file in /proc/<pid>/task. 0: the thread has ended. */
static ssize_t thread_read(struct restored *r, const char *tid, const char *file, size_t max)
{
	char path[80];
	auto_fd int fd = -1;
	size_t len = 0;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/task/%.12s/%s", (int)r->pids[r->next], tid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ESRCH ? 0 : err_os(&r->err, ERR_INTERNAL, "open %s", path);
	while ((n = read(fd, r->text + len, max - len)) > 0)
		len += (size_t)n;
	r->text[len] = '\0';
	if (n < 0)
		return errno == ESRCH ? 0 : err_os(&r->err, ERR_INTERNAL, "read %s", path);
	return (ssize_t)len;
}

/* "name (enforce)", "name//child (enforce)". */
static bool label_is(const char *have, const char *want)
{
	size_t n = strlen(want);

	return strncmp(have, want, n) == 0 && (have[n] == '\0' || strchr(" \n/", have[n]));
}

/* "unconfined" is what AppArmor calls no profile. */
static int compare_label(struct restored *r, const char *tid)
{
	const char *want = *r->limits.selinux ? r->limits.selinux : r->limits.apparmor;
	ssize_t n;

	if (!*want || (!*r->limits.selinux && strcmp(want, "unconfined") == 0))
		return 0;
	n = thread_read(r, tid, "attr/current", STATUS_MAX);
	if (n > 0 && !label_is(r->text, want))
		return err_set(&r->err, ERR_PERMISSION_DENIED, "its label is %.100s and not %.100s", r->text, want);
	return n < 0 ? -1 : 0;
}

static int compare_thread(struct restored *r, const char *tid)
{
	ssize_t n = thread_read(r, tid, "status", STATUS_MAX);

	if (n == 0)
		return 0;
	if (n < 0 || restored_compare(&r->limits, r->text, &r->err) < 0 || compare_label(r, tid) < 0)
		return err_wrap(&r->err, "restored process %d, thread %.12s", (int)r->pids[r->next], tid);
	return 0;
}

/* 1: a thread was compared; 0: all are. */
static int restored_step(struct restored *r)
{
	struct dirent *entry;
	char path[32];

	if (r->next == r->n)
		return 0;
	if (!r->threads) {
		snprintf(path, sizeof(path), "/proc/%d/task", (int)r->pids[r->next]);
		r->threads = opendir(path);
		if (!r->threads && errno != ENOENT)
			return err_os(&r->err, ERR_INTERNAL, "open %s", path);
	}
	errno = 0;
	entry = r->threads ? readdir(r->threads) : NULL;
	if (entry)
		return entry->d_name[0] == '.' || compare_thread(r, entry->d_name) == 0 ? 1 : -1;
	if (r->threads)
		closedir(take_ptr(&r->threads));
	r->next++;
	return 1;
}

/* A process that runs already could have changed while it was looked at. By pid: a stopped process ends only by a
 * SIGKILL, and a SIGCONT does no harm to a later process of that pid. */
static void restored_continue(struct restored *r)
{
	struct pidstat stat;

	if (!pidstat_read(r->first, &stat) || (stat.state != 'T' && stat.state != 't'))
		err_set(&r->err, ERR_INTERNAL,
			"CRIU has not left the restored processes stopped (leave-running in its options?)");
	for (size_t i = 0; r->err.code == ERR_OK && i < r->n; i++)
		EFFECT(kill(r->pids[i], SIGCONT));
	restored_over(r);
}

static void on_restored_turn(struct timer *t)
{
	struct restored *r = container_of(t, struct restored, timer);
	int64_t until_ns = loop_mono_ns() + TURN_NS;
	int step = r->err.code == ERR_OK ? 1 : -1;

	while (step > 0 && loop_mono_ns() < until_ns)
		step = restored_step(r);
	if (step > 0)
		timer_set(&r->timer, 0, on_restored_turn);
	else if (step < 0)
		restored_over(r);
	else
		restored_continue(r);
}

static int restored_list(struct restored *r, const struct container *c, pid_t pid)
{
	auto_json json_t *config = bundle_read_config(c->bundle, &r->err);

	if (!config)
		return -1;
	restored_limits_read(&r->limits, config, r->arena);
	r->first = pid;
	r->n = cgroup_pids(c->cgroup, r->pids, PIDS_MAX);
	if (r->n == PIDS_MAX)
		return err_set(&r->err, ERR_RESOURCE_EXHAUSTED, "the checkpoint has more than %d processes",
			       PIDS_MAX - 1);
	for (size_t i = 0; i < r->n; i++)
		if (r->pids[i] == pid)
			return 0;
	return err_set(&r->err, ERR_INTERNAL, "the restored process %d is not in the container's cgroup", (int)pid);
}

void restored_start(const struct container *c, pid_t pid, restored_done *done, void *arg)
{
	struct restored *r = new_zero(struct restored);

	r->arena = arena_new();
	snprintf(r->id, sizeof(r->id), "%s", c->id);
	r->sm = (struct sm){ restored_states, "restored", r->id, LOOK };
	r->pids = own_must(calloc(PIDS_MAX, sizeof(*r->pids)));
	r->text = own_must(malloc(STATUS_MAX + 1));
	r->done = done;
	r->arg = arg;
	if (restored_list(r, c, pid) < 0 && r->err.code == ERR_NOT_FOUND)
		r->err.code = ERR_INTERNAL;
	timer_set(&r->timer, 0, on_restored_turn);
}
