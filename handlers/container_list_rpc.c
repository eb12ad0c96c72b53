/* container_list_rpc.c - the RPCs that read containers. Spec: CRI v1 RuntimeService. */
#include "handlers/convert.h"
#include "handlers/filter.h"
#include "handlers/listing.h"
#include "handlers/services.h"
#include "handlers/status.h"
#include "reactor/json.h"

static char *container_info(const struct container *c, struct arena *a)
{
	auto_json json_t *j =
		json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "pid", (int)c->pid, "sandboxID",
			  c->sandbox->id, "bundle", c->bundle, "cgroup", c->cgroup, "runtime", c->runtime, "startedBy",
			  *c->way ? c->way : c->runtime, "fallbackReason", c->way_reason, "imageID",
			  c->image.id, "selinuxLabel", c->process_label, "mountLabel", c->mount_label);

	return fields_join_text(a, j, "config", container_config_fields, &c->config);
}

void rpc_container_status(struct rpc *r, const void *request)
{
	const Runtime__V1__ContainerStatusRequest *in = request;
	Runtime__V1__ContainerStatusResponse out = RUNTIME__V1__CONTAINER_STATUS_RESPONSE__INIT;
	struct arena *a = rpc_arena(r);
	struct container *c = rpc_container(r, in->container_id); /* NULL: r was answered */

	if (!c)
		return;
	out.status = status_container(c, a);
	if (in->verbose) {
		struct pair one = { "info", container_info(c, a) };
		struct pairs info = { &one, 1 };

		out.n_info = 1;
		out.info = convert_map(&info, &runtime__v1__container_status_response__info_entry__descriptor, a);
	}
	rpc_reply(r, &out);
}

/* ---- lists ---- */

static void container_collect_one(void *arg, struct container *c)
{
	listing_add(arg, c->id);
}

static void containers_collect(struct listing *l)
{
	container_each(container_collect_one, l);
}

static Runtime__V1__Container *container_item(struct container *c, struct arena *a)
{
	Runtime__V1__Container *item = NEW_MESSAGE(a, Runtime__V1__Container, runtime__v1__container__init);

	item->id = c->id;
	item->pod_sandbox_id = c->sandbox->id;
	item->metadata = convert_container_metadata(&c->config, a);
	item->image = status_image(c, *c->restore ? c->image.name : c->config.image, a);
	item->image_ref = (char *)c->image.ref;
	item->image_id = (char *)c->image.id;
	item->state = (Runtime__V1__ContainerState)c->state;
	item->created_at = c->created_at_ns;
	item->n_labels = c->config.labels.n;
	item->labels = convert_map(&c->config.labels, &runtime__v1__container__labels_entry__descriptor, a);
	item->n_annotations = c->config.annotations.n;
	item->annotations =
		convert_map(&c->config.annotations, &runtime__v1__container__annotations_entry__descriptor, a);
	return item;
}

/* The request of the Stream RPC has the same single field as the List's, so one function serves both structs. */
static void *container_list_item(const void *request, const char *id, struct arena *a)
{
	const Runtime__V1__ListContainersRequest *in = request;
	struct container *c = container_find(id);

	return c && filter_container(in->filter, c) ? container_item(c, a) : NULL;
}

static const struct listing_kind kind = { containers_collect, container_list_item, NULL };
_Static_assert(offsetof(Runtime__V1__StreamContainersRequest, filter) ==
		       offsetof(Runtime__V1__ListContainersRequest, filter),
	       "one layout");

void rpc_list_containers(struct rpc *r, const void *request)
{
	listing_reply(r, request, &kind);
}

void rpc_stream_containers(struct rpc *r, const void *request)
{
	listing_stream(r, request, &kind);
}
