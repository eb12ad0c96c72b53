/* create.c - see create.h.
 *
 *   <state>/containers/<id>/         0700; with a user namespace 0710 for its root's group, which must reach rootfs/
 *       config.json                  tmp + rename
 *       rootfs/                      where the snapshot is mounted
 *
 * The bundle is below `state`, which a reboot empties; the record is below `root`. */
#include "procs/create.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "procs/bundle.h"
#include "procs/join.h"
#include "procs/namespaces.h"
#include "procs/stop_signal.h"
#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/own.h"

int create_close(const struct container *c, struct err *e)
{
	return ns_close_dir(&c->sandbox->config.security.ns, c->bundle, e);
}

int create_bundle(struct container *c, struct err *e)
{
	const char *parent = arena_strndup(c->arena, c->bundle, (size_t)(strrchr(c->bundle, '/') - c->bundle));
	const char *rootfs = arena_printf(c->arena, "%s/rootfs", c->bundle);

	if (EFFECT(mkdir(parent, 0711)) < 0 && errno != EEXIST)
		return err_os(e, ERR_INTERNAL, "bundle directory %s", parent);
	if (create_close(c, e) < 0)
		return err_wrap(e, "bundle directory");
	/* chmod, because mkdir(2) takes the umask off the mode */
	if ((EFFECT(mkdir(rootfs, 0755)) < 0 && errno != EEXIST) || chmod(rootfs, 0755) < 0)
		return err_os(e, ERR_INTERNAL, "bundle directory %s", rootfs);
	return 0;
}

/* A container always joins the network and IPC namespaces of its sandbox, so its own mode of them changes nothing.
 * POD is 0, so a request without a mode asks for POD. Two requests are refused: a mode that no sandbox has, and NODE
 * where the sandbox has a namespace of its own. */
static int check_mode(const char *what, int32_t asked, int32_t pod, struct err *e)
{
	if (asked != NS_POD && asked != NS_NODE)
		return err_set(e, ERR_INVALID_ARGUMENT, "namespace_options.%s: %d is neither POD nor NODE", what,
			       asked);
	if (asked == NS_NODE && pod != NS_NODE)
		return err_set(e, ERR_INVALID_ARGUMENT, "namespace_options.%s: NODE, and the sandbox has its own",
			       what);
	return 0;
}

static int create_check_namespaces(const struct ns_options *asked, const struct ns_options *pod, struct err *e)
{
	if (check_mode("network", asked->network, pod->network, e) < 0 ||
	    check_mode("ipc", asked->ipc, pod->ipc, e) < 0)
		return -1;
	if (asked->pid == NS_NODE && check_mode("pid", asked->pid, pod->pid, e) < 0)
		return -1;
	if (asked->pid != NS_TARGET && *asked->target_id)
		return err_set(e, ERR_INVALID_ARGUMENT, "namespace_options: target_id is given, and pid is not TARGET");
	return 0;
}

/* The runtime mounts at these paths before it changes its root. runc before 1.3.6 and crun before 1.28
 * then remove and make files below /dev by name, so that a link in the image leads them into a directory of the host
 * (CVE-2026-41579, CVE-2026-47766; /proc and /sys: CVE-2019-19921, CVE-2023-27561). Nothing writes to the root file
 * system between this check and the runtime. (ARCHITECTURE P35) */
static int create_check_rootfs(const char *rootfs, struct err *e)
{
	static const char *const names[] = { "dev", "proc", "sys" };
	auto_fd int fd = open(rootfs, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return err_os(e, ERR_INTERNAL, "open %s", rootfs);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (fstatat(fd, names[i], &st, AT_SYMLINK_NOFOLLOW) < 0) {
			if (errno != ENOENT)
				return err_os(e, ERR_INTERNAL, "%s/%s", rootfs, names[i]);
		} else if (!S_ISDIR(st.st_mode)) {
			return err_set(e, ERR_INVALID_ARGUMENT, "the image's /%s is not a directory", names[i]);
		}
	}
	return 0;
}

/* Stored with the container, because the image may have been removed when the container is stopped. A request with a
 * signal that is none is refused. An image with one is not: its author's slip would keep a pod from running, so the
 * container is stopped by SIGTERM, and the log says so. */
static int choose_stop_signal(struct container *c, struct err *e)
{
	const char *image = c->image.stop_signal;

	if (c->config.stop_signal) {
		c->stop_signal = stop_signal_from_cri(c->config.stop_signal);
		return c->stop_signal ? 0
				      : err_set(e, ERR_INVALID_ARGUMENT, "stop_signal %d is not a signal",
						c->config.stop_signal);
	}
	c->stop_signal = image[0] ? stop_signal_parse(image) : SIGTERM;
	if (!c->stop_signal) {
		log_warn("stop_signal container=%.12s image=%.100s value=%s reason=\"not a signal, SIGTERM is used\"",
			 c->id, c->image.id, log_quote(image));
		c->stop_signal = SIGTERM;
	}
	return 0;
}

/* All false when the handler is not configured any more. */
static struct runtime_features features_of(const struct container *c)
{
	const struct runtime_handler *h = runtime_find(c->runtime);
	struct runtime_features f = { 0 };

	if (h)
		runtime_features(h, &f);
	return f;
}

/* It is decided once: an exec, an update and the delete go the way of the start. */
static int choose_way(struct container *c, const json_t *config, struct err *e)
{
	const struct runtime_handler *asked = runtime_find(c->runtime), *way;

	if (!asked) /* refused at the start, by its name */
		return 0;
	way = runtime_choose(asked, config, *c->restore, c->arena, &c->way_reason, e);
	if (!way)
		return -1;
	c->way = arena_strdup(c->arena, way->name);
	return 0;
}

int create_config(struct container *c, const struct spec_image_volume *volumes, size_t n_volumes, const char *node_name,
		  struct err *e)
{
	auto_json json_t *config = NULL;
	struct spec_input in = {
		.container = c, .image_volumes = volumes, .n_image_volumes = n_volumes, .node_name = node_name,
		.features = features_of(c),
	};

	in.rootfs = arena_printf(c->arena, "%s/rootfs", c->bundle);
	if (create_check_rootfs(in.rootfs, e) < 0 || choose_stop_signal(c, e) < 0 ||
	    create_check_namespaces(&c->config.security.ns, &c->sandbox->config.security.ns, e) < 0)
		return -1;
	if (join_namespaces(c, &in.namespaces, e) < 0)
		return -1;
	if (spec_make(&in, &config, e) < 0 || choose_way(c, config, e) < 0)
		return -1;
	return bundle_write_config(c->bundle, config, e);
}

/* Removes the directories and files that were mount points. A mount point that is still mounted is busy and stays. */
static void remove_mount_points(int bundle, const char *name)
{
	int fd = openat(bundle, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_dir DIR *list = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	while (list && (entry = readdir(list)) != NULL)
		if (entry->d_name[0] != '.' && EFFECT(unlinkat(dirfd(list), entry->d_name, 0)) < 0)
			EFFECT(unlinkat(dirfd(list), entry->d_name, AT_REMOVEDIR));
}

/* A bundle has plain files (config.json, FIFOs, pid files), rootfs/ and volumes/<n>. Nothing below rootfs is removed
 * here: it may be the mounted file system of the container. */
int create_undo(struct container *c, struct err *e)
{
	int fd = open(c->bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *list = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (!list)
		return err_os(e, ERR_INTERNAL, "open bundle %s", c->bundle);
	remove_mount_points(fd, "volumes");
	while ((entry = readdir(list)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (EFFECT(unlinkat(fd, entry->d_name, 0)) < 0 && errno == EISDIR)
			EFFECT(unlinkat(fd, entry->d_name, AT_REMOVEDIR));
	}
	return EFFECT(rmdir(c->bundle)) < 0 ? err_os(e, ERR_INTERNAL, "remove bundle %s", c->bundle) : 0;
}
