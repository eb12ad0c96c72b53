/* runtime.c - the handlers of the configuration; contract in runtime.h. Each operation goes to the handler's kind. */
#include "procs/runtime.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procs/native.h"
#include "procs/oci/program.h"
#include "procs/runtime_kind.h"
#include "procs/shim.h"
#include "reactor/arena.h"
#include "reactor/log.h"
#include "reactor/metric.h"
#include "reactor/own.h"

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

enum { REASONS_MAX = 16, BASE_MAX = 1 << 20 };

static struct arena *arena;
static const struct runtime_handler **handlers;
static size_t nhandlers;
static json_t **bases; /* of each handler, or NULL */
static const char *default_name = "";

static const struct runtime_kind *kind_of(const char *type)
{
	static const struct runtime_kind *const kinds[] = { &oci_kind, &native_kind, &shim_kind };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strcmp(kinds[i]->type, type) == 0)
			return kinds[i];
	return NULL;
}

/* ---- the handlers ---- */

/* The name is a directory below <state>/runtime: no slash, and no dot in front. */
static int check_handler(const struct runtime_handler *handler, struct err *e)
{
	if (!kind_of(handler->type))
		return err_set(e, ERR_INVALID_ARGUMENT, "runtime handler %s: type %s is unknown", handler->name,
			       handler->type);
	if (!*handler->name || handler->name[0] == '.' || strspn(handler->name, NAME_CHARS) != strlen(handler->name))
		return err_set(e, ERR_INVALID_ARGUMENT, "runtime handler %s: not a name", log_quote(handler->name));
	return 0;
}

/* A fallback runs what the handler does not, so it has none itself. */
static int check_fallback(const struct runtime_handler *handler, struct err *e)
{
	const struct runtime_handler *fallback = *handler->fallback ? runtime_find(handler->fallback) : NULL;

	if (!*handler->fallback || (fallback && strcmp(fallback->type, "oci") == 0))
		return 0;
	return err_set(e, ERR_INVALID_ARGUMENT, "runtime handler %s: fallback %s is no handler of type oci",
		       handler->name, log_quote(handler->fallback));
}

/* Read at the start: a file on a file system that does not answer would hold the loop later. */
static int base_read(const struct runtime_handler *handler, json_t **out, struct err *e)
{
	const char *path = handler->options.base_spec;
	auto_free char *text = own_must(malloc(BASE_MAX + 1));
	auto_fd int fd = -1;
	ssize_t n;

	if (!path || !*path)
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	n = fd < 0 ? -1 : read(fd, text, BASE_MAX + 1);
	if (n < 0)
		return err_os(e, ERR_INVALID_ARGUMENT, "runtime handler %s: base_spec %s", handler->name, path);
	if (n > BASE_MAX)
		return err_set(e, ERR_INVALID_ARGUMENT, "runtime handler %s: base_spec %s has more than 1 MiB",
			       handler->name, path);
	*out = json_parse(text, (size_t)n, path, e);
	if (*out && json_is_object(*out))
		return 0;
	if (*out)
		err_set(e, ERR_INVALID_ARGUMENT, "%s is no object", path);
	json_decref(take_ptr(out));
	e->code = ERR_INVALID_ARGUMENT;
	err_wrap(e, "runtime handler %s: base_spec", handler->name);
	return -1;
}

const json_t *runtime_base_spec(const char *name)
{
	const struct runtime_handler *h = runtime_find(name);

	for (size_t i = 0; h && i < nhandlers; i++)
		if (handlers[i] == h)
			return bases[i];
	return NULL;
}

/* As check_fallback(), before handlers are made. */
static int config_check_fallback(const struct runtimes_config *config, const struct runtime_handler *handler,
				 struct err *e)
{
	if (!*handler->fallback)
		return 0;
	for (size_t i = 0; i < config->n; i++)
		if (strcmp(config->handlers[i].name, handler->fallback) == 0 &&
		    strcmp(config->handlers[i].type, "oci") == 0)
			return 0;
	return err_set(e, ERR_INVALID_ARGUMENT, "runtime handler %s: fallback %s is no handler of type oci",
		       handler->name, log_quote(handler->fallback));
}

int runtimes_check(const struct runtimes_config *config, struct err *e)
{
	for (size_t i = 0; i < config->n; i++) {
		json_t *base = NULL;

		if (check_handler(&config->handlers[i], e) < 0 || base_read(&config->handlers[i], &base, e) < 0)
			return -1;
		json_decref(base);
		if (config_check_fallback(config, &config->handlers[i], e) < 0)
			return -1;
	}
	return 0;
}

static int handlers_make(const struct runtimes_config *config, struct err *e)
{
	for (size_t i = 0; i < config->n; i++) {
		if (check_handler(&config->handlers[i], e) < 0)
			return -1;
		handlers[nhandlers] = kind_of(config->handlers[i].type)->make(&config->handlers[i], e);
		if (!handlers[nhandlers] || base_read(handlers[nhandlers], &bases[nhandlers], e) < 0)
			return -1;
		nhandlers++;
	}
	for (size_t i = 0; i < nhandlers; i++)
		if (check_fallback(handlers[i], e) < 0)
			return -1;
	return 0;
}

int runtimes_open(const struct runtimes_config *config, struct err *e)
{
	for (size_t i = 0; i < nhandlers; i++)
		json_decref(bases[i]);
	shims_close();
	programs_close();
	arena_free(arena);
	arena = arena_new();
	bases = arena_zalloc(arena, config->n * sizeof(*bases));
	default_name = arena_strdup(arena, config->default_name);
	handlers = arena_zalloc(arena, config->n * sizeof(*handlers));
	nhandlers = 0;
	native_open(arena, config->zygote);
	shims_open(arena, config->state);
	if (programs_open(arena, config->state, e) < 0 || handlers_make(config, e) < 0)
		return -1;
	if (!runtime_find(""))
		return err_set(e, ERR_INVALID_ARGUMENT, "runtime.default: no handler is named %s",
			       log_quote(default_name));
	return 0;
}

const struct runtime_handler *runtime_find(const char *name)
{
	if (!*name)
		name = default_name;
	for (size_t i = 0; i < nhandlers; i++)
		if (strcmp(handlers[i]->name, name) == 0)
			return handlers[i];
	return NULL;
}

void runtime_each(void (*fn)(void *arg, const struct runtime_handler *handler, bool usable, const char *why_not),
		  void *arg)
{
	for (size_t i = 0; i < nhandlers; i++) {
		struct err e = { 0 };
		bool usable = runtime_usable(handlers[i], &e) == 0;

		fn(arg, handlers[i], usable, usable ? "" : e.msg);
	}
}

/* ---- which way a container goes ---- */

/* Said once for each reason: a node may start many such containers. */
static void tell_fallback(const struct runtime_handler *handler, const char *reason, const char *what)
{
	static const char *told[REASONS_MAX];
	size_t i = 0;

	metric_add(METRIC_native_fallback_total, reason, 1);
	while (i < REASONS_MAX && told[i] && strcmp(told[i], reason) != 0)
		i++;
	if (i == REASONS_MAX || told[i])
		return;
	told[i] = reason;
	log_info("native_fallback handler=%s fallback=%s reason=%s member=%s", handler->name, handler->fallback,
		 log_quote(reason), log_quote(what));
}

const struct runtime_handler *runtime_choose(const struct runtime_handler *handler, const json_t *config, bool restores,
					     struct arena *a, const char **reason, struct err *e)
{
	const struct runtime_kind *kind = kind_of(handler->type);
	const char *what = "", *why = !kind->refuses ? NULL
				      : restores      ? "restore"
						      : kind->refuses(config, a, &what);

	*reason = why ? arena_printf(a, "%s%s%s", why, *what ? ": " : "", what) : "";
	if (!why)
		return handler;
	if (*handler->fallback) {
		tell_fallback(handler, why, what);
		return runtime_find(handler->fallback);
	}
	err_set(e, ERR_UNIMPLEMENTED,
		"runtime handler %s does not do it natively (%s): give it a fallback, or use a handler of type oci",
		handler->name, *reason);
	return NULL;
}

/* ---- the operations ---- */

int runtime_usable(const struct runtime_handler *handler, struct err *e)
{
	return kind_of(handler->type)->usable(handler, e);
}

bool runtime_knows(const struct runtime_handler *handler, const char *id)
{
	return kind_of(handler->type)->knows(handler, id);
}

bool runtime_may_have_run(const struct runtime_handler *handler, const char *id)
{
	const struct runtime_kind *kind = kind_of(handler->type);

	return kind->may_have_run ? kind->may_have_run(handler, id) : kind->knows(handler, id);
}

bool runtime_take_up(const struct runtime_handler *handler, const char *id, pid_t *pid)
{
	const struct runtime_kind *kind = kind_of(handler->type);

	return kind->take_up && kind->take_up(handler, id, pid);
}

const char *runtime_warning(const struct runtime_handler *handler)
{
	const struct runtime_kind *kind = kind_of(handler->type);

	return kind->warning ? kind->warning(handler) : "";
}

void runtime_features(const struct runtime_handler *handler, struct runtime_features *out)
{
	*out = (struct runtime_features){ 0 };
	if (*handler->fallback)
		kind_of("oci")->features(runtime_find(handler->fallback), out);
	kind_of(handler->type)->features(handler, out);
}

struct runtime_op *runtime_run(const struct runtime_handler *handler, const char *id, const char *bundle,
			       const char *cgroup, const struct runtime_stdio *io, runtime_done *done, void *arg)
{
	return kind_of(handler->type)->run(handler, id, bundle, cgroup, io, done, arg);
}

struct runtime_op *runtime_exec(const struct runtime_handler *handler, const struct runtime_exec *exec,
				const struct runtime_stdio *io, runtime_done *done, void *arg)
{
	return kind_of(handler->type)->exec(handler, exec, io, done, arg);
}

struct runtime_op *runtime_delete(const struct runtime_handler *handler, const char *id, bool force,
				  runtime_done *done, void *arg)
{
	return kind_of(handler->type)->remove(handler, id, force, done, arg);
}

struct runtime_op *runtime_update(const struct runtime_handler *handler, const char *id, const char *cgroup,
				  const char *resources_json, runtime_done *done, void *arg)
{
	return kind_of(handler->type)->update(handler, id, cgroup, resources_json, done, arg);
}

struct runtime_op *runtime_pause(const struct runtime_handler *handler, const char *id, runtime_done *done, void *arg)
{
	return kind_of(handler->type)->pause(handler, id, done, arg);
}

struct runtime_op *runtime_resume(const struct runtime_handler *handler, const char *id, runtime_done *done, void *arg)
{
	return kind_of(handler->type)->resume(handler, id, done, arg);
}

struct runtime_op *runtime_checkpoint(const struct runtime_handler *handler, const char *id,
				      const struct runtime_images *images, runtime_done *done, void *arg)
{
	return kind_of(handler->type)->checkpoint(handler, id, images, done, arg);
}

struct runtime_op *runtime_restore(const struct runtime_handler *handler, const char *id, const char *bundle,
				   const char *cgroup, const struct runtime_images *images,
				   const struct runtime_stdio *io, runtime_done *done, void *arg)
{
	return kind_of(handler->type)->restore(handler, id, bundle, cgroup, images, io, done, arg);
}

unsigned runtime_traits(const struct runtime_handler *handler)
{
	const struct runtime_kind *kind = kind_of(handler->type);

	return kind->traits ? kind->traits(handler) : 0;
}

struct runtime_op *runtime_run_sandbox(const struct runtime_handler *handler, const struct runtime_sandbox *sandbox,
				       runtime_done *done, void *arg)
{
	return kind_of(handler->type)->run_sandbox(handler, sandbox, done, arg);
}

struct runtime_op *runtime_wait(const struct runtime_handler *handler, const char *id, runtime_done *done, void *arg)
{
	return kind_of(handler->type)->wait(handler, id, done, arg);
}

struct runtime_op *runtime_kill(const struct runtime_handler *handler, const char *id, int sig, bool all,
				runtime_done *done, void *arg)
{
	return kind_of(handler->type)->kill(handler, id, sig, all, done, arg);
}

struct runtime_op *runtime_exec_kill(const struct runtime_handler *handler, const char *id, const char *pidfile,
				     runtime_done *done, void *arg)
{
	return kind_of(handler->type)->exec_kill(handler, id, pidfile, done, arg);
}

struct runtime_op *runtime_exec_wait(const struct runtime_handler *handler, const char *id, const char *keep_id,
				     runtime_done *done, void *arg)
{
	return kind_of(handler->type)->exec_wait(handler, id, keep_id, done, arg);
}

struct runtime_op *runtime_resize(const struct runtime_handler *handler, const char *id, const char *keep_id,
				  uint16_t width, uint16_t height, runtime_done *done, void *arg)
{
	return kind_of(handler->type)->resize(handler, id, keep_id, width, height, done, arg);
}

struct runtime_op *runtime_close_stdin(const struct runtime_handler *handler, const char *id, const char *keep_id,
				       runtime_done *done, void *arg)
{
	return kind_of(handler->type)->close_stdin(handler, id, keep_id, done, arg);
}

struct runtime_op *runtime_sandbox_status(const struct runtime_handler *handler, const char *sandbox_id,
					  runtime_done *done, void *arg)
{
	return kind_of(handler->type)->sandbox_status(handler, sandbox_id, done, arg);
}

struct runtime_op *runtime_stats(const struct runtime_handler *handler, const char *id, runtime_done *done, void *arg)
{
	return kind_of(handler->type)->stats(handler, id, done, arg);
}

int runtime_usage_read(const struct runtime_handler *handler, const char *answer, size_t len,
		       struct runtime_usage *out, struct err *e)
{
	return kind_of(handler->type)->usage(answer, len, out, e);
}

struct runtime_op *runtime_forward(const struct runtime_handler *handler, const char *sandbox_id, const char *socket,
				   uint16_t port, runtime_done *done, void *arg)
{
	return kind_of(handler->type)->forward(handler, sandbox_id, socket, port, done, arg);
}

void runtime_cancel(struct runtime_op *op)
{
	op->kind->cancel(op);
}
