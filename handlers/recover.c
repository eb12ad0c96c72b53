/* recover.c - see recover.h.
 *
 *   records read -> containers adopted or EXITED -> sandboxes adopted or NOTREADY -> orphans removed -> WAIT -> done
 *
 * An orphan is a process, snapshot, bundle, checkpoint, namespace or cgroup that no record names. What belongs to a
 * record that could not be read is no orphan: it is left alone until an operator has repaired or removed the file.
 * (ARCHITECTURE H9)
 * Waits on: the removal of sandboxes whose RunPodSandbox was cut off; CNI DEL for sandboxes of an earlier boot; the end
 * of stops that were cut off behind their CNI DEL. After PATIENCE_MS the node serves all the same, and they go on
 * behind it: a plugin may wait for an API server, or for an agent that is a pod of this node. Each holds the lane of
 * its sandbox, so that a stop or a removal waits for it. (ARCHITECTURE H71) */
#include "handlers/recover.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "handlers/checkpoint_stage.h"
#include "handlers/sandbox_flow.h"
#include "images/snapshot.h"
#include "images/unpack.h"
#include "procs/cgroup.h"
#include "procs/container.h"
#include "procs/create.h"
#include "procs/exec.h"
#include "procs/keeper.h"
#include "procs/sandbox.h"
#include "procs/sandbox_down.h"
#include "procs/sandbox_files.h"
#include "procs/sandbox_ns.h"
#include "procs/sandbox_sweep.h"
#include "procs/start.h"
#include "reactor/boot.h"
#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { PATIENCE_MS = 1000 };

struct recovery {
	size_t pending; /* removals of sandboxes, and CNI DELs */
	bool served;    /* `done` was called */
	void (*done)(void *arg);
	void *arg;
	struct timer timer;
	const char *boot_id;
	int64_t begun_ns;
	size_t adopted, lost;
};

static void on_recovery_time(struct timer *t)
{
	struct recovery *r = container_of(t, struct recovery, timer);
	bool over = r->pending == 0, served = r->served;

	r->served = true;
	if (!served || over)
		log_info("recovered adopted=%zu lost=%zu pending=%zu took_ms=%.1f", r->adopted, r->lost, r->pending,
			 (double)(loop_mono_ns() - r->begun_ns) / 1e6);
	if (!served)
		r->done(r->arg);
	if (over)
		free(r);
}

static void recovery_one_done(struct recovery *r)
{
	if (--r->pending == 0)
		timer_set(&r->timer, 0, on_recovery_time);
}

static void on_recovery_discarded(void *arg)
{
	recovery_one_done(arg);
}

/* ---- containers ---- */

/* A container of this boot is adopted in every state: crispd may have died between its start and the record of the
 * start, or between its exit and the runtime's `delete`. */
static void recover_container(void *arg, struct container *c)
{
	struct recovery *r = arg;
	bool this_boot = strcmp(c->boot_id, r->boot_id) == 0;
	struct err e;

	if (this_boot && (access(c->bundle, F_OK) == 0 || errno != ENOENT)) {
		if (create_close(c, &e) < 0)
			log_warn("bundle_open container=%.12s error=%s", c->id, log_quote(e.msg));
		start_adopt(c);
		r->adopted += c->state == CONTAINER_RUNNING;
	} else if (c->state != CONTAINER_EXITED) {
		container_set_exited(c, 255, "Unknown", this_boot ? "its bundle is gone" : "the machine was restarted",
				     loop_real_ns());
		r->lost++;
	}
}

/* ---- sandboxes ---- */

struct give_back {
	struct recovery *recovery;
	struct sandbox *sandbox;
	struct lane_pass pass;
};

static void on_given_back(void *arg, const struct err *e)
{
	struct give_back *g = arg;

	if (e)
		log_warn("sandbox_network sandbox=%.12s error=%s", g->sandbox->id, log_quote(e->msg));
	lane_leave(&g->pass);
	recovery_one_done(g->recovery);
	free(g);
}

static void on_give_back_turn(struct lane_pass *p)
{
	struct give_back *g = container_of(p, struct give_back, pass);

	sandbox_down_start(g->sandbox, on_given_back, g);
}

static void give_back(struct recovery *r, struct sandbox *s)
{
	struct give_back *g = new_zero(struct give_back);

	g->recovery = r;
	g->sandbox = s;
	r->pending++;
	lane_enter(&s->lane, &g->pass, on_give_back_turn);
}

static void recover_sandbox(void *arg, struct sandbox *s)
{
	struct recovery *r = arg;
	bool this_boot = strcmp(s->boot_id, r->boot_id) == 0;
	struct err e;

	if (this_boot && access(s->dir, F_OK) == 0 && sandbox_files_close(s, &e) < 0)
		log_warn("sandbox_open sandbox=%.12s error=%s", s->id, log_quote(e.msg));
	if (!this_boot) {
		if (s->state == SANDBOX_READY)
			sandbox_set_state(s, SANDBOX_NOTREADY);
		if (s->made)
			give_back(r, s);
	} else if (s->state == SANDBOX_READY && !sandbox_adopt(s)) {
		sandbox_set_state(s, SANDBOX_NOTREADY);
		r->lost++;
	} else if (sandbox_down_begun(s)) {
		give_back(r, s);
	}
}

static void discard_hidden(void *arg, struct sandbox *s)
{
	struct recovery *r = arg;

	r->pending++;
	s->given_up = true;
	log_info("sandbox_half_made sandbox=%.12s", s->id);
	sandbox_flow_discard(s, on_recovery_discarded, r);
}

/* ---- orphans ---- */

static void drop_kept(void *arg, const struct kept_report *k)
{
	const char *slash = strrchr(k->id, '/');
	const char *owner = slash ? slash + 1 : k->id;
	bool owned = slash ? strncmp(k->id, "pause/", 6) == 0 && sandbox_known(owner)
			   : container_find(owner) || container_lost(owner);

	(void)arg;
	if (owned)
		return;
	log_warn("orphan process=%s pid=%d", k->id, (int)k->pid);
	if (!k->ended && k->pid > 0)
		exec_kill_tree(k->pid, "");
	keeper_ask_forget(k->id);
}

static void drop_snapshot(void *arg, const char *id)
{
	const char *state = arg;
	char path[512];
	struct err e;

	if (container_find(id) || container_lost(id))
		return;
	log_warn("orphan snapshot=%.12s", id);
	snprintf(path, sizeof(path), "%s/containers/%s/rootfs", state, id);
	if (snapshot_unmount(path, &e) < 0)
		log_warn("orphan_unmount path=%s error=%s", log_quote(path), log_quote(e.msg));
	if (snapshot_remove(id, &e) < 0)
		log_warn("orphan_snapshot snapshot=%.12s error=%s", id, log_quote(e.msg));
}

/* Unmounts all that is mounted below the bundle. 599: a mount point that crisp makes has fewer bytes (config.c). */
static void unmount_below(const char *bundle)
{
	auto_file FILE *f = fopen("/proc/self/mountinfo", "re");
	auto_free char *line = NULL;
	char prefix[600], path[600];
	size_t size = 0, n;

	n = (size_t)snprintf(prefix, sizeof(prefix), "%s/", bundle);
	while (f && getline(&line, &size, f) > 0)
		if (sscanf(line, "%*d %*d %*s %*s %599s", path) == 1 && strncmp(path, prefix, n) == 0)
			EFFECT(umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW));
}

static void drop_bundles(const char *state)
{
	auto_dir DIR *d = NULL;
	char dir[512], path[600];
	struct dirent *entry;

	snprintf(dir, sizeof(dir), "%s/containers", state);
	d = opendir(dir);
	while (d && (entry = readdir(d))) {
		if (entry->d_name[0] == '.' || container_find(entry->d_name) || container_lost(entry->d_name))
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name) >= (int)sizeof(path))
			continue;
		log_warn("orphan bundle=%.12s", entry->d_name);
		unmount_below(path);
		unpack_remove_tree(path);
	}
}

int recover_start(const char *state, void (*done)(void *arg), void *arg, struct err *e)
{
	struct recovery *r;

	if (sandboxes_load(e) < 0 || containers_load(e) < 0)
		return -1;
	r = new_zero(struct recovery);
	r->done = done;
	r->arg = arg;
	r->boot_id = sandbox_boot_id();
	r->begun_ns = loop_mono_ns();
	r->pending = 1;
	container_each(recover_container, r);
	sandbox_each(recover_sandbox, r);
	keeper_each_report(drop_kept, NULL);
	snapshot_each(drop_snapshot, (void *)state);
	drop_bundles(state);
	checkpoint_stages_sweep();
	sandboxes_sweep();
	cgroup_sweep(sandbox_known);
	sandbox_each_hidden(discard_hidden, r);
	if (boot_note(e) < 0) /* the next start finds another boot once more: nothing of it lives then either */
		log_error("boot_note error=%s", log_quote(e->msg));
	timer_set(&r->timer, PATIENCE_MS, on_recovery_time);
	recovery_one_done(r);
	return 0;
}
