/* mute_fuse.c - mounts a FUSE file system at a directory or a file. Its server takes every request and answers none,
 * but for FUSE_INIT.
 *
 * A process that waits for such an answer is in uninterruptible sleep: the kernel knows that the server has the
 * request. When this program ends, the kernel aborts the connection, and all of them get ENOTCONN. Prints "up" when the
 * file system is mounted.
 * usage: mute_fuse PATH */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static char request[1 << 20];

static int answer_init(int fd)
{
	struct {
		struct fuse_out_header head;
		struct fuse_init_out init;
	} out = { .head = { .len = sizeof(out), .unique = ((struct fuse_in_header *)request)->unique },
		  .init = { .major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION, .max_write = 4096 } };

	return write(fd, &out, sizeof(out)) == sizeof(out) ? 0 : -1;
}

int main(int argc, char **argv)
{
	int fd = open("/dev/fuse", O_RDWR);
	char options[100];
	struct stat st;

	if (argc != 2 || stat(argv[1], &st) < 0) {
		fputs("usage: mute_fuse PATH\n", stderr);
		return 1;
	}
	snprintf(options, sizeof(options), "fd=%d,rootmode=%o,user_id=0,group_id=0,allow_other", fd, st.st_mode);
	if (fd < 0 || mount("mute", argv[1], "fuse", MS_NOSUID | MS_NODEV, options) < 0) {
		perror("mute_fuse");
		return 1;
	}
	for (;;) {
		ssize_t n = read(fd, request, sizeof(request));

		if (n < 0 && errno != EINTR && errno != ENOENT)
			return 0; /* unmounted */
		if (n > 0 && ((struct fuse_in_header *)request)->opcode == FUSE_INIT && answer_init(fd) == 0) {
			puts("up");
			fflush(stdout);
		}
	}
}
