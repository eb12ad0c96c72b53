/* handler.c - handlers of type shim: their programs, and what they differ in from a program like runc.
 *
 * A handler names its program by a path or by a runtime type: io.containerd.runc.v2 is containerd-shim-runc-v2, which
 * is looked for in the directories of shim_dirs when the daemon starts. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/shim.h"
#include "procs/shim/op.h"
#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/own.h"

enum { NAME_MAX_BYTES = 200 };

static const char *const shim_dirs[] = { "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/opt/bin" };

static struct arena *names;
static const char *base = "";
static struct link handlers = { &handlers, &handlers }; /* of struct shim_handler.link */

void shims_close(void)
{
	list_each(it, &handlers)
		lookup_memo_free(take_ptr(&container_of(it, struct shim_handler, link)->memo));
	list_init(&handlers);
	shim_logs_close();
	shim_links_close();
	shim_tasks_close();
	shim_events_close();
}

void shims_open(struct arena *arena, const char *state)
{
	names = arena;
	base = arena_strdup(arena, state);
}

/* ---- the program ---- */

/* NAME.VERSION are the last two words of the runtime type. */
static const char *program_of_type(const char *type, struct err *e)
{
	const char *version = strrchr(type, '.'), *name = version;
	char file[NAME_MAX_BYTES + 24];

	while (name && name > type && name[-1] != '.')
		name--;
	if (!version || name == type || name == version || !version[1] || strlen(type) > NAME_MAX_BYTES ||
	    strchr(type, '/')) {
		err_set(e, ERR_INVALID_ARGUMENT,
			"path %s is neither absolute nor a runtime type such as io.containerd.runc.v2",
			log_quote(type));
		return NULL;
	}
	snprintf(file, sizeof(file), "containerd-shim-%.*s-%s", (int)(version - name), name, version + 1);
	for (size_t i = 0; i < sizeof(shim_dirs) / sizeof(*shim_dirs); i++) {
		const char *path = arena_printf(names, "%s/%s", shim_dirs[i], file);

		if (access(path, X_OK) == 0)
			return path;
	}
	return arena_printf(names, "%s/%s", shim_dirs[1], file);
}

static int make_dir(const char *path, struct err *e)
{
	if (EFFECT(mkdir(path, 0700)) < 0 && errno != EEXIST)
		return err_os(e, ERR_INTERNAL, "make %s", path);
	return 0;
}

static const struct runtime_handler *shim_make(const struct runtime_handler *h, struct err *e)
{
	struct shim_handler *s = arena_zalloc(names, sizeof(*s));
	const char *dir = arena_printf(names, "%s/runtime/%s", base, h->name);

	s->handler.name = arena_strdup(names, h->name);
	s->handler.type = arena_strdup(names, h->type);
	s->handler.path = arena_strdup(names, h->path);
	s->handler.fallback = "";
	fields_copy(runtime_options_fields, &s->handler.options, &h->options, names);
	s->state = base;
	s->tasks = arena_printf(names, "%s/tasks", dir);
	s->root = *s->handler.options.root ? s->handler.options.root : arena_printf(names, "%s/runc", dir);
	s->program = h->path[0] == '/' ? s->handler.path : program_of_type(h->path, e);
	if (!s->program) {
		err_wrap(e, "runtime handler %s", h->name);
		return NULL;
	}
	s->is_runc = strstr(strrchr(s->program, '/'), "runc") != NULL;
	if (make_dir(dir, e) < 0 || shim_events_open(base, e) < 0 || shim_tasks_open(s, e) < 0)
		return NULL;
	s->memo = lookup_memo_new(s->program, NULL, NULL);
	list_append(&handlers, &s->link);
	shim_tasks_each(s, shim_log_open);
	return &s->handler;
}

/* ---- what is particular ---- */

/* The record is there before the shim is. */
static bool shim_knows(const struct runtime_handler *h, const char *id)
{
	return shim_task_find(shim_handler_of(h), id) != NULL;
}

static bool shim_may_have_run(const struct runtime_handler *h, const char *id)
{
	const struct shim_task *t = shim_task_find(shim_handler_of(h), id);

	return t && t->sent != SHIM_SENT_NOTHING && t->sent != SHIM_SENT_CREATE;
}

/* On disk before the container is RUNNING. (ARCHITECTURE K63) */
static bool shim_take_up(const struct runtime_handler *h, const char *id, pid_t *pid)
{
	struct shim_task *t = shim_task_find(shim_handler_of(h), id);
	struct err e;

	if (!t || t->ended || (t->sent != SHIM_SENT_START && t->sent != SHIM_TAKEN_UP))
		return false;
	t->sent = SHIM_TAKEN_UP;
	*pid = t->pid;
	if (shim_task_save(t, &e) == 0)
		return true;
	log_warn("shim_task id=%.12s error=%s", t->id, log_quote(e.msg));
	return false;
}

static void shim_features(const struct runtime_handler *h, struct runtime_features *out)
{
	(void)h;
	*out = (struct runtime_features){ .lifts_quota = true };
}

static unsigned shim_traits(const struct runtime_handler *h)
{
	return (h->options.sandbox_container ? RUNTIME_SANDBOX : 0) |
	       (h->options.sandbox_api ? RUNTIME_SANDBOX_API : 0) | RUNTIME_WAITS | RUNTIME_KILLS | RUNTIME_STATS |
	       RUNTIME_EXEC_WAITS | RUNTIME_STREAMS;
}

const struct runtime_kind shim_kind = {
	.type = "shim", .make = shim_make, .usable = shim_usable, .knows = shim_knows, .features = shim_features,
	.may_have_run = shim_may_have_run, .take_up = shim_take_up,
	.run = shim_run, .exec = shim_exec, .remove = shim_remove, .update = shim_update, .pause = shim_pause,
	.resume = shim_resume, .checkpoint = shim_checkpoint, .restore = shim_restore,
	.traits = shim_traits, .run_sandbox = shim_run_sandbox, .wait = shim_wait, .kill = shim_signal,
	.exec_kill = shim_exec_kill,
	.exec_wait = shim_exec_wait, .resize = shim_resize, .close_stdin = shim_close_stdin,
	.sandbox_status = shim_sandbox_status, .stats = shim_stats, .usage = shim_usage_read,
};
