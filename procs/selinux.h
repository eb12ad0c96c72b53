/* selinux.h - SELinux on this host: the contexts that its policy has for containers, and what the kernel takes.
 *
 * Read by hand, as AppArmor is: a few small files and one write. libselinux would cost an idle daemon two libraries
 * (it brings pcre2) and reads neither of the files that name the contexts.
 * Specs: kernel security/selinux/selinuxfs.c ("context"); lxc_contexts of a policy, or the file of container-selinux
 * that stands before it; selinux(8). */
#ifndef PROCS_SELINUX_H
#define PROCS_SELINUX_H

#include <stdbool.h>

#include "reactor/err.h"

struct selinux_config { /* strings borrowed for ever; NULL: where they are on every host */
	bool wanted;	       /* the key `selinux` */
	const char *fs;	       /* "/sys/fs/selinux" */
	const char *etc;       /* "/etc/selinux" */
	const char *preferred; /* "/usr/share/containers/selinux/contexts" */
};

/* Once at start. Wanted on a host without SELinux is a line in the log, and selinux_on() is false. Wanted on a host
 * whose policy has no contexts for containers is FAILED_PRECONDITION: nothing would be confined. */
int selinux_open(const struct selinux_config *cfg, struct err *e);

bool selinux_host(void); /* the host has it */
bool selinux_on(void);   /* the host has it, and we label */

/* What the policy says, USER:ROLE:TYPE[:LEVEL]; "" unless selinux_on(). */
const char *selinux_process(void);
const char *selinux_file(void);
const char *selinux_image(void); /* of what containers only read: the files of images */

bool selinux_knows(const char *context); /* the kernel's policy takes it */

/* Whether everything below this real path, mounted at `where`, may get a container's label. INVALID_ARGUMENT: it is one
 * of the directories that the host itself lives in. */
int selinux_check_relabel(const char *where, const char *path, struct err *e);

/* Labels an open file, pipe or FIFO; label "" and file systems without labels are fine. -1, errno. */
int selinux_label_fd(int fd, const char *label);

#endif
