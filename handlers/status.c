/* status.c - see status.h. */
#include "handlers/status.h"

#include "handlers/convert.h"
#include "reactor/logfile.h"
#include "procs/stop_signal.h"

/* ---- containers ---- */

Runtime__V1__ImageSpec *status_image(const struct container *c, const char *image, struct arena *a)
{
	Runtime__V1__ImageSpec *out = NEW_MESSAGE(a, Runtime__V1__ImageSpec, runtime__v1__image_spec__init);

	out->image = (char *)image;
	out->user_specified_image = (char *)c->config.user_specified_image;
	out->runtime_handler = (char *)c->config.image_runtime_handler;
	out->image_ref = (char *)c->image.ref;
	out->n_annotations = c->config.image_annotations.n;
	out->annotations =
		convert_map(&c->config.image_annotations, &runtime__v1__image_spec__annotations_entry__descriptor, a);
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

Runtime__V1__ContainerStatus *status_container(struct container *c, struct arena *a)
{
	Runtime__V1__ContainerStatus *out =
		NEW_MESSAGE(a, Runtime__V1__ContainerStatus, runtime__v1__container_status__init);

	out->id = c->id;
	out->metadata = convert_container_metadata(&c->config, a);
	out->state = (Runtime__V1__ContainerState)c->state;
	out->created_at = c->created_at_ns;
	out->started_at = c->started_at_ns;
	out->finished_at = c->finished_at_ns;
	out->exit_code = c->exit_code;
	out->image = status_image(c, c->image.name, a);
	out->image_ref = (char *)c->image.ref;
	out->image_id = (char *)c->image.id;
	out->reason = (char *)c->reason;
	out->message = (char *)c->message;
	out->n_labels = c->config.labels.n;
	out->labels = convert_map(&c->config.labels, &runtime__v1__container_status__labels_entry__descriptor, a);
	out->n_annotations = c->config.annotations.n;
	out->annotations =
		convert_map(&c->config.annotations, &runtime__v1__container_status__annotations_entry__descriptor, a);
	out->n_mounts = c->config.mounts.n;
	out->mounts = convert_mounts(&c->config, a);
	out->log_path = logfile_shown(a, c->log_path);
	if (c->config.resources.set) {
		out->resources =
			NEW_MESSAGE(a, Runtime__V1__ContainerResources, runtime__v1__container_resources__init);
		out->resources->linux = convert_resources(&c->config.resources, a);
	}
	out->user = user_of(c, a);
	out->stop_signal = (Runtime__V1__Signal)stop_signal_cri(c->stop_signal);
	return out;
}

/* ---- sandboxes ---- */

static Runtime__V1__PodSandboxNetworkStatus *network_of(const struct sandbox *s, struct arena *a)
{
	Runtime__V1__PodSandboxNetworkStatus *out =
		NEW_MESSAGE(a, Runtime__V1__PodSandboxNetworkStatus, runtime__v1__pod_sandbox_network_status__init);

	/* The addresses of a stopped sandbox may belong to another sandbox already. */
	if (!s->ips.n || s->state != SANDBOX_READY)
		return out;
	out->ip = (char *)s->ips.at[0];
	out->n_additional_ips = s->ips.n - 1;
	out->additional_ips = arena_zalloc(a, (s->ips.n - 1) * sizeof(*out->additional_ips));
	for (size_t i = 1; i < s->ips.n; i++) {
		Runtime__V1__PodIP *ip = NEW_MESSAGE(a, Runtime__V1__PodIP, runtime__v1__pod_ip__init);

		ip->ip = (char *)s->ips.at[i];
		out->additional_ips[i - 1] = ip;
	}
	return out;
}

Runtime__V1__PodSandboxStatus *status_sandbox(const struct sandbox *s, struct arena *a)
{
	Runtime__V1__PodSandboxStatus *out =
		NEW_MESSAGE(a, Runtime__V1__PodSandboxStatus, runtime__v1__pod_sandbox_status__init);
	Runtime__V1__LinuxPodSandboxStatus *linux =
		NEW_MESSAGE(a, Runtime__V1__LinuxPodSandboxStatus, runtime__v1__linux_pod_sandbox_status__init);
	Runtime__V1__Namespace *ns = NEW_MESSAGE(a, Runtime__V1__Namespace, runtime__v1__namespace__init);

	out->id = (char *)s->id;
	out->metadata = convert_sandbox_metadata(&s->config, a);
	out->state = (Runtime__V1__PodSandboxState)s->state;
	out->created_at = s->created_at_ns;
	out->network = network_of(s, a);
	ns->options = convert_ns_options(&s->config.security.ns, a);
	linux->namespaces = ns;
	out->linux = linux;
	out->n_labels = s->config.labels.n;
	out->labels = convert_map(&s->config.labels, &runtime__v1__pod_sandbox_status__labels_entry__descriptor, a);
	out->n_annotations = s->config.annotations.n;
	out->annotations =
		convert_map(&s->config.annotations, &runtime__v1__pod_sandbox_status__annotations_entry__descriptor, a);
	out->runtime_handler = (char *)s->config.runtime_handler;
	return out;
}
