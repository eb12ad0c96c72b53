/* boot.c - see boot.h. */
#include "reactor/boot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/own.h"

enum { ID_SIZE = 40, ID_LEN = 36 }; /* 36: a UUID as text */

static const char kernels[] = "/proc/sys/kernel/random/boot_id";
static char path[PATH_MAX];
static bool is_new, noted;

/* -1: errno. */
static int read_id(const char *from, char id[ID_SIZE])
{
	auto_fd int fd = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t n = fd < 0 ? -1 : read(fd, id, ID_SIZE - 1);

	id[n > 0 ? n : 0] = '\0';
	id[strcspn(id, "\n")] = '\0';
	return n < 0 ? -1 : 0;
}

const char *boot_id(void)
{
	static char id[ID_SIZE];

	if (!id[0])
		read_id(kernels, id);
	return id;
}

/* A file that is not there, or no file: what stands there says nothing. */
static bool says_nothing(int error)
{
	return error == ENOENT || error == ENOTDIR || error == EISDIR || error == ELOOP || error == ENXIO;
}

int boot_open(const char *root, struct err *e)
{
	char last[ID_SIZE];

	is_new = noted = false;
	snprintf(path, sizeof(path), "%s/boot", root);
	if (read_id(path, last) < 0 && !says_nothing(errno))
		return err_os(e, ERR_INTERNAL, "read %s", path);
	if (!*boot_id())
		return err_os(e, ERR_INTERNAL, "read %s", kernels);
	noted = strcmp(last, boot_id()) == 0;
	is_new = strlen(last) == ID_LEN && strspn(last, "0123456789abcdef-") == ID_LEN && !noted;
	if (is_new)
		log_info("boot id=%s last=%s", boot_id(), last);
	return 0;
}

bool boot_is_new(void)
{
	return is_new;
}

int boot_note(struct err *e)
{
	char tmp[PATH_MAX + 8];
	auto_fd int fd = -1;

	is_new = false;
	if (noted)
		return 0;
	snprintf(tmp, sizeof(tmp), "%s.tmp", path);
	fd = EFFECT(open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
	if (fd < 0 || dprintf(fd, "%s\n", boot_id()) < 0 || EFFECT(fsync(fd)) < 0 || EFFECT(rename(tmp, path)) < 0)
		return err_os(e, ERR_INTERNAL, "write %s", path);
	noted = true;
	return 0;
}
