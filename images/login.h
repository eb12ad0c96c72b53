/* login.h - the node's own credentials for a registry: files of the form of docker's config.json, credential helpers.
 *
 * Of each file, in their order: the entry of credHelpers that has the registry, else credsStore, is run; without an
 * answer of it the entry of auths counts. Keys may be "host", "host/namespace" or docker's URLs, such as
 * "https://index.docker.io/v1/"; the most exact one decides. The files are read for each pull.
 * Specs: docker CLI "config.json"; containers-auth.json(5); docker-credential-helpers, "get". */
#ifndef IMAGES_LOGIN_H
#define IMAGES_LOGIN_H

#include "images/ref.h"
#include "images/registry.h"
#include "reactor/lookup.h"

/* What a file says of an image. */
struct login_entry {
	const char *helper;        /* "ecr-login": run docker-credential-ecr-login first; "" none */
	const char *server;        /* what the helper is asked for */
	struct registry_auth auth; /* all "": no entry */
};

/* INTERNAL: not of this form; the message has no secrets. */
int login_parse(struct login_entry *out, const char *text, size_t len, const char *file, const struct ref *ref,
	struct arena *a, struct err *e);

/* The answer of a helper. INTERNAL: not of this form. */
int login_helper_answer(struct registry_auth *out, const char *text, size_t len, const char *helper, struct arena *a,
	struct err *e);

struct login; /* gone once `done` ran or login_cancel() returned */

/* auth is valid for the call; NULL: the node has none. Errors: INTERNAL, a file is malformed, or a helper failed;
 * DEADLINE_EXCEEDED, a helper or a file system did not answer; UNAVAILABLE, the keeper is away. */
typedef void login_done(void *arg, const struct err *e, const struct registry_auth *auth);

/* Of images_config()->auth_files; a file that is not there is passed over. lookup and ref are borrowed until `done`,
 * which never runs in this call. */
struct login *login_start(struct lookup *lookup, const struct ref *ref, login_done *done, void *arg);
void login_cancel(struct login *login);

#endif
