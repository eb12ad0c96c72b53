/* tree.h - the mounted hierarchies. Shared by cgroup.c and the files of cgroup/, and private to them. */
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

extern struct hierarchy hierarchies[HIERARCHIES_MAX]; /* those in use: all of v1, or the one of v2 */
extern size_t nhierarchies;

const char *cgroup_root(void); /* as configured */
char *cgroup_root_path(struct arena *arena);
int cgroup_check_root(struct err *e);
bool cgroup_id_of(const char *name, char id[65]); /* of a directory right below the root's; false: not of a pod */

/* The hierarchy that has the controller; v2 has all of them. NULL: none. */
const struct hierarchy *hierarchy_of(const char *controller);

/* The best hierarchy in which to find processes. On v1 every hierarchy has all processes, but a process may have been
 * moved out of a group in one of them. NULL: no hierarchy is in use. */
const struct hierarchy *hierarchy_of_processes(void);

/* Of a line of /proc/<pid>/cgroup. 1: it names the path or a group below; 0: another; -1: not this hierarchy's line. */
int cgroup_line_names(const struct hierarchy *hierarchy, const char *path, const char *line);

void cgroup_kill_close(void); /* kills that are under way end here */

/* The path <mount><path>/<file>; with file "" that of the directory. */
struct cgroup_path {
	char s[CGROUP_PATH_MAX];
};
struct cgroup_path cgroup_file(const struct hierarchy *hierarchy, const char *path, const char *file);

/* The number of bytes read, and text is NUL-terminated; -1: the file cannot be read. */
ssize_t cgroup_read(const struct hierarchy *hierarchy, const char *path, const char *file, char *text, size_t size);
int cgroup_write(const struct hierarchy *hierarchy, const char *path, const char *file, const char *text,
		 struct err *e);

#endif
