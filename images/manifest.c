/* manifest.c - see manifest.h. */
#include "images/manifest.h"

#include <inttypes.h>
#include <string.h>

#include "images/artifact.h"
#include "images/digest.h"
#include "images/document.h"
#include "reactor/own.h"

#define OCI "application/vnd.oci.image."
#define DOCKER "application/vnd.docker.distribution.manifest."

const char manifest_accept[] = OCI "index.v1+json, " OCI "manifest.v1+json, " DOCKER "list.v2+json, " DOCKER "v2+json";

const struct field image_config_fields[] = {
	F_STRINGS(struct image_config, env),
	F_STRINGS(struct image_config, entrypoint),
	F_STRINGS(struct image_config, cmd),
	F_STR(struct image_config, working_dir),
	F_STR(struct image_config, user),
	F_STR(struct image_config, stop_signal),
	F_PAIRS(struct image_config, labels),
	F_STRINGS(struct image_config, volumes),
	F_STR(struct image_config, checkpoint),
	F_STR(struct image_config, artifact),
	F_END,
};

enum kind { KIND_NONE, KIND_INDEX, KIND_MANIFEST, KIND_SCHEMA1 };

static const struct {
	const char *type;
	enum kind kind;
} manifest_types[] = {
	{ OCI "index.v1+json", KIND_INDEX },       { DOCKER "list.v2+json", KIND_INDEX },
	{ OCI "manifest.v1+json", KIND_MANIFEST }, { DOCKER "v2+json", KIND_MANIFEST },
	{ DOCKER "v1+json", KIND_SCHEMA1 },        { DOCKER "v1+prettyjws", KIND_SCHEMA1 },
};

/* A Content-Type may carry parameters: "...; charset=utf-8". */
static enum kind kind_of_type(const char *type)
{
	size_t n = strcspn(type, "; \t");

	for (size_t i = 0; i < sizeof(manifest_types) / sizeof(*manifest_types); i++)
		if (strlen(manifest_types[i].type) == n && strncmp(manifest_types[i].type, type, n) == 0)
			return manifest_types[i].kind;
	return KIND_NONE;
}

static const char *str(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "";
}

/* Go's writers say null for a list or member that they do not have. */
static bool has(const json_t *j, const char *key)
{
	const json_t *v = json_object_get(j, key);

	return v && !json_is_null(v);
}

/* The document's mediaType decides; without it the Content-Type; without both, the members that it has. A document with
 * the members of both kinds is refused: two readers could see two different images in it (GHSA-xmmx-7jpf-fx42). */
static int kind_of(const json_t *j, const char *content_type, enum kind *kind, struct err *e)
{
	bool index = has(j, "manifests"), manifest = has(j, "layers") || has(j, "config");
	enum kind said = kind_of_type(str(j, "mediaType")), header = kind_of_type(content_type);

	if (!json_is_object(j))
		return err_set(e, ERR_INVALID_ARGUMENT, "the manifest is not a JSON object");
	if (said == KIND_SCHEMA1 || header == KIND_SCHEMA1 ||
		json_integer_value(json_object_get(j, "schemaVersion")) == 1)
		return err_set(e, ERR_INVALID_ARGUMENT,
			"the manifest is of Docker's schema 1, which is not supported: push the image again");
	if (json_integer_value(json_object_get(j, "schemaVersion")) != 2)
		return err_set(e, ERR_INVALID_ARGUMENT, "the manifest has no schemaVersion 2");
	if (index && manifest)
		return err_set(e, ERR_INVALID_ARGUMENT, "the manifest is an index and an image manifest at once");
	if (*str(j, "mediaType") && said == KIND_NONE)
		return err_set(
			e, ERR_INVALID_ARGUMENT, "the manifest has the unknown type \"%.120s\"", str(j, "mediaType"));
	*kind = said ? said : header ? header : index ? KIND_INDEX : KIND_MANIFEST;
	if ((*kind == KIND_INDEX && manifest) || (*kind == KIND_MANIFEST && index))
		return err_set(e, ERR_INVALID_ARGUMENT, "the manifest's type and content disagree");
	return 0;
}

static void strings_from(struct strings *out, const json_t *j, struct arena *a)
{
	json_t *v;
	size_t i;

	*out = (struct strings){ arena_zalloc(a, json_array_size(j) * sizeof(*out->at)), 0 };
	json_array_foreach(j, i, v)
		if (json_is_string(v))
			out->at[out->n++] = arena_strdup(a, json_string_value(v));
}

static int descriptor_from(struct descriptor *d, const json_t *j, const char *what, struct arena *a, struct err *e)
{
	const json_t *size = json_object_get(j, "size");

	*d = (struct descriptor){ .media_type = json_get_str(a, j, "mediaType"),
		.digest = json_get_str(a, j, "digest") };
	if (!digest_valid(d->digest))
		return err_set(e, ERR_INVALID_ARGUMENT, "%s: \"%.100s\" is no sha256 digest", what, d->digest);
	if (!json_is_integer(size) || json_integer_value(size) < 0)
		return err_set(e, ERR_INVALID_ARGUMENT, "%s: no valid size", what);
	d->size_bytes = (uint64_t)json_integer_value(size);
	strings_from(&d->urls, json_object_get(j, "urls"), a);
	return 0;
}

/* The platforms that this machine runs, best first. As in containerd/platforms, arm64 without a variant is v8, and
 * amd64 with the variant v1 is amd64 without one. */
static const struct platform {
	const char *arch, *variant;
} ours[] = {
#if defined(__x86_64__)
	{ "amd64", "" }, { "amd64", "v1" }, { "386", "" },
#elif defined(__aarch64__)
	{ "arm64", "v8" }, { "arm64", "" },
#elif defined(__arm__)
	{ "arm", "v7" }, { "arm", "" }, { "arm", "v6" }, { "arm", "v5" },
#elif defined(__riscv)
	{ "riscv64", "" },
#elif defined(__powerpc64__)
	{ "ppc64le", "" },
#elif defined(__s390x__)
	{ "s390x", "" },
#else
#error "name this machine as Go's GOARCH does"
#endif
};
enum { OURS = sizeof(ours) / sizeof(*ours) };

/* The entry's place in `ours`, 0 being the best; OURS: it names no platform; OURS + 1: for another machine. */
static size_t platform_rank(const json_t *entry)
{
	const json_t *p = json_object_get(entry, "platform");
	size_t i;

	if (!json_is_object(p))
		return OURS;
	if (strcmp(str(p, "os"), "linux") != 0)
		return OURS + 1;
	for (i = 0; i < OURS; i++)
		if (strcmp(str(p, "architecture"), ours[i].arch) == 0 &&
			strcmp(str(p, "variant"), ours[i].variant) == 0)
			return i;
	return OURS + 1;
}

/* "linux/arm64/v8, windows/amd64": the platforms of an index, for the error. Attestations, whose platform is "unknown",
 * are left out. */
static const char *platforms_text(const json_t *list, struct arena *a)
{
	const char *text = "";
	json_t *entry;
	size_t i;

	json_array_foreach(list, i, entry) {
		const json_t *p = json_object_get(entry, "platform");

		if (strlen(text) > 200 || strcmp(str(p, "os"), "unknown") == 0)
			continue;
		text = arena_printf(a, "%s%s%.20s/%.20s%s%.20s", text, *text ? ", " : "", str(p, "os"),
			str(p, "architecture"), *str(p, "variant") ? "/" : "", str(p, "variant"));
	}
	return *text ? text : "nothing";
}

static int index_choose(struct manifest *m, const json_t *j, struct arena *a, struct err *e)
{
	const json_t *list = json_object_get(j, "manifests"), *best = NULL;
	size_t best_rank = OURS + 1, i;
	json_t *entry;

	m->is_index = true;
	json_array_foreach(list, i, entry) {
		const char *type = str(entry, "mediaType");

		/* An entry may be an index again. Entries of other types (artifacts) are ignored. */
		if ((!*type || kind_of_type(type) != KIND_NONE) && platform_rank(entry) < best_rank) {
			best = entry;
			best_rank = platform_rank(entry);
		}
	}
	if (!best)
		return err_set(e, ERR_NOT_FOUND, "the image has no variant for linux/%s (it has %s)", ours[0].arch,
			platforms_text(list, a));
	if (descriptor_from(&m->chosen, best, "index entry", a, e) < 0)
		return -1;
	if (m->chosen.size_bytes > MANIFEST_MAX_BYTES)
		return err_set(e, ERR_INVALID_ARGUMENT, "the manifest has %" PRIu64 " bytes; %d are allowed",
			m->chosen.size_bytes, MANIFEST_MAX_BYTES);
	return 0;
}

/* Docker's and OCI's media types of layers. "foreign" and "nondistributable" layers are ordinary layers that may also
 * be fetched from the descriptor's urls. */
static bool layer_type_known(const char *type)
{
	static const char *const types[] = {
		OCI "layer.v1.tar",
		OCI "layer.v1.tar+gzip",
		OCI "layer.v1.tar+zstd",
		OCI "layer.nondistributable.v1.tar",
		OCI "layer.nondistributable.v1.tar+gzip",
		OCI "layer.nondistributable.v1.tar+zstd",
		"application/vnd.docker.image.rootfs.diff.tar",
		"application/vnd.docker.image.rootfs.diff.tar.gzip",
		"application/vnd.docker.image.rootfs.diff.tar.zstd",
		"application/vnd.docker.image.rootfs.foreign.diff.tar",
		"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (strcmp(types[i], type) == 0)
			return true;
	return false;
}

/* Old clients pushed configs with the type that their registry gave to all blobs. What is no config fails when it is
 * parsed: config_parse() wants rootfs.diff_ids. */
static bool config_type_known(const char *type)
{
	return strcmp(type, "application/octet-stream") == 0 || strcmp(type, OCI "config.v1+json") == 0 ||
	       strcmp(type, "application/vnd.docker.container.image.v1+json") == 0;
}

static int layers_from(struct manifest *m, const json_t *list, struct arena *a, struct err *e)
{
	json_t *entry;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > LAYERS_MAX)
		return err_set(e, ERR_INVALID_ARGUMENT,
			json_is_array(list) ? "the image has %zu layers; overlayfs takes %d"
					    : "the manifest has no layers",
			json_array_size(list), LAYERS_MAX);
	m->layers = arena_zalloc(a, json_array_size(list) * sizeof(*m->layers));
	json_array_foreach(list, i, entry) {
		struct descriptor *d = &m->layers[m->nlayers++];

		if (descriptor_from(d, entry, "layer", a, e) < 0 ||
		    (*m->artifact && artifact_blob(d, entry, a, e) < 0))
			return err_wrap(e, "layer %zu", i);
		if (!*m->artifact && !layer_type_known(d->media_type))
			return err_set(e, ERR_INVALID_ARGUMENT, "layer %zu has the unknown type \"%.120s\"%s", i,
				d->media_type,
				strstr(d->media_type, "+encrypted") ? " (encrypted images are not supported)" : "");
	}
	return *m->artifact ? artifact_settle(m, e) : 0;
}

static bool layer_types_known(const json_t *list)
{
	json_t *entry;
	size_t i;

	json_array_foreach(list, i, entry)
		if (!layer_type_known(str(entry, "mediaType")))
			return false;
	return true;
}

/* The first annotation is checkpointctl's, the second is the one that CRI-O used before. */
static const char *checkpoint_of(const json_t *j, struct arena *a)
{
	const json_t *notes = json_object_get(j, "annotations");
	const char *name = json_get_str(a, notes, "org.criu.checkpoint.container.name");

	return *name ? name : json_get_str(a, notes, "io.kubernetes.cri-o.annotations.checkpoint.name");
}

int manifest_parse(
	struct manifest *m, const char *text, size_t len, const char *content_type, struct arena *a, struct err *e)
{
	auto_json json_t *j = document_parse(text, len, "the manifest", e);
	enum kind kind = KIND_NONE;
	bool image_config;

	*m = (struct manifest){ .artifact = "" };
	if (!j || kind_of(j, content_type, &kind, e) < 0)
		return -1;
	m->checkpoint = checkpoint_of(j, a);
	if (kind == KIND_INDEX)
		return index_choose(m, j, a, e);
	if (descriptor_from(&m->config, json_object_get(j, "config"), "config", a, e) < 0)
		return -1;
	image_config = config_type_known(m->config.media_type);
	m->artifact = artifact_type(j, image_config, layer_types_known(json_object_get(j, "layers")), a);
	if (!image_config && !*m->artifact)
		return err_set(e, ERR_INVALID_ARGUMENT, "not a container image: its config has the type \"%.120s\"",
			m->config.media_type);
	if (!*m->artifact && m->config.size_bytes > CONFIG_MAX_BYTES)
		return err_set(e, ERR_INVALID_ARGUMENT, "the image config has %" PRIu64 " bytes; %d are allowed",
			m->config.size_bytes, CONFIG_MAX_BYTES);
	return layers_from(m, json_object_get(j, "layers"), a, e);
}

static int diff_ids_from(struct strings *out, const json_t *j, struct arena *a, struct err *e)
{
	const json_t *list = json_object_get(json_object_get(j, "rootfs"), "diff_ids");

	strings_from(out, list, a);
	if (out->n != json_array_size(list) || out->n > LAYERS_MAX)
		return err_set(e, ERR_INVALID_ARGUMENT, "the image config has malformed rootfs.diff_ids");
	for (size_t i = 0; i < out->n; i++)
		if (!digest_valid(out->at[i]))
			return err_set(e, ERR_INVALID_ARGUMENT,
				"the image config has the diff_id \"%.100s\", which is no sha256 digest", out->at[i]);
	return 0;
}

static void pairs_from(struct pairs *out, const json_t *j, struct arena *a)
{
	const char *key;
	json_t *v;

	*out = (struct pairs){ arena_zalloc(a, json_object_size(j) * sizeof(*out->at)), 0 };
	json_object_foreach((json_t *)j, key, v)
		if (json_is_string(v))
			out->at[out->n++] =
				(struct pair){ arena_strdup(a, key), arena_strdup(a, json_string_value(v)) };
}

/* Volumes are a set, written as an object whose keys are the paths and whose values are empty objects. */
static void keys_from(struct strings *out, const json_t *j, struct arena *a)
{
	const char *key;
	json_t *v;

	*out = (struct strings){ arena_zalloc(a, json_object_size(j) * sizeof(*out->at)), 0 };
	json_object_foreach((json_t *)j, key, v)
		out->at[out->n++] = arena_strdup(a, key);
}

int config_parse(
	struct image_config *c, struct strings *diff_ids, const char *text, size_t len, struct arena *a, struct err *e)
{
	auto_json json_t *j = document_parse(text, len, "the image config", e);
	const json_t *run = json_object_get(j, "config");

	if (!j)
		return -1;
	if (!json_is_object(j))
		return err_set(e, ERR_INVALID_ARGUMENT, "the image config is not a JSON object");
	/* Its digest could be the id of an artifact. (ARCHITECTURE I72) */
	if (json_object_get(j, "schemaVersion"))
		return err_set(e, ERR_INVALID_ARGUMENT, "the image config is a manifest: it has a schemaVersion");
	if (*str(j, "os") && strcmp(str(j, "os"), "linux") != 0)
		return err_set(e, ERR_NOT_FOUND, "the image is for %.30s, not for linux", str(j, "os"));
	c->working_dir = json_get_str(a, run, "WorkingDir");
	c->user = json_get_str(a, run, "User");
	c->stop_signal = json_get_str(a, run, "StopSignal");
	c->checkpoint = c->artifact = "";
	strings_from(&c->env, json_object_get(run, "Env"), a);
	strings_from(&c->entrypoint, json_object_get(run, "Entrypoint"), a);
	strings_from(&c->cmd, json_object_get(run, "Cmd"), a);
	pairs_from(&c->labels, json_object_get(run, "Labels"), a);
	keys_from(&c->volumes, json_object_get(run, "Volumes"), a);
	return diff_ids_from(diff_ids, j, a, e);
}

const char *chain_id(const char *parent, const char *diff_id, struct arena *a)
{
	char out[DIGEST_SIZE];
	const char *both;

	if (!parent)
		return diff_id;
	both = arena_printf(a, "%s %s", parent, diff_id);
	digest_of(both, strlen(both), out);
	return arena_strdup(a, out);
}
