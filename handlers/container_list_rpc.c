/* container_list_rpc.c - the RPCs that look at containers. Spec: CRI v1 RuntimeService. */
#include "handlers/convert.h"
#include "handlers/filter.h"
#include "handlers/rpc.h"
#include "procs/stop_signal.h"
#include "reactor/json.h"

static Runtime__V1__ImageSpec *image_spec_of(const struct container *c, const char *image, struct arena *a)
{
	Runtime__V1__ImageSpec *out = NEW_MESSAGE(a, Runtime__V1__ImageSpec, runtime__v1__image_spec__init);

	out->image = (char *)image;
	out->user_specified_image = (char *)c->config.user_specified_image;
	out->runtime_handler = (char *)c->config.image_runtime_handler;
	out->image_ref = (char *)c->image.ref;
	out->n_annotations = c->config.image_annotations.n;
	out->annotations = convert_map(&c->config.image_annotations, &runtime__v1__image_spec__annotations_entry__descriptor, a);
	return out;
}

static Runtime__V1__ContainerUser *user_of(const struct container *c, struct arena *a)
{
	Runtime__V1__ContainerUser *out = NEW_MESSAGE(a, Runtime__V1__ContainerUser, runtime__v1__container_user__init);
	Runtime__V1__LinuxContainerUser *linux =
		NEW_MESSAGE(a, Runtime__V1__LinuxContainerUser, runtime__v1__linux_container_user__init);

	linux->uid = c->uid;
	linux->gid = c->gid;
	linux->n_supplemental_groups = c->groups.n;
	linux->supplemental_groups = c->groups.at;
	out->linux = linux;
	return out;
}

static Runtime__V1__ContainerStatus *status_of(struct container *c, struct arena *a)
{
	Runtime__V1__ContainerStatus *out = NEW_MESSAGE(a, Runtime__V1__ContainerStatus, runtime__v1__container_status__init);

	out->id = c->id;
	out->metadata = convert_container_metadata(&c->config, a);
	out->state = (Runtime__V1__ContainerState)c->state;
	out->created_at = c->created_at_ns;
	out->started_at = c->started_at_ns;
	out->finished_at = c->finished_at_ns;
	out->exit_code = c->exit_code;
	out->image = image_spec_of(c, c->image.name, a);
	out->image_ref = (char *)c->image.ref;
	out->image_id = (char *)c->image.id;
	out->reason = (char *)c->reason;
	out->message = (char *)c->message;
	out->n_labels = c->config.labels.n;
	out->labels = convert_map(&c->config.labels, &runtime__v1__container_status__labels_entry__descriptor, a);
	out->n_annotations = c->config.annotations.n;
	out->annotations = convert_map(&c->config.annotations, &runtime__v1__container_status__annotations_entry__descriptor, a);
	out->n_mounts = c->config.mounts.n;
	out->mounts = convert_mounts(&c->config, a);
	out->log_path = (char *)c->log_path;
	if (c->config.resources.set) {
		out->resources = NEW_MESSAGE(a, Runtime__V1__ContainerResources, runtime__v1__container_resources__init);
		out->resources->linux = convert_resources(&c->config.resources, a);
	}
	out->user = user_of(c, a);
	out->stop_signal = (Runtime__V1__Signal)stop_signal_cri(c->stop_signal);
	return out;
}

static char *info_of(const struct container *c, struct arena *a)
{
	auto_json json_t *j = json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:o}", "pid", (int)c->pid, "sandboxID", c->sandbox->id,
					"bundle", c->bundle, "cgroup", c->cgroup, "runtime", c->runtime, "imageID", c->image.id,
					"config", fields_to_json(container_config_fields, &c->config));

	return json_text(a, j);
}

void rpc_container_status(struct rpc *r, const void *request)
{
	const Runtime__V1__ContainerStatusRequest *in = request;
	Runtime__V1__ContainerStatusResponse out = RUNTIME__V1__CONTAINER_STATUS_RESPONSE__INIT;
	struct arena *a = rpc_arena(r);
	struct container *c = rpc_container(r, in->container_id); /* NULL: r is gone */

	if (!c)
		return;
	out.status = status_of(c, a);
	if (in->verbose) {
		struct pair one = { "info", info_of(c, a) };
		struct pairs info = { &one, 1 };

		out.n_info = 1;
		out.info = convert_map(&info, &runtime__v1__container_status_response__info_entry__descriptor, a);
	}
	rpc_reply(r, &out);
}

struct listing {
	const Runtime__V1__ContainerFilter *filter;
	Runtime__V1__ListContainersResponse *out;
	struct arena *arena;
};

static void list_one(void *arg, struct container *c)
{
	struct listing *l = arg;
	struct arena *a = l->arena;
	Runtime__V1__Container *item;

	if (!filter_container(l->filter, c))
		return;
	item = NEW_MESSAGE(a, Runtime__V1__Container, runtime__v1__container__init);
	item->id = c->id;
	item->pod_sandbox_id = c->sandbox->id;
	item->metadata = convert_container_metadata(&c->config, a);
	item->image = image_spec_of(c, c->config.image, a);
	item->image_ref = (char *)c->image.ref;
	item->image_id = (char *)c->image.id;
	item->state = (Runtime__V1__ContainerState)c->state;
	item->created_at = c->created_at_ns;
	item->n_labels = c->config.labels.n;
	item->labels = convert_map(&c->config.labels, &runtime__v1__container__labels_entry__descriptor, a);
	item->n_annotations = c->config.annotations.n;
	item->annotations = convert_map(&c->config.annotations, &runtime__v1__container__annotations_entry__descriptor, a);
	l->out->containers[l->out->n_containers++] = item;
}

static void count_one(void *arg, struct container *c)
{
	(void)c;
	++*(size_t *)arg;
}

void rpc_list_containers(struct rpc *r, const void *request)
{
	const Runtime__V1__ListContainersRequest *in = request;
	Runtime__V1__ListContainersResponse out = RUNTIME__V1__LIST_CONTAINERS_RESPONSE__INIT;
	struct listing l = { in->filter, &out, rpc_arena(r) };
	size_t n = 0;

	container_each(count_one, &n);
	out.containers = arena_zalloc(l.arena, n * sizeof(*out.containers));
	container_each(list_one, &l);
	rpc_reply(r, &out);
}
