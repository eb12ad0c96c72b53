/* start_stdio.c - see start_stdio.h. */
#include "procs/start_stdio.h"

#include <fcntl.h>
#include <unistd.h>

#include "procs/keeper.h"
#include "procs/namespaces.h"
#include "procs/sandbox.h"
#include "procs/selinux.h"
#include "procs/stdio_pipe.h"
#include "reactor/arena.h"

/* A pipe whose write end the keeper holds: when the keeper releases it, the container reads end of file. The
 * container's read end does not depend on this daemon. */
int start_stdio_pipe(const struct container *c, bool named, int *out, struct err *e)
{
	struct arena *a = arena_new();
	int ends[2], held;

	if (stdio_pipe(named ? arena_printf(a, "%s/stdin", c->bundle) : NULL, ends, e) < 0) {
		arena_free(a);
		return -1;
	}
	/* Only the write end is non-blocking: the two ends of a pipe are two open file descriptions. */
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	held = keeper_ask_hold(arena_printf(a, "container/%s/stdin", c->id), ends[1], e);
	arena_free(a);
	close(ends[1]);
	*out = ends[0];
	return held;
}

static uint32_t start_outside(const struct id_mappings *m, int64_t id)
{
	return m->at[0].host_id + (id < m->at[0].length ? (uint32_t)id : 0);
}

static int dup_cloexec(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/* A process in a user namespace opens /dev/stdout again, which needs FIFOs that its own uid owns. And its stdio must
 * not be /dev/null, with or without a terminal: crun 1.8.1 changes the owner of its stdio to the container's root,
 * which would change the host's /dev/null. */
int start_stdio_own(const struct container *c, struct runtime_stdio *io, struct err *e)
{
	const struct ns_options *ns = &c->sandbox->config.security.ns;
	int ends[2];

	if (!ns_has_user(ns))
		return 0;
	if (io->in < 0) {
		if (pipe2(ends, O_CLOEXEC) < 0)
			return err_os(e, ERR_INTERNAL, "stdin pipe");
		close(ends[1]);
		io->in = ends[0];
	}
	if (io->console_socket && ((io->out = dup_cloexec(io->in)) < 0 || (io->err = dup_cloexec(io->in)) < 0))
		return err_os(e, ERR_INTERNAL, "stdin pipe");
	for (const int *fd = (const int[]){ io->in, io->out, io->err, -2 }; *fd != -2; fd++)
		if (*fd >= 0 && fchown(*fd, start_outside(&ns->uids, c->uid), start_outside(&ns->gids, c->gid)) < 0)
			return err_os(e, ERR_INTERNAL, "give the stdio to the container");
	return 0;
}

/* The policy must let the container write the stdio that it inherits, and open it again as /dev/stdout. */
int start_stdio_label(const struct container *c, const struct runtime_stdio *io, struct err *e)
{
	const int fds[] = { io->in, io->out, io->err };

	for (size_t i = 0; i < 3; i++)
		if (fds[i] >= 0 && selinux_label_fd(fds[i], c->mount_label) < 0)
			return err_os(e, ERR_INTERNAL, "label the stdio");
	return 0;
}

void start_stdio_close(const struct runtime_stdio *io)
{
	const int fds[] = { io->in, io->out, io->err };

	for (size_t i = 0; i < 3; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}
