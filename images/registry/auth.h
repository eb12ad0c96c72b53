/* auth.h - proving to a registry who we are.
 *
 * A 401 carries challenges; Basic is answered with user and password, Bearer with a token from the server that the
 * challenge names. Specs: RFC 7235; distribution "Token Authentication Specification" and "OAuth2 Token
 * Authentication". */
#ifndef IMAGES_REGISTRY_AUTH_H
#define IMAGES_REGISTRY_AUTH_H

#include <stdbool.h>

#include "images/registry/hosts_toml.h"
#include "images/pull.h"
#include "reactor/arena.h"
#include "reactor/err.h"

/* What the caller gave, in the form that is used. All "": anonymous. */
struct credentials {
	const char *user, *password;
	const char *refresh_token; /* an OAuth2 one, for the token server */
	const char *bearer;        /* sent to the registry as it is */
};

/* auth may be NULL. Nothing for another server than `domain`. INVALID_ARGUMENT: `auth` is not base64 of user:password.
 */
int credentials_from(
	struct credentials *c, const struct registry_auth *auth, const char *domain, struct arena *a, struct err *e);

char *basic_authorization(const struct credentials *c, struct arena *a); /* "Basic ..." */

struct challenge {
	bool basic, bearer; /* which schemes the server offers */
	const char *realm, *service, *scope, *error; /* of Bearer; "" where absent */
};

/* header: the values of all WWW-Authenticate headers, joined by commas. What is malformed is left out. */
void challenge_parse(struct challenge *c, const char *header, struct arena *a);

struct token_get; /* one waiter for a token; gone once `done` ran or token_cancel() returned */

/* token is valid for the call. Errors:
 *   UNAUTHENTICATED  the token server refuses the credentials
 *   UNAVAILABLE      no answer, 429 or 5xx
 *   INTERNAL         an answer without a token, or a realm that we do not send credentials to */
typedef void token_done(void *arg, const struct err *e, const char *token);

struct token_spec {
	const struct challenge *challenge; /* scope "": none is asked for */
	const struct credentials *credentials;
	const struct host *host;           /* the registry's: for ca_file and skip_verify */
	bool fresh;                        /* the cached one was refused */
};

/* From the cache or from the server; `done` never runs inside this call. All of spec is copied. */
struct token_get *token_start(const struct token_spec *spec, token_done *done, void *arg);
void token_cancel(struct token_get *t);

#endif
