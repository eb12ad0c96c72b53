/* create_flow.c - see create_flow.h. When a step fails the steps before it are undone in reverse order. */
#include "handlers/create_flow.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "handlers/checkpoint_stage.h"
#include "images/ref.h"
#include "images/snapshot.h"
#include "images/store.h"
#include "procs/create.h"
#include "procs/labels.h"
#include "procs/runtime.h"
#include "procs/sandbox_ns.h"
#include "procs/sandbox_files.h"
#include "procs/volume.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/metric.h"

static const char *node_name = "";

void create_flow_open(const char *name)
{
	node_name = name;
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

struct container *create_flow_earlier(struct sandbox *s, const struct container_config *config, struct err *e)
{
	struct container *c = container_named(s, config->name, config->attempt);

	e->code = ERR_OK;
	if (c && (c->state != CONTAINER_CREATED || c->starting || c->removing ||
		  !fields_equal(container_config_fields, &c->config, config))) {
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

static int mount_image(struct container *c, size_t i, int userns, struct err *e)
{
	const struct image *img = need_image(c->config.mounts.at[i].image, e);
	const char *path = volume_path(c, i);

	if (!img) {
		e->reason = "ImageVolumeMountFailed";
		return -1;
	}
	if (volume_make_parent(c, e) < 0)
		return -1;
	if (mkdir(path, 0700) < 0)
		return err_os(e, ERR_INTERNAL, "make %s", path);
	if (snapshot_mount_readonly(&img->layers, userns, c->mount_label, path, e) < 0) {
		e->reason = "ImageVolumeMountFailed";
		return err_wrap(e, "image volume %s", c->config.mounts.at[i].container_path);
	}
	return 0;
}

/* The number of volumes that were mounted, or -1. In both cases create_flow_unmount() unmounts them. */
static int mount_volumes(struct container *c, int userns, struct spec_image_volume *out, struct err *e)
{
	int n = 0;

	for (size_t i = 0; i < c->config.mounts.n; i++) {
		const struct mount_config *m = &c->config.mounts.at[i];

		if (volume_is_shifted(m) ? volume_mount(c, i, userns, e) < 0
					 : *m->image && mount_image(c, i, userns, e) < 0)
			return -1;
		if (volume_is_shifted(m) || *m->image)
			out[n++] = (struct spec_image_volume){ i, volume_path(c, i) };
	}
	return n;
}

void create_flow_unmount(void *arg, struct container *c)
{
	char path[512];
	struct err e;

	(void)arg;
	for (size_t i = 0; i < c->config.mounts.n; i++)
		if (*c->config.mounts.at[i].image || volume_is_shifted(&c->config.mounts.at[i]))
			volume_unmount(c, i);
	rootfs_path(path, sizeof(path), c);
	if (snapshot_unmount(path, &e) < 0)
		log_warn("rootfs_unmount container=%.12s error=%s", c->id, log_quote(e.msg));
	snapshot_remove(c->id);
	checkpoint_stage_drop(c->restore);
}

int create_flow_prepare(struct container *c, const struct image *img, struct err *e)
{
	if (sandbox_userns(c->sandbox) < 0 && ns_has_user(&c->sandbox->config.security.ns))
		return err_set(e, ERR_INTERNAL, "the user namespace of sandbox %.12s is gone", c->sandbox->id);
	if (labels_of_container(c, e) < 0 || sandbox_files_label(c->sandbox, c->mount_label, e) < 0 ||
	    create_bundle(c, e) < 0)
		return -1;
	if (snapshot_prepare(c->id, &img->layers, e) == 0)
		return 0;
	create_undo(c);
	return -1;
}

int create_flow_finish(struct container *c, struct err *e)
{
	struct spec_image_volume *volumes = arena_zalloc(c->arena, c->config.mounts.n * sizeof(*volumes));
	int n, userns = sandbox_userns(c->sandbox);
	int64_t begin_ns = loop_mono_ns(), mounted_ns;
	char path[512];

	rootfs_path(path, sizeof(path), c);
	if (snapshot_mount(c->id, userns, c->mount_label, path, e) < 0)
		return -1;
	n = mount_volumes(c, userns, volumes, e);
	mounted_ns = loop_mono_ns();
	if (n < 0 || create_config(c, volumes, (size_t)n, node_name, e) < 0)
		return -1;
	metric_observe_ns(METRIC_stage_seconds, "rootfs", mounted_ns - begin_ns);
	metric_observe_ns(METRIC_stage_seconds, "spec", loop_mono_ns() - mounted_ns);
	return 0;
}

static void create_flow_undo(struct container *c)
{
	create_flow_unmount(NULL, c);
	create_undo(c);
}

static int create_make(struct container *c, const struct image *img, struct err *e)
{
	if (create_flow_prepare(c, img, e) < 0)
		return -1;
	if (create_flow_finish(c, e) == 0 && container_list_it(c, e) == 0)
		return 0;
	create_flow_undo(c);
	return -1;
}

struct container *create_flow(struct sandbox *s, const struct container_config *config, struct lookup *lookup,
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
	if (!img)
		return NULL;
	image = create_flow_image(img, config);
	c = container_new(s, config, &image);
	c->lookup = lookup;
	if (create_make(c, img, e) < 0) {
		container_free(c);
		return NULL;
	}
	c->lookup = NULL;
	log_info("container_created container=%.12s sandbox=%.12s name=%s image=%.19s", c->id, s->id,
		 log_quote(config->name), c->image.id);
	return c;
}
