/* join.c - see join.h. */
#include "procs/join.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "procs/bundle.h"
#include "procs/keeper.h"
#include "procs/life.h"
#include "procs/namespaces.h"
#include "procs/sandbox_ns.h"
#include "reactor/own.h"

static const struct container *find_target(const struct container *c)
{
	const char *id = c->config.security.ns.target_id;
	const struct container *target = *id ? container_find(id) : NULL;

	return target && target->sandbox == c->sandbox ? target : NULL;
}

static int target_is_down(const struct container *c, struct err *e)
{
	return err_set(e, ERR_FAILED_PRECONDITION, "target_id \"%s\": not running", c->config.security.ns.target_id);
}

/* A sandbox with a kernel of its own has its own PID namespaces, and joins those whose paths are the same words. */
static const char *inside_pid(const struct container *c)
{
	return arena_printf(c->arena, "/pid/%s", c->id);
}

static int choose_target(const struct container *c, struct spec_namespaces *ns, struct err *e)
{
	const struct container *target = find_target(c);

	if (!target)
		return err_set(e, ERR_INVALID_ARGUMENT, "target_id \"%s\": no container of this sandbox",
			       c->config.security.ns.target_id);
	if (target->state != CONTAINER_RUNNING || target->pid <= 0)
		return target_is_down(c, e);
	ns->pid = sandbox_inside(c->sandbox) ? inside_pid(target)
					    : arena_printf(c->arena, "/proc/%d/ns/pid", target->pid);
	return 0;
}

/* A container chooses its PID namespace; all other namespaces are the sandbox's. */
static int choose_pid(const struct container *c, struct spec_namespaces *ns, struct err *e)
{
	int32_t mode = c->config.security.ns.pid;

	switch (mode) {
	case NS_POD:
		if (sandbox_inside(c->sandbox) && c->sandbox->config.security.ns.pid == NS_CONTAINER)
			ns->pid = inside_pid(c);
		return 0; /* the sandbox's choice: its pause's, the host's, or a new one when the pod shares none */
	case NS_CONTAINER:
		ns->pid = sandbox_inside(c->sandbox) ? inside_pid(c) : "new";
		return 0;
	case NS_NODE:
		ns->pid = "";
		return 0;
	case NS_TARGET:
		return choose_target(c, ns, e);
	}
	return err_set(e, ERR_INVALID_ARGUMENT, "namespace_options: unknown pid mode %d", mode);
}

static const char *note_of(const struct spec_namespaces *ns, struct arena *a)
{
	return arena_printf(a, "%s %s %s %s %s", ns->net, ns->ipc, ns->uts, ns->user, ns->pid);
}

int join_namespaces(struct container *c, struct spec_namespaces *out, struct err *e)
{
	if (sandbox_namespaces(c->sandbox, c->arena, out, e) < 0 || choose_pid(c, out, e) < 0)
		return -1;
	c->joined = note_of(out, c->arena);
	return 0;
}

/* ---- at start ---- */

/* The pid cannot be another process's while the target lives. So the fd is opened first, and then the target is seen
 * to be alive: the fd is its namespace. */
static int open_target(const struct container *c, struct err *e)
{
	const struct container *target = find_target(c);
	auto_fd int fd = -1;
	char path[32];

	if (!target || target->state != CONTAINER_RUNNING || target->pid <= 0)
		return target_is_down(c, e);
	snprintf(path, sizeof(path), "/proc/%d/ns/pid", target->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || !life_has_pid(target))
		return target_is_down(c, e);
	return take_fd(&fd);
}

/* CreateContainer decided which namespaces there are; only their paths change. */
static int rewrite(const struct container *c, const struct spec_namespaces *ns, struct err *e)
{
	struct arena *a = arena_new();
	const struct {
		const char *type, *path;
	} all[] = { { "user", ns_user_path(a, ns->user) },
		    { "network", ns->net },
		    { "ipc", ns->ipc },
		    { "uts", ns->uts },
		    { "pid", ns->pid } };
	auto_json json_t *config = bundle_read_config(c->bundle, e);
	json_t *list = json_object_get(json_object_get(config, "linux"), "namespaces"), *one;
	size_t i;
	int r;

	json_array_foreach(list, i, one)
		for (size_t k = 0; json_object_get(one, "path") && k < sizeof(all) / sizeof(all[0]); k++)
			if (strcmp(json_string_value(json_object_get(one, "type")), all[k].type) == 0)
				json_object_set_new(one, "path", json_string(all[k].path));
	r = config ? bundle_write_config(c->bundle, config, e) : -1;
	arena_free(a);
	return r;
}

int join_again(struct container *c, int *fd, struct err *e)
{
	struct spec_namespaces ns;
	auto_fd int target = -1;
	const char *note;

	*fd = -1;
	if (!keeper_here())
		return err_set(e, ERR_UNAVAILABLE, "no keeper is there to start it");
	if (sandbox_namespaces(c->sandbox, c->arena, &ns, e) < 0)
		return -1;
	if (c->config.security.ns.pid == NS_TARGET && !sandbox_inside(c->sandbox)) {
		target = open_target(c, e);
		if (target < 0)
			return -1;
		ns.pid = arena_printf(c->arena, "/proc/%d/fd/%d", (int)getpid(), target);
	} else if (choose_pid(c, &ns, e) < 0) {
		return -1;
	}
	note = note_of(&ns, c->arena);
	if (target < 0 && strcmp(note, c->joined) == 0)
		return 0;
	if (rewrite(c, &ns, e) < 0)
		return -1;
	c->joined = note;
	*fd = take_fd(&target);
	return 0;
}

bool join_is_gone(const struct container *c)
{
	for (const char *at = c->joined; at && *at; at += strcspn(at, " "), at += strspn(at, " ")) {
		char path[64];
		int n = snprintf(path, sizeof(path), "%.*s", (int)strcspn(at, " "), at);

		if (n < (int)sizeof(path) && strncmp(path, "/proc/", 6) == 0 && strstr(path, "/fd/") &&
		    access(path, F_OK) < 0 && errno == ENOENT)
			return true;
	}
	return false;
}
