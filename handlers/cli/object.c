/* object.c - the commands inspect, rm and rmi: each finds one object by a word (find.h) and makes its calls. */
#include <stdio.h>
#include <string.h>

#include "api.pb-c.h"
#include "handlers/cli/command.h"
#include "handlers/cli/find.h"
#include "handlers/cli/object.h"
#include "handlers/cli/json.h"
#include "reactor/own.h"

/* The values of `info` are strings with JSON in them. They are printed as JSON, as by crictl. */
static void open_info(json_t *status)
{
	json_t *info = json_object_get(status, "info"), *value;
	const char *key;
	void *next;

	json_object_foreach_safe(info, next, key, value) {
		json_t *inner = json_is_string(value) ? json_loads(json_string_value(value), 0, NULL) : NULL;

		if (inner)
			json_object_set_new(info, key, inner);
	}
}

static int print_status(const void *status)
{
	auto_json json_t *j = cli_json_write(status);

	open_info(j);
	json_dumpf(j, stdout, JSON_INDENT(2));
	putchar('\n');
	return 0;
}

static void *container_status(struct cli *c, const char *word, struct err *e)
{
	Runtime__V1__ContainerStatusRequest request = RUNTIME__V1__CONTAINER_STATUS_REQUEST__INIT;
	Runtime__V1__Container *found = cli_find_container(c, word, e);

	if (!found)
		return NULL;
	request.container_id = found->id;
	request.verbose = true;
	return cli_call(c, "ContainerStatus", &request, e);
}

static void *pod_status(struct cli *c, const char *word, struct err *e)
{
	Runtime__V1__PodSandboxStatusRequest request = RUNTIME__V1__POD_SANDBOX_STATUS_REQUEST__INIT;
	Runtime__V1__PodSandbox *found = cli_find_pod(c, word, e);

	if (!found)
		return NULL;
	request.pod_sandbox_id = found->id;
	request.verbose = true;
	return cli_call(c, "PodSandboxStatus", &request, e);
}

static void *image_status(struct cli *c, const char *word, struct err *e)
{
	Runtime__V1__ImageStatusRequest request = RUNTIME__V1__IMAGE_STATUS_REQUEST__INIT;
	Runtime__V1__ImageSpec spec = RUNTIME__V1__IMAGE_SPEC__INIT;
	Runtime__V1__Image *found = cli_find_image(c, word, e);

	if (!found)
		return NULL;
	spec.image = found->id;
	request.image = &spec;
	request.verbose = true;
	return cli_call(c, "ImageStatus", &request, e);
}

static int inspect(struct cli *c, const struct cli_args *args)
{
	static void *(*const kinds[])(struct cli *, const char *, struct err *) = { container_status, pod_status,
										    image_status };
	struct err e;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		void *status = kinds[i](c, args->operands.at[0], &e);

		if (status)
			return print_status(status);
		if (e.code != ERR_NOT_FOUND)
			return cli_fail(c, &e, "inspect %s", args->operands.at[0]);
	}
	err_set(&e, ERR_NOT_FOUND, "no such container, pod or image");
	return cli_fail(c, &e, "inspect %s", args->operands.at[0]);
}

const struct cli_command cli_inspect = {
	.name = "inspect",
	.operands = "CONTAINER|POD|IMAGE",
	.summary = "show the whole status of one object, as JSON",
	.least = 1,
	.most = 1,
	.run = inspect,
	.more = "The word is an id, the start of an id, or a name. Containers are searched first,\n"
		"then pods, then images.\n\n"
		"Examples:\n"
		"  crisp inspect web-1f3a\n"
		"  crisp inspect 3fa85f6457c7 | jq .status.state\n",
};

/* ---- rm ---- */

static int remove_container(struct cli *c, const Runtime__V1__Container *found, bool force, struct err *e)
{
	Runtime__V1__StopContainerRequest stop = RUNTIME__V1__STOP_CONTAINER_REQUEST__INIT;
	Runtime__V1__RemoveContainerRequest request = RUNTIME__V1__REMOVE_CONTAINER_REQUEST__INIT;
	bool runs = found->state == RUNTIME__V1__CONTAINER_STATE__CONTAINER_RUNNING;

	if (runs && !force)
		return err_set(e, ERR_FAILED_PRECONDITION, "the container is running; `crisp rm -f` kills it");
	stop.container_id = request.container_id = found->id;
	if (runs && !cli_call(c, "StopContainer", &stop, e))
		return -1;
	return cli_call(c, "RemoveContainer", &request, e) ? 0 : -1;
}

int cli_remove_pod(struct cli *c, const Runtime__V1__PodSandbox *found, bool force, struct err *e)
{
	Runtime__V1__StopPodSandboxRequest stop = RUNTIME__V1__STOP_POD_SANDBOX_REQUEST__INIT;
	Runtime__V1__RemovePodSandboxRequest request = RUNTIME__V1__REMOVE_POD_SANDBOX_REQUEST__INIT;
	bool ready = found->state == RUNTIME__V1__POD_SANDBOX_STATE__SANDBOX_READY;

	if (ready && !force)
		return err_set(e, ERR_FAILED_PRECONDITION,
			       "the pod is ready; `crisp rm -f` stops it with all its containers");
	stop.pod_sandbox_id = request.pod_sandbox_id = found->id;
	if (ready && !cli_call(c, "StopPodSandbox", &stop, e))
		return -1;
	return cli_call(c, "RemovePodSandbox", &request, e) ? 0 : -1;
}

static int remove_one(struct cli *c, const char *word, bool force, struct err *e)
{
	Runtime__V1__Container *container = cli_find_container(c, word, e);
	Runtime__V1__PodSandbox *pod;

	if (container)
		return remove_container(c, container, force, e);
	if (e->code != ERR_NOT_FOUND)
		return -1;
	pod = cli_find_pod(c, word, e);
	if (pod)
		return cli_remove_pod(c, pod, force, e);
	return e->code == ERR_NOT_FOUND ? err_set(e, ERR_NOT_FOUND, "no such container or pod") : -1;
}

static int rm(struct cli *c, const struct cli_args *args)
{
	bool force = cli_args_flag(args, "force");
	int rc = 0;
	struct err e;

	for (size_t i = 0; i < args->operands.n; i++) {
		if (remove_one(c, args->operands.at[i], force, &e) < 0)
			rc = cli_fail(c, &e, "rm %s", args->operands.at[i]);
		else
			puts(args->operands.at[i]);
	}
	return rc;
}

static const struct cli_option rm_options[] = {
	{ "force", 'f', NULL, "kill running containers, stop ready pods" },
	{ 0 },
};

const struct cli_command cli_rm = {
	.name = "rm", .operands = "CONTAINER|POD...", .summary = "remove containers and pods", .options = rm_options,
	.least = 1, .most = -1, .run = rm,
	.more = "A pod is removed with all its containers. Logs stay.\n\n"
		"Examples:\n"
		"  crisp rm web-1f3a\n"
		"  crisp rm -f $(crisp pods --json | jq -r '.items[].id')\n",
};

static int rmi(struct cli *c, const struct cli_args *args)
{
	Runtime__V1__RemoveImageRequest request = RUNTIME__V1__REMOVE_IMAGE_REQUEST__INIT;
	Runtime__V1__ImageSpec spec = RUNTIME__V1__IMAGE_SPEC__INIT;
	int rc = 0;
	struct err e;

	request.image = &spec;
	for (size_t i = 0; i < args->operands.n; i++) {
		Runtime__V1__Image *image = cli_find_image(c, args->operands.at[i], &e);

		spec.image = image ? image->id : NULL;
		if (!image || !cli_call(c, "RemoveImage", &request, &e))
			rc = cli_fail(c, &e, "rmi %s", args->operands.at[i]);
		else
			puts(args->operands.at[i]);
	}
	return rc;
}

const struct cli_command cli_rmi = {
	.name = "rmi",
	.operands = "IMAGE...",
	.summary = "remove images",
	.least = 1,
	.most = -1,
	.run = rmi,
	.more = "An image is removed with all its names.\n\n"
		"Examples:\n"
		"  crisp rmi registry.example/app:1\n"
		"  crisp rmi 4f53cda18c2b\n",
};
