/* cgroup_path.c - the names of pods' and containers' groups; see cgroup.h. */
#include <string.h>

#include "procs/cgroup.h"
#include "procs/cgroup_tree.h"
#include "reactor/arena.h"

char *cgroup_below(struct arena *a, const char *path, const char *name)
{
	return arena_printf(a, "%s/%s", strcmp(path, "/") == 0 ? "" : path, name);
}

/* Absolute, and without slashes at its end. */
static char *plain(struct arena *a, const char *path)
{
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	return arena_printf(a, "%s%.*s", *path == '/' ? "" : "/", (int)len, path);
}

char *cgroup_pod_path(struct arena *a, const char *parent, const char *id)
{
	return *parent ? plain(a, parent) : cgroup_below(a, plain(a, cgroup_root()), id);
}

static bool ends_in(const char *path, const char *name)
{
	const char *last = strrchr(path, '/');

	return last && strcmp(last + 1, name) == 0;
}

char *cgroup_own_path(struct arena *a, const char *pod, const char *id)
{
	return ends_in(pod, id) ? arena_strdup(a, pod) : cgroup_below(a, pod, id);
}

char *cgroup_pause_path(struct arena *a, const char *pod, const char *id)
{
	/* v2: a group whose children have controllers holds no process itself. */
	return cgroup_below(a, pod, ends_in(pod, id) ? "pause" : id);
}
