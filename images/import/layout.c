/* layout.c - see layout.h: index.json of an OCI layout. */
#include "images/import/layout.h"

#include <string.h>

#include "images/digest.h"
#include "images/import/docker.h"
#include "images/import/files.h"
#include "reactor/json.h"
#include "reactor/own.h"

#define NAME_OF_CONTAINERD "io.containerd.image.name"
#define NAME_OF_OCI "org.opencontainers.image.ref.name"

static const char *said_name(const json_t *entry, struct arena *a)
{
	const json_t *notes = json_object_get(entry, "annotations");
	const char *name = json_get_str(a, notes, NAME_OF_CONTAINERD);

	return *name ? name : json_get_str(a, notes, NAME_OF_OCI);
}

static int read_entry(struct layout *l, const json_t *entry, const char *base, struct arena *a, struct err *e)
{
	struct layout_image *img = &l->images[l->nimages];
	const json_t *size = json_object_get(entry, "size");
	const char *said = said_name(entry, a), *name = layout_name(said, base, a, e);

	if (!name)
		return -1;
	*img = (struct layout_image){ .top = { .media_type = json_get_str(a, entry, "mediaType"),
					       .digest = json_get_str(a, entry, "digest") } };
	if (!digest_valid(img->top.digest))
		return err_set(e, ERR_INVALID_ARGUMENT, "index.json: \"%.100s\" is no sha256 digest", img->top.digest);
	if (!json_is_integer(size) || json_integer_value(size) <= 0)
		return err_set(e, ERR_INVALID_ARGUMENT, "index.json: no valid size");
	img->top.size_bytes = (uint64_t)json_integer_value(size);
	img->names = (struct strings){ arena_zalloc(a, sizeof(*img->names.at)), 1 };
	img->names.at[0] = name;
	l->nimages++;
	return 0;
}

/* Entries without a name beside others that have one are attestations or parts of these. */
static int read_index(struct layout *l, const char *dir, const char *base, struct arena *a, struct err *e)
{
	auto_json json_t *j = layout_json(dir, "index.json", e);
	const json_t *list = json_object_get(j, "manifests"), *entry;
	size_t n = json_array_size(list), named = 0, i;

	if (!j)
		return -1;
	if (n == 0 || n > ARCHIVE_IMAGES_MAX)
		return err_set(e, ERR_INVALID_ARGUMENT, "index.json has %zu images, 1 to %d are possible", n,
			       ARCHIVE_IMAGES_MAX);
	l->images = arena_zalloc(a, n * sizeof(*l->images));
	json_array_foreach(list, i, entry)
		named += *said_name(entry, a) != '\0';
	if (!named && (n > 1 || !*base))
		return err_set(e, ERR_INVALID_ARGUMENT, "%s", n > 1 ? "none of the images has a name"
			       : "the image has no name: give one by --name");
	json_array_foreach(list, i, entry)
		if ((!named || *said_name(entry, a)) && read_entry(l, entry, base, a, e) < 0)
			return -1;
	l->blobs = arena_printf(a, "%s/fs/blobs/sha256", dir);
	return 0;
}

int layout_read(struct layout *l, const char *dir, const char *name, struct arena *a, struct err *e)
{
	*l = (struct layout){ .blobs = "" };
	/* The names of directories are no links to others: no name below them leads out. */
	if (layout_has(dir, "index.json", S_IFREG) && layout_has(dir, "blobs", S_IFDIR) &&
	    layout_has(dir, "blobs/sha256", S_IFDIR))
		return read_index(l, dir, name, a, e);
	if (layout_has(dir, "manifest.json", S_IFREG))
		return docker_read(l, dir, name, a, e);
	return err_set(e, ERR_INVALID_ARGUMENT,
		       "no image: neither index.json with blobs/sha256 (OCI) nor manifest.json (docker save)");
}

int layout_step(struct layout *l, struct arena *a, struct err *e)
{
	return l->docker ? docker_step(l, a, e) : 0;
}

int layout_finish(struct layout *l, struct arena *a, struct err *e)
{
	return l->docker ? docker_finish(l, a, e) : 0;
}

void layout_close(struct layout *l)
{
	if (l->docker)
		docker_close(l);
}
