/* sandbox_box.c - see sandbox_box.h. Waits on: the runtime. */
#include "procs/sandbox_box.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/box_watch.h"
#include "procs/bundle.h"
#include "procs/cgroup.h"
#include "procs/runtime.h"
#include "procs/sandbox_ns.h"
#include "procs/spec.h"
#include "procs/stats_inside.h"
#include "reactor/arena.h"
#include "reactor/child.h"
#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { PAUSE_MAX = 1 << 20 };

struct box {
	struct arena *arena;
	struct sandbox *sandbox; /* borrowed: the caller holds its lane */
	struct timer timer;      /* reports what is known at once */
	struct err err;
	sandbox_pause_done *done;
	void *arg;
};

static struct box *box_new(struct sandbox *s, sandbox_pause_done *done, void *arg)
{
	struct box *b = new_zero(struct box);

	b->arena = arena_new();
	b->sandbox = s;
	b->done = done;
	b->arg = arg;
	return b;
}

static void box_report(struct box *b)
{
	sandbox_pause_done *done = b->done;
	void *arg = b->arg;
	struct err e = b->err;

	timer_clear(&b->timer);
	arena_free(b->arena);
	free(b);
	done(arg, e.code == ERR_OK ? NULL : &e);
}

static void on_box_known(struct timer *t)
{
	box_report(container_of(t, struct box, timer));
}

/* A shim's `delete` takes the last word of the path for the id. */
static const char *box_dir(const struct box *b)
{
	return arena_printf(b->arena, "%s/%s", b->sandbox->dir, sandbox_inside(b->sandbox) ? "box" : b->sandbox->id);
}

static const struct runtime_handler *box_handler(struct box *b)
{
	const char *name = b->sandbox->config.runtime_handler;
	const struct runtime_handler *h = runtime_find(name);

	if (!h || !(runtime_traits(h) & (sandbox_in_runtime(b->sandbox) ? RUNTIME_WAITS : RUNTIME_SANDBOX))) {
		err_set(&b->err, ERR_FAILED_PRECONDITION,
			"runtime handler %s with a sandbox is not configured any more", name);
		return NULL;
	}
	return h;
}

/* ---- up ---- */

/* A copy, since the root file system of the box has nothing else. The program is a few KiB. */
static int box_copy_pause(const char *from, const char *to, struct err *e)
{
	auto_fd int in = open(from, O_RDONLY | O_CLOEXEC), out = -1;
	auto_free char *bytes = own_must(malloc(PAUSE_MAX));
	ssize_t n = in < 0 ? -1 : read(in, bytes, PAUSE_MAX);

	if (n < 0)
		return err_os(e, ERR_INTERNAL, "read %s", from);
	out = EFFECT(open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0555));
	if (out < 0 || EFFECT(write(out, bytes, (size_t)n)) != n)
		return err_os(e, ERR_INTERNAL, "write %s", to);
	return 0;
}

/* The root is open: the sandbox reads it as a user without rights. */
static int box_make(struct box *b, const char *dir, const char *pause_path)
{
	static const char *const dirs[] = { "", "/rootfs", "/rootfs/proc", "/rootfs/dev", "/rootfs/sys" };
	const char *rootfs = arena_printf(b->arena, "%s/rootfs", dir);
	const bool inside = sandbox_inside(b->sandbox), empty = sandbox_in_runtime(b->sandbox);
	struct spec_namespaces ns;
	auto_json json_t *config = NULL;

	if (!inside && sandbox_namespaces_held(b->sandbox, b->arena, &ns, &b->err) < 0)
		return -1;
	config = spec_box(b->sandbox, inside ? NULL : &ns, b->arena, &b->err);
	if (!config)
		return -1;
	for (size_t i = 0; i < (empty ? 2 : sizeof(dirs) / sizeof(*dirs)); i++) {
		const char *path = arena_printf(b->arena, "%s%s", dir, dirs[i]);

		if (EFFECT(mkdir(path, i ? 0755 : 0711)) < 0)
			return err_os(&b->err, ERR_INTERNAL, "make %s", path);
	}
	if (!empty && box_copy_pause(pause_path, arena_printf(b->arena, "%s/pause", rootfs), &b->err) < 0)
		return -1;
	return bundle_write_config(dir, config, &b->err);
}

static void on_box_ran(void *arg, const struct err *e, struct child_result *r)
{
	struct box *b = arg;

	if (e)
		b->err = *e;
	else if (sandbox_in_runtime(b->sandbox))
		box_watch_began(b->sandbox, 0);
	else if (r->pid <= 0)
		err_set(&b->err, ERR_INTERNAL, "the runtime told no process of it");
	else if (sandbox_inside(b->sandbox))
		sandbox_pause_began(b->sandbox, r->pid);
	else
		box_watch_began(b->sandbox, r->pid);
	if (b->err.code != ERR_OK)
		err_wrap(&b->err, "start the sandbox %.12s", b->sandbox->id);
	box_report(b);
}

void sandbox_box_start(struct sandbox *s, const char *pause_path, sandbox_pause_done *done, void *arg)
{
	struct box *b = box_new(s, done, arg);
	const struct runtime_handler *h = box_handler(b);
	const char *dir = box_dir(b);
	struct runtime_sandbox want = { .id = s->id, .bundle = dir,
					.cgroup = cgroup_pause_path(b->arena, s->cgroup, s->id),
					.host_network = s->config.security.ns.network == NS_NODE,
					.netns_path = s->netns_path, .config = s->cri_config,
					.config_len = s->cri_config_len };
	char keep_id[72];

	want.keep_id = sandbox_pause_keep_id(s, keep_id);
	if (!h || box_make(b, dir, pause_path) < 0)
		timer_set(&b->timer, 0, on_box_known);
	else
		runtime_run_sandbox(h, &want, on_box_ran, b);
}

/* ---- down ---- */

/* Its files and its empty directories. */
static void box_empty(const char *dir)
{
	auto_dir DIR *list = opendir(dir);
	struct dirent *f;

	while (list && (f = readdir(list))) {
		if (strcmp(f->d_name, ".") == 0 || strcmp(f->d_name, "..") == 0)
			continue;
		if (EFFECT(unlinkat(dirfd(list), f->d_name, 0)) < 0 && errno == EISDIR)
			EFFECT(unlinkat(dirfd(list), f->d_name, AT_REMOVEDIR));
	}
}

/* A shim leaves files of its own beside ours, and one that was killed may have left a process. */
static void box_unmake(struct box *b)
{
	const char *dir = box_dir(b);

	if (!sandbox_inside(b->sandbox))
		cgroup_kill(cgroup_pause_path(b->arena, b->sandbox->cgroup, b->sandbox->id));
	box_empty(arena_printf(b->arena, "%s/rootfs", dir));
	box_empty(dir);
	if (EFFECT(rmdir(dir)) < 0 && errno != ENOENT)
		err_os(&b->err, ERR_INTERNAL, "remove %s", dir);
}

static void on_box_deleted(void *arg, const struct err *e, struct child_result *r)
{
	struct box *b = arg;

	(void)r;
	if (e)
		b->err = *e;
	else
		box_unmake(b);
	box_report(b);
}

void sandbox_box_remove(struct sandbox *s, sandbox_pause_done *done, void *arg)
{
	struct box *b = box_new(s, done, arg);
	const struct runtime_handler *h = box_handler(b);

	if (sandbox_in_runtime(s)) {
		box_watch_end(s);
		stats_of_sandbox_end(s);
	}
	if (h) {
		runtime_delete(h, s->id, true, on_box_deleted, b);
		return;
	}
	/* As with a container: what the runtime knows of it stays with the runtime. */
	log_warn("runtime_delete sandbox=%.12s error=%s", s->id, log_quote(b->err.msg));
	b->err = (struct err){ 0 };
	box_unmake(b);
	timer_set(&b->timer, 0, on_box_known);
}
