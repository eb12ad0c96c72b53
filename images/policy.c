/* policy.c - see policy.h. Reads the file; the signatures are checked in signature.c. */
#include "images/policy.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "images/config.h"
#include "images/scope.h"
#include "reactor/base64.h"
#include "reactor/json.h"
#include "reactor/own.h"
#include "reactor/words.h"

enum { FILE_MAX = 1 << 20, KEY_MAX = 64 << 10, KEYS_MAX = 8, RULES_MAX = 16 };

struct reading {
	const char *file;
	const char *transport;
	const struct ref *ref; /* of "docker" */
	const char *real;      /* of the other transports */
	struct arena *a;
	struct err *e;
};

int policy_refuse(struct err *e, const char *fmt, ...)
{
	char text[900];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err_set(e, ERR_UNKNOWN, "%s", text);
	e->reason = "SignatureValidationFailed";
	return -1;
}

static int policy_bad(struct reading *r, const char *what, const char *cause)
{
	return err_set(r->e, ERR_INTERNAL, "%s: %.100s: %s", r->file, what, cause);
}

static int only_members(struct reading *r, const json_t *j, const char *const *names)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)j, key, v)
		if (!word_is_one_of(key, names))
			return policy_bad(r, key, "unknown member");
	return 0;
}

/* ---- keys ---- */

static int add_key(struct reading *r, struct strings *list, const char *text)
{
	if (!list->at)
		list->at = arena_zalloc(r->a, KEYS_MAX * sizeof(*list->at));
	if (!text || !*text)
		return policy_bad(r, "sigstoreSigned", "a key must be a text");
	if (list->n == KEYS_MAX)
		return policy_bad(r, "sigstoreSigned", "more than 8 keys");
	list->at[list->n++] = arena_strdup(r->a, text);
	return 0;
}

static int add_key_data(struct reading *r, struct strings *list, const char *base64)
{
	size_t n = base64 ? strlen(base64) : 0;
	char *text = arena_zalloc(r->a, n + 4);

	if (n == 0 || n > KEY_MAX || base64_decode(text, base64, n) <= 0)
		return policy_bad(r, "keyData", "it is no base64 of a key");
	return add_key(r, list, text);
}

/* A string, or with `several` an array of strings. */
static int read_keys(struct reading *r, const json_t *v, bool several, struct strings *list,
	int (*add)(struct reading *, struct strings *, const char *))
{
	json_t *one;
	size_t i;

	if (!several)
		return add(r, list, json_string_value(v));
	if (!json_is_array(v) || json_array_size(v) == 0)
		return policy_bad(r, "sigstoreSigned", "its list of keys must be an array with one at least");
	json_array_foreach(v, i, one)
		if (add(r, list, json_string_value(one)) < 0)
			return -1;
	return 0;
}

/* ---- identities ---- */

static int identity_text(struct reading *r, const json_t *j, const char *key, const char **out)
{
	*out = json_get_str(r->a, j, key);
	return **out ? 0 : policy_bad(r, key, "a text is expected for it in signedIdentity");
}

static int read_identity(struct reading *r, struct policy_rule *rule, const json_t *j)
{
	static const struct { const char *type, *member, *second; } types[] = {
		[MATCH_REPO_DIGEST_OR_EXACT] = { "matchRepoDigestOrExact", NULL, NULL },
		[MATCH_EXACT] = { "matchExact", NULL, NULL },
		[MATCH_REPOSITORY] = { "matchRepository", NULL, NULL },
		[EXACT_REFERENCE] = { "exactReference", "dockerReference", NULL },
		[EXACT_REPOSITORY] = { "exactRepository", "dockerRepository", NULL },
		[REMAP_IDENTITY] = { "remapIdentity", "prefix", "signedPrefix" },
	};
	const char *type = json_get_str(r->a, j, "type");

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		const char *const members[] = { "type", types[i].member, types[i].second, NULL };

		if (strcmp(types[i].type, type) != 0)
			continue;
		rule->identity = (enum policy_identity)i;
		if (only_members(r, j, members) < 0 ||
			(types[i].member && identity_text(r, j, types[i].member, &rule->reference) < 0) ||
			(types[i].second && identity_text(r, j, types[i].second, &rule->signed_prefix) < 0))
			return -1;
		return 0;
	}
	return policy_bad(r, "signedIdentity", "its type is unknown");
}

/* ---- requirements ---- */

/* Exactly one member says where the keys are. Rekor's key is a further demand, which crisp cannot check. */
static int read_sigstore(struct reading *r, struct policy_rule *rule, const json_t *j)
{
	const char *key;
	json_t *v;
	int sources = 0, rc = 0;

	rule->type = POLICY_SIGSTORE;
	json_object_foreach((json_t *)j, key, v) {
		if (strcmp(key, "keyPath") == 0 || strcmp(key, "keyPaths") == 0)
			rc = read_keys(r, v, key[7] == 's', &rule->key_paths, add_key), sources++;
		else if (strcmp(key, "keyData") == 0 || strcmp(key, "keyDatas") == 0)
			rc = read_keys(r, v, key[7] == 's', &rule->keys, add_key_data), sources++;
		else if (strcmp(key, "fulcio") == 0 || strcmp(key, "pki") == 0)
			rule->name = key, sources++;
		else if (strncmp(key, "rekorPublicKey", 14) == 0)
			rule->name = "rekorPublicKey";
		else if (strcmp(key, "signedIdentity") == 0)
			rc = read_identity(r, rule, v);
		else if (strcmp(key, "type") != 0)
			rc = policy_bad(r, key, "unknown member of sigstoreSigned");
		if (rc < 0)
			return -1;
	}
	if (sources != 1)
		return policy_bad(r, "sigstoreSigned",
			"one of keyPath, keyPaths, keyData, keyDatas, fulcio, pki is expected");
	if (rule->name) {
		rule->type = POLICY_UNSUPPORTED;
		rule->name = arena_printf(r->a, "sigstoreSigned with %s", rule->name);
	}
	return 0;
}

static int read_rule(struct reading *r, struct policy_rule *rule, const json_t *j)
{
	static const char *const type_only[] = { "type", NULL };
	const char *type = json_get_str(r->a, j, "type");

	*rule = (struct policy_rule){ .type = POLICY_ACCEPT };
	if (strcmp(type, "insecureAcceptAnything") == 0)
		return only_members(r, j, type_only);
	rule->type = POLICY_REJECT;
	if (strcmp(type, "reject") == 0)
		return only_members(r, j, type_only);
	if (strcmp(type, "sigstoreSigned") == 0)
		return read_sigstore(r, rule, j);
	rule->type = POLICY_UNSUPPORTED;
	rule->name = type;
	if (strcmp(type, "signedBy") == 0 || strcmp(type, "signedBaseLayer") == 0)
		return 0;
	return policy_bad(r, "type", "a requirement of unknown type");
}

static int read_rules(struct reading *r, struct policy *p, const char *scope, const json_t *list)
{
	json_t *one;
	size_t i, n = json_array_size(list);

	if (n == 0 || n > RULES_MAX)
		return policy_bad(r, scope && *scope ? scope : "default",
			"an array of 1 to 16 requirements is expected");
	*p = (struct policy){ scope ? arena_strdup(r->a, scope) : NULL, arena_zalloc(r->a, n * sizeof(*p->rules)), n };
	json_array_foreach(list, i, one)
		if (read_rule(r, &p->rules[i], one) < 0)
			return -1;
	return 0;
}

/* 0: the image is not in the scope; the larger, the more exact. A path is in the scopes of all directories above it;
 * docker-archive has no scope but "". Specs: containers-policy.json(5), "oci:", "docker-archive:". */
static int scope_rank(const struct reading *r, const char *scope)
{
	size_t n = strlen(scope);

	if (!n)
		return 1;
	if (r->ref)
		return scope_match(scope, r->ref) ? scope_match(scope, r->ref) + 1 : 0;
	if (strcmp(r->transport, "docker-archive") == 0 || strncmp(r->real, scope, n) != 0 || !strchr("/", r->real[n]))
		return 0;
	return (int)n + 1;
}

/* Every scope is checked; the best of the image's transport is taken. */
static int read_transport(struct reading *r, struct policy *p, const json_t *scopes, bool ours)
{
	struct policy one, best = { 0 };
	const char *scope;
	json_t *list;
	int most = 0;

	if (!json_is_object(scopes))
		return policy_bad(r, "transports", "an object of scopes is expected in each");
	json_object_foreach((json_t *)scopes, scope, list) {
		int rank = ours ? scope_rank(r, scope) : 0;

		if (read_rules(r, &one, scope, list) < 0)
			return -1;
		if (rank > most) {
			most = rank;
			best = one;
		}
	}
	if (most > 0)
		*p = best;
	return 0;
}

static int parse(struct policy *out, struct reading *r, const char *text, size_t len)
{
	static const char *const members[] = { "default", "transports", NULL };
	auto_json json_t *j = json_parse(text, len, r->file, r->e);
	const json_t *transports = json_object_get(j, "transports");
	const char *name;
	json_t *scopes;

	if (!j)
		return -1;
	if (!json_is_object(j) || (transports && !json_is_object(transports)))
		return policy_bad(r, "transports", "an object is expected");
	if (only_members(r, j, members) < 0 || read_rules(r, out, NULL, json_object_get(j, "default")) < 0)
		return -1;
	json_object_foreach((json_t *)transports, name, scopes)
		if (read_transport(r, out, scopes, strcmp(name, r->transport) == 0) < 0)
			return -1;
	return 0;
}

int policy_parse(struct policy *out, const char *text, size_t len, const char *file, const struct ref *ref,
	struct arena *a, struct err *e)
{
	struct reading r = { .file = file, .transport = "docker", .ref = ref, .a = a, .e = e };

	return parse(out, &r, text, len);
}

int policy_parse_local(struct policy *out, const char *text, size_t len, const char *file, const char *transport,
	const char *real, struct arena *a, struct err *e)
{
	struct reading r = { .file = file, .transport = transport, .real = real, .a = a, .e = e };

	return parse(out, &r, text, len);
}

/* ---- the file ---- */

static const char *scope_text(const struct policy *p, const char *transport, struct arena *a)
{
	if (!p->scope)
		return "its default";
	return *p->scope ? arena_printf(a, "the scope %s", p->scope) : arena_printf(a, "the default of %s", transport);
}

static int load_keys(struct policy_rule *rule, struct lookup *l, struct arena *a, struct err *e)
{
	if (!rule->keys.at)
		rule->keys.at = arena_zalloc(a, KEYS_MAX * sizeof(*rule->keys.at));
	for (size_t i = 0; i < rule->key_paths.n; i++) {
		size_t len;
		auto_free char *text = lookup_read(l, rule->key_paths.at[i], KEY_MAX, &len, ERR_INTERNAL, e);

		if (!text)
			return e->code == ERR_UNAVAILABLE ? -1 :
				policy_refuse(e, "a key of the signature policy: %s", e->msg);
		rule->keys.at[rule->keys.n++] = arena_strdup(a, text);
	}
	return 0;
}

static int policy_admits(const struct policy *p, const char *file, const char *transport, struct arena *a,
	struct err *e)
{
	const char *scope = scope_text(p, transport, a);

	for (size_t i = 0; i < p->n; i++) {
		const struct policy_rule *rule = &p->rules[i];

		if (rule->type == POLICY_REJECT)
			return policy_refuse(e, "%s rejects it (%s)", file, scope);
		if (rule->type == POLICY_UNSUPPORTED)
			return policy_refuse(e, "%s asks for %s (%s), which crisp cannot check", file, rule->name,
				scope);
	}
	return 0;
}

/* The requirements of the file for what `r` is about; those that refuse it whatever its signatures are an error. */
static int policy_take(struct policy *out, struct reading *r, struct lookup *l)
{
	size_t len;
	auto_free char *text = lookup_read(l, r->file, FILE_MAX, &len, ERR_INTERNAL, r->e);

	if (!text && r->e->code == ERR_UNAVAILABLE)
		return -1;
	if (!text || parse(out, r, text, len) < 0)
		return policy_refuse(r->e, "the signature policy cannot be used: %s", r->e->msg);
	return policy_admits(out, r->file, r->transport, r->a, r->e);
}

int policy_load(struct policy *out, struct lookup *l, const struct ref *ref, struct arena *a, struct err *e)
{
	static struct policy_rule accept = { .type = POLICY_ACCEPT };
	const char *file = images_config()->signature_policy;
	struct reading r = { .file = file, .transport = "docker", .ref = ref, .a = a, .e = e };

	*out = (struct policy){ NULL, &accept, 1 };
	if (!file || !*file)
		return 0;
	if (policy_take(out, &r, l) < 0)
		return -1;
	for (size_t i = 0; i < out->n; i++)
		if (load_keys(&out->rules[i], l, a, e) < 0)
			return -1;
	return 0;
}

int policy_load_local(struct lookup *l, const char *transport, const char *real, struct arena *a, struct err *e)
{
	const char *file = images_config()->signature_policy;
	struct reading r = { .file = file, .transport = transport, .real = real, .a = a, .e = e };
	struct policy p;

	if (!file || !*file)
		return 0;
	if (policy_take(&p, &r, l) < 0)
		return -1;
	if (policy_wants_signature(&p))
		return policy_refuse(e, "%s asks for a signature (%s), and an archive has none; to allow imports, give "
			"the transport %s the scope \"\" with insecureAcceptAnything", file,
			scope_text(&p, transport, a), transport);
	return 0;
}

bool policy_wants_signature(const struct policy *p)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->rules[i].type == POLICY_SIGSTORE)
			return true;
	return false;
}
