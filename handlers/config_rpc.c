/* config_rpc.c - see config_rpc.h. Spec: CRI v1 RuntimeService.Version, Status, RuntimeConfig, UpdateRuntimeConfig. */
#include "handlers/config_rpc.h"

#include <string.h>

#include "api.pb-c.h"
#include "crisp.pb-c.h"
#include "handlers/convert.h"
#include "handlers/late_listen.h"
#include "handlers/nri.h"
#include "handlers/ready_config.h"
#include "handlers/services.h"
#include "procs/cgroup.h"
#include "procs/container.h"
#include "procs/hang.h"
#include "procs/network.h"
#include "procs/keeper.h"
#include "procs/runtime.h"
#include "procs/sandbox.h"
#include "reactor/log.h"
#include "reactor/metric.h"

static const struct config *config;
static const char *not_ready = "starting";
static const char *other = "";

void config_rpc_not_ready(const char *why)
{
	not_ready = why;
}

void config_rpc_other(const char *why)
{
	other = why;
}

void rpc_version(struct rpc *r, const void *request)
{
	Runtime__V1__VersionResponse out = RUNTIME__V1__VERSION_RESPONSE__INIT;

	(void)request;
	out.version = (char *)"0.1.0"; /* of the kubelet's runtime API; every runtime answers this */
	out.runtime_name = (char *)"crisp";
	out.runtime_version = (char *)CRISP_VERSION;
	out.runtime_api_version = (char *)"v1";
	rpc_reply(r, &out);
}

static Runtime__V1__RuntimeCondition *condition(struct arena *a, const char *type, bool status, const char *reason,
						const char *message)
{
	Runtime__V1__RuntimeCondition *out =
		NEW_MESSAGE(a, Runtime__V1__RuntimeCondition, runtime__v1__runtime_condition__init);

	out->type = (char *)type;
	out->status = status;
	out->reason = (char *)(status ? "" : reason);
	out->message = (char *)message; /* with true: what is wrong all the same */
	return out;
}

struct handlers {
	Runtime__V1__StatusResponse *out;
	struct arena *arena;
	bool default_usable;
	const char *why;
	const char *unusable; /* why each handler other than the default is not usable; "": all are usable */
	const char *faulty;   /* known faults of the handlers' programs; "": none */
};

static void add_handler(struct handlers *h, const char *name, const struct runtime_handler *handler)
{
	struct runtime_features f;
	Runtime__V1__RuntimeHandler *out =
		NEW_MESSAGE(h->arena, Runtime__V1__RuntimeHandler, runtime__v1__runtime_handler__init);

	runtime_features(handler, &f);
	out->name = (char *)name;
	out->features =
		NEW_MESSAGE(h->arena, Runtime__V1__RuntimeHandlerFeatures, runtime__v1__runtime_handler_features__init);
	out->features->recursive_read_only_mounts = f.recursive_read_only;
	out->features->user_namespaces = f.user_namespaces;
	h->out->runtime_handlers[h->out->n_runtime_handlers++] = out;
}

static void on_handler(void *arg, const struct runtime_handler *handler, bool usable, const char *why_not)
{
	struct handlers *h = arg;
	const char *fault = runtime_warning(handler);

	if (*fault)
		h->faulty = *h->faulty ? arena_printf(h->arena, "%s; %s", h->faulty, fault)
				       : arena_strdup(h->arena, fault);
	if (strcmp(handler->name, config->runtimes.default_name) == 0) {
		h->default_usable = usable;
		h->why = usable ? "" : arena_strdup(h->arena, why_not);
		add_handler(h, "", handler);
	}
	if (usable)
		add_handler(h, handler->name, handler);
	else if (strcmp(handler->name, config->runtimes.default_name) != 0)
		h->unusable = *h->unusable ? arena_printf(h->arena, "%s; %s", h->unusable, why_not)
					   : arena_strdup(h->arena, why_not);
}

/* Which records could not be read. What belongs to them is left alone, so an operator has to look. */
static const char *lost_records(struct arena *a)
{
	const char *container, *sandbox;
	size_t containers = containers_lost(&container), sandboxes = sandboxes_lost(&sandbox);

	if (!containers && !sandboxes)
		return "";
	return arena_printf(a,
			    "the records of %zu containers and %zu sandboxes could not be read (%.12s, ...): they are "
			    "left alone, see crispd(8)",
			    containers, sandboxes, sandboxes ? sandbox : container);
}

static void conditions(struct handlers *h, Runtime__V1__RuntimeStatus *status)
{
	Runtime__V1__RuntimeCondition **out = arena_zalloc(h->arena, 8 * sizeof(*out));
	const char *why = "", *runtime_why = *not_ready ? not_ready : !h->default_usable ? h->why : "";
	bool network = network_ready(&why), hung;

	if (!*runtime_why && !keeper_here())
		runtime_why = "the keeper is away: running containers are served, new processes are not";
	out[0] = condition(h->arena, "RuntimeReady", !*runtime_why, "RuntimeNotReady", runtime_why);
	out[1] = condition(h->arena, "NetworkReady", network, "NetworkPluginNotReady", why);
	/* The node is ready without these handlers: the kubelet ignores conditions that it does not know, crictl shows
	 * them. */
	out[2] = condition(h->arena, "RuntimeHandlersUsable", !*h->unusable, "RuntimeHandlerNotUsable", h->unusable);
	why = lost_records(h->arena);
	out[3] = condition(h->arena, "RecordsReadable", !*why, "RecordsLost", why);
	out[4] = condition(h->arena, "RuntimeHandlersMended", !*h->faulty, "KnownFault", h->faulty);
	out[5] = condition(h->arena, "ConfigurationUsed", !*other, "ConfigurationRefused", other);
	why = hang_text(h->arena, &hung);
	out[6] = condition(h->arena, "LoopTurns", !hung, "LoopStood", why);
	why = late_listen_missing(h->arena);
	out[7] = condition(h->arena, "AddressesServed", !*why, "AddressTaken", why);
	status->n_conditions = 8;
	status->conditions = out;
}

static void handlers_and_conditions(struct arena *a, Runtime__V1__StatusResponse *out)
{
	struct handlers h = { .out = out, .arena = a, .why = "", .unusable = "", .faulty = "" };

	out->runtime_handlers = arena_zalloc(a, (config->runtimes.n + 1) * sizeof(*out->runtime_handlers));
	runtime_each(on_handler, &h);
	out->status = NEW_MESSAGE(a, Runtime__V1__RuntimeStatus, runtime__v1__runtime_status__init);
	conditions(&h, out->status);
}

/* The same conditions for an alert. */
static void condition_gauges(struct buf *text)
{
	Runtime__V1__StatusResponse out = RUNTIME__V1__STATUS_RESPONSE__INIT;
	struct arena *a = arena_new();

	handlers_and_conditions(a, &out);
	buf_puts(text, "# HELP crisp_condition conditions of Status: 1 true, 0 false\n# TYPE crisp_condition gauge\n");
	for (size_t i = 0; i < out.status->n_conditions; i++)
		buf_printf(text, "crisp_condition{type=\"%s\"} %d\n", out.status->conditions[i]->type,
			   out.status->conditions[i]->status);
	arena_free(a);
}

void config_rpc_open(const struct config *c)
{
	config = c;
	metric_source(condition_gauges);
}

void rpc_status(struct rpc *r, const void *request)
{
	const Runtime__V1__StatusRequest *in = request;
	Runtime__V1__StatusResponse out = RUNTIME__V1__STATUS_RESPONSE__INIT;

	handlers_and_conditions(rpc_arena(r), &out);
	out.features = NEW_MESSAGE(rpc_arena(r), Runtime__V1__RuntimeFeatures, runtime__v1__runtime_features__init);
	out.features->supplemental_groups_policy = true;
	out.features->user_namespaces_host_network = true;
	out.features->mount_options = true;
	if (in->verbose) {
		auto_json json_t *plugins = nri_status();
		struct pair both[] = { { "config", config_text(config, rpc_arena(r)) },
				       { "nri", json_text(rpc_arena(r), plugins) } };
		struct pairs info = { both, 2 };

		out.n_info = info.n;
		out.info = convert_map(&info, &runtime__v1__status_response__info_entry__descriptor,
				       rpc_arena(r));
	}
	rpc_reply(r, &out);
}

void rpc_runtime_config(struct rpc *r, const void *request)
{
	Runtime__V1__RuntimeConfigResponse out = RUNTIME__V1__RUNTIME_CONFIG_RESPONSE__INIT;
	Runtime__V1__LinuxRuntimeConfiguration linux_ = RUNTIME__V1__LINUX_RUNTIME_CONFIGURATION__INIT;

	(void)request;
	linux_.cgroup_driver =
		cgroup_systemd() ? RUNTIME__V1__CGROUP_DRIVER__SYSTEMD : RUNTIME__V1__CGROUP_DRIVER__CGROUPFS;
	out.linux = &linux_;
	rpc_reply(r, &out);
}

/* The pod CIDR is for runtimes that write a CNI configuration from a template. crisp only reads configurations, from
 * cni.conf_dir, so it logs the CIDR. */
void rpc_update_runtime_config(struct rpc *r, const void *request)
{
	const Runtime__V1__UpdateRuntimeConfigRequest *in = request;
	Runtime__V1__UpdateRuntimeConfigResponse out = RUNTIME__V1__UPDATE_RUNTIME_CONFIG_RESPONSE__INIT;

	if (in->runtime_config && in->runtime_config->network_config)
		log_info("pod_cidr cidr=%s", log_quote(in->runtime_config->network_config->pod_cidr));
	rpc_reply(r, &out);
}

void rpc_configuration(struct rpc *r, const void *request)
{
	Crisp__V1__ConfigurationResponse out = CRISP__V1__CONFIGURATION_RESPONSE__INIT;
	struct arena *a = rpc_arena(r);
	struct config defaults;
	struct err e;

	(void)request;
	if (config_load(&defaults, NULL, &e) < 0) {
		config_free(&defaults);
		return rpc_fail(r, &e);
	}
	out.used = config_text(config, a);
	out.defaults = config_text(&defaults, a);
	out.files = (char **)config->files.at;
	out.n_files = config->files.n;
	out.ready = (char *)ready_config_path(config, a);
	rpc_reply(r, &out);
	config_free(&defaults);
}
