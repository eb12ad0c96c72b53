/* configure.c - what a pull needs of the node before it asks a registry: the policy, credentials, hosts.toml.
 *
 * Waits on: lookup.h, since the files may be on a file system that hangs, and login.h. The node's own credentials are
 * for requests that bring none. (ARCHITECTURE I47) */
#include <errno.h>
#include <sys/stat.h>

#include "images/config.h"
#include "images/pull/job.h"

static void configure_step(struct pull_job *j);

static void on_configure_looked(void *arg, const struct err *e)
{
	struct pull_job *j = arg;

	if (e)
		return j->configured(j, e);
	configure_step(j);
}

static void on_configure_login(void *arg, const struct err *e, const struct registry_auth *auth)
{
	struct pull_job *j = arg;

	j->login = NULL;
	if (e)
		return j->configured(j, e);
	j->logged_in = true;
	if (auth)
		j->auth = registry_auth_copy(auth, j->arena);
	configure_step(j);
}

static bool has_credentials(const struct registry_auth *a)
{
	return a && (*a->username || *a->auth || *a->identity_token || *a->registry_token);
}

/* UNAVAILABLE of a file: its file system must be asked first. */
static void configure_wait(struct pull_job *j, const struct err *e)
{
	if (e->code != ERR_UNAVAILABLE)
		return j->configured(j, e);
	lookup_start(j->lookup, on_configure_looked, j);
}

/* An archive needs the policy's consent, as with podman; registry.allow is about registries. (ARCHITECTURE I78) */
static void configure_local(struct pull_job *j)
{
	const char *transport = "docker-archive", *real = "", *policy = images_config()->signature_policy;
	const struct looked *f;
	struct err e;

	if (policy && *policy && !j->local->docker) {
		f = lookup_get(j->lookup, LOOKUP_NODE, j->local->source, &e);
		if (!f)
			return configure_wait(j, &e);
		errno = f->error;
		if (errno) {
			err_os(&e, ERR_FAILED_PRECONDITION, "open %.300s", j->local->source);
			return j->configured(j, &e);
		}
		transport = S_ISDIR(f->mode) ? "oci" : "oci-archive";
		real = arena_strdup(j->arena, f->real);
	}
	if (policy_load_local(j->lookup, transport, real, j->arena, &e) < 0)
		return configure_wait(j, &e);
	j->verified = true;
	j->configured(j, NULL);
}

static void configure_step(struct pull_job *j)
{
	struct err e;

	if (j->local)
		return configure_local(j);
	if (!j->logged_in && policy_load(&j->policy, j->lookup, &j->ref, j->arena, &e) < 0)
		return configure_wait(j, &e);
	if (!j->logged_in && !has_credentials(j->auth) && images_config()->auth_files.n) {
		j->login = login_start(j->lookup, &j->ref, on_configure_login, j);
		return;
	}
	j->logged_in = true;
	j->verified = !policy_wants_signature(&j->policy);
	if (registry_new(&j->registry, &j->ref, j->auth, j->lookup, &e) < 0)
		return configure_wait(j, &e);
	j->configured(j, NULL);
}

void pull_configure(struct pull_job *j, void (*done)(struct pull_job *j, const struct err *e))
{
	j->configured = done;
	configure_step(j);
}
