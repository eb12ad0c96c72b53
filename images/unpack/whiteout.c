/* whiteout.c - see whiteout.h. */
#include "images/unpack/whiteout.h"

#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "images/path.h"
#include "reactor/log.h"

static const char mark[] = ".wh.", meta[] = ".wh..wh.", opaque[] = ".wh..wh..opq";

#define starts(s, with) (strncmp((s), (with), sizeof(with) - 1) == 0)

bool whiteout_is_device(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

bool whiteout_is_opaque(int dir_fd)
{
	char y;

	return fgetxattr(dir_fd, "trusted.overlay.opaque", &y, 1) == 1 && y == 'y';
}

int whiteout_of(const char *path, enum whiteout *kind, const char **hidden, struct err *e)
{
	const char *base = path_base(path);

	*kind = WHITEOUT_NONE;
	for (const char *p = path; p < base; p = strchr(p, '/') + 1) {
		if (starts(p, meta))
			*kind = WHITEOUT_SKIP;
		else if (starts(p, mark))
			return err_set(e, ERR_INVALID_ARGUMENT, "%s: an entry inside a whiteout", log_quote(path));
	}
	if (*kind == WHITEOUT_SKIP || !starts(base, mark))
		return 0;
	if (strcmp(base, opaque) == 0) {
		*kind = WHITEOUT_OPAQUE;
	} else if (starts(base, meta)) {
		*kind = WHITEOUT_SKIP;
	} else {
		*hidden = base + sizeof(mark) - 1;
		*kind = WHITEOUT_NAME;
		if (!**hidden || strcmp(*hidden, ".") == 0 || strcmp(*hidden, "..") == 0)
			return err_set(e, ERR_INVALID_ARGUMENT, "%s: a whiteout of no name", log_quote(path));
	}
	return 0;
}
