/* container_rpc.c - the RPCs that change containers. Spec: CRI v1 RuntimeService. */
#include "handlers/checkpoint_flow.h"
#include "handlers/checkpoint_stage.h"
#include "handlers/convert.h"
#include "handlers/create_flow.h"
#include "handlers/image_volumes.h"
#include "handlers/nri.h"
#include "handlers/remove_flow.h"
#include "handlers/restore_flow.h"
#include "handlers/services.h"
#include "images/unpack.h"
#include "procs/cdi.h"
#include "procs/namespaces.h"
#include "procs/reopen.h"
#include "procs/spec.h"
#include "procs/start.h"
#include "procs/stop.h"
#include "reactor/own.h"

struct container *rpc_container(struct rpc *r, const char *id)
{
	struct container *c = *id ? container_find(id) : NULL;
	struct err e;

	if (!c) {
		err_set(&e, *id ? ERR_NOT_FOUND : ERR_INVALID_ARGUMENT, "container \"%.100s\" does not exist", id);
		rpc_fail(r, &e);
	}
	return c;
}

/* A CreateContainer: the paths of its config are looked up, then plugins are asked, whose CDI devices are looked up
 * too, then the VOLUMEs of its image are filled. In the arena of its rpc. */
struct creation {
	struct rpc *rpc;
	const char *sandbox; /* what the request named it */
	struct container_config config;
	struct lookup *lookup;
	struct create_volumes_made volumes;
	bool asked;		  /* plugins, if there are any */
	struct nri_creation *nri; /* NULL: none was asked */
};

/* The creation is gone with its rpc. */
static void creation_fail(struct creation *m, const struct err *e)
{
	if (m->nri)
		nri_creation_undo(m->nri);
	nri_creation_free(m->nri);
	lookup_free(m->lookup);
	rpc_fail(m->rpc, e);
}

/* A child that the creation waited for has failed. */
static void creation_child_failed(struct creation *m, const struct err *e)
{
	struct err why = *e;

	err_wrap(&why, "create container %.100s", m->config.name);
	creation_fail(m, &why);
}

static void creation_run(struct creation *m)
{
	Runtime__V1__CreateContainerResponse out = RUNTIME__V1__CREATE_CONTAINER_RESPONSE__INIT;
	struct sandbox *s = rpc_sandbox(m->rpc, m->sandbox);
	const struct adjustment *adjustment = m->nri ? nri_creation_result(m->nri) : NULL;
	struct lookup *lookup = m->lookup;
	struct nri_creation *nri = m->nri;
	struct container *c = NULL;
	struct err e;

	if (s)
		c = create_flow(s, &m->config, lookup, &m->volumes, adjustment, &e);
	if (nri && (!c || strcmp(c->id, adjustment->id) != 0)) /* or it is that of an equal request */
		nri_creation_undo(nri);
	nri_creation_free(nri);
	if (c) {
		nri_tell_container(NRI_POST_CREATE, c, NULL, NULL);
		out.container_id = c->id;
		rpc_reply(m->rpc, &out);
	} else if (s) {
		rpc_fail(m->rpc, &e);
	}
	lookup_free(lookup);
}

static void on_creation_filled(void *arg, const struct err *e, const char *dir)
{
	struct creation *m = arg;

	m->volumes.filled = dir;
	if (e)
		creation_child_failed(m, e);
	else
		creation_run(m);
}

static const char *map_text(const struct id_mappings *map, struct arena *a)
{
	struct buf text = { 0 };
	const char *copy;

	ns_map_text(&text, map);
	copy = arena_strdup(a, buf_str(&text));
	buf_free(&text);
	return copy;
}

static const char *const *null_ended(const struct strings *list, struct arena *a)
{
	const char **out = arena_zalloc(a, (list->n + 1) * sizeof(*out));

	for (size_t i = 0; i < list->n; i++)
		out[i] = list->at[i];
	return out;
}

static void creation_fill(struct creation *m, const struct sandbox *s, const struct image *img)
{
	const struct ns_options *ns = &s->config.security.ns;
	struct arena *a = rpc_arena(m->rpc);
	struct unpack_volumes_spec spec = {
		.layers = null_ended(&img->layers, a), .paths = null_ended(&m->volumes.paths, a),
		.uids = map_text(&ns->uids, a), .gids = map_text(&ns->gids, a),
	};

	unpack_volumes(&spec, on_creation_filled, m);
}

static void creation_look(struct creation *m);

static void on_creation_asked(void *arg, const struct err *e)
{
	struct creation *m = arg;

	if (e)
		creation_child_failed(m, e);
	else
		creation_look(m);
}

/* create_flow() says what is wrong with the sandbox, the image or the name. */
static void creation_looked(struct creation *m)
{
	struct sandbox *s = sandbox_find(m->sandbox);
	const struct image *img = store_find(m->config.image);
	struct err e;

	if (!s || !img || *img->config.artifact || s->state != SANDBOX_READY ||
	    container_named(s, m->config.name, m->config.attempt))
		return creation_run(m);
	if (!m->asked) {
		struct container_image image = create_flow_image(img, &m->config);

		m->asked = true;
		m->nri = nri_create(s, &m->config, &image, on_creation_asked, m);
		if (m->nri)
			return;
	}
	if (image_volumes(img, &m->config, rpc_arena(m->rpc), &m->volumes.paths, &e) < 0)
		return creation_fail(m, &e);
	if (!m->volumes.paths.n)
		return creation_run(m);
	creation_fill(m, s, img);
}

static void on_creation_looked(void *arg, const struct err *e);

/* What was found may name further paths. */
static void creation_look(struct creation *m)
{
	spec_look(m->lookup, &m->config);
	if (m->nri && nri_creation_result(m->nri)->cdi_devices.n)
		cdi_look(m->lookup);
	if (lookup_try(m->lookup))
		creation_looked(m);
	else
		lookup_start(m->lookup, on_creation_looked, m);
}

static void on_creation_looked(void *arg, const struct err *e)
{
	struct creation *m = arg;

	if (e)
		creation_child_failed(m, e);
	else
		creation_look(m);
}

void rpc_create_container(struct rpc *r, const void *request)
{
	const Runtime__V1__CreateContainerRequest *in = request;
	struct sandbox *s = rpc_sandbox(r, in->pod_sandbox_id);
	struct container_config config;
	struct creation *m;
	struct err e;

	if (!s)
		return;
	if (convert_container_config(&config, in->config, rpc_arena(r), &e) < 0)
		return rpc_fail(r, &e);
	if (restore_wanted(&config) || restore_under_way(s, &config))
		return restore_flow(r, s, &config);
	m = arena_zalloc(rpc_arena(r), sizeof(*m));
	*m = (struct creation){ .rpc = r, .sandbox = in->pod_sandbox_id, .config = config,
				.lookup = lookup_new(s->config.uid) };
	creation_look(m);
}

/* A call that waits for its turn on a container's lane. */
struct turn {
	struct rpc *rpc;
	struct container *container;
	struct lane_pass pass;
	int64_t grace_ms; /* of a stop */
};

static struct turn *turn_new(struct rpc *r, struct container *c)
{
	struct turn *t = new_zero(struct turn);

	t->rpc = r;
	t->container = c;
	return t;
}

static void on_container_started(void *arg, const struct err *e)
{
	Runtime__V1__StartContainerResponse out = RUNTIME__V1__START_CONTAINER_RESPONSE__INIT;
	struct turn *t = arg;

	if (t->container->state != CONTAINER_CREATED)
		checkpoint_stage_drop(t->container->restore);
	if (!e)
		nri_tell_container(NRI_POST_START, t->container, NULL, NULL);
	lane_leave(&t->pass);
	if (e)
		rpc_fail(t->rpc, e);
	else
		rpc_reply(t->rpc, &out);
	free(t);
}

static void on_start_asked(void *arg, const struct err *e)
{
	struct turn *t = arg;
	struct err why;

	t->container->starting = false;
	if (!e) {
		start_start(t->container, on_container_started, t);
		return;
	}
	why = *e;
	err_wrap(&why, "start container %.12s", t->container->id);
	lane_leave(&t->pass);
	rpc_fail(t->rpc, &why);
	free(t);
}

static void on_start_turn(struct lane_pass *p)
{
	struct turn *t = container_of(p, struct turn, pass);

	if (t->container->state == CONTAINER_CREATED && nri_tell_container(NRI_START, t->container, on_start_asked, t))
		t->container->starting = true; /* a stop waits for its turn */
	else
		start_start(t->container, on_container_started, t);
}

void rpc_start_container(struct rpc *r, const void *request)
{
	const Runtime__V1__StartContainerRequest *in = request;
	struct container *c = rpc_container(r, in->container_id);
	struct turn *t;
	struct err e;

	if (!c)
		return;
	if (c->removing) {
		err_set(&e, ERR_FAILED_PRECONDITION, "container %.12s is being removed", c->id);
		return rpc_fail(r, &e);
	}
	if (*c->restore && checkpoint_flow_allowed(&e) < 0)
		return rpc_fail(r, &e);
	t = turn_new(r, c);
	lane_enter(&c->lane, &t->pass, on_start_turn);
}

static void on_container_stopped(void *arg, const struct err *e)
{
	Runtime__V1__StopContainerResponse out = RUNTIME__V1__STOP_CONTAINER_RESPONSE__INIT;
	struct rpc *r = arg;

	if (e)
		rpc_fail(r, e);
	else
		rpc_reply(r, &out);
}

/* The start that held the lane has ended. A stop may run beside any other operation, so it leaves the lane at once. */
static void on_stop_turn(struct lane_pass *p)
{
	struct turn *t = container_of(p, struct turn, pass);

	lane_leave(&t->pass);
	stop_start(t->container, t->grace_ms, on_container_stopped, t->rpc);
	free(t);
}

void rpc_stop_container(struct rpc *r, const void *request)
{
	const Runtime__V1__StopContainerRequest *in = request;
	Runtime__V1__StopContainerResponse out = RUNTIME__V1__STOP_CONTAINER_RESPONSE__INIT;
	struct container *c = container_find(in->container_id);
	struct turn *t;
	struct err e;

	if (!*in->container_id || in->timeout < 0) {
		err_set(&e, ERR_INVALID_ARGUMENT, "%s",
			*in->container_id ? "timeout is negative" : "container_id is empty");
		return rpc_fail(r, &e);
	}
	if (!c)
		return rpc_reply(r, &out);
	if (!c->starting || c->removing) {
		stop_start(c, convert_seconds(in->timeout), on_container_stopped, r);
		return;
	}
	t = turn_new(r, c);
	t->grace_ms = convert_seconds(in->timeout);
	lane_enter(&c->lane, &t->pass, on_stop_turn);
}

struct removal_call {
	struct removal_wait wait;
	struct rpc *rpc;
};

static void on_container_removed(struct removal_wait *w, const struct err *e)
{
	Runtime__V1__RemoveContainerResponse out = RUNTIME__V1__REMOVE_CONTAINER_RESPONSE__INIT;
	struct removal_call *call = container_of(w, struct removal_call, wait);

	if (e)
		rpc_fail(call->rpc, e);
	else
		rpc_reply(call->rpc, &out);
	free(call);
}

void rpc_remove_container(struct rpc *r, const void *request)
{
	const Runtime__V1__RemoveContainerRequest *in = request;
	Runtime__V1__RemoveContainerResponse out = RUNTIME__V1__REMOVE_CONTAINER_RESPONSE__INIT;
	struct container *c = container_find(in->container_id);
	struct removal_call *call;
	struct err e;

	if (!*in->container_id) {
		err_set(&e, ERR_INVALID_ARGUMENT, "container_id is empty");
		return rpc_fail(r, &e);
	}
	if (!c)
		return rpc_reply(r, &out);
	call = new_zero(struct removal_call);
	call->rpc = r;
	call->wait.fn = on_container_removed;
	remove_flow(c, &call->wait);
}

static void on_log_reopened(void *arg, const struct err *e)
{
	Runtime__V1__ReopenContainerLogResponse out = RUNTIME__V1__REOPEN_CONTAINER_LOG_RESPONSE__INIT;
	struct rpc *r = arg;

	if (e)
		rpc_fail(r, e);
	else
		rpc_reply(r, &out);
}

void rpc_reopen_container_log(struct rpc *r, const void *request)
{
	const Runtime__V1__ReopenContainerLogRequest *in = request;
	struct container *c = rpc_container(r, in->container_id);

	if (c)
		reopen_log(c, on_log_reopened, r);
}
