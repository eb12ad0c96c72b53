/* userns.c - the trials of runtime.h: does a handler run containers in a user namespace?
 *
 *   NAMESPACES ---made---> RUN ---exit 0---> DONE (it works)
 *      |                   | ^
 *      |                   v |  once more: a container of that name may be left of a killed daemon
 *      |                 DELETE ---> DONE (it does not)
 *      +---failed---> DONE; without a keeper: as if never tried
 *
 * Waits on: the keeper (NAMESPACES), the runtime (RUN, DELETE). The container ends by itself, so no crash leaves a
 * process. (ARCHITECTURE X26) */
#include "procs/oci/program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/bundle.h"
#include "procs/cgroup.h"
#include "procs/keeper.h"
#include "procs/namespaces.h"
#include "reactor/dir.h"
#include "reactor/fault.h"
#include "reactor/json.h"
#include "reactor/log.h"
#include "reactor/own.h"
#include "reactor/sm.h"

/* Any range does: no process and no file of the host needs to have these ids. */
enum { HOST_ID = 65536, IDS = 65536, PROGRAM_MAX = 4 << 20 };

enum trial_state { NAMESPACES, RUN, DELETE, DONE };
static const struct sm_state trial_states[] = {
	[NAMESPACES] = { "NAMESPACES", TO(RUN) | TO(DONE) },
	[RUN]        = { "RUN",        TO(DELETE) | TO(DONE) },
	[DELETE]     = { "DELETE",     TO(RUN) | TO(DONE) },
	[DONE]       = { "DONE",       0 },
};

struct userns_trial {
	struct sm sm;
	struct arena *arena;
	struct program *program;
	const char *id, *bundle, *pod, *cgroup; /* pod and cgroup: groups like those of a pod and its container */
	struct ns_op *namespaces;
	struct runtime_op *op;
	bool again; /* RUN is run the second time */
	int64_t begun_ns;
	struct err err;
};

static struct runtime_trials_config cfg;
static unsigned under_way;
static void (*all_ended)(void); /* set once no trial is to begin any more */
static struct timer none_left;

/* ---- the bundle ---- */

static int trial_make_dirs(const struct userns_trial *t, struct err *e)
{
	const char *all = arena_printf(t->arena, "%s/userns-trial", cfg.state);
	const char *rootfs = arena_printf(t->arena, "%s/rootfs", t->bundle);

	if (EFFECT(mkdir(all, 0711)) < 0 && errno != EEXIST)
		return err_os(e, ERR_INTERNAL, "make %s", all);
	if (dir_close(t->bundle, HOST_ID, e) < 0) /* as the bundle of a pod with a user namespace (create.c) */
		return -1;
	return EFFECT(mkdir(rootfs, 0711)) < 0 && errno != EEXIST ? err_os(e, ERR_INTERNAL, "make %s", rootfs) : 0;
}

static int copy_program(const char *to, struct err *e)
{
	auto_fd int in = open(cfg.pause_path, O_RDONLY | O_CLOEXEC), out = -1;
	auto_free char *bytes = own_must(malloc(PROGRAM_MAX));
	ssize_t n = in < 0 ? -1 : read(in, bytes, PROGRAM_MAX);

	if (n < 0)
		return err_os(e, ERR_INTERNAL, "read %s", cfg.pause_path);
	out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	if (out < 0 || write(out, bytes, (size_t)n) != n)
		return err_os(e, ERR_INTERNAL, "write %s", to);
	return 0;
}

/* A tmpfs of its own: <state> is often mounted noexec. */
static int trial_make_rootfs(const struct userns_trial *t, struct err *e)
{
	const char *rootfs = arena_printf(t->arena, "%s/rootfs", t->bundle);
	const char *options = arena_printf(t->arena, "mode=755,size=8m,uid=%d,gid=%d", HOST_ID, HOST_ID);

	EFFECT(umount2(rootfs, MNT_DETACH | UMOUNT_NOFOLLOW)); /* what a killed daemon left */
	if (EFFECT(mount("userns-trial", rootfs, "tmpfs", MS_NOSUID | MS_NODEV, options)) < 0)
		return err_os(e, ERR_INTERNAL, "mount a tmpfs at %s", rootfs);
	return copy_program(arena_printf(t->arena, "%s/program", rootfs), e);
}

static const char *trial_namespace(const struct userns_trial *t, const char *kind)
{
	const char *path = keeper_path(t->arena, arena_printf(t->arena, "sandbox/%s/%s", t->id, kind));

	return path ? path : "";
}

/* These mounts fail first where a runtime cannot do user namespaces: /proc belongs to the PID namespace, mqueue to IPC,
 * sysfs to the network namespace, and all of them must be owned by the user namespace. */
static json_t *trial_config(const struct userns_trial *t)
{
	json_t *map = json_pack("[{s:i,s:i,s:i}]", "containerID", 0, "hostID", HOST_ID, "size", IDS);
	json_t *mounts =
		json_pack("[{s:s,s:s,s:s,s:[sss]},{s:s,s:s,s:s,s:[s]},{s:s,s:s,s:s,s:[sss]},{s:s,s:s,s:s,s:[ssss]},{s:"
			  "s,s:s,s:s,s:[ssss]}]",
			  "destination", "/proc", "type", "proc", "source", "proc", "options", "nosuid", "noexec",
			  "nodev", "destination", "/dev", "type", "tmpfs", "source", "tmpfs", "options", "nosuid",
			  "destination", "/dev/mqueue", "type", "mqueue", "source", "mqueue", "options", "nosuid",
			  "noexec", "nodev", "destination", "/sys", "type", "sysfs", "source", "sysfs", "options",
			  "nosuid", "noexec", "nodev", "ro", "destination", "/sys/fs/cgroup", "type", "cgroup",
			  "source", "cgroup", "options", "nosuid", "noexec", "nodev", "ro");
	json_t *namespaces = json_pack("[{s:s},{s:s},{s:s,s:s},{s:s,s:s},{s:s,s:s},{s:s,s:s}]", "type", "mount", "type",
				       "pid", "type", "user", "path",
				       ns_user_path(t->arena, trial_namespace(t, "user")), "type", "network", "path",
				       trial_namespace(t, "net"), "type", "ipc", "path", trial_namespace(t, "ipc"),
				       "type", "uts", "path", trial_namespace(t, "uts"));

	return own_must(
		json_pack("{s:s, s:{s:{s:i,s:i}, s:[ss], s:s, s:[s], s:i}, s:{s:s}, s:o, s:{s:s, s:o, s:O, s:o}}",
			  "ociVersion", "1.0.2", "process", "user", "uid", 0, "gid", 0, "args", "/program", "nothing",
			  "cwd", "/", "env", "PATH=/", "oomScoreAdj", 0, "root", "path", "rootfs", "mounts", mounts,
			  "linux", "cgroupsPath", cgroup_runtime_path(t->arena, t->cgroup), "namespaces", namespaces,
			  "uidMappings", map, "gidMappings", map));
}

static int trial_make_bundle(struct userns_trial *t, struct err *e)
{
	auto_json json_t *config = trial_config(t);

	if (trial_make_dirs(t, e) < 0 || trial_make_rootfs(t, e) < 0 ||
	    (!cgroup_unit(t->pod) && cgroup_make(t->pod, e) < 0))
		return -1;
	return bundle_write_config(t->bundle, config, e);
}

static void trial_remove(const struct userns_trial *t)
{
	const char *rootfs = arena_printf(t->arena, "%s/rootfs", t->bundle);

	EFFECT(umount2(rootfs, MNT_DETACH | UMOUNT_NOFOLLOW));
	EFFECT(rmdir(rootfs));
	EFFECT(unlink(arena_printf(t->arena, "%s/config.json", t->bundle)));
	EFFECT(rmdir(t->bundle));
	EFFECT(rmdir(arena_printf(t->arena, "%s/userns-trial", cfg.state))); /* works for the last trial only */
	cgroup_remove(t->cgroup); /* before the pod's: under systemd a failed scope is a unit of its own */
	cgroup_remove(t->pod);
	keeper_namespaces_drop(t->id, NULL, NULL, NULL);
}

/* ---- the trial ---- */

static void on_none_left(struct timer *t)
{
	(void)t;
	all_ended();
}

static void trial_over(struct userns_trial *t)
{
	trial_remove(t);
	t->program->trial = NULL;
	arena_free(t->arena);
	if (--under_way == 0 && all_ended)
		timer_set(&none_left, 0, on_none_left);
}

static void trial_finish(struct userns_trial *t, bool works)
{
	struct program *p = t->program;
	bool away = !works && t->err.code == ERR_UNAVAILABLE;

	sm_move(&t->sm, DONE);
	p->userns_tried = !away;
	p->features.user_namespaces = works;
	if (works)
		log_info("runtime_userns name=%s took_ms=%.1f", p->handler.name,
			 (double)(loop_mono_ns() - t->begun_ns) / 1e6);
	else
		log_info("runtime_userns name=%s error=%s", p->handler.name, log_quote(t->err.msg));
	trial_over(t);
}

static void trial_run(struct userns_trial *t);

static void on_trial_deleted(void *arg, const struct err *e, struct child_result *r)
{
	struct userns_trial *t = arg;

	(void)r;
	t->op = NULL;
	if (t->again || e || all_ended)
		return trial_finish(t, false);
	t->again = true;
	trial_run(t);
}

static void on_trial_ran(void *arg, const struct err *e, struct child_result *r)
{
	struct userns_trial *t = arg;

	(void)r;
	t->op = NULL;
	if (!e)
		return trial_finish(t, true);
	t->err = *e;
	sm_move(&t->sm, DELETE);
	t->op = oci_delete(&t->program->handler, t->id, true, on_trial_deleted, t);
}

static void trial_run(struct userns_trial *t)
{
	sm_move(&t->sm, RUN);
	t->op = oci_try(&t->program->handler, t->id, t->bundle, t->cgroup, on_trial_ran, t);
}

static void on_trial_namespaces(void *arg, const struct err *e, bool left)
{
	struct userns_trial *t = arg;
	int userns;

	(void)left; /* it has no pin */
	t->namespaces = NULL;
	if (e) {
		t->err = *e;
		return trial_finish(t, false);
	}
	userns = keeper_copy(arena_printf(t->arena, "sandbox/%s/user", t->id));
	if (cfg.rootfs(userns, &t->err) < 0 || trial_make_bundle(t, &t->err) < 0)
		return trial_finish(t, false);
	trial_run(t);
}

/* A scope's name is unique on the machine, where another crispd may run: the name of the slice above has our root in
 * it. */
static const char *trial_group_name(const struct userns_trial *t)
{
	const char *slice = cgroup_unit(t->pod);

	return slice ? arena_strndup(t->arena, slice, strlen(slice) - strlen(".slice")) : t->id;
}

static void trial_begin(struct program *p)
{
	static struct id_mapping map = { .host_id = HOST_ID, .container_id = 0, .length = IDS };
	static const struct id_mappings maps = { &map, 1 };
	struct arena *a;
	struct userns_trial *t;

	/* A sandbox that is a container has the user namespaces of its own kernel. */
	if (p->trial || p->userns_tried || p->handler.options.sandbox_container || all_ended)
		return;
	a = arena_new();
	t = arena_zalloc(a, sizeof(*t));
	t->arena = a;
	t->program = p;
	p->trial = t;
	under_way++;
	t->id = arena_printf(a, "userns-trial-%s", p->handler.name);
	t->sm = (struct sm){ trial_states, "userns_trial", p->handler.name, NAMESPACES };
	t->bundle = arena_printf(a, "%s/userns-trial/%s", cfg.state, p->handler.name);
	t->pod = cgroup_pod_path(a, "", t->id);
	t->cgroup = cgroup_container_path(a, t->pod, trial_group_name(t));
	t->begun_ns = loop_mono_ns();
	t->namespaces = keeper_namespaces(&(struct ns_request){ .id = t->id, .net = true, .ipc = true, .uts = true,
		.uids = &maps, .gids = &maps }, on_trial_namespaces, t);
}

static void trial_give_up(struct userns_trial *t)
{
	if (t->namespaces)
		keeper_namespaces_cancel(t->namespaces);
	if (t->op)
		oci_cancel(t->op);
	trial_over(t);
}

static void trial_open(struct program *p)
{
	struct runtime_features f;
	struct err e;

	/* Asking for the features begins the probe, or the trial when the probe is over. */
	if (program_usable_now(&p->handler, &e) == 0)
		program_features(&p->handler, &f);
}

void runtime_trials_open(const struct runtime_trials_config *config)
{
	cfg = *config;
	all_ended = NULL;
	programs_on_known(trial_begin);
	programs_each(trial_open);
}

void runtime_trials_end(void (*ended)(void))
{
	all_ended = ended;
	if (!under_way)
		timer_set(&none_left, 0, on_none_left);
}

static void trial_close(struct program *p)
{
	if (p->trial)
		trial_give_up(p->trial);
}

void runtime_trials_close(void)
{
	programs_on_known(NULL);
	programs_each(trial_close);
	timer_clear(&none_left);
}
