/* selinux.c - see selinux.h. */
#include "procs/selinux.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "reactor/arena.h"
#include "reactor/log.h"
#include "reactor/own.h"

static struct {
	struct selinux_config cfg;
	struct arena *arena; /* owns the three contexts */
	const char *process, *file, *image;
	bool on;
} state = { .process = "", .file = "", .image = "" };

static const char *fs_path(struct arena *a, const char *name)
{
	return arena_printf(a, "%s/%s", state.cfg.fs ? state.cfg.fs : "/sys/fs/selinux", name);
}

/* The value of the last line `key = value` or `key = "value"`; other lines are ignored. In the arena; "": no such
 * line. */
static const char *read_key(struct arena *a, const char *path, const char *key)
{
	auto_file FILE *f = fopen(path, "re");
	auto_free char *line = NULL;
	const char *found = "";
	size_t size = 0, n = strlen(key);

	while (f && getline(&line, &size, f) > 0) {
		const char *p = line + strspn(line, " \t");

		if (strncmp(p, key, n) != 0)
			continue;
		p += n + strspn(p + n, " \t");
		if (*p != '=')
			continue;
		p++;
		p += strspn(p, " \t\"");
		found = arena_strndup(a, p, strcspn(p, " \t\"\r\n"));
	}
	return found;
}

static const char *contexts_file(struct arena *a)
{
	const char *preferred = state.cfg.preferred ? state.cfg.preferred : "/usr/share/containers/selinux/contexts";
	const char *etc = state.cfg.etc ? state.cfg.etc : "/etc/selinux";

	if (access(preferred, R_OK) == 0)
		return preferred;
	return arena_printf(a, "%s/%s/contexts/lxc_contexts", etc,
			    read_key(a, arena_printf(a, "%s/config", etc), "SELINUXTYPE"));
}

bool selinux_host(void)
{
	struct arena *a = arena_new();
	bool here = access(fs_path(a, "enforce"), F_OK) == 0;

	arena_free(a);
	return here;
}

static int read_contexts(struct err *e)
{
	const char *path = contexts_file(state.arena);

	state.process = read_key(state.arena, path, "process");
	state.file = read_key(state.arena, path, "file");
	state.image = read_key(state.arena, path, "ro_file");
	if (!*state.image)
		state.image = state.file;
	if (!*state.process || !*state.file)
		return err_set(e, ERR_FAILED_PRECONDITION, "selinux: %s names no context for containers", path);
	if (!selinux_knows(state.process) || !selinux_knows(state.file))
		return err_set(e, ERR_FAILED_PRECONDITION, "selinux: the policy has no %s or no %s, which %s names",
			       state.process, state.file, path);
	return 0;
}

int selinux_open(const struct selinux_config *cfg, struct err *e)
{
	arena_free(state.arena);
	state.arena = arena_new();
	state.cfg = *cfg;
	state.process = state.file = state.image = "";
	state.on = false;
	if (!cfg->wanted)
		return 0;
	if (!selinux_host()) {
		log_warn("selinux reason=\"this host has none: nothing is labelled\"");
		return 0;
	}
	if (read_contexts(e) < 0)
		return -1;
	if (!selinux_knows(state.image))
		state.image = state.file;
	state.on = true;
	log_info("selinux process=%s file=%s", state.process, state.file);
	return 0;
}

bool selinux_on(void)
{
	return state.on;
}

const char *selinux_process(void)
{
	return state.process;
}

const char *selinux_file(void)
{
	return state.file;
}

const char *selinux_image(void)
{
	return state.image;
}

bool selinux_knows(const char *context)
{
	struct arena *a = arena_new();
	auto_fd int fd = open(fs_path(a, "context"), O_RDWR | O_CLOEXEC);
	size_t n = strlen(context) + 1; /* with its NUL, as libselinux writes it */

	arena_free(a);
	return fd >= 0 && write(fd, context, n) == (ssize_t)n;
}

int selinux_check_relabel(const char *where, const char *path, struct err *e)
{
	static const char *const never[] = { "/", "/bin", "/boot", "/dev", "/etc", "/etc/passwd", "/etc/pki",
					     "/etc/shadow", "/home", "/lib", "/lib64", "/media", "/opt", "/proc",
					     "/root", "/run", "/sbin", "/srv", "/sys", "/tmp", "/usr", "/usr/bin",
					     "/usr/lib", "/usr/lib64", "/usr/sbin", "/var", "/var/lib", "/var/log" };

	for (size_t i = 0; i < sizeof(never) / sizeof(*never); i++)
		if (strcmp(path, never[i]) == 0)
			return err_set(e, ERR_INVALID_ARGUMENT, "mount %s: selinux_relabel of %s, where the node lives",
				       where, path);
	return 0;
}

int selinux_label_fd(int fd, const char *label)
{
	if (!*label || fsetxattr(fd, "security.selinux", label, strlen(label) + 1, 0) == 0)
		return 0;
	return errno == ENOTSUP ? 0 : -1;
}
