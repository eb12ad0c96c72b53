/* image_rpc.c - ImageService. Spec: CRI v1 ImageService. */
#include <string.h>

#include "api.pb-c.h"
#include "handlers/convert.h"
#include "handlers/listing.h"
#include "handlers/services.h"
#include "images/content.h"
#include "images/manifest.h"
#include "images/pull.h"
#include "images/store.h"
#include "procs/runtime.h"
#include "procs/spec.h"
#include "reactor/json.h"
#include "reactor/log.h"
#include "reactor/own.h"

/* The user in the image's config is USER or USER:GROUP; without a user both fields stay unset. The kubelet compares the
 * uid with runAsNonRoot, so it must be the uid that the container would get. Any other text is told as a name, and the
 * kubelet refuses a name for runAsNonRoot; it is also the text of a number that CreateContainer refuses. */
static void user_out(Runtime__V1__Image *out, const char *user, struct arena *a)
{
	char *name = arena_strndup(a, user, strcspn(user, ":"));
	int64_t uid;

	if (!*name)
		return;
	if (!spec_image_uid(name, &uid)) {
		out->username = name;
		return;
	}
	out->uid = NEW_MESSAGE(a, Runtime__V1__Int64Value, runtime__v1__int64_value__init);
	out->uid->value = uid;
}

static Runtime__V1__Image *image_of(const struct image *img, struct arena *a)
{
	Runtime__V1__Image *out = NEW_MESSAGE(a, Runtime__V1__Image, runtime__v1__image__init);

	out->id = (char *)img->id;
	out->n_repo_tags = img->tags.n;
	out->repo_tags = (char **)img->tags.at;
	out->n_repo_digests = img->digests.n;
	out->repo_digests = (char **)img->digests.at;
	out->size = img->size_bytes;
	out->pinned = img->pinned;
	user_out(out, img->config.user, a);
	out->spec = NEW_MESSAGE(a, Runtime__V1__ImageSpec, runtime__v1__image_spec__init);
	out->spec->image = (char *)img->id;
	return out;
}

static void image_collect_one(void *arg, const struct image *img)
{
	listing_add(arg, img->id);
}

static void images_collect(struct listing *l)
{
	store_each(image_collect_one, l);
}

/* The filter is looked up as ImageStatus does it: an id, a prefix of one, a tag or a name. The requests of List and
 * Stream have one layout. */
static void *image_item(const void *request, const char *id, struct arena *a)
{
	const Runtime__V1__ListImagesRequest *in = request;
	const char *filter = in->filter && in->filter->image ? in->filter->image->image : "";
	const struct image *img = store_find(id);

	return img && (!*filter || store_find(filter) == img) ? image_of(img, a) : NULL;
}

static const struct listing_kind image_kind = { images_collect, image_item, NULL };
_Static_assert(offsetof(Runtime__V1__StreamImagesRequest, filter) == offsetof(Runtime__V1__ListImagesRequest, filter),
	       "one layout");

void rpc_list_images(struct rpc *r, const void *request)
{
	listing_reply(r, request, &image_kind);
}

void rpc_stream_images(struct rpc *r, const void *request)
{
	listing_stream(r, request, &image_kind);
}

static int named(struct rpc *r, const Runtime__V1__ImageSpec *spec)
{
	struct err e;

	if (spec && *spec->image)
		return 0;
	err_set(&e, ERR_INVALID_ARGUMENT, "image.image is missing");
	rpc_fail(r, &e);
	return -1;
}

/* As containerd: the id of the uppermost chain of layers, and the image's config as its author wrote it. "": the config
 * is not here any more, or damaged. */
static const char *image_info_whole(const struct image *img, struct arena *a)
{
	size_t len;
	const char *text = content_get(store_document(img), a, &len), *chain = NULL;
	struct image_config config;
	struct strings diff_ids;
	struct err ignored;

	if (!text || config_parse(&config, &diff_ids, text, len, a, &ignored) < 0)
		return "";
	for (size_t i = 0; i < diff_ids.n; i++)
		chain = chain_id(chain, diff_ids.at[i], a);
	return arena_printf(a, "{\"chainID\":\"%s\",\"imageSpec\":%s}", chain ? chain : "", text);
}

/* An artifact's own document is its manifest. (ARCHITECTURE I69) */
static const char *image_info_artifact(const struct image *img, struct arena *a)
{
	auto_json json_t *j = own_must(json_pack("{s:s}", "artifactType", img->config.artifact));
	const char *type = json_text(a, j), *text;
	size_t len;

	text = content_get(store_document(img), a, &len);
	return text ? arena_printf(a, "%.*s,\"manifest\":%s}", (int)strlen(type) - 1, type, text) : type;
}

/* What the record has. */
static const char *image_info_short(const struct image *img, struct arena *a)
{
	auto_json json_t *config = json_pack("{s:s, s:s, s:s}", "User", img->config.user, "WorkingDir",
					     img->config.working_dir, "StopSignal", img->config.stop_signal);
	const struct { const char *key; const struct strings *list; } lists[] = {
		{ "Env", &img->config.env }, { "Entrypoint", &img->config.entrypoint }, { "Cmd", &img->config.cmd },
	};
	auto_json json_t *j = NULL;

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		json_t *list = json_array();

		for (size_t k = 0; k < lists[i].list->n; k++)
			json_array_append_new(list, json_string(lists[i].list->at[k]));
		json_object_set_new(config, lists[i].key, list);
	}
	j = json_pack("{s:{s:O}}", "imageSpec", "config", config);
	return json_text(a, own_must(j));
}

static struct pairs image_info(const struct image *img, struct arena *a)
{
	struct pair *one = arena_zalloc(a, sizeof(*one));
	const char *info = *img->config.artifact ? image_info_artifact(img, a) : image_info_whole(img, a);

	*one = (struct pair){ "info", *info ? info : image_info_short(img, a) };
	return (struct pairs){ one, 1 };
}

void rpc_image_status(struct rpc *r, const void *request)
{
	const Runtime__V1__ImageStatusRequest *in = request;
	Runtime__V1__ImageStatusResponse out = RUNTIME__V1__IMAGE_STATUS_RESPONSE__INIT;
	const struct image *img;
	struct arena *a = rpc_arena(r);

	if (named(r, in->image) < 0)
		return;
	img = store_find(in->image->image);
	if (img)
		out.image = image_of(img, a);
	if (img && in->verbose) {
		struct pairs info = image_info(img, a);

		out.n_info = info.n;
		out.info = convert_map(&info, &runtime__v1__image_status_response__info_entry__descriptor, a);
	}
	rpc_reply(r, &out);
}

struct pull_call {
	struct rpc *rpc;
	struct pull *pull;
};

/* The kubelet finds a reason only at the beginning of its text of the error, and that text begins with the code unless
 * the code is UNKNOWN. (ARCHITECTURE I49) */
static void pull_failed(struct rpc *r, const struct err *e)
{
	struct err copy = *e;

	if (copy.reason)
		copy.code = ERR_UNKNOWN;
	rpc_fail(r, &copy);
}

static void on_pulled(void *arg, const struct err *e, const char *id)
{
	Runtime__V1__PullImageResponse out = RUNTIME__V1__PULL_IMAGE_RESPONSE__INIT;
	struct pull_call *call = arg;

	if (e) {
		pull_failed(call->rpc, e);
	} else {
		out.image_ref = (char *)id;
		rpc_reply(call->rpc, &out);
	}
	free(call);
}

static void on_pull_client_gone(void *arg)
{
	struct pull_call *call = arg;
	struct err e;

	pull_cancel(call->pull);
	err_set(&e, ERR_CANCELLED, "the client left");
	rpc_fail(call->rpc, &e);
	free(call);
}

void rpc_pull_image(struct rpc *r, const void *request)
{
	const Runtime__V1__PullImageRequest *in = request;
	const Runtime__V1__AuthConfig *a = in->auth;
	struct registry_auth auth = { "", "", "", "", "", "", false };
	struct pull_call *call;
	struct err e;

	if (named(r, in->image) < 0)
		return;
	if (!runtime_find(in->image->runtime_handler)) {
		err_set(&e, ERR_INVALID_ARGUMENT, "runtime handler \"%.100s\" is not configured",
			in->image->runtime_handler);
		return rpc_fail(r, &e);
	}
	if (a)
		auth = (struct registry_auth){ a->username,       a->password,       a->auth,
					       a->server_address, a->identity_token, a->registry_token, false };
	call = new_zero(struct pull_call);
	call->rpc = r;
	call->pull = pull_start(in->image->image, &auth, on_pulled, call);
	rpc_on_gone(r, on_pull_client_gone, call);
}

void rpc_remove_image(struct rpc *r, const void *request)
{
	const Runtime__V1__RemoveImageRequest *in = request;
	Runtime__V1__RemoveImageResponse out = RUNTIME__V1__REMOVE_IMAGE_RESPONSE__INIT;
	struct err e;

	if (named(r, in->image) < 0)
		return;
	if (store_remove(in->image->image, &e) < 0)
		return rpc_fail(r, &e);
	rpc_reply(r, &out);
}

void rpc_image_fs_info(struct rpc *r, const void *request)
{
	Runtime__V1__ImageFsInfoResponse out = RUNTIME__V1__IMAGE_FS_INFO_RESPONSE__INIT;
	struct arena *a = rpc_arena(r);
	Runtime__V1__FilesystemUsage *fs =
		NEW_MESSAGE(a, Runtime__V1__FilesystemUsage, runtime__v1__filesystem_usage__init);
	Runtime__V1__FilesystemUsage *one[] = { fs };
	struct images_usage usage;

	(void)request;
	store_usage(&usage);
	fs->timestamp = usage.at_ns;
	fs->fs_id = NEW_MESSAGE(a, Runtime__V1__FilesystemIdentifier, runtime__v1__filesystem_identifier__init);
	fs->fs_id->mountpoint = (char *)usage.mountpoint;
	fs->used_bytes = NEW_MESSAGE(a, Runtime__V1__UInt64Value, runtime__v1__uint64_value__init);
	fs->used_bytes->value = usage.used_bytes;
	fs->inodes_used = NEW_MESSAGE(a, Runtime__V1__UInt64Value, runtime__v1__uint64_value__init);
	fs->inodes_used->value = usage.inodes_used;
	/* Writable layers are on the same file system. */
	out.n_image_filesystems = out.n_container_filesystems = 1;
	out.image_filesystems = out.container_filesystems = one;
	rpc_reply(r, &out);
}
