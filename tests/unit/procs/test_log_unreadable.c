/* test_log_unreadable.c - procs/log_stage.c: a container that splices pages of a FUSE file system of its own into its
 * stdout and makes them unreadable, which a failed write(2) of the file does. The bytes of others are moved. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procs/keeper.h"
#include "procs/log_stage.h"
#include "reactor/log.h"
#include "tests/fakes/keeper.h"
#include "tests/tap.h"

enum { PAGE = 4096 };

static char path[] = "/tmp/test_log_unreadable.XXXXXX";
static int file_fd, bad_r, bad_w, good_r, good_w;
static pid_t server;

static void answer(int fd, uint64_t unique, int error, const void *body, size_t len)
{
	static char out[PAGE + sizeof(struct fuse_out_header)];
	struct fuse_out_header *head = (void *)out;

	*head = (struct fuse_out_header){ .len = (uint32_t)(sizeof(*head) + len), .error = -error, .unique = unique };
	if (len)
		memcpy(out + sizeof(*head), body, len);
	if (write(fd, out, head->len) < 0)
		_exit(1);
}

/* The file is one page of A; it takes no write. */
static _Noreturn void serve(int fd)
{
	static char request[1 << 17], page[PAGE];
	const struct fuse_in_header *in = (const void *)request;
	const struct fuse_init_out init = { .major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION,
					    .max_write = PAGE };
	const struct fuse_attr_out attr = { .attr_valid = 100, .attr = { .ino = 1, .size = PAGE, .nlink = 1,
									 .mode = S_IFREG | 0600 } };
	const struct fuse_open_out opened = { .fh = 1, .open_flags = FOPEN_KEEP_CACHE };

	memset(page, 'A', sizeof(page));
	while (read(fd, request, sizeof(request)) > 0) {
		if (in->opcode == FUSE_INIT)
			answer(fd, in->unique, 0, &init, sizeof(init));
		else if (in->opcode == FUSE_GETATTR)
			answer(fd, in->unique, 0, &attr, sizeof(attr));
		else if (in->opcode == FUSE_OPEN)
			answer(fd, in->unique, 0, &opened, sizeof(opened));
		else if (in->opcode == FUSE_READ)
			answer(fd, in->unique, 0, page, sizeof(page));
		else if (in->opcode == FUSE_WRITE)
			answer(fd, in->unique, EIO, NULL, 0);
		else if (in->opcode != FUSE_FORGET && in->opcode != FUSE_BATCH_FORGET)
			answer(fd, in->unique, ENOSYS, NULL, 0);
	}
	_exit(0);
}

static bool mounted(void)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	char options[100];

	snprintf(options, sizeof(options), "fd=%d,rootmode=%o,user_id=0,group_id=0", fd, S_IFREG | 0600);
	if (fd < 0 || unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("test", path, "fuse", MS_NOSUID | MS_NODEV, options) < 0)
		return false;
	server = fork();
	if (server == 0)
		serve(fd);
	close(fd); /* it ends with its server */
	file_fd = open(path, O_RDWR | O_CLOEXEC);
	return file_fd >= 0;
}

static void splice_page(void)
{
	char page[PAGE];
	loff_t at = 0;

	ok(pread(file_fd, page, sizeof(page), 0) == PAGE);
	ok(splice(file_fd, &at, bad_w, NULL, PAGE, 0) == PAGE);
}

static void spoil_page(void)
{
	char page[PAGE] = "";

	ok(pwrite(file_fd, page, sizeof(page), 0) < 0 && errno == EIO);
}

static bool others_move(void)
{
	struct log_stage_target target = { "good", -1, false };
	struct log_stage_moved moved;
	const char *bytes;
	struct err e;

	return write(good_w, "a line\n", 7) == 7 && log_stage_peek(good_r, &bytes) == 7 &&
	       memcmp(bytes, "a line\n", 7) == 0 && log_stage_ready() &&
	       log_stage_move(good_r, 7, &target, &moved, &e) == 0 && moved.n == 7 &&
	       memcmp(moved.bytes, "a line\n", 7) == 0;
}

static void bytes_that_cannot_be_seen(void)
{
	const char *bytes;

	splice_page();
	spoil_page();
	ok(log_stage_peek(bad_r, &bytes) < 0 && errno == EIO);
	ok(others_move());
}

/* They could be seen, and are spoiled before they are moved. */
static void bytes_that_cannot_be_moved(void)
{
	struct log_stage_target target = { "bad", -1, false };
	struct log_stage_moved moved;
	struct err e;

	ok(log_stage_move(bad_r, PAGE, &target, &moved, &e) == 0 && moved.n == 0);
	ok(others_move());
	ok(others_move());
}

int main(void)
{
	int fd = mkstemp(path), bad[2], good[2];
	struct err e;

	log_open("test", LOG_LEVEL_ERROR);
	close(fd);
	if (geteuid() != 0 || !mounted()) {
		unlink(path);
		printf("1..0 # SKIP needs root and FUSE\n");
		return 0;
	}
	ok(pipe2(bad, O_CLOEXEC | O_NONBLOCK) == 0 && pipe2(good, O_CLOEXEC | O_NONBLOCK) == 0);
	bad_r = bad[0];
	bad_w = bad[1];
	good_r = good[0];
	good_w = good[1];
	ok(log_stage_open(&e) == 0);
	bytes_that_cannot_be_seen();
	bytes_that_cannot_be_moved();
	kill(server, SIGKILL);
	ok(waitpid(server, NULL, 0) == server);
	close(file_fd);
	ok(umount2(path, MNT_DETACH) == 0 && unlink(path) == 0);
	return tap_end();
}
