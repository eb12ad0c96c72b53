/* login.c - see login.h.
 *
 *   FILES --a helper--> HELPER --credentials--> DONE
 *    ^  |                 |
 *    |  +--entry, no file left--> DONE
 *    +---"not found", no entry---+              errors: FAILED
 *
 * Waits on: the next turn and lookup.h (FILES), a child (HELPER). A helper is another program with secrets: it runs as
 * a child of the keeper with 10 s and a bounded answer, and a name of few characters cannot lead out of PATH. */
#include "images/login.h"

#include <string.h>
#include <strings.h>
#include <sys/wait.h>

#include "images/config.h"
#include "images/scope.h"
#include "reactor/child.h"
#include "reactor/json.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum { FILE_MAX = 1 << 20, ANSWER_MAX = 256 << 10, STDERR_MAX = 1024, HELPER_MS = 10 * 1000 };

/* ---- the file ---- */

/* "https://index.docker.io/v1/" is docker.io; a scheme, "/v1" and "/v2" and slashes at the end say nothing. */
static const char *key_scope(const char *key, struct arena *a)
{
	static const char *const hub[] = { "index.docker.io", "registry-1.docker.io" };
	const char *sep = strstr(key, "://");
	char *scope = arena_strdup(a, sep ? sep + 3 : key);
	size_t n = strlen(scope);

	while (n > 0 && scope[n - 1] == '/')
		scope[--n] = '\0';
	if (n > 3 && (strcmp(scope + n - 3, "/v1") == 0 || strcmp(scope + n - 3, "/v2") == 0))
		scope[n -= 3] = '\0';
	for (size_t i = 0; i < sizeof(hub) / sizeof(*hub); i++)
		if (strncasecmp(scope, hub[i], strlen(hub[i])) == 0 && strchr("/", scope[strlen(hub[i])]))
			return arena_printf(a, "docker.io%s", scope + strlen(hub[i]));
	return scope;
}

/* The member whose key is the most exact one for the image. */
static json_t *best_member(const json_t *table, const struct ref *ref, const char **which, struct arena *a)
{
	json_t *best = NULL, *v;
	const char *key;
	int most = 0;

	json_object_foreach((json_t *)table, key, v) {
		int m = scope_match(key_scope(key, a), ref);

		if (m > most) {
			most = m;
			best = v;
			*which = arena_strdup(a, key);
		}
	}
	return best;
}

/* What follows docker-credential- in the name of a program. */
static bool helper_valid(const char *s)
{
	return *s && strlen(s) <= 64 && *s != '.' && *s != '-' &&
	       s[strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")] == '\0';
}

int login_parse(struct login_entry *out, const char *text, size_t len, const char *file, const struct ref *ref,
	struct arena *a, struct err *e)
{
	auto_json json_t *j = json_parse(text, len, file, e);
	const char *which = "";
	const json_t *helper, *entry;
	char *column;

	*out = (struct login_entry){ .helper = "", .server = "", .auth = { "", "", "", "", "", "", false } };
	column = j ? NULL : strstr(e->msg, " column ");
	if (column)
		*column = '\0'; /* the fault of the parser stands behind it, and may quote a secret */
	if (!j)
		return -1;
	if (!json_is_object(j))
		return err_set(e, ERR_INTERNAL, "%s: an object is expected", file);
	entry = best_member(json_object_get(j, "auths"), ref, &which, a);
	if (json_is_object(entry))
		out->auth = (struct registry_auth){ json_get_str(a, entry, "username"),
			json_get_str(a, entry, "password"), json_get_str(a, entry, "auth"), "",
			json_get_str(a, entry, "identitytoken"),
			json_get_str(a, entry, "registrytoken"), true };
	helper = best_member(json_object_get(j, "credHelpers"), ref, &which, a);
	out->server = helper ? which : "";
	if (!helper) {
		helper = json_object_get(j, "credsStore");
		out->server = strcmp(ref->domain, "docker.io") == 0 ? "https://index.docker.io/v1/" :
								       arena_strdup(a, ref->domain);
	}
	if (!helper || (json_is_string(helper) && !*json_string_value(helper)))
		return 0;
	if (!json_is_string(helper) || !helper_valid(json_string_value(helper)))
		return err_set(e, ERR_INTERNAL, "%s: the credential helper of %.100s must have a name of letters, "
			"digits, dots and dashes", file, out->server);
	out->helper = arena_strdup(a, json_string_value(helper));
	return 0;
}

int login_helper_answer(struct registry_auth *out, const char *text, size_t len, const char *helper, struct arena *a,
	struct err *e)
{
	struct err fault;
	auto_json json_t *j = json_parse(text, len, "it", &fault);
	const char *user = json_get_str(a, j, "Username"), *secret = json_get_str(a, j, "Secret");

	*out = (struct registry_auth){ "", "", "", "", "", "", true };
	/* The fault of the parser is not told: it may quote the secret. */
	if (!j || !*secret)
		return err_set(e, ERR_INTERNAL, "docker-credential-%s: its answer has no Username and Secret in JSON",
			helper);
	if (strcmp(user, "<token>") == 0) {
		out->identity_token = secret;
	} else {
		out->username = user;
		out->password = secret;
	}
	return 0;
}

/* ---- the machine ---- */

enum login_state { FILES, HELPER, DONE, FAILED };

static const struct sm_state login_states[] = {
	[FILES]  = { "FILES",  TO(HELPER) | TO(DONE) | TO(FAILED) },
	[HELPER] = { "HELPER", TO(FILES) | TO(DONE) | TO(FAILED) },
	[DONE]   = { "DONE",   0 },
	[FAILED] = { "FAILED", 0 },
};

struct login {
	struct sm sm;
	struct lookup *lookup; /* borrowed */
	const struct ref *ref;
	size_t file;           /* the next one */
	struct login_entry entry;
	struct child *child;
	struct timer timer;
	login_done *done;
	void *arg;
	struct arena *arena;
};

static void login_free(struct login *l)
{
	timer_clear(&l->timer);
	if (l->child)
		child_cancel(l->child);
	arena_free(l->arena);
}

static void login_finish(struct login *l, const struct err *e, const struct registry_auth *auth)
{
	sm_move(&l->sm, e ? FAILED : DONE);
	l->done(l->arg, e, auth);
	login_free(l);
}

static bool has_any(const struct registry_auth *auth)
{
	return *auth->username || *auth->auth || *auth->identity_token || *auth->registry_token;
}

static void login_files(struct login *l);

static void on_login_turn(struct timer *t)
{
	login_files(container_of(t, struct login, timer));
}

/* Helpers say by this text on stdout, with exit status 1, that they have nothing. */
static bool knows_nothing(const struct child_result *r)
{
	return strstr(r->out, "credentials not found") != NULL;
}

static void on_helper_end(void *arg, const struct err *e, struct child_result *r)
{
	struct login *l = arg;
	const char *name = l->entry.helper;
	struct registry_auth auth;
	struct err fault;

	l->child = NULL;
	if (e) {
		fault = *e;
		err_wrap(&fault, "docker-credential-%s", name);
		return login_finish(l, &fault, NULL);
	}
	if (r->status == 0 && !r->out_cut) {
		if (login_helper_answer(&auth, r->out, r->out_len, name, l->arena, &fault) < 0)
			return login_finish(l, &fault, NULL);
		return login_finish(l, NULL, &auth);
	}
	if (r->status != 0 && knows_nothing(r)) {
		if (has_any(&l->entry.auth))
			return login_finish(l, NULL, &l->entry.auth);
		sm_move(&l->sm, FILES);
		return login_files(l);
	}
	if (WIFEXITED(r->status) && WEXITSTATUS(r->status) == 127)
		err_set(&fault, ERR_INTERNAL, "docker-credential-%s is not in the PATH of crisp", name);
	else
		err_set(&fault, ERR_INTERNAL, "docker-credential-%s: %s: %.200s", name,
			r->out_cut ? "its answer is too long" : child_status_text(r->status), r->err);
	login_finish(l, &fault, NULL);
}

static void login_help(struct login *l)
{
	static const char *const env[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", NULL
	};
	const char *program = arena_printf(l->arena, "docker-credential-%s", l->entry.helper);
	const char *const argv[] = { "/usr/bin/env", program, "get", NULL };
	struct child_spec spec = { .argv = argv, .envp = env, .stdin_data = l->entry.server,
		.stdin_len = strlen(l->entry.server), .stdout_max = ANSWER_MAX, .stderr_max = STDERR_MAX,
		.timeout_ms = HELPER_MS, .stage = "credential_helper",
		.about = arena_printf(l->arena, " helper=%s", log_quote(program)) };

	sm_move(&l->sm, HELPER);
	l->child = child_start(&spec, on_helper_end, l);
}

static void on_login_looked(void *arg, const struct err *e)
{
	if (e)
		return login_finish(arg, e, NULL);
	login_files(arg);
}

/* The first file that has something for the registry decides. */
static void login_files(struct login *l)
{
	const struct strings *files = &images_config()->auth_files;
	struct err e;

	for (; l->file < files->n; l->file++) {
		const char *path = files->at[l->file];
		size_t len;
		auto_free char *text = lookup_read(l->lookup, path, FILE_MAX, &len, ERR_INTERNAL, &e);

		if (!text && e.code == ERR_UNAVAILABLE)
			return lookup_start(l->lookup, on_login_looked, l);
		if (!text && lookup_missing(l->lookup, LOOKUP_TEXT, path))
			continue;
		if (!text || login_parse(&l->entry, text, len, path, l->ref, l->arena, &e) < 0)
			return login_finish(l, &e, NULL);
		if (!*l->entry.helper && !has_any(&l->entry.auth))
			continue;
		l->file++;
		return *l->entry.helper ? login_help(l) : login_finish(l, NULL, &l->entry.auth);
	}
	login_finish(l, NULL, NULL);
}

struct login *login_start(struct lookup *lookup, const struct ref *ref, login_done *done, void *arg)
{
	struct arena *a = arena_new();
	struct login *l = arena_zalloc(a, sizeof(*l));

	*l = (struct login){ .lookup = lookup, .ref = ref, .done = done, .arg = arg, .arena = a };
	l->sm = (struct sm){ login_states, "login", ref->domain, FILES };
	timer_set(&l->timer, 0, on_login_turn);
	return l;
}

void login_cancel(struct login *l)
{
	login_free(l);
}
