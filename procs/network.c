/* network.c - see network.h. The kinds are "cni" (cni.h: plugins) and "native" (net.h); no other file knows these
 * headers. Both read the same conflist, and the record of a sandbox has the same members for both. */
#include "procs/network.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "procs/cni.h"
#include "procs/net.h"
#include "procs/network_collect.h"
#include "procs/runtime.h"
#include "procs/sandbox_ids.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

static const char KIND_CNI[] = "cni", KIND_NATIVE[] = "native";

struct network_op {
	struct sandbox *sandbox; /* of an `add`; else NULL */
	struct cni_op *cni;	 /* one of the two */
	struct net_op *native;
	network_done *done;
	void *arg;
};

static enum network_choice choice;
static struct { /* what was last said of the conflist that goes by plugins */
	char why[sizeof(((struct err *)0)->msg)];
	bool by_plugins;
} said;
static bool recovered, collected; /* collected: no GC of plugins is due any more */
static void (*on_changed)(void *arg);
static void *on_changed_arg;

int network_choice(const char *word)
{
	static const char *const words[] = { [NETWORK_CNI] = "cni", [NETWORK_NATIVE] = "native",
					     [NETWORK_AUTO] = "auto" };

	for (int i = 0; i < (int)(sizeof(words) / sizeof(*words)); i++)
		if (strcmp(words[i], word) == 0)
			return i;
	return -1;
}

/* Are new sandboxes of this conflist made without plugins? Where not, *why says it ("": nothing to say). */
static bool network_native(const char *conf, struct err *why)
{
	why->msg[0] = '\0';
	if (choice == NETWORK_CNI)
		return false;
	if (net_fits(conf, why) == 0)
		return true;
	err_wrap(why, choice == NETWORK_AUTO ? "new sandboxes get their network by CNI plugins" :
					       "network: native is configured");
	return false;
}

/* For cni.h. With `network: native` no plugin is ever needed, whether the conflist fits or not. */
static bool network_alone(const char *conf)
{
	struct err e;

	return choice == NETWORK_NATIVE || network_native(conf, &e);
}

/* Says once for each conflist that it goes by plugins. */
static void network_say(const char *conf)
{
	struct err why = { .msg = "" };
	bool by_plugins = conf && choice != NETWORK_CNI && !network_native(conf, &why);
	bool is_new = by_plugins && (!said.by_plugins || strcmp(said.why, why.msg) != 0);

	if (is_new && choice == NETWORK_AUTO)
		log_info("network_kind kind=%s why=%s", KIND_CNI, log_quote(why.msg));
	else if (is_new)
		log_warn("network_kind kind=none why=%s", log_quote(why.msg));
	said.by_plugins = by_plugins;
	memcpy(said.why, why.msg, sizeof(said.why));
}

static void network_collect_once(void);

static void on_cni_changed(void *arg)
{
	struct err e;

	(void)arg;
	network_say(cni_conf_text(&e));
	network_collect_once();
	on_changed(on_changed_arg);
}

static void network_fits_changed(void)
{
	cni_alone_changed();
	on_cni_changed(NULL);
}

static bool network_is_native(const struct sandbox *sandbox)
{
	return strcmp(sandbox->network_kind, KIND_NATIVE) == 0;
}

static void network_living(void);

void network_open(const struct network_config *cfg, void (*changed)(void *arg), void *arg)
{
	static struct cni_config cni; /* borrowed for ever */
	static struct net_config net;
	struct err e;

	choice = cfg->choice;
	on_changed = changed;
	on_changed_arg = arg;
	cni = (struct cni_config){ cfg->bin_dirs, cfg->conf_dir, network_alone };
	net = (struct net_config){ cfg->helper, cfg->lock, cfg->cache_dir, cfg->owner, network_living,
				   network_fits_changed };
	net_open(&net);
	cni_open(&cni, on_cni_changed, NULL);
	network_say(cni_conf_text(&e));
}

static void network_count_native(void *arg, struct sandbox *s)
{
	*(size_t *)arg += network_is_native(s);
}

static bool network_any_native(void)
{
	size_t n = 0;

	sandbox_each(network_count_native, &n);
	sandbox_each_hidden(network_count_native, &n);
	return n;
}

/* The conflists of which plugins' GC is due, none twice. */
struct due {
	char **confs; /* owned, and the texts */
	size_t n;
};

static void network_due(struct due *due, const char *conf)
{
	if (!conf || network_alone(conf))
		return;
	for (size_t i = 0; i < due->n; i++)
		if (strcmp(due->confs[i], conf) == 0)
			return;
	due->confs = own_must(reallocarray(due->confs, due->n + 1, sizeof(*due->confs)));
	due->confs[due->n++] = own_must(strdup(conf));
}

static void network_due_of_handler(void *arg, const struct runtime_handler *handler, bool usable, const char *why_not)
{
	const char *dir = handler->options.cni_conf_dir;
	struct err e;

	(void)usable;
	(void)why_not;
	if (dir && *dir)
		network_due(arg, cni_conf_in(dir, &e));
}

/* Plugins' own GC, once in a life of crispd, as soon as there is a conflist. */
static void network_collect_once(void)
{
	struct err e;
	const char *conf = recovered && !collected ? cni_conf_text(&e) : NULL;
	struct due due = { .n = 0 };

	if (!conf)
		return;
	collected = true;
	network_due(&due, conf);
	runtime_each(network_due_of_handler, &due);
	network_collect(due.confs, due.n);
}

/* A lost record may be any sandbox's, so that nothing is given back while there is one. */
void network_recovered(void)
{
	struct sandbox_ids ids = sandbox_ids_now();
	const char *lost;

	if (sandboxes_lost(&lost))
		log_warn("net_gc skipped=1 why=\"records of sandboxes are lost\"");
	if (choice != NETWORK_CNI || network_any_native())
		net_recovered(sandboxes_lost(&lost) ? NULL : ids.at);
	sandbox_ids_free(&ids);
	recovered = true;
	network_collect_once();
}

bool network_ready(const char **why)
{
	const char *cni_why;
	bool ready = cni_ready(&cni_why);

	*why = cni_why;
	if (!ready || !said.by_plugins)
		return ready;
	if (choice == NETWORK_NATIVE || !*cni_why)
		*why = said.why;
	return choice != NETWORK_NATIVE;
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
	if (!*sandbox->network_kind || strcmp(sandbox->network_kind, KIND_CNI) == 0 ||
	    strcmp(sandbox->network_kind, KIND_NATIVE) == 0)
		return 0;
	return err_set(e, ERR_FAILED_PRECONDITION,
		       "the network of sandbox %.12s is of kind \"%.64s\", which this version of crisp does not know",
		       sandbox->id, sandbox->network_kind);
}

/* Do two hostPorts want the same packets? A hostIP of all addresses is "", "0.0.0.0" or "::". */
static bool ports_clash(const struct port_mapping *x, const struct port_mapping *y)
{
	bool x_all = !*x->host_ip || strcmp(x->host_ip, "0.0.0.0") == 0 || strcmp(x->host_ip, "::") == 0;
	bool y_all = !*y->host_ip || strcmp(y->host_ip, "0.0.0.0") == 0 || strcmp(y->host_ip, "::") == 0;

	return x->host_port > 0 && x->host_port == y->host_port && x->protocol == y->protocol &&
	       (x_all || y_all || strcmp(x->host_ip, y->host_ip) == 0);
}

struct clash {
	const struct sandbox *of;
	const struct sandbox *with;
	int32_t port;
};

static void network_find_clash(void *arg, struct sandbox *s)
{
	struct clash *c = arg;

	/* one that is being made is hidden, and has its ports from its intent on */
	if (s == c->of || c->with || (s->state != SANDBOX_READY && !s->hidden) || s->leaving || !network_is_native(s))
		return;
	for (size_t i = 0; i < s->config.ports.n; i++)
		for (size_t k = 0; k < c->of->config.ports.n; k++)
			if (ports_clash(&s->config.ports.at[i], &c->of->config.ports.at[k])) {
				c->with = s;
				c->port = s->config.ports.at[i].host_port;
			}
}

/* A plugin would silently take the port from the other pod. */
static int network_ports_free(const struct sandbox *sandbox, struct err *e)
{
	struct clash c = { .of = sandbox };

	if (!sandbox->config.ports.n)
		return 0;
	sandbox_each(network_find_clash, &c);
	sandbox_each_hidden(network_find_clash, &c);
	if (!c.with)
		return 0;
	return err_set(e, ERR_FAILED_PRECONDITION, "hostPort %d is in use by pod %.253s/%.253s (sandbox %.12s)",
		       (int)c.port, c.with->config.namespace_, c.with->config.name, c.with->id);
}

/* A handler may have networks of its own. */
static const char *conf_of(const struct sandbox *sandbox, struct err *e)
{
	const struct runtime_handler *handler = runtime_find(sandbox->config.runtime_handler);
	const char *dir = handler ? handler->options.cni_conf_dir : NULL;

	return dir && *dir ? cni_conf_in(dir, e) : cni_conf_now(e);
}

int network_intend(struct sandbox *sandbox, struct err *e)
{
	const char *conf = conf_of(sandbox, e);
	struct err why;
	bool native = conf && network_native(conf, &why);

	if (!conf)
		return -1;
	if (!native && choice == NETWORK_NATIVE)
		return err_set(e, ERR_FAILED_PRECONDITION, "%s", why.msg);
	if (native && network_ports_free(sandbox, e) < 0)
		return -1;
	sandbox_set_str(sandbox, &sandbox->network_kind, native ? KIND_NATIVE : KIND_CNI);
	sandbox_set_str(sandbox, &sandbox->cni_conf, conf);
	return 0;
}

static struct network_op *network_op_new(struct sandbox *sandbox, network_done *done, void *arg)
{
	struct network_op *op = new_zero(struct network_op);

	*op = (struct network_op){ .sandbox = sandbox, .done = done, .arg = arg };
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

static void network_keep_result(struct sandbox *sandbox, const struct strings *ips, const char *text)
{
	sandbox->ips = (struct strings){ arena_zalloc(sandbox->arena, ips->n * sizeof(*ips->at)), ips->n };
	for (size_t i = 0; i < ips->n; i++)
		sandbox->ips.at[i] = arena_strdup(sandbox->arena, ips->at[i]);
	sandbox_set_str(sandbox, &sandbox->cni_result, text);
}

static void network_end(struct network_op *end, const struct err *e, bool left, const struct strings *ips,
			const char *text)
{
	struct network_op op = *end;

	free(end);
	if (!e && op.sandbox)
		network_keep_result(op.sandbox, ips, text);
	op.done(op.arg, e, left);
}

static void on_cni_done(void *arg, const struct err *e, const struct cni_result *r)
{
	network_end(arg, e, e && r->left, &r->ips, r->text);
}

static void on_native_done(void *arg, const struct err *e, bool left, const struct net_result *r)
{
	network_end(arg, e, left, &r->ips, r->text);
}

/* What the helper is told of a sandbox. Its strings are in the arena. The capability arguments are those that a plugin
 * of the whitelist uses. */
static struct net_pod native_pod(const struct sandbox *sandbox, const char *netns_path, struct arena *a)
{
	struct cni_sandbox pod = cni_recorded(sandbox, netns_path);
	struct net_pod to = { sandbox->id, netns_path, sandbox->cni_conf, "", "", sandbox->cni_result };
	struct err e;

	if (cni_told(&pod, a, &to.args, &to.caps, &e) < 0) /* network_check() has refused such a sandbox */
		log_warn("network_args sandbox=%.12s error=%s", sandbox->id, log_quote(e.msg));
	return to;
}

static struct net_op *native_start(const struct sandbox *sandbox, const char *netns_path, struct network_op *op,
				   struct net_op *(*start)(const struct net_pod *, net_done *, void *))
{
	struct arena *a = arena_new();
	struct net_pod pod = native_pod(sandbox, netns_path, a);
	struct net_op *native = start(&pod, on_native_done, op);

	arena_free(a);
	return native;
}

/* Tells the helper of a sandbox whose packets its rules serve. */
static void network_tell_living(void *arg, struct sandbox *s)
{
	struct arena *a;
	struct net_pod pod;

	(void)arg;
	if (s->state != SANDBOX_READY || !network_is_native(s))
		return;
	a = arena_new();
	pod = native_pod(s, s->netns_path, a);
	net_living(&pod, &s->ips);
	arena_free(a);
}

static void network_living(void)
{
	sandbox_each(network_tell_living, NULL);
}

struct network_op *network_add(struct sandbox *sandbox, network_done *done, void *arg)
{
	struct cni_sandbox pod = cni_recorded(sandbox, sandbox->netns_path);
	struct network_op *op = network_op_new(sandbox, done, arg);

	if (network_is_native(sandbox))
		op->native = native_start(sandbox, sandbox->netns_path, op, net_add);
	else
		op->cni = cni_add(&pod, on_cni_done, op);
	return op;
}

void network_cancel(struct network_op *op)
{
	if (op->native)
		net_cancel(op->native);
	else
		cni_cancel(op->cni);
	free(op);
}

bool network_added(const struct sandbox *sandbox)
{
	return *sandbox->cni_result;
}

void network_del(const struct sandbox *sandbox, enum network_part part, network_done *done, void *arg)
{
	const char *netns = part == NETWORK_WHOLE ? sandbox->netns_path : "";
	struct cni_sandbox pod = cni_recorded(sandbox, netns);
	struct network_op *op = network_op_new(NULL, done, arg);
	struct err e;

	assert(network_known(sandbox, &e) == 0);
	if (network_is_native(sandbox))
		op->native = native_start(sandbox, netns, op, net_del);
	else
		op->cni = cni_del(&pod, on_cni_done, op);
}

struct orphan {
	char id[ID_SIZE], netns_path[512];
	network_done *done;
	void *arg;
};

static void orphan_by_plugins(const char *id, const char *netns_path, network_done *done, void *arg)
{
	static const struct sandbox_config nothing = { .name = "", .namespace_ = "", .uid = "", .cgroup_parent = "" };
	struct cni_sandbox pod = cni_pod(&nothing, id);

	pod.netns_path = netns_path;
	cni_del(&pod, on_cni_done, network_op_new(NULL, done, arg));
}

static void on_orphan_native(void *arg, const struct err *e, bool left, const struct net_result *r)
{
	struct orphan o = *(struct orphan *)arg;

	(void)r;
	free(arg);
	if (e && e->code == ERR_NOT_FOUND)
		return orphan_by_plugins(o.id, o.netns_path, o.done, o.arg);
	o.done(o.arg, e, left);
}

/* The cache file of libcni is the mark of a native network. */
void network_del_orphan(const char *id, const char *netns_path, network_done *done, void *arg)
{
	struct orphan *o;

	if (choice == NETWORK_CNI)
		return orphan_by_plugins(id, netns_path, done, arg);
	o = new_zero(struct orphan);
	snprintf(o->id, sizeof(o->id), "%s", id);
	snprintf(o->netns_path, sizeof(o->netns_path), "%s", netns_path);
	o->done = done;
	o->arg = arg;
	net_del(&(struct net_pod){ .id = id, .netns_path = netns_path, .conf = "" }, on_orphan_native, o);
}

/* ---- looking after it ---- */

struct look {
	network_looked *done;
	void *arg;
	struct timer timer; /* where there is nothing to look at */
};

static struct look *look_new(network_looked *done, void *arg)
{
	struct look *l = new_zero(struct look);

	l->done = done;
	l->arg = arg;
	return l;
}

static void look_end(struct look *end, const struct err *e, const struct strings *findings)
{
	struct look l = *end;

	timer_clear(&end->timer);
	free(end);
	l.done(l.arg, e, findings);
}

static void on_native_looked(void *arg, const struct err *e, bool left, const struct net_result *r)
{
	(void)left;
	look_end(arg, e, &r->ips);
}

/* CHECK says one thing that is wrong, if any. */
static void on_cni_looked(void *arg, const struct err *e, const struct cni_result *r)
{
	const char *pair[] = { "left", e ? e->msg : "" };
	bool found = e && e->code == ERR_INTERNAL, none = e && e->code == ERR_UNIMPLEMENTED;

	(void)r;
	look_end(arg, found || none ? NULL : e, &(struct strings){ pair, found ? 2 : 0 });
}

void network_look(const struct sandbox *sandbox, bool repair, network_looked *done, void *arg)
{
	struct look *l = look_new(done, arg);
	struct cni_sandbox pod = cni_recorded(sandbox, sandbox->netns_path);
	struct arena *a;
	struct net_pod native;

	if (!network_is_native(sandbox)) {
		cni_look(&pod, on_cni_looked, l);
		return;
	}
	a = arena_new();
	native = native_pod(sandbox, sandbox->netns_path, a);
	net_check(&native, &sandbox->ips, repair, on_native_looked, l);
	arena_free(a);
}

static void on_look_nothing(struct timer *t)
{
	look_end(container_of(t, struct look, timer), NULL, &(struct strings){ NULL, 0 });
}

void network_look_node(bool repair, network_looked *done, void *arg)
{
	struct look *l = look_new(done, arg);
	struct sandbox_ids ids = sandbox_ids_now();
	const char *lost;

	if (!sandboxes_lost(&lost))
		net_audit(ids.at, repair, on_native_looked, l);
	else
		timer_set(&l->timer, 0, on_look_nothing);
	sandbox_ids_free(&ids);
}
