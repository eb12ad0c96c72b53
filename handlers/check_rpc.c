/* check_rpc.c - `crisp check`: the service crisp.v1.Node of handlers/cri/crisp.proto.
 *
 *   SANDBOXES ---one after the other, until all were looked at---> NODE ---answer---> replied
 *
 * Waits on: network_look() of one sandbox at a time, network_look_node(). A sandbox that goes meanwhile is not spoken
 * of. One check runs at a time; a second one is refused. */
#include <string.h>

#include "crisp.pb-c.h"
#include "handlers/services.h"
#include "procs/limits.h"
#include "procs/network.h"
#include "procs/runtime.h"
#include "procs/sandbox.h"
#include "reactor/log.h"
#include "reactor/own.h"

struct node_check {
	struct rpc *rpc;
	bool repair;
	const char **ids; /* in the arena of the rpc, as all that follows */
	size_t n, at, looked;
	Crisp__V1__Finding **found;
	size_t nfound;
};

static struct node_check *running; /* NULL: none */

static void check_add(struct node_check *c, int kind, const char *text)
{
	struct arena *a = rpc_arena(c->rpc);
	Crisp__V1__Finding *f = arena_zalloc(a, sizeof(*f));

	if ((c->nfound & (c->nfound - 1)) == 0) { /* 0, 1, 2, 4, ...: it is full */
		Crisp__V1__Finding **more = arena_zalloc(a, (c->nfound ? 2 * c->nfound : 1) * sizeof(*more));

		if (c->nfound)
			memcpy(more, c->found, c->nfound * sizeof(*more));
		c->found = more;
	}
	crisp__v1__finding__init(f);
	f->kind = (Crisp__V1__Finding__Kind)kind;
	f->text = arena_strdup(a, text);
	c->found[c->nfound++] = f;
}

static void on_check_limit(void *arg, const char *name, uint64_t value, unsigned pods, const char *text)
{
	(void)name;
	(void)value;
	(void)pods;
	check_add(arg, CRISP__V1__FINDING__KIND__LIMIT, text);
}

static void check_add_all(struct node_check *c, const struct strings *findings)
{
	for (size_t i = 0; i + 1 < findings->n; i += 2) {
		bool mended = strcmp(findings->at[i], "mended") == 0;

		check_add(c, mended ? CRISP__V1__FINDING__KIND__MENDED : CRISP__V1__FINDING__KIND__LEFT,
			  findings->at[i + 1]);
		log_info("check found=%s mended=%d", log_quote(findings->at[i + 1]), mended);
	}
}

static void on_check_handler(void *arg, const struct runtime_handler *handler, bool usable, const char *why_not)
{
	(void)handler; /* the words name it */
	if (!usable)
		check_add(arg, CRISP__V1__FINDING__KIND__LEFT, why_not);
}

static void check_reply(struct node_check *c)
{
	Crisp__V1__CheckResponse out = CRISP__V1__CHECK_RESPONSE__INIT;

	running = NULL;
	runtime_each(on_check_handler, c);
	limits_each(on_check_limit, c);
	out.findings = c->found;
	out.n_findings = c->nfound;
	out.sandboxes = (uint32_t)c->looked;
	rpc_reply(c->rpc, &out);
}

static void on_check_node(void *arg, const struct err *e, const struct strings *findings)
{
	struct node_check *c = arg;

	if (e)
		check_add(c, CRISP__V1__FINDING__KIND__LEFT,
			  arena_printf(rpc_arena(c->rpc), "the node could not be looked at: %s", e->msg));
	else
		check_add_all(c, findings);
	check_reply(c);
}

static struct sandbox *check_sandbox(const char *id)
{
	struct sandbox *s = sandbox_by_id(id);

	return s && s->state == SANDBOX_READY && !s->hidden && !s->leaving && *s->netns_path ? s : NULL;
}

static void check_next(struct node_check *c);

static void on_check_sandbox(void *arg, const struct err *e, const struct strings *findings)
{
	struct node_check *c = arg;
	const char *id = c->ids[c->at++];

	if (check_sandbox(id)) {
		c->looked++;
		if (e)
			check_add(c, CRISP__V1__FINDING__KIND__LEFT,
				  arena_printf(rpc_arena(c->rpc), "sandbox %.12s could not be looked at: %s", id,
					       e->msg));
		else
			check_add_all(c, findings);
	}
	check_next(c);
}

static void check_next(struct node_check *c)
{
	struct sandbox *s = NULL;

	while (c->at < c->n && !(s = check_sandbox(c->ids[c->at])))
		c->at++;
	if (s)
		network_look(s, c->repair, on_check_sandbox, c);
	else
		network_look_node(c->repair, on_check_node, c);
}

static void check_count(void *arg, struct sandbox *s)
{
	struct node_check *c = arg;

	(void)s;
	c->n++;
}

static void check_note(void *arg, struct sandbox *s)
{
	struct node_check *c = arg;

	c->ids[c->n++] = arena_strdup(rpc_arena(c->rpc), s->id);
}

void rpc_check(struct rpc *r, const void *request)
{
	const Crisp__V1__CheckRequest *in = request;
	struct node_check *c;
	struct err e;

	if (running) {
		err_set(&e, ERR_UNAVAILABLE, "another check is under way");
		return rpc_fail(r, &e);
	}
	running = c = arena_zalloc(rpc_arena(r), sizeof(*c));
	c->rpc = r;
	c->repair = in->repair;
	sandbox_each(check_count, c);
	c->ids = arena_zalloc(rpc_arena(r), (c->n + 1) * sizeof(*c->ids));
	c->n = 0;
	sandbox_each(check_note, c);
	check_next(c);
}
