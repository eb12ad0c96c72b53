/* main.c - crisp-lookup: looks up paths for crispd, which must not wait for a file system. proto.h has the protocol.
 *
 * Each system call here may hang for ever. crispd learns of the end of this process by the socket. It runs with the
 * rights and in the mount namespace of its parent. Exit codes: 0 success; 64 usage; 71 the socket or the input
 * failed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sysexits.h>

#include "reactor/logfile.h"
#include "reactor/lookup.h"
#include "reactor/lookup/proto.h"
#include "reactor/lookup_local.h"
#include "reactor/buf.h"
#include "reactor/imsg.h"
#include "reactor/own.h"

enum { TEXT_MAX = 16 << 20, INPUT_TURN = 65536 };

static int look_make_dirs(const char *path)
{
	auto_free char *p = own_must(strdup(path));

	for (char *slash = strchr(p + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(p, 0755) < 0 && errno != EEXIST)
			return -1;
		*slash = '/';
	}
	return mkdir(p, 0755) < 0 && errno != EEXIST ? -1 : 0;
}

static int look_open_place(const char *path, bool make)
{
	int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd >= 0 || errno != ENOENT || !make || look_make_dirs(path) < 0)
		return fd;
	return open(path, O_PATH | O_CLOEXEC);
}

/* A copy in memory: reading it never waits. Takes from. */
static int look_copy_text(int from)
{
	auto_fd int in = from, to = memfd_create("text", MFD_CLOEXEC);
	char bytes[65536];
	size_t len = 0;
	ssize_t n;

	while (to >= 0 && (n = read(in, bytes, sizeof(bytes))) != 0) {
		len += n > 0 ? (size_t)n : 0;
		if (len > TEXT_MAX)
			errno = EFBIG;
		if (n < 0 || len > TEXT_MAX || write(to, bytes, (size_t)n) != n)
			return -1;
	}
	return take_fd(&to);
}

/* The same of the names in a directory. Takes from. */
static int look_copy_names(int from)
{
	auto_fd int dir = from, to = memfd_create("names", MFD_CLOEXEC);
	struct buf names = { 0 };
	bool bad = to < 0 || lookup_list(dir, &names) < 0;

	while (!bad && names.len)
		bad = buf_write(&names, to) < 0;
	buf_free(&names);
	return bad ? -1 : take_fd(&to);
}

/* What crispd may read itself, it gets as it is. */
static int look_give(enum lookup_kind kind, int from, const struct lookup_fact *f)
{
	if (!lookup_gives_fd(kind, f->mode)) {
		close(from);
		errno = 0;
		return -1;
	}
	if (kind == LOOKUP_TEXT)
		return look_copy_text(from);
	return kind == LOOKUP_DIR && !f->local ? look_copy_names(from) : from;
}

static int look_open_log(const char *path)
{
	struct err e;
	int fd = logfile_open(path, &e), why = errno;

	errno = why ? why : EIO;
	return fd;
}

static int look_open(enum lookup_kind kind, const char *path)
{
	switch (kind) {
	case LOOKUP_PLACE:
	case LOOKUP_MOUNT:
		return look_open_place(path, true);
	case LOOKUP_NODE:
		return look_open_place(path, false);
	case LOOKUP_TEXT:
		return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	case LOOKUP_LOG:
		return look_open_log(path);
	case LOOKUP_DIR:
		return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	errno = EINVAL;
	return -1;
}

/* -1: errno. */
static int look_facts(int fd, struct lookup_fact *f)
{
	char self[40];
	struct statx st;
	ssize_t n;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_MNT_ID, &st) < 0 ||
	    (n = readlink(self, f->real, sizeof(f->real) - 1)) < 0)
		return -1;
	f->real[n] = '\0';
	f->mode = st.stx_mode;
	f->uid = st.stx_uid;
	f->gid = st.stx_gid;
	f->rdev = makedev(st.stx_rdev_major, st.stx_rdev_minor);
	f->mount_id = st.stx_mnt_id;
	f->dev = makedev(st.stx_dev_major, st.stx_dev_minor);
	f->ino = st.stx_ino;
	f->size_bytes = st.stx_size;
	f->mtime_ns = st.stx_mtime.tv_sec * INT64_C(1000000000) + st.stx_mtime.tv_nsec;
	f->local = lookup_fs_is_local(fd);
	return 0;
}

static int look_send(const struct lookup_fact *f, int fd)
{
	union imsg_control control;
	struct iovec iov = { (void *)f, LOOKUP_FACT_MIN + strlen(f->real) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	imsg_add_fds(&msg, &control, &fd, fd >= 0);
	return sendmsg(LOOKUP_SOCKET, &msg, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

static int look_at(uint32_t nth, enum lookup_kind kind, const char *path)
{
	struct lookup_fact f = { .version = LOOKUP_VERSION, .nth = nth };
	auto_fd int fd = look_open(kind, path), given = -1;

	if (fd < 0 || look_facts(fd, &f) < 0)
		f.error = errno;
	else if ((given = look_give(kind, take_fd(&fd), &f)) < 0)
		f.error = errno;
	return look_send(&f, given);
}

int main(void)
{
	struct buf in = { 0 };
	const char *at, *end;
	uint32_t nth = 0;
	ssize_t n;

	while ((n = buf_read(&in, 0, INPUT_TURN)) > 0)
		;
	if (n < 0)
		return EX_OSERR;
	if (in.len == 0 || in.at[in.len - 1] != '\0')
		return EX_USAGE;
	at = (const char *)in.at;
	for (end = at + in.len; at < end; at += strlen(at) + 1)
		if (look_at(nth++, (enum lookup_kind)(*at - '0'), at + (*at != '\0')) < 0)
			return EX_OSERR;
	return 0;
}
