/* sandbox_ns.c - see sandbox_ns.h. The network namespace is a pin in the file system; the others are fds that the
 * keeper holds. */
#include "procs/sandbox_ns.h"

#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#include "procs/box_watch.h"
#include "procs/keeper.h"
#include "procs/sandbox_pause.h"
#include "procs/sandbox_regain.h"
#include "procs/spec.h"
#include "reactor/arena.h"
#include "reactor/log.h"

static bool netns_pinned(const struct sandbox *s)
{
	struct statfs fs;

	return statfs(s->netns_path, &fs) == 0 && fs.f_type == NSFS_MAGIC;
}

static const char *sandbox_held_path(const struct sandbox *s, const char *kind, struct arena *a, struct err *e)
{
	const char *name = arena_printf(a, "sandbox/%s/%s", s->id, kind), *path = keeper_path(a, name);

	if (!path && sandbox_regain(s, kind))
		err_set(e, ERR_UNAVAILABLE, "the keeper does not hold the %s namespace of sandbox %.12s yet",
			kind, s->id);
	else if (!path)
		err_set(e, ERR_INTERNAL, "the %s namespace of sandbox %.12s is gone", kind, s->id);
	return path;
}

int sandbox_namespaces_held(const struct sandbox *s, struct arena *a, struct spec_namespaces *out, struct err *e)
{
	const struct ns_options *ns = &s->config.security.ns;

	*out = (struct spec_namespaces){ "", "", "", "", "" };
	if (ns->network != NS_NODE) {
		if (!netns_pinned(s))
			return err_set(e, ERR_INTERNAL, "the network namespace of sandbox %.12s is gone from %s", s->id,
				       s->netns_path);
		out->net = arena_strdup(a, s->netns_path);
		out->uts = sandbox_held_path(s, "uts", a, e);
	}
	if (ns->ipc != NS_NODE)
		out->ipc = sandbox_held_path(s, "ipc", a, e);
	if (ns_has_user(ns))
		out->user = sandbox_held_path(s, "user", a, e);
	return out->uts && out->ipc && out->user ? 0 : -1;
}

int sandbox_namespaces(const struct sandbox *s, struct arena *a, struct spec_namespaces *out, struct err *e)
{
	const struct ns_options *ns = &s->config.security.ns;

	if (sandbox_namespaces_held(s, a, out, e) < 0)
		return -1;
	/* "" of a pod that shares one is the box's own, inside of its sandbox. */
	out->pid = ns->pid == NS_NODE || (ns->pid == NS_POD && sandbox_inside(s)) ? "" : "new";
	if (ns->pid != NS_POD || sandbox_inside(s))
		return 0;
	if (!s->pause_pid)
		return err_set(e, ERR_INTERNAL, "the pause of sandbox %.12s is dead, so its PID namespace is gone",
			       s->id);
	out->pid = arena_printf(a, "/proc/%d/ns/pid", (int)s->pause_pid);
	return 0;
}

int sandbox_userns(const struct sandbox *s)
{
	char name[ID_SIZE + 16];

	snprintf(name, sizeof(name), "sandbox/%s/user", s->id);
	return ns_has_user(&s->config.security.ns) ? keeper_copy(name) : -1;
}

static bool shm_mounted(const struct sandbox *s)
{
	char path[512];
	struct statfs fs;

	snprintf(path, sizeof(path), "%s/shm", s->dir);
	return statfs(path, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

bool sandbox_adopt(struct sandbox *s)
{
	const struct ns_options *ns = &s->config.security.ns;
	const char *lost = NULL;

	/* First the pause: sandbox_regain() takes lost namespaces from it. */
	if (sandbox_boxed(s) ? !box_watch_adopt(s) : sandbox_has_pause(s) && !sandbox_pause_adopt(s))
		lost = "pause";
	else if (sandbox_in_runtime(s) && !box_watch_adopt(s))
		lost = "runtime";
	else if (ns->network != NS_NODE && (!netns_pinned(s) || !sandbox_regain(s, "uts")))
		lost = "network";
	else if (ns->ipc != NS_NODE && (!shm_mounted(s) || !sandbox_regain(s, "ipc")))
		lost = "ipc";
	else if (ns_has_user(ns) && !sandbox_regain(s, "user"))
		lost = "user";
	if (!lost)
		return true;
	log_warn("sandbox_lost sandbox=%.12s what=%s", s->id, lost);
	if (sandbox_boxed(s) && strcmp(lost, "pause") == 0)
		s->pause_pid = 0; /* its containers are dead with it (life.c) */
	sandbox_set_state(s, SANDBOX_NOTREADY);
	return false;
}
