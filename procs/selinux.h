/* selinux.h - SELinux on this host: the contexts that its policy has for containers, and whether the kernel knows a
 * context.
 *
 * Without libselinux, as this takes a few small files and one write. The library would cost an idle daemon two
 * libraries (it brings pcre2), and it reads neither of the files that name the contexts.
 * Specs: kernel security/selinux/selinuxfs.c ("context"); lxc_contexts of a policy, or the file of
 * container-selinux, which comes first; selinux(8). */
#ifndef PROCS_SELINUX_H
#define PROCS_SELINUX_H

#include <stdbool.h>

#include "reactor/err.h"

struct selinux_config { /* strings borrowed for ever; NULL: the path behind the member */
	bool wanted;	       /* the key `selinux` */
	const char *fs;	       /* "/sys/fs/selinux" */
	const char *etc;       /* "/etc/selinux" */
	const char *preferred; /* "/usr/share/containers/selinux/contexts" */
};

/* Once at start. If it is wanted on a host without SELinux, a line is logged and selinux_on() is false. If it is wanted
 * on a host whose policy has no contexts for containers: FAILED_PRECONDITION, because nothing would be confined. */
int selinux_open(const struct selinux_config *config, struct err *e);

bool selinux_host(void); /* the host has SELinux */
bool selinux_on(void);   /* the host has it, and the configuration wants labels */

/* The policy's contexts for containers, USER:ROLE:TYPE[:LEVEL]; "" unless selinux_on(). */
const char *selinux_process(void);
const char *selinux_file(void);
const char *selinux_image(void); /* of files that containers only read: those of images */

bool selinux_knows(const char *context); /* the context is valid in the kernel's policy */

/* Whether the tree at this real path, mounted at `where`, may get a container's label. INVALID_ARGUMENT: it is one
 * of the host's own directories. */
int selinux_check_relabel(const char *where, const char *path, struct err *e);

/* Labels an open file, pipe or FIFO. Label "" and file systems without labels are success. -1: errno. */
int selinux_label_fd(int fd, const char *label);

#endif
