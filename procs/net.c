/* net.c - see net.h.
 *
 * An operation:  SENT --answer--> done     SENT --helper ends--> SENT (a DEL, by the next helper) or done with an error
 * A helper:      spare --the working one ended--> working --ended, or no answer for ANSWER_S--> gone
 *
 * Waits on: the working helper's messages and end, a timer for each operation. A cancelled operation is forgotten here;
 * the helper ends what is left of it when the DEL of the same sandbox comes. */
#include "procs/net.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "procs/net/proto.h"
#include "procs/net_plan.h"
#include "reactor/buf.h"
#include "reactor/child.h"
#include "reactor/fault.h"
#include "reactor/imsg.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/metric.h"
#include "reactor/own.h"
#include "reactor/work.h"

/* Longer than all deadlines of the helper together (procs/net/job.c), so that it answers for itself. */
enum { ANSWER_S = 120, DEL_TRIES = 2, SPARE_MS = 1000 };

struct helper {
	struct child *child; /* NULL: it has ended */
	struct imsg_chan *chan;
};

struct net_op {
	struct link link; /* of `ops` */
	uint64_t tag;
	enum net_message verb;
	struct buf body;
	unsigned tries;
	int64_t since_ns;
	struct work work; /* of one pod's */
	char about[32];
	struct timer timer; /* no answer; or the report of an operation that could not be sent */
	struct err err;
	bool left;
	net_done *done;
	void *arg;
};

static const struct net_config *cfg;
static struct helper *working, *spare;
static struct link ops = { &ops, &ops }; /* of struct net_op.link */
static uint64_t last_tag;
static struct timer spare_timer;
static char unable[512]; /* why this kernel has no masquerading and no hostPorts; "": it has */
static bool rules_due; /* the working helper was lost: rules that living pods need may be missing until the next one */

static void net_op_free(struct net_op *op)
{
	timer_clear(&op->timer);
	work_end(&op->work);
	list_drop(&op->link);
	buf_free(&op->body);
	free(op);
}

static void net_report(struct net_op *op, const struct err *e, bool left, const struct net_result *r)
{
	struct net_op o = *op;

	op->work.fault = e ? e->msg : NULL;
	if (!e && (op->verb == NET_ADD || op->verb == NET_DEL))
		metric_stage(op->verb == NET_ADD ? "net_add" : "net_del", &o.since_ns);
	net_op_free(op);
	o.done(o.arg, e, left, r);
}

static void on_net_report(struct timer *t)
{
	struct net_op *op = container_of(t, struct net_op, timer);
	struct err e = op->err;

	net_report(op, &e, op->left, &(struct net_result){ .text = "" });
}

/* Reported in the next turn: it may be under way to its starter. */
static void net_fail(struct net_op *op, const struct err *e, bool left)
{
	op->err = *e;
	op->left = left;
	timer_set(&op->timer, 0, on_net_report);
}

/* ---- the helpers ---- */

static void net_send(struct net_op *op);
static void on_spare(struct timer *t);

static void helper_free(struct helper *h)
{
	imsg_close(h->chan);
	if (h->child)
		child_cancel(h->child);
	free(h);
}

/* The operations that it had: a DEL is done again, an ADD may be half done. */
static void helper_lost(struct helper *h, const struct err *e)
{
	bool worked = h == working;

	if (worked) {
		working = NULL;
		rules_due = true;
		timer_set(&spare_timer, SPARE_MS, on_spare);
	}
	if (h == spare)
		spare = NULL;
	helper_free(h);
	log_warn("net_helper lost=%s error=%s", worked ? "working" : "spare", log_quote(e->msg));
	list_each(it, &ops) {
		struct net_op *op = container_of(it, struct net_op, link);

		if (!worked || op->err.code != ERR_OK)
			continue;
		if (op->verb == NET_DEL && op->tries < DEL_TRIES && e->code != ERR_UNAVAILABLE) {
			net_send(op);
			continue;
		}
		net_fail(op, e, true);
		if (op->verb == NET_ADD)
			op->err.code = ERR_UNAVAILABLE; /* the client may try again */
	}
}

static void on_helper_end(void *arg, const struct err *failed, struct child_result *r)
{
	struct helper *h = arg;
	struct err e;

	h->child = NULL;
	if (failed)
		e = *failed;
	else
		err_set(&e, ERR_INTERNAL, "%s ended: %s", cfg->program, child_status_text(r->status));
	helper_lost(h, &e);
}

/* It is dying, or useless. The next one waits for its lock. */
static void on_helper_gone(void *arg)
{
	struct err e;

	err_set(&e, ERR_INTERNAL, "%s closed its socket", cfg->program);
	helper_lost(arg, &e);
}

static void net_lost_rules(void)
{
	log_warn("net_rules lost=1 action=\"made again\"");
	cfg->living();
}

static void net_able(struct get *g)
{
	const char *why = get_str(g);

	if (g->bad || !why || strcmp(why, unable) == 0)
		return;
	snprintf(unable, sizeof(unable), "%s", why);
	cfg->fits_changed();
}

static struct net_op *op_by_tag(uint64_t tag)
{
	list_each(it, &ops) {
		struct net_op *op = container_of(it, struct net_op, link);

		if (op->tag == tag && op->err.code == ERR_OK)
			return op;
	}
	return NULL;
}

static void net_answered(struct net_op *op, struct get *g)
{
	struct net_result r = { .text = get_str(g) };
	auto_free const char **ips = get_strv(g);
	struct err e;

	while (ips && ips[r.ips.n])
		r.ips.n++;
	r.ips.at = ips;
	if (!g->bad && r.text && (op->verb != NET_ADD || r.ips.n))
		return net_report(op, NULL, false, &r);
	err_set(&e, ERR_INTERNAL, "%s sent an answer that cannot be read", cfg->program);
	net_report(op, &e, true, &(struct net_result){ .text = "" });
}

static void net_failed(struct net_op *op, struct get *g)
{
	struct err e;
	uint32_t code = get_u32(g);
	const char *text = get_str(g);
	bool left = get_u32(g);

	err_set(&e, g->bad || !code || code > ERR_UNAUTHENTICATED ? ERR_INTERNAL : (enum err_code)code, "%s",
		text ? text : "");
	if (op)
		return net_report(op, &e, left, &(struct net_result){ .text = "" });
	log_warn("net_helper error=%s", log_quote(e.msg));
}

static void on_helper_message(void *arg, struct imsg *m)
{
	struct net_op *op = m->tag ? op_by_tag(m->tag) : NULL;
	const char *name = net_message_name(m->type);
	struct get g = get_from(m);

	if (arg != working)
		return;
	fault_at("work", name, "before");
	if (m->type == NET_LOST)
		net_lost_rules();
	else if (m->type == NET_ABLE)
		net_able(&g);
	else if (m->type == NET_DONE && op)
		net_answered(op, &g);
	else if (m->type == NET_FAILED && (op || !m->tag))
		net_failed(op, &g);
	fault_at("work", name, "after");
}

static int helper_send(struct helper *h, enum net_message type, uint64_t tag, const struct buf *body, struct err *e)
{
	int ret;

	fault_at("send", net_message_name(type), "before");
	ret = imsg_send(h->chan, type, tag, body, NULL, 0, e);
	fault_at("send", net_message_name(type), "after");
	return ret;
}

static struct helper *helper_start(struct err *e)
{
	/* This child has fault points. Without them it has the usual environment. */
	const char *const faults[] = { fault_variable(), NULL };
	const char *const argv[] = { cfg->program, NULL };
	struct helper *h;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
		err_os(e, ERR_INTERNAL, "socket for %s", cfg->program);
		return NULL;
	}
	h = new_zero(struct helper);
	h->chan = imsg_open(ends[0], on_helper_message, on_helper_gone, h);
	h->child = child_start(&(struct child_spec){ .argv = argv, .envp = *faults ? faults : NULL, .finish = true,
		.fds = &(struct child_fd){ ends[1], NET_SOCKET }, .nfds = 1 }, on_helper_end, h);
	close(ends[1]);
	return h;
}

static int helper_greet(struct helper *h, struct err *e)
{
	struct buf body = { 0 };
	int ret;

	put_u32(&body, NET_VERSION);
	put_str(&body, cfg->lock);
	put_str(&body, cfg->cache_dir);
	put_str(&body, cfg->owner);
	ret = helper_send(h, NET_HELLO, 0, &body, e);
	buf_free(&body);
	return ret;
}

/* The working helper, with its first messages sent; NULL: e. */
static struct helper *helper_now(struct err *e)
{
	if (working)
		return working;
	working = spare ? take_ptr(&spare) : helper_start(e);
	if (!working || helper_greet(working, e) < 0)
		return NULL;
	if (!timer_is_set(&spare_timer))
		timer_set(&spare_timer, SPARE_MS, on_spare);
	rules_due = false;
	cfg->living();
	return working;
}

static void on_spare(struct timer *t)
{
	struct err e;

	if (rules_due && !helper_now(&e))
		return timer_set(t, SPARE_MS, on_spare);
	if (!spare)
		spare = helper_start(&e);
}

static void on_net_silence(struct timer *t)
{
	struct net_op *op = container_of(t, struct net_op, timer);
	struct helper *h = working;
	struct err e;

	err_set(&e, ERR_DEADLINE_EXCEEDED, "%s did not answer within %d s", cfg->program, ANSWER_S);
	net_fail(op, &e, true);
	if (h)
		helper_lost(h, &e);
}

static void net_send(struct net_op *op)
{
	struct err e;
	struct helper *h = helper_now(&e);

	op->tries++;
	timer_set(&op->timer, ANSWER_S * 1000, on_net_silence);
	if (!h)
		net_fail(op, &e, true);
	else if (helper_send(h, op->verb, op->tag, &op->body, &e) < 0)
		net_fail(op, &e, op->verb == NET_DEL);
}

/* ---- operations ---- */

static void put_pod(struct buf *body, const struct net_pod *pod)
{
	put_str(body, pod->id);
	put_str(body, pod->netns_path);
	put_str(body, pod->conf);
	put_str(body, pod->args);
	put_str(body, pod->caps);
}

static struct net_op *net_op_new(enum net_message verb, net_done *done, void *arg)
{
	struct net_op *op = new_zero(struct net_op);

	op->verb = verb;
	op->tag = ++last_tag;
	op->since_ns = loop_mono_ns();
	op->done = done;
	op->arg = arg;
	list_append(&ops, &op->link);
	return op;
}

static void on_net_work(struct work *w)
{
	w->pid = working && working->child ? child_pid(working->child) : 0;
}

static void net_send_of(struct net_op *op, const struct net_pod *pod, const char *stage)
{
	snprintf(op->about, sizeof(op->about), " sandbox=%.12s", pod->id);
	op->work = (struct work){ .kind = "net", .stage = stage, .about = op->about, .program = cfg->program,
				  .ask = on_net_work };
	work_begin(&op->work);
	net_send(op);
}

struct net_op *net_add(const struct net_pod *pod, net_done *done, void *arg)
{
	struct net_op *op = net_op_new(NET_ADD, done, arg);

	put_pod(&op->body, pod);
	net_send_of(op, pod, "net_add");
	return op;
}

struct net_op *net_del(const struct net_pod *pod, net_done *done, void *arg)
{
	struct net_op *op = net_op_new(NET_DEL, done, arg);

	put_pod(&op->body, pod);
	put_str(&op->body, pod->result);
	net_send_of(op, pod, "net_del");
	return op;
}

static void put_strings(struct buf *body, const struct strings *s)
{
	auto_free const char **all = own_must(calloc(s->n + 1, sizeof(*all)));

	for (size_t i = 0; i < s->n; i++)
		all[i] = s->at[i];
	put_strv(body, all);
}

struct net_op *net_check(const struct net_pod *pod, const struct strings *ips, bool repair, net_done *done, void *arg)
{
	struct net_op *op = net_op_new(NET_CHECK, done, arg);

	put_pod(&op->body, pod);
	put_strings(&op->body, ips);
	put_str(&op->body, pod->result);
	put_u32(&op->body, repair);
	net_send_of(op, pod, "net_check");
	return op;
}

/* A message has room for some two thousand ids. */
static int send_known(struct helper *h, const char *const *known, struct err *e)
{
	size_t n = 0;
	int ret = 0;

	while (known[n])
		n++;
	for (size_t at = 0; ret == 0 && at < n; at += NET_IDS_MAX) {
		struct strings part = { (const char **)known + at, n - at < NET_IDS_MAX ? n - at : NET_IDS_MAX };
		struct buf body = { 0 };

		put_strings(&body, &part);
		ret = helper_send(h, NET_KNOWN, 0, &body, e);
		buf_free(&body);
	}
	return ret;
}

static struct net_op *net_send_with(struct net_op *op, const char *const *known)
{
	struct helper *h = helper_now(&op->err);

	if (h && send_known(h, known, &op->err) == 0)
		net_send(op);
	else
		timer_set(&op->timer, 0, on_net_report);
	return op;
}

struct net_op *net_audit(const char *const *known, bool repair, net_done *done, void *arg)
{
	struct net_op *op = net_op_new(NET_AUDIT, done, arg);

	put_u32(&op->body, repair);
	return net_send_with(op, known);
}

struct net_op *net_foreign(const char *network, const struct strings *dirs, const char *const *known, net_done *done,
			   void *arg)
{
	struct net_op *op = net_op_new(NET_FOREIGN, done, arg);

	put_str(&op->body, network);
	put_strings(&op->body, dirs);
	return net_send_with(op, known);
}

void net_cancel(struct net_op *op)
{
	op->work.fault = "given up";
	net_op_free(op);
}

int net_fits(const char *conf, struct err *e)
{
	struct arena *a = arena_new();
	struct net_plan plan;
	int ret = net_plan_read(&plan, a, conf, e);

	if (ret == 0 && *unable && (plan.masquerade || plan.host_ports))
		ret = err_set(e, ERR_UNIMPLEMENTED, "%s", unable);
	arena_free(a);
	return ret;
}

void net_living(const struct net_pod *pod, const struct strings *ips)
{
	struct buf body = { 0 };
	struct err e;

	put_pod(&body, pod);
	put_strings(&body, ips);
	if (working && helper_send(working, NET_SYNC, 0, &body, &e) < 0)
		log_warn("net_sync sandbox=%.12s error=%s", pod->id, log_quote(e.msg));
	buf_free(&body);
}

void net_open(const struct net_config *c)
{
	cfg = c;
}

void net_recovered(const char *const *known)
{
	struct buf none = { 0 };
	struct err e;
	struct helper *h = helper_now(&e);

	if (!h || (known && (send_known(h, known, &e) < 0 || helper_send(h, NET_GC, 0, &none, &e) < 0)))
		log_warn("net_gc error=%s", log_quote(e.msg));
}
