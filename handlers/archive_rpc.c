/* archive_rpc.c - `crisp images import` and `export`: of the service crisp.v1.Node of handlers/cri/crisp.proto. An
 * import or export ends with its client. */
#include "crisp.pb-c.h"
#include "handlers/convert.h"
#include "handlers/services.h"
#include "images/export.h"
#include "images/import.h"
#include "reactor/own.h"

struct archive_call {
	struct rpc *rpc;
	struct import *import;
	struct export *export;
};

static void archive_fail(struct archive_call *call, const struct err *e)
{
	rpc_fail(call->rpc, e);
	free(call);
}

static void on_archive_client_gone(void *arg)
{
	struct archive_call *call = arg;
	struct err e;

	if (call->import)
		import_cancel(call->import);
	if (call->export)
		export_cancel(call->export);
	err_set(&e, ERR_CANCELLED, "the client left");
	archive_fail(call, &e);
}

/* true: the path is not usable, and the rpc is answered. */
static bool archive_refused(struct rpc *r, const char *path)
{
	struct err e;

	if (path[0] == '/')
		return false;
	err_set(&e, ERR_INVALID_ARGUMENT, "path \"%.200s\" is not absolute", path);
	rpc_fail(r, &e);
	return true;
}

static void on_imported(void *arg, const struct err *e, const struct imported *images, size_t n)
{
	Crisp__V1__ImportImagesResponse out = CRISP__V1__IMPORT_IMAGES_RESPONSE__INIT;
	struct archive_call *call = arg;
	struct arena *a = rpc_arena(call->rpc);

	if (e)
		return archive_fail(call, e);
	out.images = arena_zalloc(a, (n + 1) * sizeof(*out.images));
	for (size_t i = 0; i < n; i++) {
		Crisp__V1__ImportedImage *one =
			NEW_MESSAGE(a, Crisp__V1__ImportedImage, crisp__v1__imported_image__init);

		one->id = (char *)images[i].id;
		one->names = (char **)images[i].names.at;
		one->n_names = images[i].names.n;
		out.images[out.n_images++] = one;
	}
	rpc_reply(call->rpc, &out);
	free(call);
}

void rpc_import_images(struct rpc *r, const void *request)
{
	const Crisp__V1__ImportImagesRequest *in = request;
	struct archive_call *call;

	if (archive_refused(r, in->path))
		return;
	call = new_zero(struct archive_call);
	call->rpc = r;
	call->import = import_start(in->path, in->name, on_imported, call);
	rpc_on_gone(r, on_archive_client_gone, call);
}

static void on_exported(void *arg, const struct err *e, const struct strings *ids)
{
	Crisp__V1__ExportImagesResponse out = CRISP__V1__EXPORT_IMAGES_RESPONSE__INIT;
	struct archive_call *call = arg;

	if (e)
		return archive_fail(call, e);
	out.ids = (char **)ids->at;
	out.n_ids = ids->n;
	rpc_reply(call->rpc, &out);
	free(call);
}

void rpc_export_images(struct rpc *r, const void *request)
{
	const Crisp__V1__ExportImagesRequest *in = request;
	const struct strings refs = { (const char **)in->images, in->n_images };
	struct archive_call *call;
	struct err e;

	if (archive_refused(r, in->path))
		return;
	if (!refs.n) {
		err_set(&e, ERR_INVALID_ARGUMENT, "no image is named");
		return rpc_fail(r, &e);
	}
	call = new_zero(struct archive_call);
	call->rpc = r;
	call->export = export_start(&refs, in->path, on_exported, call);
	rpc_on_gone(r, on_archive_client_gone, call);
}
