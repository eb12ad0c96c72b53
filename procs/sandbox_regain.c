/* sandbox_regain.c - see sandbox_regain.h. The network namespace is not among them: it is pinned in the file system. */
#include "procs/sandbox_regain.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "procs/container.h"
#include "procs/keeper.h"
#include "procs/pidstat.h"
#include "reactor/log.h"
#include "reactor/own.h"

/* The container's id is part of the name of its cgroup, so a process that got the same pid later is not accepted. */
static bool regain_is_process_of(const struct container *c)
{
	char path[64], line[1024];
	auto_file FILE *f = NULL;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)c->pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, c->id))
			return true;
	return false;
}

/* Not the node's: what runs a virtual machine for the pod need not be in the pod's. -1: none. */
static int open_namespace(pid_t pid, const char *which)
{
	struct stat its, ours;
	char path[64];
	auto_fd int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, which);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/ns/%s", which);
	if (fd < 0 || fstat(fd, &its) < 0 || stat(path, &ours) < 0 || its.st_ino == ours.st_ino)
		return -1;
	return take_fd(&fd);
}

/* A namespace that cannot be held now is not lost: the next container that joins it asks again. */
static void regain_hold(const struct sandbox *s, const char *which, const char *name, int fd)
{
	struct err e;

	if (keeper_ask_hold_path(name, fd, &e) < 0)
		log_error("namespace_regained sandbox=%.12s which=%s error=%s", s->id, which, log_quote(e.msg));
	else
		log_info("namespace_regained sandbox=%.12s which=%s", s->id, which);
}

/* The pause lives in all namespaces of the sandbox. The signal 0 at the end proves that it still lived when its
 * namespace was opened, so that no other process with the same pid was taken for it. */
static bool regain_from_pause(const struct sandbox *s, const char *which, const char *name)
{
	auto_fd int pidfd = pidstat_open(s->pause_pid, s->pause_start_ticks);
	auto_fd int fd = pidfd < 0 ? -1 : open_namespace(s->pause_pid, which);

	if (fd < 0 || syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) < 0)
		return false;
	regain_hold(s, which, name, fd);
	return true;
}

static bool regain_from_container(const struct container *c, const char *which, const char *name)
{
	auto_fd int fd = -1;

	if (c->state != CONTAINER_RUNNING || c->pid <= 0 || !regain_is_process_of(c))
		return false;
	fd = open_namespace(c->pid, which);
	/* Asked again: between the first check and open() another process may have got the pid. */
	if (fd < 0 || !regain_is_process_of(c))
		return false;
	regain_hold(c->sandbox, which, name, fd);
	return true;
}

bool sandbox_regain(const struct sandbox *s, const char *which)
{
	char name[ID_SIZE + 16];

	snprintf(name, sizeof(name), "sandbox/%s/%s", s->id, which);
	if (keeper_copy(name) >= 0 || regain_from_pause(s, which, name))
		return true;
	list_each(it, &s->containers)
		if (regain_from_container(container_of(it, struct container, of_sandbox), which, name))
			return true;
	return false;
}
