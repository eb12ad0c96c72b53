/* runtime.c - the handlers of the configuration; contract in runtime.h. The kind (oci/) implements the operations. */
#include "procs/runtime.h"

#include <string.h>

#include "procs/oci/program.h"
#include "reactor/arena.h"
#include "reactor/log.h"

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

static struct arena *arena;
static const struct runtime_handler **handlers;
static size_t nhandlers;
static const char *default_name = "";

/* The name is a directory below <state>/runtime: no slash, and no dot in front. */
static int check_handler(const struct runtime_handler *handler, struct err *e)
{
	if (strcmp(handler->type, "oci") != 0)
		return err_set(e, ERR_INVALID_ARGUMENT, "runtime handler %s: type %s is unknown", handler->name,
			       handler->type);
	if (!*handler->name || handler->name[0] == '.' || strspn(handler->name, NAME_CHARS) != strlen(handler->name))
		return err_set(e, ERR_INVALID_ARGUMENT, "runtime handler %s: not a name", log_quote(handler->name));
	return 0;
}

int runtimes_open(const struct runtimes_config *config, struct err *e)
{
	arena_free(arena);
	arena = arena_new();
	default_name = arena_strdup(arena, config->default_name);
	handlers = arena_zalloc(arena, config->n * sizeof(*handlers));
	nhandlers = 0;
	if (programs_open(arena, config->state, e) < 0)
		return -1;
	for (size_t i = 0; i < config->n; i++) {
		if (check_handler(&config->handlers[i], e) < 0)
			return -1;
		handlers[nhandlers] = program_new(&config->handlers[i], e);
		if (!handlers[nhandlers])
			return -1;
		nhandlers++;
	}
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
