/* dir.c - see dir.h. */
#include "reactor/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/own.h"

int dir_close(const char *path, gid_t group, struct err *e)
{
	const bool closed = group == DIR_NO_GROUP;
	const mode_t mode = closed ? 0700 : 0710;
	auto_fd int fd = -1;
	struct stat st;
	bool made = EFFECT(mkdir(path, 0700)) == 0;

	if (made && closed)
		return 0;
	if (!made && errno != EEXIST)
		return err_os(e, ERR_INTERNAL, "make %s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_os(e, ERR_INTERNAL, "open %s", path);
	if (st.st_uid == geteuid() && (closed || st.st_gid == group) && (st.st_mode & 07777) == mode)
		return 0;
	if (!made)
		log_info("directory_closed path=%s was=0%o now=0%o", log_quote(path), (unsigned)st.st_mode & 07777,
			 (unsigned)mode);
	/* The owner first: the mode must open it to nobody but the group that it is for. */
	if (fchown(fd, geteuid(), group) < 0 || fchmod(fd, mode) < 0)
		return err_os(e, ERR_INTERNAL, "close %s to other users", path);
	return 0;
}
