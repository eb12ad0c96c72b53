/* image_volumes.c - see image_volumes.h. */
#include "handlers/image_volumes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "procs/spec.h"
#include "reactor/fault.h"
#include "reactor/map.h"
#include "reactor/own.h"

enum { VOLUMES_MAX = 256 };

static const char *way = "bind";

bool image_volumes_known(const char *how)
{
	return strcmp(how, "bind") == 0 || strcmp(how, "mkdir") == 0 || strcmp(how, "ignore") == 0;
}

void image_volumes_open(const char *how)
{
	way = how;
}

/* The VOLUMEs as clean, absolute paths. Docker takes one of "/" too, and nothing can be done with it. An image may have
 * 30,000 of them, also one path in as many spellings, and a request 2048 mounts: each is looked up by its hash. */
static int volumes_of(const struct image *img, const struct container_config *config, struct arena *a,
		      struct strings *out, struct err *e)
{
	const struct strings *all = &img->config.volumes;
	struct map taken = { 0 };
	bool many = false;

	*out = (struct strings){ arena_zalloc(a, VOLUMES_MAX * sizeof(*out->at)), 0 };
	for (size_t i = 0; all->n && i < config->mounts.n; i++)
		map_put(&taken, spec_clean_path(a, config->mounts.at[i].container_path), out);
	for (size_t i = 0; i < all->n && !many; i++) {
		const char *raw = all->at[i];
		const char *path = spec_clean_path(a, *raw == '/' ? raw : arena_printf(a, "/%s", raw));
		struct map_slot *slot = map_at(&taken, path);

		if (slot->value)
			continue;
		slot->value = out;
		if (strcmp(path, "/") == 0)
			continue;
		many = out->n == VOLUMES_MAX;
		if (!many)
			out->at[out->n++] = path;
	}
	map_free(&taken);
	return many ? err_set(e, ERR_INVALID_ARGUMENT, "the image has more than %d VOLUMEs", VOLUMES_MAX) : 0;
}

int image_volumes(const struct image *img, const struct container_config *config, struct arena *a, struct strings *out,
		  struct err *e)
{
	*out = (struct strings){ 0 };
	return strcmp(way, "bind") == 0 ? volumes_of(img, config, a, out, e) : 0;
}

/* One component of a path. The root of the file system has the owner that a new directory gets. */
static int make_volume_dir(int rootfs, const char *path, struct err *e)
{
	struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];
	auto_fd int up = -1;
	struct stat root;

	snprintf(dir, sizeof(dir), "%.*s/", (int)(slash - path), path);
	up = (int)syscall(SYS_openat2, rootfs, dir, &how, sizeof(how));
	if (up < 0 || fstat(rootfs, &root) < 0)
		return err_os(e, ERR_INTERNAL, "VOLUME %s", path);
	if (EFFECT(mkdirat(up, slash + 1, 0755)) < 0)
		return errno == EEXIST ? 0 : err_os(e, ERR_INTERNAL, "make the VOLUME %s", path);
	if (fchownat(up, slash + 1, root.st_uid, root.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return err_os(e, ERR_INTERNAL, "make the VOLUME %s", path);
	return 0;
}

/* The path and what is above it. */
static int make_volume_dirs(int rootfs, char *path, struct err *e)
{
	for (char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
		int r;

		*p = '\0';
		r = make_volume_dir(rootfs, path, e);
		*p = '/';
		if (r < 0)
			return -1;
	}
	return make_volume_dir(rootfs, path, e);
}

int image_volumes_mkdir(struct container *c, const char *rootfs, struct err *e)
{
	const struct image *img = strcmp(way, "mkdir") == 0 ? store_find(c->image.id) : NULL;
	auto_fd int fd = img ? open(rootfs, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
	struct strings paths;

	if (!img)
		return 0;
	if (fd < 0)
		return err_os(e, ERR_INTERNAL, "open %s", rootfs);
	if (volumes_of(img, &c->config, c->arena, &paths, e) < 0)
		return -1;
	for (size_t i = 0; i < paths.n; i++)
		if (make_volume_dirs(fd, arena_strdup(c->arena, paths.at[i]), e) < 0)
			return -1;
	return 0;
}
