/* exec_file.c - see exec_file.h. The process is the container's own, from its config.json, with another command. */
#include "procs/exec_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/spec.h"
#include "reactor/json.h"
#include "reactor/own.h"

enum { CONFIG_MAX = 8 << 20 };

static json_t *read_config(const char *bundle, struct arena *a, struct err *e)
{
	const char *path = arena_printf(a, "%s/config.json", bundle);
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	auto_free char *text = NULL;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0) {
		err_os(e, ERR_INTERNAL, "open %s", path);
		return NULL;
	}
	text = st.st_size < CONFIG_MAX ? own_must(malloc((size_t)st.st_size + 1)) : NULL;
	n = text ? read(fd, text, (size_t)st.st_size) : -1;
	if (n != st.st_size) {
		err_set(e, ERR_INTERNAL, "read %s: %lld bytes", path, (long long)st.st_size);
		return NULL;
	}
	return json_parse(text, (size_t)n, path, e);
}

int exec_file_write(struct exec_file *f, struct arena *a, const struct container *c, const char *exec_id,
		    const struct strings *cmd, bool tty, struct err *e)
{
	auto_json json_t *config = read_config(c->bundle, a, e);
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
