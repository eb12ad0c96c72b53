/* exec_file.c - see exec_file.h. The process is the container's own, from its config.json, with another command. */
#include "procs/exec_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procs/bundle.h"
#include "procs/spec.h"
#include "reactor/json.h"
#include "reactor/own.h"

const struct runtime_handler *exec_runtime(const struct container *c, const struct strings *cmd, struct err *e)
{
	const struct runtime_handler *h = runtime_find(c->runtime);

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
	json_t *config = bundle_read_config(c->bundle, e);

	if (!config)
		e->code = ERR_INTERNAL; /* NOT_FOUND is only for the container that the request names */
	return config;
}

int exec_file_write(struct exec_file *f, struct arena *a, const struct container *c, const char *exec_id,
		    const struct strings *cmd, bool tty, struct err *e)
{
	auto_json json_t *config = exec_read_config(c, e);
	auto_json json_t *process = config ? spec_exec_process(c, config, cmd, tty) : NULL;
	auto_free char *text = process ? own_must(json_dumps(process, JSON_COMPACT)) : NULL;
	auto_fd int fd = -1;

	if (!config)
		return -1;
	if (!process)
		return err_set(e, ERR_INVALID_ARGUMENT, "exec: the command is not valid UTF-8");
	f->process = arena_printf(a, "%s/exec-%s.json", c->bundle, exec_id);
	f->pidfile = arena_printf(a, "%s/exec-%s.pid", c->bundle, exec_id);
	fd = open(f->process, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return err_os(e, ERR_INTERNAL, "write %s", f->process);
	return 0;
}

void exec_file_remove(struct exec_file *f)
{
	if (!f->process)
		return;
	unlink(f->process);
	unlink(f->pidfile);
	f->process = f->pidfile = NULL;
}
