/* docker.c - see docker.h.
 *
 * The images become those of an OCI layout: each file gets the name of its digest below <dir>/docker (a hard link),
 * and a manifest is written that names config and layers. The digest of a plain tar is its diff_id, which the config
 * has; of a compressed one a child finds it out.
 *
 * An archive may name 256 images of 500 layers each, and every layer costs some system calls: a step, which is a turn
 * of the loop, looks at LAYERS_A_STEP of them and at one config at most. (ARCHITECTURE I77) */
#include "images/import/docker.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "images/digest.h"
#include "images/import/files.h"
#include "reactor/fault.h"
#include "reactor/map.h"
#include "reactor/own.h"
#include "reactor/small_file.h"

#define OCI "application/vnd.oci.image."

enum { LAYERS_A_STEP = 32, NAMES_MAX = 64 };

struct docker_image {
	struct descriptor config; /* digest NULL: not read yet */
	struct strings diff_ids;
	size_t *layers, nlayers; /* indexes of layout.layers; diff_ids.n of them in the end */
	struct strings names;
};

struct docker {
	const char *dir, *base;
	json_t *manifest;
	struct docker_image *images;
	size_t nimages, at;         /* at: the image that the next step of docker_step() looks at */
	size_t renamed, written;    /* by docker_finish(): layers, manifests */
	struct map by_name;         /* a layer's name -> its struct layout_layer */
};

/* Opens a path of the archive as if its directory were the root: no link leads out. */
static int docker_open(const char *dir, const char *path, struct stat *st, struct arena *a, struct err *e)
{
	auto_fd int root = open(arena_printf(a, "%s/fs", dir), O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct open_how how = { .flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	auto_fd int fd = root < 0 ? -1 : (int)syscall(SYS_openat2, root, path, &how, sizeof(how));

	if (fd < 0 || fstat(fd, st) < 0)
		return err_os(e, ERR_INVALID_ARGUMENT, "open %.200s", path);
	if (!S_ISREG(st->st_mode))
		return err_set(e, ERR_INVALID_ARGUMENT, "%.200s: not a file", path);
	return take_fd(&fd);
}

static const char *path_of_fd(int fd, struct arena *a)
{
	return arena_printf(a, "/proc/self/fd/%d", fd);
}

/* A gzip or zstd stream by its first bytes. */
static const char *compressed_type(int fd)
{
	unsigned char p[4] = { 0 };

	if (pread(fd, p, sizeof(p), 0) != sizeof(p))
		return NULL;
	if (p[0] == 0x1f && p[1] == 0x8b)
		return OCI "layer.v1.tar+gzip";
	return memcmp(p, "\x28\xb5\x2f\xfd", 4) == 0 ? OCI "layer.v1.tar+zstd" : NULL;
}

/* The file gets the name `digest` below dir/docker. */
static int docker_link(const struct docker *d, int fd, const char *name, struct arena *a, struct err *e)
{
	const char *to = arena_printf(a, "%s/docker/%s", d->dir, name);

	if (EFFECT(linkat(AT_FDCWD, path_of_fd(fd, a), AT_FDCWD, to, AT_SYMLINK_FOLLOW)) < 0 && errno != EEXIST)
		return err_os(e, ERR_INTERNAL, "link %s", to);
	return 0;
}

static int read_layer(struct layout *l, const char *name, const char *diff_id, size_t *at, struct arena *a,
		      struct err *e)
{
	struct docker *d = l->docker;
	struct layout_layer *layer = &l->layers[l->nlayers], *known = map_get(&d->by_name, name);
	auto_fd int fd = -1;
	struct stat st;

	*at = (size_t)((known ? known : layer) - l->layers);
	if (known)
		return 0;
	fd = docker_open(d->dir, name, &st, a, e);
	if (fd < 0)
		return -1;
	*layer = (struct layout_layer){ .name = name, .digest = diff_id, .media_type = OCI "layer.v1.tar",
					.size_bytes = (uint64_t)st.st_size };
	if (compressed_type(fd)) {
		layer->media_type = compressed_type(fd);
		layer->digest = "";
	}
	layer->path = arena_printf(a, "%s/docker/layer-%zu", d->dir, l->nlayers);
	l->nlayers++;
	map_put(&d->by_name, layer->name, layer);
	return docker_link(d, fd, arena_printf(a, "layer-%zu", l->nlayers - 1), a, e);
}

static int read_config(struct docker_image *img, const struct docker *d, const char *path, struct arena *a,
		       struct err *e)
{
	struct image_config ignored;
	char digest[DIGEST_SIZE];
	auto_free char *text = NULL;
	struct stat st;
	auto_fd int fd = docker_open(d->dir, path, &st, a, e);
	size_t len;

	if (fd < 0)
		return -1;
	text = small_file_read_fd(fd, path, CONFIG_MAX_BYTES, &len, ERR_INVALID_ARGUMENT, e);
	if (!text || config_parse(&ignored, &img->diff_ids, text, len, a, e) < 0)
		return -1;
	digest_of(text, len, digest);
	img->config = (struct descriptor){ .media_type = OCI "config.v1+json",
					  .digest = arena_strdup(a, digest), .size_bytes = len };
	return docker_link(d, fd, digest_hex(digest), a, e);
}

static int read_names(struct docker_image *img, const json_t *tags, const char *base, struct arena *a, struct err *e)
{
	size_t n = json_array_size(tags);

	if (n > NAMES_MAX)
		return err_set(e, ERR_INVALID_ARGUMENT, "the image has %zu names, up to %d are possible", n, NAMES_MAX);
	img->names.at = arena_zalloc(a, (n + 1) * sizeof(*img->names.at));
	for (size_t i = 0; i < n || (n == 0 && i == 0); i++) {
		const char *said = json_string_value(json_array_get(tags, i)), *name;

		if (!(said && *said) && !*base)
			return err_set(e, ERR_INVALID_ARGUMENT, "the image has no name: give one by --name");
		name = layout_name(said ? said : "", base, a, e);
		if (!name)
			return -1;
		img->names.at[img->names.n++] = name;
	}
	return 0;
}

static int begin_image(struct layout *l, struct docker_image *img, const json_t *j, struct arena *a, struct err *e)
{
	struct docker *d = l->docker;
	size_t n = json_array_size(json_object_get(j, "Layers"));

	if (read_config(img, d, json_get_str(a, j, "Config"), a, e) < 0 ||
	    read_names(img, json_object_get(j, "RepoTags"), d->base, a, e) < 0)
		return -1;
	if (n != img->diff_ids.n)
		return err_set(e, ERR_INVALID_ARGUMENT,
			       "manifest.json has %zu layers, the image config has %zu diff_ids", n, img->diff_ids.n);
	img->layers = arena_zalloc(a, (n + 1) * sizeof(*img->layers));
	return 0;
}

int docker_step(struct layout *l, struct arena *a, struct err *e)
{
	struct docker *d = l->docker;
	struct docker_image *img = &d->images[d->at];
	const json_t *j = json_array_get(d->manifest, d->at), *layers = json_object_get(j, "Layers");

	if (!img->layers && begin_image(l, img, j, a, e) < 0)
		return -1;
	for (size_t i = 0; i < LAYERS_A_STEP && img->nlayers < img->diff_ids.n; i++, img->nlayers++) {
		const char *name = json_string_value(json_array_get(layers, img->nlayers));
		const char *diff_id = img->diff_ids.at[img->nlayers];

		if (!name || !digest_valid(diff_id))
			return err_set(e, ERR_INVALID_ARGUMENT, "manifest.json: a layer has no name or no diff_id");
		if (read_layer(l, arena_strdup(a, name), diff_id, &img->layers[img->nlayers], a, e) < 0)
			return -1;
	}
	d->at += img->nlayers == img->diff_ids.n;
	if (d->at < d->nimages)
		return 1;
	l->images = arena_zalloc(a, d->nimages * sizeof(*l->images));
	l->nimages = d->nimages;
	return 0;
}

int docker_read(struct layout *l, const char *dir, const char *base, struct arena *a, struct err *e)
{
	struct docker *d = l->docker = arena_zalloc(a, sizeof(*d));
	size_t layers = 0;

	*d = (struct docker){ .dir = dir, .base = base, .manifest = layout_json(dir, "manifest.json", e) };
	if (!d->manifest)
		return -1;
	d->nimages = json_array_size(d->manifest);
	if (d->nimages == 0 || d->nimages > ARCHIVE_IMAGES_MAX)
		return err_set(e, ERR_INVALID_ARGUMENT, "manifest.json has %zu images, 1 to %d are possible",
			       d->nimages, ARCHIVE_IMAGES_MAX);
	for (size_t i = 0; i < d->nimages; i++) {
		size_t n = json_array_size(json_object_get(json_array_get(d->manifest, i), "Layers"));

		if (n > LAYERS_MAX)
			return err_set(e, ERR_INVALID_ARGUMENT,
				       "manifest.json has an image of %zu layers, up to %d are possible", n,
				       LAYERS_MAX);
		layers += n;
	}
	d->images = arena_zalloc(a, d->nimages * sizeof(*d->images));
	l->layers = arena_zalloc(a, (layers + 1) * sizeof(*l->layers));
	l->blobs = arena_printf(a, "%s/docker", dir);
	return EFFECT(mkdir(l->blobs, 0700)) < 0 ? err_os(e, ERR_INTERNAL, "make %s", l->blobs) : 0;
}

void docker_close(struct layout *l)
{
	struct docker *d = l->docker;

	json_decref(d->manifest);
	map_free(&d->by_name);
}

/* ---- the layout ---- */

static json_t *descriptor_json(const char *type, const char *digest, uint64_t size)
{
	return json_pack("{s:s, s:s, s:I}", "mediaType", type, "digest", digest, "size", (json_int_t)size);
}

static int write_manifest(struct layout *l, size_t i, struct arena *a, struct err *e)
{
	const struct docker *d = l->docker;
	const struct docker_image *img = &d->images[i];
	auto_json json_t *list = json_array();
	auto_json json_t *j = NULL;
	char digest[DIGEST_SIZE];
	const char *text, *path;
	auto_fd int fd = -1;

	for (size_t k = 0; k < img->diff_ids.n; k++) {
		const struct layout_layer *layer = &l->layers[img->layers[k]];

		json_array_append_new(list, descriptor_json(layer->media_type, layer->digest, layer->size_bytes));
	}
	j = json_pack("{s:i, s:s, s:o, s:O}", "schemaVersion", 2, "mediaType", OCI "manifest.v1+json", "config",
		      descriptor_json(img->config.media_type, img->config.digest, img->config.size_bytes), "layers",
		      list);
	text = json_text(a, own_must(j));
	digest_of(text, strlen(text), digest);
	path = arena_printf(a, "%s/%s", l->blobs, digest_hex(digest));
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || EFFECT(write(fd, text, strlen(text))) != (ssize_t)strlen(text))
		return err_os(e, ERR_INTERNAL, "write %s", path);
	l->images[i] = (struct layout_image){
		.top = { .media_type = OCI "manifest.v1+json", .digest = arena_strdup(a, digest),
			 .size_bytes = strlen(text) },
		.names = img->names
	};
	return 0;
}

int docker_finish(struct layout *l, struct arena *a, struct err *e)
{
	struct docker *d = l->docker;

	for (size_t i = 0; i < LAYERS_A_STEP && d->renamed < l->nlayers; i++, d->renamed++) {
		const struct layout_layer *layer = &l->layers[d->renamed];
		const char *to = arena_printf(a, "%s/%s", l->blobs, digest_hex(layer->digest));

		if (EFFECT(rename(layer->path, to)) < 0)
			return err_os(e, ERR_INTERNAL, "rename %s", layer->path);
	}
	if (d->renamed == l->nlayers && write_manifest(l, d->written++, a, e) < 0)
		return -1;
	return d->written < l->nimages;
}
