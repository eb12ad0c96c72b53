/* kept.c - native.h: the plan of a container that began natively, kept in its bundle for the processes that follow.
 *
 * Such a process differs from the first one by its words alone. config.json may have 50,000 variables and a long
 * profile: to read it, and to compile it again, cost crispd more than all the rest of an exec. (ARCHITECTURE N12) */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/native/native.h"
#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/own.h"

static int kept_write(const char *path, const struct buf *bytes)
{
	auto_fd int fd = EFFECT(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));

	return fd < 0 || EFFECT(write(fd, bytes->at, bytes->len)) != (ssize_t)bytes->len ? -1 : 0;
}

/* Renamed into its place: a file that a process has mapped is never changed. */
void plan_keep(const struct making *m, const char *bundle)
{
	const char *path = arena_printf(m->arena, "%s/plan", bundle), *tmp = arena_printf(m->arena, "%s.tmp", path);

	if (kept_write(tmp, &m->bytes) == 0 && EFFECT(rename(tmp, path)) == 0)
		return;
	/* An exec makes it from config.json then. */
	log_warn("plan path=%s error=%s", log_quote(path), strerror(errno));
	EFFECT(unlink(tmp));
}

int plan_kept(const char *bundle, struct arena *arena)
{
	auto_fd int fd = open(arena_printf(arena, "%s/plan", bundle), O_RDONLY | O_CLOEXEC);
	struct plan head;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || read(fd, &head, sizeof(head)) != sizeof(head) ||
	    head.magic != PLAN_MAGIC || head.version != PLAN_VERSION || head.size != st.st_size)
		return -1;
	return take_fd(&fd);
}
