/* cgroup.c - see cgroup.h. Finds the mounted hierarchies, and makes groups in all of them.
 *
 * On v1 these are all mounted hierarchies with a controller, and name=systemd, which runc joins too. A cgroup2 that is
 * mounted beside them (hybrid) has the controllers that v1 does not have; crisp does not use it. Specs:
 * proc_pid_mountinfo(5), cgroups(7).
 *
 * Nothing here writes cgroup.procs: moving a process from outside waits for an RCU grace period, 7-15 ms.
 * (ARCHITECTURE P5) */
#include "procs/cgroup.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "procs/cgroup/tree.h"
#include "reactor/arena.h"
#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/own.h"

struct hierarchy hierarchies[HIERARCHIES_MAX];
size_t nhierarchies;

static struct arena *names;
static const char *root = "/crisp";
static const char *hybrid; /* NULL: no cgroup2 beside v1 */
static bool systemd;

/* ---- finding the hierarchies ---- */

static bool is_octal(const char *s)
{
	return s[0] >= '0' && s[0] <= '3' && s[1] >= '0' && s[1] <= '7' && s[2] >= '0' && s[2] <= '7';
}

/* mountinfo writes space, tab, newline and backslash as \ooo. */
static void mountinfo_unescape(char *s)
{
	char *to = s;

	for (; *s; s++) {
		unsigned code;

		if (*s == '\\' && is_octal(s + 1) && sscanf(s + 1, "%3o", &code) == 1 && code > 0) {
			*to++ = (char)code;
			s += 3;
		} else {
			*to++ = *s;
		}
	}
	*to = '\0';
}

/* ",cpu,cpuacct," from the super options; NULL: no known controller. */
static const char *v1_controllers(char *options)
{
	static const char *const known[] = { "cpu",      "cpuacct",    "cpuset", "memory",  "devices",
					     "freezer",  "blkio",      "pids",   "hugetlb", "net_cls",
					     "net_prio", "perf_event", "rdma",   "misc",    "name=systemd" };
	char *text = arena_strdup(names, ","), *save = NULL;

	for (char *o = strtok_r(options, ",", &save); o; o = strtok_r(NULL, ",", &save))
		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			if (strcmp(o, known[i]) == 0)
				text = arena_printf(names, "%s%s,", text, o);
	return text[1] ? text : NULL;
}

static void hierarchy_add(const struct hierarchy *h)
{
	for (size_t i = 0; i < nhierarchies; i++)
		if (hierarchies[i].dev == h->dev)
			return; /* the same hierarchy, mounted a second time */
	if (nhierarchies < HIERARCHIES_MAX)
		hierarchies[nhierarchies++] = *h;
}

/* "36 35 98:0 /root /mount/point options optional… - type source super,options" */
static void hierarchy_take_line(char *line, struct hierarchy *unified)
{
	char *tail = strstr(line, " - "), type[32], options[1024];
	unsigned major, minor;
	char *mount = NULL;
	struct hierarchy h = { 0 };

	if (!tail || sscanf(tail, " - %31s %*s %1023s", type, options) != 2 || strncmp(type, "cgroup", 6) != 0)
		return;
	if (sscanf(line, "%*d %*d %u:%u %*s %ms", &major, &minor, &mount) == 3) {
		mountinfo_unescape(mount);
		h = (struct hierarchy){ arena_strdup(names, mount), "", makedev(major, minor),
					strcmp(type, "cgroup2") == 0 };
	}
	free(mount);
	if (!h.mount)
		return;
	if (h.v2) {
		if (!unified->mount)
			*unified = h;
	} else if ((h.controllers = v1_controllers(options))) {
		hierarchy_add(&h);
	}
}

static bool has_v1_controller(void)
{
	for (size_t i = 0; i < nhierarchies; i++)
		if (strcmp(hierarchies[i].controllers, ",name=systemd,") != 0)
			return true;
	return false;
}

static int find_hierarchies(const char *path, struct err *e)
{
	auto_file FILE *f = fopen(path, "re");
	auto_free char *line = NULL;
	struct hierarchy unified = { 0 };
	size_t size = 0;

	if (!f)
		return err_os(e, ERR_FAILED_PRECONDITION, "open %s", path);
	nhierarchies = 0;
	hybrid = NULL;
	while (getline(&line, &size, f) >= 0)
		hierarchy_take_line(line, &unified);
	if (has_v1_controller()) {
		hybrid = unified.mount;
		return 0;
	}
	nhierarchies = 0;
	if (!unified.mount)
		return err_set(e, ERR_FAILED_PRECONDITION, "no cgroup hierarchy is mounted");
	hierarchy_add(&unified);
	return 0;
}

static int cgroup_choose_driver(const char *driver, struct err *e)
{
	systemd = strcmp(driver, "systemd") == 0;
	if (strcmp(driver, "auto") == 0)
		systemd = cgroup_is_v2() && access("/run/systemd/system", F_OK) == 0; /* sd_booted(3) */
	else if (!systemd && strcmp(driver, "cgroupfs") != 0)
		return err_set(e, ERR_INVALID_ARGUMENT, "cgroup.driver: %s is unknown (cgroupfs, systemd, auto)",
			       log_quote(driver));
	if (systemd && !cgroup_is_v2())
		return err_set(e, ERR_INVALID_ARGUMENT, "cgroup.driver: systemd needs cgroup v2; this host has v1");
	return cgroup_check_root(e);
}

int cgroup_open(const struct cgroup_config *cfg, struct err *e)
{
	if (cfg->root[0] != '/' || strstr(cfg->root, ".."))
		return err_set(e, ERR_INVALID_ARGUMENT, "cgroup.root: %s is not an absolute path",
			       log_quote(cfg->root));
	arena_free(names);
	names = arena_new();
	root = arena_strdup(names, cfg->root);
	if (find_hierarchies(cfg->mountinfo ? cfg->mountinfo : "/proc/self/mountinfo", e) < 0)
		return -1;
	return cgroup_choose_driver(cfg->driver, e);
}

bool cgroup_systemd(void)
{
	return systemd;
}

bool cgroup_is_v2(void)
{
	return nhierarchies == 1 && hierarchies[0].v2;
}

const char *cgroup_hybrid(void)
{
	return hybrid;
}

const char *cgroup_root(void)
{
	return root;
}

const struct hierarchy *hierarchy_of(const char *controller)
{
	char want[64];

	snprintf(want, sizeof(want), ",%s,", controller);
	for (size_t i = 0; i < nhierarchies; i++)
		if (hierarchies[i].v2 || strstr(hierarchies[i].controllers, want))
			return &hierarchies[i];
	return NULL;
}

const struct hierarchy *hierarchy_of_processes(void)
{
	static const char *const best[] = { "pids", "memory", "freezer", "name=systemd" };

	for (size_t i = 0; i < sizeof(best) / sizeof(best[0]); i++)
		if (hierarchy_of(best[i]))
			return hierarchy_of(best[i]);
	return nhierarchies ? &hierarchies[0] : NULL;
}

/* ---- files ---- */

struct cgroup_path cgroup_file(const struct hierarchy *h, const char *path, const char *file)
{
	struct cgroup_path p;

	snprintf(p.s, sizeof(p.s), "%s%s%s%s", h->mount, strcmp(path, "/") == 0 ? "" : path, *file ? "/" : "", file);
	return p;
}

ssize_t cgroup_read(const struct hierarchy *h, const char *path, const char *file, char *text, size_t size)
{
	auto_fd int fd = open(cgroup_file(h, path, file).s, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);

	text[n > 0 ? n : 0] = '\0';
	return n;
}

bool cgroup_text(const char *controller, const char *path, const char *file, char *text, size_t size)
{
	const struct hierarchy *h = hierarchy_of(controller);

	return h && cgroup_read(h, path, file, text, size) >= 0;
}

int cgroup_write(const struct hierarchy *h, const char *path, const char *file, const char *text, struct err *e)
{
	struct cgroup_path p = cgroup_file(h, path, file);
	auto_fd int fd = open(p.s, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return err_os(e, ERR_INTERNAL, "open %s", p.s);
	if (EFFECT(write(fd, text, strlen(text))) < 0)
		return err_os(e, ERR_INTERNAL, "write %s to %s", log_quote(text), p.s);
	return 0;
}

/* ---- making groups ---- */

/* No process can join a new v1 cpuset group before both files are set (cpusets.rst, 1.4): copied from the parent. */
static int inherit_cpuset(const struct hierarchy *h, const char *parent, const char *path, struct err *e)
{
	static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };
	char own[256], above[8192];

	for (size_t i = 0; i < 2; i++) {
		if (cgroup_read(h, path, files[i], own, sizeof(own)) > 0 && own[0] != '\n')
			continue;
		if (cgroup_read(h, parent, files[i], above, sizeof(above)) <= 0)
			return err_os(e, ERR_INTERNAL, "read %s", cgroup_file(h, parent, files[i]).s);
		if (cgroup_write(h, path, files[i], above, e) < 0)
			return -1;
	}
	return 0;
}

/* One write for each controller. The kernel takes all or none of a line, so in one write a controller that cannot be
 * enabled (threaded, busy) would keep the others from it. */
static void enable_controllers(const struct hierarchy *h, const char *path)
{
	char have[1024], on[1024], word[64], *save = NULL;
	struct err e;

	if (cgroup_read(h, path, "cgroup.controllers", have, sizeof(have)) <= 0)
		return;
	cgroup_read(h, path, "cgroup.subtree_control", on, sizeof(on));
	for (char *c = strtok_r(have, " \n", &save); c; c = strtok_r(NULL, " \n", &save)) {
		size_t len = strlen(c);
		char *at = strstr(on, c);

		if (at && (at == on || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\n' || !at[len]))
			continue;
		snprintf(word, sizeof(word), "+%.60s", c);
		if (cgroup_write(h, path, "cgroup.subtree_control", word, &e) < 0)
			log_debug("cgroup_controller path=%s error=%s", path, log_quote(e.msg));
	}
}

static int cgroup_make_level(const struct hierarchy *h, const char *parent, const char *path, struct err *e)
{
	struct cgroup_path p = cgroup_file(h, path, "");

	if (h->v2)
		enable_controllers(h, parent);
	if (EFFECT(mkdir(p.s, 0755)) < 0 && errno != EEXIST)
		return err_os(e, ERR_INTERNAL, "make cgroup %s", p.s);
	if (strstr(h->controllers, ",cpuset,"))
		return inherit_cpuset(h, parent, path, e);
	return 0;
}

/* Makes every level from the top: "/a", "/a/b", … Where a level needs no more than mkdir(2), the last level is tried
 * first: its parents mostly exist, and each mkdir waits for cgroup_mutex even if the directory exists. */
static int cgroup_make_in(const struct hierarchy *h, const char *path, struct err *e)
{
	char parent[CGROUP_PATH_MAX], level[CGROUP_PATH_MAX];

	if (!h->v2 && !strstr(h->controllers, ",cpuset,") &&
	    (EFFECT(mkdir(cgroup_file(h, path, "").s, 0755)) == 0 || errno == EEXIST))
		return 0;
	snprintf(parent, sizeof(parent), "/");
	for (const char *end = path; *end;) {
		end = strchrnul(end + 1, '/');
		snprintf(level, sizeof(level), "%.*s", (int)(end - path), path);
		if (cgroup_make_level(h, parent, level, e) < 0)
			return -1;
		snprintf(parent, sizeof(parent), "%s", level);
	}
	return 0;
}

static int cgroup_check_path(const char *path, struct err *e)
{
	if (path[0] != '/' || strstr(path, "/../") || strstr(path, "//") || strlen(path) > CGROUP_PATH_MAX / 4 ||
	    (strlen(path) >= 3 && strcmp(path + strlen(path) - 3, "/..") == 0))
		return err_set(e, ERR_INVALID_ARGUMENT, "cgroup path %s", log_quote(path));
	return 0;
}

int cgroup_make_leaf(const char *path, struct err *e)
{
	if (cgroup_check_path(path, e) < 0)
		return -1;
	for (size_t i = 0; i < nhierarchies; i++)
		if (cgroup_make_in(&hierarchies[i], path, e) < 0)
			return -1;
	return 0;
}

int cgroup_renew(const char *path, struct err *e)
{
	if (cgroup_check_path(path, e) < 0)
		return -1;
	for (size_t i = 0; i < nhierarchies; i++) {
		struct cgroup_path p = cgroup_file(&hierarchies[i], path, "");

		if (EFFECT(rmdir(p.s)) < 0 && errno != ENOENT)
			return err_os(e, ERR_INTERNAL, "remove cgroup %s", p.s);
	}
	/* The parent exists, because a container's scope is in it, and its controllers are systemd's. */
	if (cgroup_systemd())
		return EFFECT(mkdir(cgroup_file(&hierarchies[0], path, "").s, 0755)) < 0 && errno != EEXIST
			       ? err_os(e, ERR_INTERNAL, "make cgroup %s", path)
			       : 0;
	return cgroup_make_leaf(path, e);
}

int cgroup_make(const char *path, struct err *e)
{
	if (cgroup_make_leaf(path, e) < 0)
		return -1;
	if (cgroup_is_v2())
		enable_controllers(&hierarchies[0], path);
	return 0;
}

const char *const *cgroup_tasks(struct arena *a, const char *path)
{
	const char **files;

	if (cgroup_is_v2())
		return NULL;
	files = arena_zalloc(a, (nhierarchies + 1) * sizeof(*files));
	for (size_t i = 0; i < nhierarchies; i++)
		files[i] = arena_strdup(a, cgroup_file(&hierarchies[i], path, "tasks").s);
	return files;
}

const char *cgroup_file_path(struct arena *a, const char *controller, const char *path, const char *file)
{
	const struct hierarchy *h = hierarchy_of(controller);

	return h ? arena_strdup(a, cgroup_file(h, path, file).s) : NULL;
}

const char **cgroup_mounts(struct arena *a)
{
	const char **mounts = arena_zalloc(a, (nhierarchies + 1) * sizeof(*mounts));

	for (size_t i = 0; i < nhierarchies; i++)
		mounts[i] = hierarchies[i].mount;
	return mounts;
}

int cgroup_dirfd(const char *path, struct err *e)
{
	int fd;

	assert(cgroup_is_v2());
	fd = open(cgroup_file(&hierarchies[0], path, "").s, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_os(e, ERR_INTERNAL, "open cgroup %s", path) : fd;
}

/* /proc/PID/cgroup has one line for cgroup2: "0::PATH". False: the process is not below the group. */
static bool group_below(const char *path, pid_t pid, char *below, size_t size)
{
	char name[32], *line, *end;
	size_t len = strlen(path);
	auto_fd int fd = -1;
	ssize_t n;

	snprintf(name, sizeof(name), "/proc/%d/cgroup", (int)pid);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, below, size - 1);
	below[n > 0 ? n : 0] = '\0';
	line = strncmp(below, "0::", 3) == 0 ? below : strstr(below, "\n0::");
	if (!line)
		return false;
	line = strchr(line, '/');
	end = line ? strchr(line, '\n') : NULL;
	if (!end || strncmp(line, path, len) != 0 || line[len] != '/')
		return false;
	*end = '\0';
	memmove(below, line, (size_t)(end - line) + 1);
	return true;
}

int cgroup_dirfd_beside(const char *path, pid_t first, struct err *e)
{
	char controllers[256], below[PATH_MAX];

	if (cgroup_read(&hierarchies[0], path, "cgroup.subtree_control", controllers, sizeof(controllers)) > 0 &&
	    group_below(path, first, below, sizeof(below)))
		path = below;
	return cgroup_dirfd(path, e);
}
