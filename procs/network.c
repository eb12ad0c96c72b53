/* network.c - see network.h. The one kind is CNI; this file is all that knows of cni.h. */
#include "procs/network.h"

#include <assert.h>
#include <string.h>

#include "procs/cni.h"
#include "reactor/own.h"

static const char KIND_CNI[] = "cni";

struct network_op {
	struct sandbox *sandbox; /* of an `add`; else NULL */
	struct cni_op *cni;      /* of an `add` */
	network_done *done;
	void *arg;
};

void network_open(const struct network_config *cfg, void (*changed)(void *arg), void *arg)
{
	static struct cni_config cni; /* borrowed for ever */

	cni = (struct cni_config){ cfg->bin_dirs, cfg->conf_dir };
	cni_open(&cni, changed, arg);
}

bool network_ready(const char **why)
{
	return cni_ready(why);
}

static struct cni_sandbox cni_pod(const struct sandbox_config *config, const char *id)
{
	return (struct cni_sandbox){
		.id = id,
		.name = config->name,
		.namespace_ = config->namespace_,
		.uid = config->uid,
		.netns_path = "",
		.ports = config->ports.at,
		.nports = config->ports.n,
		.annotations = &config->annotations,
		.cgroup = config->cgroup_parent,
		.dns = &config->dns,
		.conf = "",
		.result = "",
	};
}

int network_check(const struct sandbox_config *config, struct err *e)
{
	struct cni_sandbox pod = cni_pod(config, "");

	return cni_check(&pod, e);
}

int network_known(const struct sandbox *sandbox, struct err *e)
{
	if (!*sandbox->network_kind || strcmp(sandbox->network_kind, KIND_CNI) == 0)
		return 0;
	return err_set(e, ERR_FAILED_PRECONDITION,
		       "the network of sandbox %.12s is of kind \"%.64s\", which this version of crisp does not know",
		       sandbox->id, sandbox->network_kind);
}

int network_intend(struct sandbox *sandbox, struct err *e)
{
	const char *conf = cni_conf_now(e);

	if (!conf)
		return -1;
	sandbox_set_str(sandbox, &sandbox->network_kind, KIND_CNI);
	sandbox_set_str(sandbox, &sandbox->cni_conf, conf);
	return 0;
}

static struct network_op *network_op_new(struct sandbox *sandbox, network_done *done, void *arg)
{
	struct network_op *op = new_zero(struct network_op);

	*op = (struct network_op){ sandbox, NULL, done, arg };
	return op;
}

static struct cni_sandbox cni_recorded(const struct sandbox *sandbox, const char *netns_path)
{
	struct cni_sandbox pod = cni_pod(&sandbox->config, sandbox->id);

	pod.netns_path = netns_path;
	pod.conf = sandbox->cni_conf;
	pod.result = sandbox->cni_result;
	return pod;
}

static void network_keep_result(struct sandbox *sandbox, const struct cni_result *r)
{
	sandbox->ips = (struct strings){ arena_zalloc(sandbox->arena, r->ips.n * sizeof(*r->ips.at)), r->ips.n };
	for (size_t i = 0; i < r->ips.n; i++)
		sandbox->ips.at[i] = arena_strdup(sandbox->arena, r->ips.at[i]);
	sandbox_set_str(sandbox, &sandbox->cni_result, r->text);
}

static void on_cni_done(void *arg, const struct err *e, const struct cni_result *r)
{
	struct network_op op = *(struct network_op *)arg;

	free(arg);
	if (!e && op.sandbox)
		network_keep_result(op.sandbox, r);
	op.done(op.arg, e, e && r->left);
}

struct network_op *network_add(struct sandbox *sandbox, network_done *done, void *arg)
{
	struct cni_sandbox pod = cni_recorded(sandbox, sandbox->netns_path);
	struct network_op *op = network_op_new(sandbox, done, arg);

	op->cni = cni_add(&pod, on_cni_done, op);
	return op;
}

void network_cancel(struct network_op *op)
{
	cni_cancel(op->cni);
	free(op);
}

bool network_added(const struct sandbox *sandbox)
{
	return *sandbox->cni_result;
}

void network_del(const struct sandbox *sandbox, enum network_part part, network_done *done, void *arg)
{
	struct cni_sandbox pod = cni_recorded(sandbox, part == NETWORK_WHOLE ? sandbox->netns_path : "");
	struct err e;

	assert(network_known(sandbox, &e) == 0);
	cni_del(&pod, on_cni_done, network_op_new(NULL, done, arg));
}

void network_del_orphan(const char *id, const char *netns_path, network_done *done, void *arg)
{
	static const struct sandbox_config nothing = { .name = "", .namespace_ = "", .uid = "", .cgroup_parent = "" };
	struct cni_sandbox pod = cni_pod(&nothing, id);

	pod.netns_path = netns_path;
	cni_del(&pod, on_cni_done, network_op_new(NULL, done, arg));
}
