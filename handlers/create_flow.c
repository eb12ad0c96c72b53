/* create_flow.c - see create_flow.h. When a step fails the steps before it are undone in reverse order. */
#include "handlers/create_flow.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "handlers/checkpoint_stage.h"
#include "handlers/image_volumes.h"
#include "images/ref.h"
#include "images/snapshot.h"
#include "images/store.h"
#include "procs/create.h"
#include "procs/labels.h"
#include "procs/runtime.h"
#include "procs/sandbox_ns.h"
#include "procs/sandbox_files.h"
#include "procs/volume.h"
#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/map.h"
#include "reactor/work.h"

static const char *node_name = "";

void create_flow_open(const char *name)
{
	node_name = name;
}

static int bind_image_volumes(struct container *c, struct err *e)
{
	for (size_t i = 0; i < c->volumes.n; i++)
		if (volume_bind(c, volume_of_image(c, i), snapshot_volume(c->id, i, c->arena), e) < 0)
			return err_wrap(e, "VOLUME %s", c->volumes.at[i]);
	return 0;
}

struct container_image create_flow_image(const struct image *img, const struct container_config *config)
{
	return (struct container_image){
		.id = img->id,
		.ref = img->digests.n ? img->digests.at[0] : img->id,
		.name = img->tags.n ? img->tags.at[0] : config->image,
		.env = img->config.env,
		.entrypoint = img->config.entrypoint,
		.cmd = img->config.cmd,
		.working_dir = img->config.working_dir,
		.user = img->config.user,
		.stop_signal = img->config.stop_signal,
	};
}

static const struct image *need_image(const char *ref, struct err *e)
{
	const struct image *img = store_find(ref);
	struct arena *a;

	if (img)
		return img;
	a = arena_new();
	err_set(e, ERR_FAILED_PRECONDITION, "image %.200s is not in the store: pull it first", ref_shown(ref, a));
	arena_free(a);
	return NULL;
}

/* (ARCHITECTURE I70) */
int create_flow_rootfs(const struct image *img, struct err *e)
{
	if (!*img->config.artifact)
		return 0;
	return err_set(e, ERR_INVALID_ARGUMENT,
		       "image %.19s is an artifact (%.100s): it can only be mounted as an image volume", img->id,
		       img->config.artifact);
}

/* Limits that plugins have changed are not those of the request any more. */
static bool same_config(const struct container *c, const struct container_config *config)
{
	struct container_config asked = *config;

	if (c->limits_adjusted)
		asked.resources = c->config.resources;
	return fields_equal(container_config_fields, &c->config, &asked);
}

struct container *create_flow_earlier(struct sandbox *s, const struct container_config *config, struct err *e)
{
	struct container *c = container_named(s, config->name, config->attempt);

	e->code = ERR_OK;
	if (c && (c->state != CONTAINER_CREATED || c->starting || c->removing ||
		  !same_config(c, config))) {
		err_set(e, ERR_ALREADY_EXISTS,
			"container %.100s attempt %u exists in sandbox %.12s as %.12s: remove it first", config->name,
			config->attempt, s->id, c->id);
		return NULL;
	}
	return c;
}

static int rootfs_path(char *path, size_t size, const struct container *c)
{
	return snprintf(path, size, "%s/rootfs", c->bundle);
}

static int mount_image(struct container *c, size_t i, const struct image *img, int userns, struct err *e)
{
	const char *path = volume_path(c, i);

	if (volume_make_parent(c, e) < 0)
		return -1;
	if (EFFECT(mkdir(path, 0700)) < 0)
		return err_os(e, ERR_INTERNAL, "make %s", path);
	if (snapshot_borrow(c->id, &img->layers, e) < 0 ||
	    snapshot_mount_readonly(&img->layers, userns, c->mount_label, path, e) < 0) {
		e->reason = "ImageVolumeMountFailed";
		return err_wrap(e, "image volume %s", c->config.mounts.at[i].container_path);
	}
	return 0;
}

/* What is mounted: mounts of the same key are the same. NULL: an error. */
static const char *mount_key(struct container *c, const struct mount_config *m, const struct image **img, struct err *e)
{
	*img = NULL;
	if (volume_is_shifted(m))
		return arena_printf(c->arena, "%d %s", (int)m->propagation, m->host_path);
	*img = need_image(m->image, e);
	if (!*img)
		e->reason = "ImageVolumeMountFailed";
	return *img ? arena_strdup(c->arena, (*img)->id) : NULL;
}

/* A container may have 2048 mounts: one that it has at many paths is made once. (ARCHITECTURE P138) */
static const char *mount_once(struct container *c, size_t i, int userns, struct map *made, struct err *e)
{
	const struct mount_config *m = &c->config.mounts.at[i];
	const struct image *img;
	const char *key = mount_key(c, m, &img, e), *path;

	if (!key || (!img && volume_check(c, i, userns, e) < 0))
		return NULL;
	path = map_get(made, key);
	if (path)
		return path;
	if (img ? mount_image(c, i, img, userns, e) < 0 : volume_mount(c, i, userns, e) < 0)
		return NULL;
	path = volume_path(c, i);
	map_put(made, key, (void *)path);
	return path;
}

/* The number of volumes that are mounted, or -1. In both cases create_flow_unmount() unmounts them. */
static int mount_volumes(struct container *c, int userns, struct spec_image_volume *out, struct err *e)
{
	struct map made = { 0 };
	int n = 0;

	for (size_t i = 0; i < c->config.mounts.n && n >= 0; i++) {
		const char *path;

		if (!volume_is_shifted(&c->config.mounts.at[i]) && !*c->config.mounts.at[i].image)
			continue;
		path = mount_once(c, i, userns, &made, e);
		if (path)
			out[n] = (struct spec_image_volume){ i, path };
		n = path ? n + 1 : -1;
	}
	map_free(&made);
	return n;
}

int create_flow_unmount(void *arg, struct container *c, struct err *e)
{
	char path[512];

	(void)arg;
	for (size_t i = 0; i < c->config.mounts.n; i++)
		if ((*c->config.mounts.at[i].image || volume_is_shifted(&c->config.mounts.at[i])) &&
		    volume_unmount(c, i, e) < 0)
			return -1;
	for (size_t i = 0; i < c->volumes.n; i++)
		if (volume_unmount(c, volume_of_image(c, i), e) < 0)
			return -1;
	rootfs_path(path, sizeof(path), c);
	if (snapshot_unmount(path, e) < 0 || snapshot_remove(c->id, e) < 0)
		return -1;
	checkpoint_stage_drop(c->restore);
	return 0;
}

int create_flow_prepare(struct container *c, const struct image *img, struct err *e)
{
	struct err undo;

	if (sandbox_userns(c->sandbox) < 0 && ns_has_user(&c->sandbox->config.security.ns))
		return err_set(e, ERR_INTERNAL, "the user namespace of sandbox %.12s is gone", c->sandbox->id);
	if (labels_of_container(c, e) < 0 || sandbox_files_label(c->sandbox, c->mount_label, e) < 0 ||
	    create_bundle(c, e) < 0)
		return -1;
	if (snapshot_prepare(c->id, &img->layers, e) == 0)
		return 0;
	if (create_undo(c, &undo) < 0)
		log_warn("create_undo container=%.12s error=%s", c->id, log_quote(undo.msg));
	return -1;
}

int create_flow_mount(struct container *c, struct err *e)
{
	int userns = sandbox_userns(c->sandbox);
	char path[512];

	if (userns < 0 && ns_has_user(&c->sandbox->config.security.ns))
		return err_set(e, ERR_INTERNAL, "the user namespace of sandbox %.12s is gone", c->sandbox->id);
	rootfs_path(path, sizeof(path), c);
	return snapshot_mount(c->id, userns, c->mount_label, path, e);
}

int create_flow_finish(struct container *c, struct err *e)
{
	struct spec_image_volume *volumes = arena_zalloc(c->arena, c->config.mounts.n * sizeof(*volumes));
	int n, userns = sandbox_userns(c->sandbox);
	const char *about = arena_printf(c->arena, " container=%.12s", c->id);
	int64_t since_ns = loop_mono_ns();
	char path[512];

	rootfs_path(path, sizeof(path), c);
	if (snapshot_mount(c->id, userns, c->mount_label, path, e) < 0)
		return -1;
	if (image_volumes_mkdir(c, path, e) < 0)
		return -1;
	n = bind_image_volumes(c, e) < 0 ? -1 : mount_volumes(c, userns, volumes, e);
	if (n < 0)
		return -1;
	work_step("rootfs", about, &since_ns);
	if (create_config(c, volumes, (size_t)n, node_name, e) < 0)
		return -1;
	work_step("spec", about, &since_ns);
	return 0;
}

/* No record names the container. What is left is found at the next start, by its snapshot and its bundle. */
static void create_flow_undo(struct container *c)
{
	struct err e;

	if (create_flow_unmount(NULL, c, &e) < 0 || create_undo(c, &e) < 0)
		log_warn("create_undo container=%.12s error=%s", c->id, log_quote(e.msg));
}

static int create_take_volumes(struct container *c, const struct create_volumes_made *v, struct err *e)
{
	if (!v->filled)
		return 0;
	if (snapshot_take_volumes(c->id, v->filled, e) < 0)
		return -1;
	c->volumes = (struct strings){ arena_zalloc(c->arena, v->paths.n * sizeof(char *)), v->paths.n };
	for (size_t i = 0; i < v->paths.n; i++)
		c->volumes.at[i] = arena_strdup(c->arena, v->paths.at[i]);
	return 0;
}

static int create_make(struct container *c, const struct image *img, const struct create_volumes_made *v, struct err *e)
{
	if (create_flow_prepare(c, img, e) < 0)
		return -1;
	if (create_take_volumes(c, v, e) == 0 && create_flow_finish(c, e) == 0 && container_list_it(c, e) == 0)
		return 0;
	create_flow_undo(c);
	return -1;
}

struct container *create_flow(struct sandbox *s, const struct container_config *config, struct lookup *lookup,
			      const struct create_volumes_made *volumes, const struct adjustment *adjustment,
			      struct err *e)
{
	const struct image *img;
	struct container_image image;
	struct container *c = create_flow_earlier(s, config, e);

	if (c || e->code != ERR_OK)
		return c;
	if (s->state != SANDBOX_READY) {
		err_set(e, ERR_FAILED_PRECONDITION, "sandbox %.12s is not ready", s->id);
		return NULL;
	}
	img = need_image(config->image, e);
	if (!img || create_flow_rootfs(img, e) < 0)
		return NULL;
	image = create_flow_image(img, config);
	c = container_new_adjusted(s, config, &image, adjustment);
	c->lookup = lookup;
	if (create_make(c, img, volumes, e) < 0) {
		container_free(c);
		return NULL;
	}
	c->lookup = NULL;
	c->adjustment = NULL;
	log_info("container_created container=%.12s sandbox=%.12s image_id=%.19s", c->id, s->id, c->image.id);
	return c;
}
