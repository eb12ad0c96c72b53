/* plugin.c - see plugin.h.
 *
 *   REGISTER ---RegisterPlugin---> CONFIGURE ---answer---> SYNC ---all parts answered---> READY
 *      |                               |                     |                              |
 *      +---time over, bad name---------+---refused-----------+--------connection lost-------+---> gone
 *                                                                                           |
 *                                                    a request was not answered in time: DRAIN ---none left---> gone
 *
 * From SYNC on it is asked: what happens after the state was taken that it is told. Such requests wait in `held`.
 * DRAIN: it gets no request any more, but those of other pods that are under way may still be answered.
 * Waits on: the connection, a timer (REGISTER), its answers (each has a time limit). */
#include "handlers/nri/plugin.h"

#include <stdlib.h>
#include <string.h>

#include "handlers/nri/event.h"
#include "handlers/nri/link.h"
#include "handlers/nri/message.h"
#include "handlers/nri/update.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/metric.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum { HELD_MAX = 4096 };
#define SERVICE "nri.pkg.api.v1alpha1.Plugin"
#define OUR_SERVICE "nri.pkg.api.v1alpha1.Runtime"
#define NRI_VERSION "0.12.5"

enum { REGISTER, CONFIGURE, SYNC, READY, DRAIN };
static const struct sm_state states[] = {
	[REGISTER] = { "REGISTER", TO(CONFIGURE) },
	[CONFIGURE] = { "CONFIGURE", TO(SYNC) },
	[SYNC] = { "SYNC", TO(READY) },
	[READY] = { "READY", TO(DRAIN) },
	[DRAIN] = { "DRAIN", 0 },
};

struct nri_plugin {
	struct sm sm;
	struct link of_all;
	char idx[3], base[NRI_NAME_MAX + 1], name[NRI_NAME_MAX + 4];
	uint64_t serial;
	char *config; /* owned */
	struct nri_link *link;
	struct timer timer;	   /* REGISTER; the end in the next turn */
	struct link calls, held;   /* of struct call.link */
	size_t n_held;
	int32_t events; /* bit n-1: event n */
	bool installed, fail_request, keep_connected;
	bool state_changes; /* it does not know events by their own methods */
	void (*begun)(void *arg, const struct err *e);
	void *arg;
	void (*ended)(const char *name);
	struct arena *state; /* SYNC: what is told in parts; else NULL */
	struct nri_state all;
	size_t next; /* of the parts */
	struct err why;
};

/* A request under way, or held. */
struct call {
	struct link link;
	struct nri_plugin *plugin;
	const char *method;
	struct buf body;
	struct buf older; /* of the method StateChange, for a plugin that does not know `method`; empty: none */
	const ProtobufCMessageDescriptor *descriptor;
	nri_answered *done;
	void *arg;
	struct ttrpc_call *ttrpc; /* NULL: held, or it ends in the next turn */
	struct timer timer;
};

static struct link all = { &all, &all };
static size_t n_all;
static uint64_t serials;
static struct nri_times times = { 5000, 2000 };

void nri_plugins_open(const struct nri_times *t)
{
	times = *t;
}

size_t nri_plugins_count(void)
{
	return n_all;
}

/* ---- the end ---- */

static void call_free(struct call *c)
{
	list_drop(&c->link);
	timer_clear(&c->timer);
	if (c->ttrpc)
		ttrpc_call_cancel(c->ttrpc);
	buf_free(&c->body);
	buf_free(&c->older);
	free(c);
}

static void plugin_begun(struct nri_plugin *p, const struct err *e)
{
	void (*begun)(void *arg, const struct err *e) = p->begun;

	p->begun = NULL;
	if (begun)
		begun(p->arg, e);
}

/* Without a word to those that wait. */
static void plugin_free(struct nri_plugin *p)
{
	while (!list_empty(&p->calls))
		call_free(container_of(list_first(&p->calls), struct call, link));
	while (!list_empty(&p->held))
		call_free(container_of(list_first(&p->held), struct call, link));
	list_drop(&p->of_all);
	n_all--;
	timer_clear(&p->timer);
	nri_link_close(p->link);
	arena_free(p->state);
	free(p->config);
	free(p);
}

/* The plugin must not be used by the caller after the call's `done`. */
static void call_end(struct call *c, const struct err *e, bool fatal, const void *message)
{
	struct nri_plugin *p = c->plugin;
	struct nri_answer a = { .e = e, .fatal = fatal, .fails = fatal && p->fail_request, .message = message,
				.plugin = p->name };
	nri_answered *done = c->done;
	void *arg = c->arg;

	c->ttrpc = NULL;
	call_free(c);
	done(arg, &a);
}

static void on_plugin_end(struct timer *t)
{
	struct nri_plugin *p = container_of(t, struct nri_plugin, timer);
	struct link *l;

	log_warn("nri_plugin_gone plugin=%s error=%s effect=\"containers are made without it\"", log_quote(p->name),
		  log_quote(p->why.msg));
	plugin_begun(p, &p->why);
	if (p->ended)
		p->ended(p->name);
	while ((l = list_first(&p->calls)) || (l = list_first(&p->held))) {
		struct call *c = container_of(l, struct call, link);

		if (c->ttrpc)
			ttrpc_call_cancel(take_ptr(&c->ttrpc));
		call_end(c, &p->why, true, NULL);
	}
	plugin_free(p);
}

/* It ends in the next turn: an event of its connection may be running. */
static void plugin_end(struct nri_plugin *p, const struct err *e)
{
	p->events = 0;
	p->why = *e;
	err_wrap(&p->why, "NRI plugin %s", p->name);
	timer_set(&p->timer, 0, on_plugin_end);
}

static bool plugin_ending(const struct nri_plugin *p)
{
	return p->why.code != ERR_OK;
}

static void plugin_drained(struct nri_plugin *p)
{
	struct err e;

	if (p->sm.now != DRAIN || plugin_ending(p) || !list_empty(&p->calls))
		return;
	err_set(&e, ERR_DEADLINE_EXCEEDED, "it did not answer within %lld ms", (long long)times.request_ms);
	plugin_end(p, &e);
}

/* ---- requests to it ---- */

static void call_answered(struct call *c, const uint8_t *body, size_t len)
{
	struct arena *a = arena_new();
	ProtobufCAllocator allocator = { arena_take, arena_leave, a };
	const void *message = len <= NRI_ANSWER_MAX ? protobuf_c_message_unpack(c->descriptor, &allocator, len, body)
						    : NULL;
	struct nri_plugin *p = c->plugin;
	struct err e;

	if (message) {
		call_end(c, NULL, false, message);
	} else {
		err_set(&e, ERR_INTERNAL, "its answer to %s is malformed, or over 1 MiB", c->method);
		plugin_end(p, &e);
	}
	arena_free(a);
}

static void call_begin(struct call *c);

/* The same event as a StateChange, which plugins of all versions know. */
static void call_as_older(struct call *c)
{
	buf_free(&c->body);
	c->body = c->older;
	c->older = (struct buf){ 0 };
	c->method = "StateChange";
	c->plugin->state_changes = true;
	call_begin(c);
}

static void on_call(void *arg, const struct err *e, const uint8_t *body, size_t len)
{
	struct call *c = arg;
	struct nri_plugin *p = c->plugin;
	struct err why;

	c->ttrpc = NULL;
	if (plugin_ending(p)) /* it is told there */
		return;
	if (!e) {
		call_answered(c, body, len);
		return plugin_drained(p);
	}
	if (e->code == ERR_UNIMPLEMENTED && c->older.len)
		return call_as_older(c);
	why = *e;
	err_wrap(&why, "NRI plugin %s: %s", p->name, c->method);
	if (e->code == ERR_DEADLINE_EXCEEDED) {
		log_error("nri_plugin_slow plugin=%s method=%s limit_ms=%lld", log_quote(p->name), c->method,
			  (long long)times.request_ms);
		if (p->sm.now == READY && !p->keep_connected) {
			sm_move(&p->sm, DRAIN);
			p->events = 0;
		} else if (p->sm.now < READY) {
			return plugin_end(p, e);
		}
		call_end(c, &why, true, NULL);
		return plugin_drained(p);
	}
	if (e->code == ERR_UNAVAILABLE || e->code == ERR_CANCELLED) /* the call ends with the plugin */
		return plugin_end(p, e);
	if (why.code == ERR_NOT_FOUND) /* that is for what the request of CRI names */
		why.code = ERR_INTERNAL;
	call_end(c, &why, false, NULL);
	plugin_drained(p);
}

static void call_send(struct call *c)
{
	struct ttrpc_ask ask = { .service = SERVICE, .method = c->method, .body = c->body.at, .len = c->body.len,
				 .timeout_ms = times.request_ms };
	struct nri_plugin *p = c->plugin;

	timer_clear(&c->timer);
	if (list_linked(&c->link))
		list_drop(&c->link);
	list_append(&p->calls, &c->link);
	c->ttrpc = ttrpc_call(nri_link_asks(p->link), &ask, on_call, c);
	buf_free(&c->body);
}

static void on_call_refused(struct timer *t)
{
	struct call *c = container_of(t, struct call, timer);
	struct err e;

	err_set(&e, ERR_RESOURCE_EXHAUSTED, "NRI plugin %s: too many requests wait for it", c->plugin->name);
	call_end(c, &e, true, NULL);
}

static void pack(struct buf *out, const ProtobufCMessage *m)
{
	size_t len = protobuf_c_message_get_packed_size(m);

	protobuf_c_message_pack(m, buf_room(out, len));
	buf_added(out, len);
}

static void call_begin(struct call *c)
{
	struct nri_plugin *p = c->plugin;

	if (p->sm.now != SYNC || strcmp(c->method, "Synchronize") == 0)
		return call_send(c);
	list_append(&p->held, &c->link);
	if (++p->n_held > HELD_MAX)
		timer_set(&c->timer, 0, on_call_refused);
}

void nri_plugin_ask(struct nri_plugin *p, const char *method, const ProtobufCMessage *request,
		    const ProtobufCMessageDescriptor *answer, nri_answered *done, void *arg)
{
	struct call *c = new_zero(struct call);

	*c = (struct call){ .plugin = p, .method = method, .descriptor = answer, .done = done, .arg = arg };
	pack(&c->body, request);
	call_begin(c);
}

void nri_plugin_tell(struct nri_plugin *p, int event, Nri__PodSandbox *pod, Nri__Container *container,
		     nri_answered *done, void *arg)
{
	Nri__EventRequest request = NRI__EVENT_REQUEST__INIT;
	Nri__StateChangeEvent older = NRI__STATE_CHANGE_EVENT__INIT;
	struct call *c = new_zero(struct call);

	*c = (struct call){ .plugin = p, .method = nri_event_method(event), .descriptor = &nri__empty__descriptor,
			    .done = done, .arg = arg };
	request.pod = older.pod = pod;
	request.container = older.container = container;
	older.event = (Nri__Event)event;
	pack(&c->older, &older.base);
	if (p->state_changes)
		return call_as_older(c);
	pack(&c->body, &request.base);
	call_begin(c);
}

/* ---- the begin: Configure, Synchronize ---- */

static void sync_next(struct nri_plugin *p);

static void plugin_ready(struct nri_plugin *p)
{
	sm_move(&p->sm, READY);
	arena_free(take_ptr(&p->state));
	log_info("nri_plugin_ready plugin=%s events=0x%x installed=%d", log_quote(p->name), (unsigned)p->events,
		 p->installed);
	while (!list_empty(&p->held))
		call_send(container_of(list_first(&p->held), struct call, link));
	plugin_begun(p, NULL);
}

static void on_synced(void *arg, const struct nri_answer *a)
{
	struct nri_plugin *p = arg;
	const Nri__SynchronizeResponse *r = a->message;
	struct err e;

	if (a->e)
		return a->fatal && plugin_ending(p) ? (void)0 : plugin_end(p, a->e);
	if (r->n_update)
		nri_updates_apply(p->name, r->update, r->n_update, NULL, NULL);
	if (p->next == p->all.n_parts)
		return plugin_ready(p);
	if (!r->more) {
		err_set(&e, ERR_UNIMPLEMENTED, "it does not take the state of a large node in parts");
		return plugin_end(p, &e);
	}
	sync_next(p);
}

static void sync_next(struct nri_plugin *p)
{
	Nri__SynchronizeRequest *part = p->all.parts[p->next++];

	part->more = p->next < p->all.n_parts;
	nri_plugin_ask(p, "Synchronize", &part->base, &nri__synchronize_response__descriptor, on_synced, p);
}

static void on_configured(void *arg, const struct nri_answer *a)
{
	struct nri_plugin *p = arg;
	const Nri__ConfigureResponse *r = a->message;
	const int32_t known = (1 << NRI_EVENTS) - 1;
	struct err e;

	if (a->e)
		return a->fatal && plugin_ending(p) ? (void)0 : plugin_end(p, a->e);
	if (r->events & ~known) {
		err_set(&e, ERR_INVALID_ARGUMENT, "it subscribes to events that are not known: 0x%x",
			(unsigned)r->events);
		return plugin_end(p, &e);
	}
	p->events = r->events ?: known;
	p->fail_request = r->failure_policy && r->failure_policy->fail_request;
	p->keep_connected = r->failure_policy && r->failure_policy->keep_connected;
	sm_move(&p->sm, SYNC);
	p->state = arena_new();
	nri_message_state(&p->all, p->state);
	sync_next(p);
}

static void plugin_configure(struct nri_plugin *p)
{
	Nri__ConfigureRequest request = NRI__CONFIGURE_REQUEST__INIT;

	request.config = p->config;
	request.runtime_name = (char *)"crisp";
	request.runtime_version = (char *)CRISP_VERSION;
	request.registration_timeout = times.register_ms;
	request.request_timeout = times.request_ms;
	request.nri_version = (char *)NRI_VERSION;
	sm_move(&p->sm, CONFIGURE);
	nri_plugin_ask(p, "Configure", &request.base, &nri__configure_response__descriptor, on_configured, p);
}

/* ---- requests of it ---- */

static void set_name(struct nri_plugin *p, const char *idx, const char *base)
{
	snprintf(p->idx, sizeof(p->idx), "%s", idx);
	snprintf(p->base, sizeof(p->base), "%s", base);
	snprintf(p->name, sizeof(p->name), "%s-%s", p->idx, p->base);
}

static void serve_register(struct nri_plugin *p, struct ttrpc_request *r, const uint8_t *body, size_t len)
{
	struct arena *a = arena_new();
	ProtobufCAllocator allocator = { arena_take, arena_leave, a };
	const Nri__RegisterPluginRequest *in =
		len <= NRI_ANSWER_MAX ? nri__register_plugin_request__unpack(&allocator, len, body) : NULL;
	struct err e = { 0 };

	if (p->sm.now != REGISTER)
		err_set(&e, ERR_FAILED_PRECONDITION, "it has registered before");
	else if (!in)
		err_set(&e, ERR_INVALID_ARGUMENT, "its registration is malformed");
	else if (!p->installed && (!nri_good_name(in->plugin_name) || !nri_good_idx(in->plugin_idx)))
		err_set(&e, ERR_INVALID_ARGUMENT, "its name or its index (two digits) is not valid: %.80s-%.80s",
			in->plugin_idx, in->plugin_name);
	if (e.code == ERR_OK && !p->installed)
		set_name(p, in->plugin_idx, in->plugin_name);
	arena_free(a);
	if (e.code != ERR_OK) {
		ttrpc_fail(r, &e);
		if (p->sm.now == REGISTER)
			plugin_end(p, &e);
		return;
	}
	timer_clear(&p->timer);
	ttrpc_reply(r, NULL, 0);
	plugin_configure(p);
}

static void on_request(void *arg, struct ttrpc_request *r, const char *service, const char *method,
		       const uint8_t *body, size_t len)
{
	struct nri_plugin *p = arg;
	struct err e;

	if (plugin_ending(p))
		err_set(&e, ERR_UNAVAILABLE, "the plugin is being disconnected");
	else if (strcmp(service, OUR_SERVICE) != 0)
		err_set(&e, ERR_UNIMPLEMENTED, "there is no service %.100s", service);
	else if (strcmp(method, "RegisterPlugin") == 0)
		return serve_register(p, r, body, len);
	else if (strcmp(method, "UpdateContainers") != 0)
		err_set(&e, ERR_UNIMPLEMENTED, "there is no method %.100s", method);
	else if (p->sm.now != READY)
		err_set(&e, ERR_FAILED_PRECONDITION, "the plugin is not synchronized yet");
	else
		return nri_serve_update(p->name, r, body, len);
	ttrpc_fail(r, &e);
}

/* ---- the connection ---- */

static void on_gone(void *arg, const struct err *e)
{
	struct nri_plugin *p = arg;

	if (!plugin_ending(p))
		plugin_end(p, e);
}

static void on_register_late(struct timer *t)
{
	struct nri_plugin *p = container_of(t, struct nri_plugin, timer);
	struct err e;

	err_set(&e, ERR_DEADLINE_EXCEEDED, "it did not register within %lld ms", (long long)times.register_ms);
	plugin_end(p, &e);
}

struct nri_plugin *nri_plugin_open(int fd, const struct nri_plugin_config *config)
{
	static const struct nri_link_events events = { on_request, on_gone };
	struct nri_plugin *p;

	if (n_all >= NRI_PLUGINS_MAX) {
		close(fd);
		return NULL;
	}
	p = new_zero(struct nri_plugin);
	p->sm = (struct sm){ states, "nri", p->name, REGISTER };
	p->serial = ++serials;
	p->installed = *config->base;
	snprintf(p->name, sizeof(p->name), "(not registered)");
	if (p->installed)
		set_name(p, config->idx, config->base);
	p->config = own_must(strdup(config->text));
	p->begun = config->begun;
	p->arg = config->arg;
	p->ended = config->ended;
	list_init(&p->calls);
	list_init(&p->held);
	list_append(&all, &p->of_all);
	n_all++;
	p->link = nri_link_open(fd, &events, p);
	timer_set(&p->timer, times.register_ms, on_register_late);
	return p;
}

void nri_plugins_close(void)
{
	while (!list_empty(&all))
		plugin_free(container_of(list_first(&all), struct nri_plugin, of_all));
}

/* ---- the order ---- */

static bool subscribed(const struct nri_plugin *p, int event)
{
	return p->sm.now >= SYNC && !plugin_ending(p) && (p->events & 1 << (event - 1));
}

void nri_plugins_each(void (*fn)(void *arg, const struct nri_plugin_about *about), void *arg)
{
	list_each(l, &all) {
		const struct nri_plugin *p = container_of(l, struct nri_plugin, of_all);
		const struct nri_plugin_about about = { p->idx, p->base, p->events, p->installed, p->sm.now == READY };

		if ((p->sm.now == SYNC || p->sm.now == READY) && !plugin_ending(p))
			fn(arg, &about);
	}
}

bool nri_plugin_any(int event)
{
	list_each(l, &all)
		if (subscribed(container_of(l, struct nri_plugin, of_all), event))
			return true;
	return false;
}

static int order(const char *idx, uint64_t serial, const struct nri_plugin *p)
{
	int r = strcmp(idx, p->idx);

	return r ? r : (serial > p->serial) - (serial < p->serial);
}

struct nri_plugin *nri_plugin_next(struct nri_place *place, int event)
{
	struct nri_plugin *next = NULL;

	list_each(l, &all) {
		struct nri_plugin *p = container_of(l, struct nri_plugin, of_all);

		if (subscribed(p, event) && order(place->idx, place->serial, p) < 0 &&
		    (!next || order(p->idx, p->serial, next) < 0))
			next = p;
	}
	if (next) {
		memcpy(place->idx, next->idx, sizeof(place->idx));
		place->serial = next->serial;
	}
	return next;
}
