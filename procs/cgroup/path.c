/* path.c - the names of pods' and containers' groups; see cgroup.h. */
#include <string.h>

#include "procs/cgroup.h"
#include "procs/cgroup/tree.h"
#include "reactor/arena.h"
#include "reactor/log.h"
#include "reactor/words.h"

enum { UNIT_NAME_MAX = 255, ID_LEN = 64 }; /* systemd's UNIT_NAME_MAX is 256 with its NUL */

char *cgroup_below(struct arena *a, const char *path, const char *name)
{
	return arena_printf(a, "%s/%s", strcmp(path, "/") == 0 ? "" : path, name);
}

/* The path as an absolute one, without slashes at its end. */
static char *path_plain(struct arena *a, const char *path)
{
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--;
	return arena_printf(a, "%s%.*s", *path == '/' ? "" : "/", (int)len, path);
}

static const char *last_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* ---- systemd's names ----
 *
 * systemd.slice(5): "a-b.slice" lies in "a.slice". "-.slice" is the root of all. */

/* "kubepods-burstable.slice" -> "/kubepods.slice/kubepods-burstable.slice" */
static char *slice_path(struct arena *a, const char *slice)
{
	char *path = arena_strdup(a, "");

	if (strcmp(slice, "-.slice") == 0)
		return arena_strdup(a, "/");
	for (const char *dash = strchr(slice, '-'); dash; dash = strchr(dash + 1, '-'))
		path = arena_printf(a, "%s/%.*s.slice", path, (int)(dash - slice), slice);
	return arena_printf(a, "%s/%s", path, slice);
}

/* "a-b.slice" and "c-d" -> "a-b-c_d.slice". Each dash is a level, so a dash in the name becomes an underscore. */
static char *slice_below(struct arena *a, const char *slice, const char *name)
{
	char *flat = arena_strdup(a, name);

	for (char *dash = strchr(flat, '-'); dash; dash = strchr(dash, '-'))
		*dash = '_';
	if (strcmp(slice, "-.slice") == 0 || strcmp(slice, "/") == 0)
		return arena_printf(a, "%s.slice", flat);
	return arena_printf(a, "%.*s-%s.slice", (int)(strlen(slice) - strlen(".slice")), slice, flat);
}

/* Only the last element counts, as for the kubelet and other runtimes: "/a/b.slice" means b.slice. */
static const char *root_slice(struct arena *a)
{
	const char *last = last_of(path_plain(a, cgroup_root()));

	return word_ends_in(last, ".slice") ? last : *last ? arena_printf(a, "%s.slice", last) : "-.slice";
}

/* The name must also be short enough for the names of slices below it. */
static bool valid_slice(const char *name)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\";
	size_t len = strlen(name);

	if (strcmp(name, "-.slice") == 0)
		return true;
	return word_ends_in(name, ".slice") && !word_ends_in(name, "-.slice") && *name != '-' && !strstr(name, "--") &&
	       strspn(name, letters) == len && len + ID_LEN + 1 <= UNIT_NAME_MAX;
}

int cgroup_check_parent(const char *parent, struct err *e)
{
	if (strstr(parent, ".."))
		return err_set(e, ERR_INVALID_ARGUMENT, "cgroup_parent: %s has .. in it", log_quote(parent));
	if (!*parent || !cgroup_systemd() || valid_slice(last_of(parent)))
		return 0;
	return err_set(e, ERR_INVALID_ARGUMENT,
		       "cgroup_parent: %s does not end in the name of a slice (cgroup.driver is systemd)",
		       log_quote(parent));
}

int cgroup_check_root(struct err *e)
{
	struct arena *a = arena_new();
	int ret = 0;

	if (cgroup_systemd() && !valid_slice(root_slice(a)))
		ret = err_set(e, ERR_INVALID_ARGUMENT, "cgroup.root: %s is not the name of a slice",
			      log_quote(cgroup_root()));
	arena_free(a);
	return ret;
}

const char *cgroup_unit(const char *path)
{
	const char *last = last_of(path);

	if (!cgroup_systemd() || !(word_ends_in(last, ".slice") || word_ends_in(last, ".scope")))
		return NULL;
	return last;
}

char *cgroup_runtime_path(struct arena *a, const char *path)
{
	const char *last = last_of(path), *pod = arena_strndup(a, path, (size_t)(last - path));

	if (!cgroup_is_scope(path))
		return arena_strdup(a, path);
	pod = last_of(path_plain(a, pod));
	return arena_printf(a, "%s:crisp:%.*s", *pod ? pod : "-.slice", (int)(strlen(last) - strlen("crisp-.scope")),
			    last + strlen("crisp-"));
}

bool cgroup_is_scope(const char *path)
{
	const char *last = last_of(path);

	return strncmp(last, "crisp-", 6) == 0 && word_ends_in(last, ".scope");
}

/* ---- either driver ----
 *
 * A cgroup_parent is the pod's group itself. cAdvisor finds the pod's network by the leaf below it that is named by the
 * sandbox's id. (ARCHITECTURE P13) */

char *cgroup_pod_path(struct arena *a, const char *parent, const char *id)
{
	if (cgroup_systemd())
		return slice_path(a, *parent ? last_of(path_plain(a, parent)) : slice_below(a, root_slice(a), id));
	return *parent ? path_plain(a, parent) : cgroup_below(a, path_plain(a, cgroup_root()), id);
}

/* A pod that was made with the other driver keeps that driver's names; the path in its record tells which.
 * (ARCHITECTURE P17) */
static bool is_slice(const char *pod)
{
	return cgroup_systemd() && (word_ends_in(pod, ".slice") || strcmp(pod, "/") == 0);
}

char *cgroup_container_path(struct arena *a, const char *pod, const char *id)
{
	return cgroup_below(a, pod, is_slice(pod) ? arena_printf(a, "crisp-%s.scope", id) : id);
}

static bool is_own(const char *pod, const char *id)
{
	const char *last = last_of(pod);

	return strcmp(last, id) == 0 ||
	       (word_ends_in(last, ".slice") && strlen(last) > strlen(id) + strlen(".slice") &&
		strncmp(last + strlen(last) - strlen(".slice") - strlen(id), id, strlen(id)) == 0);
}

/* Below a slice too this is a plain directory: the kubelet's summary finds no network at a slice, and a scope is never
 * empty. (ARCHITECTURE X20) */
char *cgroup_own_path(struct arena *a, const char *pod, const char *id)
{
	return is_own(pod, id) ? arena_strdup(a, pod) : cgroup_below(a, pod, id);
}

char *cgroup_pause_path(struct arena *a, const char *pod, const char *id)
{
	if (is_slice(pod))
		return cgroup_container_path(a, pod, id);
	/* On v2 a group whose children have controllers may not hold processes itself, so the pause gets a leaf. */
	return cgroup_below(a, pod, is_own(pod, id) ? "pause" : id);
}

char *cgroup_root_path(struct arena *a)
{
	return cgroup_systemd() ? slice_path(a, root_slice(a)) : path_plain(a, cgroup_root());
}

/* "<id>" below a directory, "<root>-<id>.slice" below a slice. */
bool cgroup_id_of(const char *name, char id[ID_LEN + 1])
{
	size_t len = strlen(name);

	if (cgroup_systemd()) {
		if (!word_ends_in(name, ".slice") || len < ID_LEN + strlen(".slice"))
			return false;
		name += len - ID_LEN - strlen(".slice");
		len = ID_LEN;
	}
	memcpy(id, name, len < ID_LEN ? len : ID_LEN);
	id[len < ID_LEN ? len : ID_LEN] = '\0';
	return len == ID_LEN && strspn(id, "0123456789abcdef") == ID_LEN;
}
