/* auth.h - authentication at a registry.
 *
 * A 401 carries challenges. A Basic challenge is answered with user and password, a Bearer challenge with a token from
 * the token server that the challenge names.
 * Specs: RFC 7235; distribution "Token Authentication Specification" and "OAuth2 Token Authentication". */
#ifndef IMAGES_REGISTRY_AUTH_H
#define IMAGES_REGISTRY_AUTH_H

#include <stdbool.h>

#include "images/registry.h"
#include "images/registry/hosts_toml.h"
#include "reactor/arena.h"
#include "reactor/err.h"

/* The caller's struct registry_auth in the form that is used. All "": anonymous. */
struct credentials {
	const char *user, *password;
	const char *refresh_token; /* an OAuth2 refresh token, for the token server */
	const char *bearer;        /* sent to the registry unchanged, never to a mirror */
};

/* auth may be NULL. Credentials for another server than `domain` give anonymous ones. INVALID_ARGUMENT: auth->auth is
 * not base64 of user:password. */
int credentials_from(
	struct credentials *c, const struct registry_auth *auth, const char *domain, struct arena *a, struct err *e);

char *basic_authorization(const struct credentials *c, struct arena *a); /* "Basic ..." */

struct challenge {
	bool basic, bearer; /* which schemes the server offers */
	const char *realm, *service, *scope, *error; /* of Bearer; "" where absent */
};

/* header: the values of all WWW-Authenticate headers, joined by commas. Malformed parts are left out. */
void challenge_parse(struct challenge *c, const char *header, struct arena *a);

struct token_get; /* one waiter for a token; gone once `done` ran or token_cancel() returned */

/* token is valid for the call. Errors:
 *   UNAUTHENTICATED  the token server refuses the credentials
 *   UNAVAILABLE      no answer, 429 or 5xx
 *   NOT_FOUND        the name of the token server does not resolve
 *   FAILED_PRECONDITION  the certificate of the token server does not verify
 *   INTERNAL         an answer without a token, or a realm or redirect to which no credentials may be sent */
typedef void token_done(void *arg, const struct err *e, const char *token);

struct token_spec {
	const struct challenge *challenge; /* scope "": the request has none */
	const struct credentials *credentials;
	const struct hosts *hosts;         /* for the TLS settings; borrowed until `done` ran, as host */
	const struct host *host;           /* of them the one whose challenge this is */
	bool fresh;                        /* the registry has refused the cached token: ask the token server */
};

/* From the cache or from the token server; `done` never runs inside this call. All of spec is copied. */
struct token_get *token_start(const struct token_spec *spec, token_done *done, void *arg);
void token_cancel(struct token_get *get);

#endif
