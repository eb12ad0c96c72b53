/* artifact.c - see artifact.h. */
#include "images/artifact.h"

#include <limits.h>
#include <string.h>

#include "images/digest.h"
#include "reactor/log.h"
#include "reactor/map.h"

#define TITLE "org.opencontainers.image.title"
#define UNPACK "io.deis.oras.content.unpack"
#define UNPACKED_DIGEST "io.deis.oras.content.digest"

static bool name_valid(const char *name, size_t n)
{
	if (n == 0 || n > NAME_MAX || (n <= 2 && memcmp(name, "..", n) == 0))
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
			return false;
	return true;
}

/* oras names a file as its user has named it, so `oras push X ./conf/app.yaml` makes the title conf/app.yaml. */
bool artifact_path_valid(const char *path)
{
	int depth = 1;

	if (strlen(path) > ARTIFACT_PATH_MAX)
		return false;
	for (const char *slash; (slash = strchr(path, '/')); path = slash + 1)
		if (!name_valid(path, (size_t)(slash - path)) || ++depth > ARTIFACT_DEPTH_MAX)
			return false;
	return name_valid(path, strlen(path));
}

/* What is an image for other runtimes stays one, whatever artifactType it names. (ARCHITECTURE I71) */
const char *artifact_type(const json_t *manifest, bool image_config, bool image_layers, struct arena *a)
{
	const char *type = json_get_str(a, manifest, "artifactType");

	if (image_config && image_layers)
		return "";
	if (*type || image_config)
		return type;
	return json_get_str(a, json_object_get(manifest, "config"), "mediaType");
}

/* The directory depends on the name too, so layers are told apart by both. No tar has this digest. */
static const char *file_id(const char *digest, const char *name, struct arena *a)
{
	const char *both = arena_printf(a, "artifact %s %s", digest, name);
	char out[DIGEST_SIZE];

	digest_of(both, strlen(both), out);
	return arena_strdup(a, out);
}

int artifact_blob(struct descriptor *d, const json_t *entry, struct arena *a, struct err *e)
{
	const json_t *notes = json_object_get(entry, "annotations");
	const char *unpacked = json_get_str(a, notes, UNPACKED_DIGEST);

	if (!json_object_get(notes, TITLE))
		return 0;
	d->title = json_get_str(a, notes, TITLE);
	if (!artifact_path_valid(d->title))
		return err_set(e, ERR_INVALID_ARGUMENT, "the blob %.19s has the name %s (" TITLE "), which is no name "
			       "of a file", d->digest, log_quote(d->title));
	if (strcmp(json_get_str(a, notes, UNPACK), "true") != 0) {
		d->file = d->title;
		d->diff_id = file_id(d->digest, d->file, a);
		return 0;
	}
	if (!digest_valid(unpacked))
		return err_set(e, ERR_INVALID_ARGUMENT, "the blob %s is to be unpacked, but \"%.100s\" ("
			       UNPACKED_DIGEST ") is no sha256 digest", log_quote(d->title), unpacked);
	d->diff_id = unpacked;
	return 0;
}

static int settle_one(struct manifest *m, struct map *names, size_t i, size_t *kept, struct err *e)
{
	struct descriptor *d = &m->layers[i], *same;

	if (!d->diff_id) {
		log_info("artifact_blob_unnamed digest=%.19s type=%s", d->digest, log_quote(d->media_type));
		return 0;
	}
	same = map_get(names, d->title);
	if (same && (strcmp(same->digest, d->digest) != 0 || strcmp(same->diff_id, d->diff_id) != 0))
		return err_set(e, ERR_INVALID_ARGUMENT, "two blobs of the artifact have the name %s",
			       log_quote(d->title));
	if (same)
		return 0;
	m->layers[*kept] = *d;
	map_put(names, d->title, &m->layers[(*kept)++]);
	return 0;
}

/* Of a file and a directory of one name overlayfs would show one, and hide what is in the other. */
static int settle_above(const struct descriptor *d, const struct map *names, struct err *e)
{
	char above[ARTIFACT_PATH_MAX + 1];

	for (const char *slash = strchr(d->title, '/'); slash; slash = strchr(slash + 1, '/')) {
		const struct descriptor *other;

		memcpy(above, d->title, (size_t)(slash - d->title));
		above[slash - d->title] = '\0';
		other = map_get(names, above);
		if (other && other->file)
			return err_set(e, ERR_INVALID_ARGUMENT, "the blob %s of the artifact is a file, and the "
				       "directory of another one", log_quote(above));
	}
	return 0;
}

int artifact_settle(struct manifest *m, struct err *e)
{
	struct map names = { 0 };
	size_t kept = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < m->nlayers; i++)
		r = settle_one(m, &names, i, &kept, e);
	for (size_t i = 0; r == 0 && i < kept; i++)
		r = settle_above(&m->layers[i], &names, e);
	map_free(&names);
	m->nlayers = kept;
	if (r == 0 && kept == 0)
		return err_set(e, ERR_INVALID_ARGUMENT, "neither a container image nor an artifact of files: its "
			       "config has the type \"%.120s\", and no blob has the annotation " TITLE,
			       m->config.media_type);
	return r;
}
