/* exec_file.c - see exec_file.h. The process is the container's own, from its config.json, with another command. */
#include "procs/exec_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procs/bundle.h"
#include "procs/spec.h"
#include "procs/stdio_pipe.h"
#include "reactor/fault.h"
#include "reactor/json.h"
#include "reactor/log.h"
#include "reactor/own.h"

const struct runtime_handler *exec_runtime(const struct container *c, const struct strings *cmd, struct err *e)
{
	const struct runtime_handler *h = container_handler(c);

	if (c->state != CONTAINER_RUNNING)
		err_set(e, ERR_FAILED_PRECONDITION, "exec: container %.12s is not running", c->id);
	else if (!cmd->n)
		err_set(e, ERR_INVALID_ARGUMENT, "exec: the command is empty");
	else if (!h)
		err_set(e, ERR_FAILED_PRECONDITION, "exec: runtime handler %s is not configured any more", c->runtime);
	else
		return h;
	return NULL;
}

static json_t *exec_read_config(const struct container *c, struct err *e)
{
	json_t *config = bundle_read_process(c->bundle, e);

	if (!config && e->code == ERR_NOT_FOUND)
		e->code = ERR_INTERNAL; /* NOT_FOUND is only for the container that the request names */
	return config;
}

static unsigned exec_traits(const struct container *c)
{
	const struct runtime_handler *h = container_handler(c);

	return h ? runtime_traits(h) : 0;
}

int exec_file_pipe(struct exec_file *f, struct arena *a, const struct container *c, const char *exec_id,
		   const char *name, int ends[2], struct err *e)
{
	const char **path = &f->pipes[strcmp(name, "stdin") == 0 ? 0 : strcmp(name, "stdout") == 0 ? 1 : 2];

	if (exec_traits(c) & RUNTIME_STREAMS)
		*path = arena_printf(a, "%s/exec-%s.%s", c->bundle, exec_id, name);
	return stdio_pipe(*path, ends, e);
}

int exec_file_write(struct exec_file *f, struct arena *a, const struct container *c, const char *exec_id,
		    const struct strings *cmd, bool tty, struct err *e)
{
	bool keeps = exec_traits(c) & RUNTIME_KEEPS;
	auto_json json_t *config = keeps ? NULL : exec_read_config(c, e);
	auto_json json_t *process = keeps    ? spec_exec_words(cmd, tty)
				    : config ? spec_exec_process(config, cmd, tty) : NULL;
	auto_free char *text = process ? own_must(json_dumps(process, JSON_COMPACT)) : NULL;
	auto_fd int fd = -1;

	if (!config && !keeps)
		return -1;
	if (!process)
		return err_set(e, ERR_INVALID_ARGUMENT, "exec: the command is not valid UTF-8");
	f->process = arena_printf(a, "%s/exec-%s.json", c->bundle, exec_id);
	f->pidfile = arena_printf(a, "%s/exec-%s.pid", c->bundle, exec_id);
	f->inside = exec_traits(c) & RUNTIME_KILLS ? runtime_exec_mark(a, f->pidfile) : NULL;
	fd = EFFECT(open(f->process, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	if (fd < 0 || EFFECT(write(fd, text, strlen(text))) != (ssize_t)strlen(text))
		return err_os(e, ERR_INTERNAL, "write %s", f->process);
	return 0;
}

void exec_file_remove(struct exec_file *f)
{
	for (size_t i = 0; i < 3; i++)
		if (f->pipes[i])
			EFFECT(unlink(take_ptr(&f->pipes[i])));
	if (!f->process)
		return;
	EFFECT(unlink(f->process));
	EFFECT(unlink(f->pidfile));
	if (f->inside)
		EFFECT(unlink(f->inside));
	f->process = f->pidfile = NULL;
}
