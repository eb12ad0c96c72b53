/* stdio.c - the FIFOs of a task and of an exec, by whose names a shim opens them: OPEN of the drawing in ops.c.
 *
 * Waits on: a reader of stdin, by a timer. (ARCHITECTURE G14, G56) */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "procs/shim/op.h"
#include "reactor/log.h"
#include "reactor/own.h"
#include "reactor/protobuf.h"

enum { OPEN_LOOK_MS = 1, OPEN_MAX_NS = 1000000000 };

/* The FIFOs that the caller has opened are told by their names; the copies keep them open until the shim has them. */
void shim_op_give_stdio(struct shim_op *op, const struct runtime_stdio *io)
{
	const int from[3] = { io->in, io->out, io->err };
	char proc[40], path[1024];
	struct stat st;

	op->terminal = io->terminal;
	for (size_t i = 0; i < 3; i++) {
		ssize_t n;

		op->stdio[i] = "";
		if (from[i] < 0)
			continue;
		snprintf(proc, sizeof(proc), "/proc/self/fd/%d", from[i]);
		n = readlink(proc, path, sizeof(path));
		if (n <= 0 || n == sizeof(path) || path[0] != '/' || fstat(from[i], &st) < 0 ||
		    !S_ISFIFO(st.st_mode)) {
			err_set(&op->err, ERR_INTERNAL, "stdio of a task is no FIFO with a name");
			return;
		}
		op->stdio[i] = arena_strndup(op->arena, path, (size_t)n);
		op->fds[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 3);
		if (op->fds[i] < 0) {
			err_os(&op->err, ERR_RESOURCE_EXHAUSTED, "duplicate a file descriptor");
			return;
		}
	}
	op->writer = *op->stdio[0] ? open(op->stdio[0], O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW) : -1;
	if (op->writer < 0 && *op->stdio[0])
		err_os(&op->err, ERR_RESOURCE_EXHAUSTED, "open %s", op->stdio[0]);
}

void shim_op_put_stdio(struct shim_op *op, uint32_t first)
{
	pb_put_u64(&op->out, first, op->terminal);
	for (uint32_t i = 0; i < (op->terminal ? 2 : 3); i++)
		pb_put_str(&op->out, first + 1 + i, op->stdio[i]);
}

static void on_open_look(struct timer *timer);

/* A write end says POLLERR while its pipe has no reader. */
static void open_look(struct shim_op *op)
{
	struct pollfd end = { .fd = op->writer };

	if (op->writer < 0 || poll(&end, 1, 0) == 0)
		return shim_op_end(op);
	if (loop_mono_ns() - op->open_ns > OPEN_MAX_NS) {
		log_warn("shim_stdin id=%.12s error=\"the shim has not opened it\"", op->id);
		return shim_op_end(op);
	}
	timer_set(&op->timer, OPEN_LOOK_MS, on_open_look);
}

static void on_open_look(struct timer *timer)
{
	open_look(container_of(timer, struct shim_op, timer));
}

/* A shim may answer Start before it opens stdin. With our ends closed then, bytes would be lost, and it would wait for
 * a writer without an end. (ARCHITECTURE G56) */
void shim_op_open(struct shim_op *op)
{
	sm_move(&op->sm, OP_OPEN);
	op->open_ns = loop_mono_ns();
	if (op->fds[0] >= 0)
		close(take_fd(&op->fds[0]));
	open_look(op);
}
