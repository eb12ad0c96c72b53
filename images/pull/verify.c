/* verify.c - see verify.h.
 *
 *   LIST --manifest--> PAYLOAD (of one signature after the other) --all rules are met--> DONE
 *    |                  |
 *    +------------------+--> FAILED
 *
 * Waits on: the registry (LIST, PAYLOAD), the next turn (a body that is too long; PAYLOAD, between the rules). */
#include "images/pull/verify.h"

#include <string.h>

#include "images/digest.h"
#include "images/document.h"
#include "reactor/buf.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum { LIST_MAX = 1 << 20, PAYLOAD_MAX = 64 << 10, SIGNATURES_MAX = 16 };

enum verify_state { LIST, PAYLOAD, DONE, FAILED };

static const struct sm_state verify_states[] = {
	[LIST]    = { "LIST",    TO(PAYLOAD) | TO(FAILED) },
	[PAYLOAD] = { "PAYLOAD", TO(DONE) | TO(FAILED) },
	[DONE]    = { "DONE",    0 },
	[FAILED]  = { "FAILED",  0 },
};

struct signature {
	const char *payload; /* its digest */
	const char *base64;
};

struct verify {
	struct sm sm;
	struct registry *registry; /* held */
	const struct policy *policy;
	const struct ref *ref;
	const char *digest;
	struct registry_get *get;
	struct buf body;
	struct timer timer;
	struct timer rule_timer;
	size_t rule;        /* the next one that the payload is checked against */
	struct signature signatures[SIGNATURES_MAX];
	size_t n, at;
	bool more;          /* there are more than SIGNATURES_MAX, which are not looked at */
	uint32_t met;       /* bit n: rule n is met */
	struct err refused; /* by the last signature */
	verify_done *done;
	void *arg;
	struct arena *arena;
};

static void verify_free(struct verify *v)
{
	timer_clear(&v->timer);
	timer_clear(&v->rule_timer);
	if (v->get)
		registry_cancel(v->get);
	buf_free(&v->body);
	registry_release(v->registry);
	arena_free(v->arena);
}

static void verify_finish(struct verify *v, const struct err *e)
{
	verify_done *done = v->done;
	struct err copy;
	void *arg = v->arg;

	if (e)
		copy = *e;
	sm_move(&v->sm, e ? FAILED : DONE);
	verify_free(v);
	done(arg, e ? &copy : NULL);
}

static void on_too_long(struct timer *t)
{
	struct verify *v = container_of(t, struct verify, timer);
	struct err e;

	policy_refuse(&e, "the %s of its signatures is too long", v->sm.now == LIST ? "manifest" : "payload of one");
	verify_finish(v, &e);
}

static void on_verify_head(void *arg, const struct registry_answer *answer)
{
	struct verify *v = arg;

	(void)answer;
	buf_free(&v->body);
}

static bool on_verify_data(void *arg, const void *p, size_t n)
{
	struct verify *v = arg;
	size_t max = v->sm.now == LIST ? LIST_MAX : PAYLOAD_MAX;

	if (timer_is_set(&v->timer))
		return true;
	if (v->body.len + n > max)
		timer_set(&v->timer, 0, on_too_long);
	else
		buf_append(&v->body, p, n);
	return true;
}

static void on_verify_got(void *arg, const struct err *e);

static void verify_get(struct verify *v, const char *kind, const char *name)
{
	struct registry_request q = { .method = "GET", .kind = kind, .name = name };
	struct registry_events ev = { on_verify_head, on_verify_data, on_verify_got, v };

	buf_free(&v->body);
	v->get = registry_start(v->registry, &q, &ev);
}

/* The layers that are signatures; others are no matter of ours. */
static int read_list(struct verify *v, struct err *e)
{
	auto_json json_t *j = document_parse(buf_str(&v->body), v->body.len, "the manifest of its signatures", e);
	const json_t *layers = json_object_get(j, "layers");
	json_t *layer;
	size_t i;

	if (!j)
		return policy_refuse(e, "%s", e->msg);
	json_array_foreach(layers, i, layer) {
		const json_t *notes = json_object_get(layer, "annotations");
		const char *type = json_get_str(v->arena, layer, "mediaType");
		struct signature s = { json_get_str(v->arena, layer, "digest"),
			json_get_str(v->arena, notes, "dev.cosignproject.cosign/signature") };

		if (strcmp(type, "application/vnd.dev.cosign.simplesigning.v1+json") != 0 || !digest_valid(s.payload) ||
			!*s.base64)
			continue;
		v->more = v->n == SIGNATURES_MAX;
		if (!v->more)
			v->signatures[v->n++] = s;
	}
	return v->n ? 0 :
		policy_refuse(e, "the policy asks for a signature, and the manifest of its signatures has none");
}

/* Is every rule met? Each may be by another signature. */
static bool all_met(const struct verify *v)
{
	for (size_t i = 0; i < v->policy->n; i++)
		if (v->policy->rules[i].type == POLICY_SIGSTORE && !(v->met & 1u << i))
			return false;
	return true;
}

static void verify_next(struct verify *v)
{
	struct err refused;

	if (all_met(v)) {
		log_info("signature_verified image=%.19s scope=%s", v->digest,
			log_quote(v->policy->scope ? v->policy->scope : "default"));
		return verify_finish(v, NULL);
	}
	if (++v->at == v->n) {
		refused = v->refused;
		if (v->more)
			policy_refuse(&refused, "%.600s (the first %d signatures of it were looked at, it has more)",
				v->refused.msg, SIGNATURES_MAX);
		return verify_finish(v, &refused);
	}
	verify_get(v, "blobs", v->signatures[v->at].payload);
}

/* One rule a turn: each key costs some CPU. (ARCHITECTURE I50) */
static void on_rule(struct timer *t)
{
	struct verify *v = container_of(t, struct verify, rule_timer);
	const struct signature *s = &v->signatures[v->at];
	const struct policy_rule *rule = &v->policy->rules[v->rule];

	if (rule->type == POLICY_SIGSTORE && !(v->met & 1u << v->rule) &&
		policy_check_signature(rule, v->ref, v->digest, buf_str(&v->body), v->body.len, s->base64,
			&v->refused) == 0)
		v->met |= 1u << v->rule;
	if (++v->rule == v->policy->n)
		return verify_next(v);
	timer_set(&v->rule_timer, 0, on_rule);
}

static void verify_payload(struct verify *v)
{
	const char *wanted = v->signatures[v->at].payload;
	char digest[DIGEST_SIZE];

	digest_of(v->body.at, v->body.len, digest);
	if (strcmp(digest, wanted) != 0) {
		policy_refuse(&v->refused, "the payload of a signature has the digest %.19s instead of %.19s", digest,
			wanted);
		return verify_next(v);
	}
	v->rule = 0;
	timer_set(&v->rule_timer, 0, on_rule);
}

static void on_verify_got(void *arg, const struct err *e)
{
	struct verify *v = arg;
	struct err copy;

	v->get = NULL;
	if (timer_is_set(&v->timer))
		return;
	if (e && e->code == ERR_NOT_FOUND) {
		policy_refuse(&copy, "the policy asks for a signature, and the registry has none of %.19s (%.300s)",
			v->digest, e->msg);
		return verify_finish(v, &copy);
	}
	if (e)
		return verify_finish(v, e);
	if (v->sm.now == PAYLOAD)
		return verify_payload(v);
	if (read_list(v, &copy) < 0)
		return verify_finish(v, &copy);
	sm_move(&v->sm, PAYLOAD);
	verify_get(v, "blobs", v->signatures[0].payload);
}

struct verify *verify_start(struct registry *registry, const struct policy *policy, const struct ref *ref,
	const char *digest, verify_done *done, void *arg)
{
	struct arena *a = arena_new();
	struct verify *v = arena_zalloc(a, sizeof(*v));

	*v = (struct verify){ .registry = registry_hold(registry), .policy = policy, .ref = ref, .arena = a,
		.digest = arena_strdup(a, digest), .done = done, .arg = arg };
	v->sm = (struct sm){ verify_states, "verify", digest_hex(v->digest), LIST };
	verify_get(v, "manifests", arena_printf(a, "sha256-%s.sig", digest_hex(digest)));
	return v;
}

void verify_cancel(struct verify *v)
{
	verify_free(v);
}
