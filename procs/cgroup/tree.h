/* tree.h - what cgroup.c and the files of cgroup/ share: the hierarchies that are mounted. Private to them. */
#ifndef PROCS_CGROUP_TREE_H
#define PROCS_CGROUP_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "reactor/arena.h"
#include "reactor/err.h"

struct hierarchy {
	const char *mount;       /* "/sys/fs/cgroup/cpu,cpuacct" */
	const char *controllers; /* v1: ",cpu,cpuacct,"; v2: "" */
	dev_t dev;
	bool v2;
};

enum { HIERARCHIES_MAX = 32, CGROUP_PATH_MAX = 4096 };

extern struct hierarchy hierarchies[HIERARCHIES_MAX]; /* those in use: all v1 ones, or the one of v2 */
extern size_t nhierarchies;

const char *cgroup_root(void); /* as configured */
char *cgroup_root_path(struct arena *a);
int cgroup_check_root(struct err *e);
bool cgroup_id_of(const char *name, char id[65]); /* of a directory right below the root's; false: no pod's */

/* The one that carries the controller; v2 carries all. NULL: none. */
const struct hierarchy *hierarchy_of(const char *controller);

/* The best one to find processes in: v1 ones all hold the same, but a process may leave single ones. NULL: none is
 * open. */
const struct hierarchy *hierarchy_of_processes(void);

/* <mount><path>/<file> for the caller to open; file "" is the directory. */
struct cgroup_path {
	char s[CGROUP_PATH_MAX];
};
struct cgroup_path cgroup_file(const struct hierarchy *h, const char *path, const char *file);

/* NUL-terminated; -1 */
ssize_t cgroup_read(const struct hierarchy *h, const char *path, const char *file, char *text, size_t size);
int cgroup_write(const struct hierarchy *h, const char *path, const char *file, const char *text, struct err *e);

#endif
