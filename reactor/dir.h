/* dir.h - a directory that is closed to other users, whatever the umask is and whatever made it before. */
#ifndef REACTOR_DIR_H
#define REACTOR_DIR_H

#include <sys/types.h>

#include "reactor/err.h"

#define DIR_NO_GROUP ((gid_t)-1)

/* Makes the directory `path`, or takes the directory that is there (a link is followed), and gives it our owner and the
 * mode 0700. With a group other than DIR_NO_GROUP the mode is 0710 and the group is `group`: its members pass through
 * and cannot list. A change of a directory that was there is logged. INTERNAL. */
int dir_close(const char *path, gid_t group, struct err *e);

#endif
