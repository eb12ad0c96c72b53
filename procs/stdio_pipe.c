/* stdio_pipe.c - see stdio_pipe.h. */
#include "procs/stdio_pipe.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reactor/fault.h"
#include "reactor/own.h"

int stdio_pipe(const char *path, int ends[2], struct err *e)
{
	auto_fd int in = -1, out = -1;

	if (!path)
		return pipe2(ends, O_CLOEXEC) < 0 ? err_os(e, ERR_RESOURCE_EXHAUSTED, "stdio pipe") : 0;
	EFFECT(unlink(path));
	if (EFFECT(mkfifo(path, 0600)) < 0)
		return err_os(e, ERR_INTERNAL, "make %s", path);
	/* The first open must not wait for the other end. */
	in = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	out = in < 0 ? -1 : open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (out < 0 || fcntl(in, F_SETFL, O_RDONLY) < 0)
		return err_os(e, ERR_INTERNAL, "open %s", path);
	ends[0] = take_fd(&in);
	ends[1] = take_fd(&out);
	return 0;
}
