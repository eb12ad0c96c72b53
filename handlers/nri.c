/* nri.c - see nri.h: the socket, and the way of an event along the plugins.
 *
 *   WAIT ---no earlier event of the pod---> ASK ---answered---> (next plugin) ---none left---> VALIDATE
 *                                            |                                                    |   |
 *                                            +---refused---> `done` <---rejected------------------+   |
 *                                                              ^                                      v
 *                                                              +---made, or failed-------------- UPDATES
 *
 * VALIDATE is of CreateContainer: the validator of the configuration, then the plugins that validate, in their order.
 * UPDATES are those of other containers. Waits on: earlier events of the same pod, the plugin's answer, the updates. */
#include "handlers/nri.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "handlers/nri/adjust.h"
#include "handlers/nri/event.h"
#include "handlers/nri/installed.h"
#include "handlers/nri/limits.h"
#include "handlers/nri/merge.h"
#include "handlers/nri/message.h"
#include "handlers/nri/owners.h"
#include "handlers/nri/plugin.h"
#include "handlers/nri/update.h"
#include "handlers/nri/validate.h"
#include "procs/events.h"
#include "procs/update.h"
#include "reactor/acceptor.h"
#include "reactor/listen.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

struct event_way {
	struct link link; /* of ways, in the order of their begin; later of updating */
	char pod_id[ID_SIZE];
	enum nri_event event;
	struct arena *arena;
	Nri__PodSandbox *pod;
	Nri__Container *container; /* NULL: an event of the pod */
	struct nri_place place;
	bool asking; /* its turn has come */
	bool left;   /* its turn is over */
	struct timer turn;
	struct nri_creation *creation; /* NRI_CREATE */
	struct resources limits;       /* NRI_UPDATE; of NRI_UPDATE_POD */
	struct resources overhead;     /* NRI_UPDATE_POD */
	json_t *owners;		       /* owned: what plugins have changed */
	struct nri_wishes wishes;      /* of other containers */
	struct err err;
	const char *plugin; /* that answered last */
	nri_done *done;
	nri_updated *updated;
	void *arg;
};

struct nri_creation {
	struct arena *arena;
	char id[ID_SIZE], pod_id[ID_SIZE];
	const struct container_config *config;
	struct nri_adjusting all;
	json_t *plan;
	Nri__PodSandbox *pod;
	Nri__Image *image;
	Nri__Container *pristine; /* as it was before any plugin changed it */
	struct nri_plugins plugins;
	struct adjustment result;
};

static struct link ways = { &ways, &ways };
static struct link updating = { &updating, &updating }; /* ways that wait for updates of other containers only */
static const struct nri_config *config;
static int listener = -1;
static struct acceptor acceptor;
static struct event_listener of_containers;

/* ---- along the plugins ---- */

static void way_next(struct event_way *w);

static void on_way_turn(struct timer *t)
{
	struct event_way *w = container_of(t, struct event_way, turn);

	w->asking = true;
	way_next(w);
}

/* The first one of each pod goes on. */
static void ways_go_on(const char *pod_id)
{
	list_each(l, &ways) {
		struct event_way *w = container_of(l, struct event_way, link);

		if (strcmp(w->pod_id, pod_id) != 0)
			continue;
		if (!w->asking && !timer_is_set(&w->turn))
			timer_set(&w->turn, 0, on_way_turn);
		return;
	}
}

static void way_free(struct event_way *w)
{
	if (list_linked(&w->link))
		list_drop(&w->link);
	timer_clear(&w->turn);
	json_decref(w->owners);
	arena_free(w->arena);
	free(w);
}

static void way_end(struct event_way *w)
{
	const struct err *e = w->err.code == ERR_OK ? NULL : &w->err;

	list_drop(&w->link);
	if (!w->left)
		ways_go_on(w->pod_id);
	if (e && !w->done && !w->updated)
		log_warn("nri_event event=%d sandbox=%.12s error=%s", w->event, w->pod_id, log_quote(e->msg));
	if (w->updated)
		w->updated(w->arg, e, &w->limits);
	else if (w->done)
		w->done(w->arg, e);
	way_free(w);
}

static void on_way_updates(void *arg, const struct err *e)
{
	struct event_way *w = arg;

	if (e)
		w->err = *e;
	way_end(w);
}

/* All have agreed. An update waits for the lane of its container, and a start that has the lane may wait for its turn
 * behind this event: so the turn ends before. (ARCHITECTURE H83) */
static void way_updates(struct event_way *w)
{
	if (!w->wishes.n_updates && !w->wishes.n_evictions)
		return way_end(w);
	w->left = true;
	list_drop(&w->link);
	list_append(&updating, &w->link);
	ways_go_on(w->pod_id);
	nri_wishes_apply(&w->wishes, on_way_updates, w);
}

static int wish(struct event_way *w, Nri__ContainerUpdate **list, size_t n)
{
	const char *own = w->event == NRI_UPDATE ? w->container->id : "";

	return nri_wish_updates(&w->wishes, w->owners, w->plugin, own, list, n, &w->err);
}

static int take_created(struct event_way *w, const Nri__CreateContainerResponse *r)
{
	struct nri_creation *c = w->creation;

	if (nri_adjust(&c->all, w->plugin, r->adjust, c->plan, &w->err) < 0)
		return -1;
	for (size_t i = 0; i < r->n_update; i++)
		if (strcmp(r->update[i]->container_id, c->id) == 0)
			return err_set(&w->err, ERR_INVALID_ARGUMENT,
				       "NRI plugin %s: an update of the container that is being made", w->plugin);
	nri_wish_evictions(&w->wishes, w->plugin, r->evict, r->n_evict);
	return wish(w, r->update, r->n_update);
}

/* An update of the container itself changes what will be set. */
static int take_own(struct event_way *w, const Nri__ContainerUpdate *u)
{
	struct resources asked, merged;

	if (!u->linux || !u->linux->resources)
		return 0;
	if (nri_known(&u->base, &w->err) < 0 ||
	    nri_limits_update(&asked, u->linux->resources, w->arena, &w->err) < 0)
		return err_wrap(&w->err, "NRI plugin %s", w->plugin);
	if (nri_limits_claim(w->owners, w->container->id, w->plugin, &asked, NRI_PIDS_UNSET, &w->err) < 0)
		return -1;
	merged = resources_merge(&w->limits, &asked, w->arena);
	fields_copy(resources_fields, &w->limits, &merged, w->arena);
	return 0;
}

static int take_updated(struct event_way *w, const Nri__UpdateContainerResponse *r)
{
	for (size_t i = 0; i < r->n_update; i++)
		if (strcmp(r->update[i]->container_id, w->container->id) == 0 && take_own(w, r->update[i]) < 0)
			return -1;
	nri_wish_evictions(&w->wishes, w->plugin, r->evict, r->n_evict);
	return wish(w, r->update, r->n_update);
}

static void take_answer(struct event_way *w, const void *message)
{
	const Nri__StopContainerResponse *stopped = message;

	if (w->event == NRI_CREATE)
		take_created(w, message);
	else if (w->event == NRI_UPDATE)
		take_updated(w, message);
	else if (w->event == NRI_STOP)
		wish(w, stopped->update, stopped->n_update);
}

static void on_way_answer(void *arg, const struct nri_answer *a)
{
	struct event_way *w = arg;

	w->plugin = arena_strdup(w->arena, a->plugin);
	if (a->e && (!a->fatal || a->fails))
		w->err = *a->e;
	else if (a->e)
		log_warn("nri_event event=%d sandbox=%.12s plugin=%s error=%s effect=\"it goes on without the plugin\"",
			 w->event, w->pod_id, log_quote(a->plugin), log_quote(a->e->msg));
	else
		take_answer(w, a->message);
	way_next(w);
}

static void ask_create(struct event_way *w, struct nri_plugin *p)
{
	Nri__CreateContainerRequest r = NRI__CREATE_CONTAINER_REQUEST__INIT;
	struct nri_creation *c = w->creation;
	struct container_config planned = *c->config;

	if (c->all.limited)
		planned.resources = c->all.limits;
	r.pod = w->pod;
	r.container = nri_message_planned(c->id, c->pod_id, &planned, c->plan, w->arena);
	r.container->image = c->image;
	r.container->hooks = c->all.merged->hooks;
	r.container->linux->seccomp_policy = c->all.merged->linux ? c->all.merged->linux->seccomp_policy : NULL;
	nri_plugin_ask(p, "CreateContainer", &r.base, &nri__create_container_response__descriptor, on_way_answer, w);
}

static void ask_update(struct event_way *w, struct nri_plugin *p)
{
	Nri__UpdateContainerRequest r = NRI__UPDATE_CONTAINER_REQUEST__INIT;

	r.pod = w->pod;
	r.container = w->container;
	r.linux_resources = nri_message_resources(&w->limits, w->arena);
	nri_plugin_ask(p, "UpdateContainer", &r.base, &nri__update_container_response__descriptor, on_way_answer, w);
}

static void ask_stop(struct event_way *w, struct nri_plugin *p)
{
	Nri__StopContainerRequest r = NRI__STOP_CONTAINER_REQUEST__INIT;

	r.pod = w->pod;
	r.container = w->container;
	nri_plugin_ask(p, "StopContainer", &r.base, &nri__stop_container_response__descriptor, on_way_answer, w);
}

static void ask_pod(struct event_way *w, struct nri_plugin *p)
{
	Nri__UpdatePodSandboxRequest r = NRI__UPDATE_POD_SANDBOX_REQUEST__INIT;

	r.pod = w->pod;
	r.overhead_linux_resources = nri_message_resources(&w->overhead, w->arena);
	r.linux_resources = nri_message_resources(&w->limits, w->arena);
	nri_plugin_ask(p, "UpdatePodSandbox", &r.base, &nri__empty__descriptor, on_way_answer, w);
}

static void way_ask(struct event_way *w, struct nri_plugin *p)
{
	if (w->event == NRI_CREATE)
		ask_create(w, p);
	else if (w->event == NRI_UPDATE)
		ask_update(w, p);
	else if (w->event == NRI_STOP)
		ask_stop(w, p);
	else if (w->event == NRI_UPDATE_POD)
		ask_pod(w, p);
	else
		nri_plugin_tell(p, w->event, w->pod, w->container, on_way_answer, w);
}

/* ---- validators ---- */

static void way_validate(struct event_way *w);

/* A validator that does not answer has not agreed. */
static void on_way_validated(void *arg, const struct nri_answer *a)
{
	const Nri__ValidateContainerAdjustmentResponse *r = a->message;
	struct event_way *w = arg;

	if (a->e)
		w->err = *a->e;
	else if (r->reject)
		err_set(&w->err, ERR_FAILED_PRECONDITION, "NRI plugin %s rejects what plugins changed: %.400s",
			a->plugin, *r->reason ? r->reason : "no reason given");
	way_validate(w);
}

static void ask_validate(struct event_way *w, struct nri_plugin *p)
{
	Nri__ValidateContainerAdjustmentRequest r = NRI__VALIDATE_CONTAINER_ADJUSTMENT_REQUEST__INIT;
	struct nri_creation *c = w->creation;

	r.pod = w->pod;
	r.container = c->pristine;
	r.adjust = c->all.merged;
	r.update = nri_wishes_list(&w->wishes, &r.n_update);
	r.owners = nri_owners_message(w->owners, w->arena);
	r.plugins = c->plugins.at;
	r.n_plugins = c->plugins.n;
	nri_plugin_ask(p, nri_event_method(NRI_VALIDATE), &r.base,
		       &nri__validate_container_adjustment_response__descriptor, on_way_validated, w);
}

static void way_validate(struct event_way *w)
{
	struct nri_plugin *p = w->err.code == ERR_OK ? nri_plugin_next(&w->place, NRI_VALIDATE) : NULL;

	if (p)
		ask_validate(w, p);
	else if (w->err.code == ERR_OK)
		way_updates(w);
	else
		way_end(w);
}

static void way_asked(struct event_way *w)
{
	struct nri_creation *c = w->creation;

	if (!c)
		return way_updates(w);
	w->place = (struct nri_place){ 0 };
	if (config->validator.enabled)
		nri_validate(&config->validator, w->pod, c->pristine, w->owners, &c->plugins, &w->err);
	way_validate(w);
}

static void way_next(struct event_way *w)
{
	struct nri_plugin *p = w->err.code == ERR_OK ? nri_plugin_next(&w->place, w->event) : NULL;

	if (p)
		way_ask(w, p);
	else if (w->err.code == ERR_OK)
		way_asked(w);
	else
		way_end(w);
}

/* ---- the begin ---- */

static struct event_way *way_make(enum nri_event event, const char *pod_id)
{
	struct event_way *w = new_zero(struct event_way);

	w->event = event;
	w->arena = arena_new();
	w->owners = nri_owners_new();
	w->wishes.arena = w->arena;
	memcpy(w->pod_id, pod_id, sizeof(w->pod_id));
	list_append(&ways, &w->link);
	return w;
}

static struct event_way *way_new(enum nri_event event, const struct sandbox *s, void *arg)
{
	struct event_way *w = way_make(event, s->id);

	w->pod = nri_message_copy(&nri_message_pod(s, w->arena)->base, w->arena);
	w->arg = arg;
	return w;
}

bool nri_tell_pod(enum nri_event event, const struct sandbox *s, nri_done *done, void *arg)
{
	if (!nri_plugin_any(event))
		return false;
	way_new(event, s, arg)->done = done;
	ways_go_on(s->id);
	return true;
}

static void way_set_container(struct event_way *w, const struct container *c)
{
	w->container = nri_message_copy(&nri_message_container(c, w->arena)->base, w->arena);
}

bool nri_tell_container(enum nri_event event, const struct container *c, nri_done *done, void *arg)
{
	struct event_way *w;

	if (!nri_plugin_any(event))
		return false;
	w = way_new(event, c->sandbox, arg);
	w->done = done;
	way_set_container(w, c);
	ways_go_on(w->pod_id);
	return true;
}

bool nri_update(const struct container *c, const struct resources *asked, nri_updated *done, void *arg)
{
	struct event_way *w;

	if (!nri_plugin_any(NRI_UPDATE))
		return false;
	w = way_new(NRI_UPDATE, c->sandbox, arg);
	w->updated = done;
	way_set_container(w, c);
	fields_copy(resources_fields, &w->limits, asked, w->arena);
	ways_go_on(w->pod_id);
	return true;
}

bool nri_update_pod(const struct sandbox *s, const struct resources *overhead, const struct resources *resources,
		    nri_done *done, void *arg)
{
	struct event_way *w;

	if (!nri_plugin_any(NRI_UPDATE_POD))
		return false;
	w = way_new(NRI_UPDATE_POD, s, arg);
	w->done = done;
	fields_copy(resources_fields, &w->overhead, overhead, w->arena);
	fields_copy(resources_fields, &w->limits, resources, w->arena);
	ways_go_on(w->pod_id);
	return true;
}

/* A validator is asked of containers that no plugin wants to change too. */
static bool creation_wanted(void)
{
	return nri_plugin_any(NRI_CREATE) || nri_plugin_any(NRI_VALIDATE) ||
	       (config && config->enabled && config->validator.enabled);
}

struct nri_creation *nri_create(const struct sandbox *s, const struct container_config *cfg,
				const struct container_image *image, nri_done *done, void *arg)
{
	struct nri_creation *c;
	struct event_way *w;

	if (!creation_wanted())
		return NULL;
	c = new_zero(struct nri_creation);
	c->arena = arena_new();
	id_random(c->id);
	memcpy(c->pod_id, s->id, sizeof(c->pod_id));
	c->config = cfg;
	c->plan = nri_plan(s, cfg, image);
	c->image = nri_message_copy(&nri_message_image(image, c->arena)->base, c->arena);
	w = way_new(NRI_CREATE, s, arg);
	w->creation = c;
	w->done = done;
	nri_adjusting_open(&c->all, c->id, w->owners, &cfg->resources, c->arena);
	c->pod = nri_message_copy(&w->pod->base, c->arena);
	c->pristine = nri_message_planned(c->id, c->pod_id, cfg, c->plan, c->arena);
	c->pristine->image = c->image;
	nri_plugins_now(&c->plugins, c->arena);
	ways_go_on(w->pod_id);
	return c;
}

const struct adjustment *nri_creation_result(const struct nri_creation *creation)
{
	struct nri_creation *c = (struct nri_creation *)creation;

	c->result = (struct adjustment){ c->id, c->all.changes, c->all.limited ? &c->all.limits : NULL,
					 c->all.cdi_devices };
	return &c->result;
}

/* As the field has it: what plugins keep of a container they give back at its stop. */
void nri_creation_undo(struct nri_creation *c)
{
	static const enum nri_event events[] = { NRI_STOP, NRI_REMOVE };

	for (size_t i = 0; i < 2; i++) {
		struct event_way *w;

		if (!nri_plugin_any(events[i]))
			continue;
		w = way_make(events[i], c->pod_id);
		w->pod = nri_message_copy(&c->pod->base, w->arena);
		w->container = nri_message_planned(c->id, c->pod_id, c->config, c->plan, w->arena);
		w->container = nri_message_copy(&w->container->base, w->arena);
		ways_go_on(w->pod_id);
	}
}

void nri_creation_free(struct nri_creation *c)
{
	if (!c)
		return;
	nri_adjusting_close(&c->all);
	json_decref(c->plan);
	arena_free(c->arena);
	free(c);
}

/* ---- containers that end and go ---- */

static void on_container(struct event_listener *l, const struct event *e)
{
	(void)l;
	if (e->container && e->kind == EVENT_STOPPED)
		nri_tell_container(NRI_STOP, e->container, NULL, NULL);
	else if (e->container && e->kind == EVENT_DELETED)
		nri_tell_container(NRI_REMOVE, e->container, NULL, NULL);
}

/* ---- the socket ---- */

static void on_plugin_connects(void *arg, int fd)
{
	static const struct nri_plugin_config external = { "", "", "", NULL, NULL, NULL };

	(void)arg;
	if (!nri_plugin_open(fd, &external))
		log_warn("nri_plugin_refused reason=\"%d plugins are connected\"", NRI_PLUGINS_MAX);
}

static void nri_listen(void)
{
	struct arena *a = arena_new();
	struct err e;

	if (*config->socket) {
		listener = listen_open(arena_printf(a, "unix://%s", config->socket), NULL, &e);
		if (listener < 0)
			log_error("nri_socket error=%s effect=\"no plugin can connect\"", log_quote(e.msg));
		else
			acceptor_open(&acceptor, &(struct acceptor){ .fd = listener, .what = "nri",
				.address = config->socket, .take = on_plugin_connects });
	}
	arena_free(a);
}

static struct {
	struct timer timer;
	void (*done)(void *arg);
	void *arg;
} opening;

static void on_installed(void *arg)
{
	(void)arg;
	nri_listen();
	opening.done(opening.arg);
}

static void on_disabled(struct timer *t)
{
	(void)t;
	opening.done(opening.arg);
}

void nri_open(const struct nri_config *cfg, void (*done)(void *arg), void *arg)
{
	config = cfg;
	opening.done = done;
	opening.arg = arg;
	if (!cfg->enabled) {
		timer_set(&opening.timer, 0, on_disabled);
		return;
	}
	nri_plugins_open(&(struct nri_times){ cfg->register_ms, cfg->request_ms });
	events_listen(&of_containers, on_container);
	nri_installed_start(cfg, on_installed, NULL);
}

void nri_close(void)
{
	struct arena *a;

	if (!config || !config->enabled)
		return;
	a = arena_new();
	events_unlisten(&of_containers);
	acceptor_close(&acceptor);
	if (listener >= 0)
		listen_close(listener, arena_printf(a, "unix://%s", config->socket));
	listener = -1;
	nri_installed_stop();
	nri_plugins_close();
	while (!list_empty(&ways))
		way_free(container_of(list_first(&ways), struct event_way, link));
	while (!list_empty(&updating))
		way_free(container_of(list_first(&updating), struct event_way, link));
	arena_free(a);
}
