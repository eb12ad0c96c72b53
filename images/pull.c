/* pull.c - see pull.h. The table of pulls and their waiters; the machine of a pull is in pull/job.c. */
#include "images/pull.h"

#include <string.h>

#include "images/digest.h"
#include "images/pull/job.h"
#include "images/pull/partial.h"
#include "reactor/arena.h"
#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/metric.h"
#include "reactor/own.h"

struct pull {
	struct link link; /* of pull_job.waiters */
	struct pull_job *job;
	pull_done *done;
	void *arg;
};

static struct link jobs; /* of struct pull_job.link */

/* Pulls with equal keys share a job: the same reference and the same credentials, of which the key has the digest. */
static char *pull_key(const char *ref, const struct registry_auth *given, struct arena *a)
{
	const struct registry_auth *auth = registry_auth_copy(given, a);
	char digest[DIGEST_SIZE] = "";
	const char *secret;

	if (auth) {
		secret = arena_printf(a, "%s\n%s\n%s\n%s\n%s\n%s", auth->username, auth->password, auth->auth,
			auth->server_address, auth->identity_token, auth->registry_token);
		digest_of(secret, strlen(secret), digest);
	}
	return arena_printf(a, "%s\n%s", ref, digest);
}

static struct pull_job *job_find(const char *key)
{
	list_each(it, &jobs) {
		struct pull_job *j = container_of(it, struct pull_job, link);

		if (strcmp(j->key, key) == 0)
			return j;
	}
	return NULL;
}

int pull_open(struct err *e)
{
	return fetch_open(e);
}

struct partials {
	partial_fn *fn;
	void *arg;
};

static void pull_each_unused(void *arg, const char *digest, uint64_t bytes)
{
	struct partials *p = arg;

	if (!fetch_is_under_way(digest))
		p->fn(p->arg, digest, bytes);
}

void pull_each_partial(int64_t max_age_s, void (*fn)(void *arg, const char *digest, uint64_t bytes), void *arg)
{
	partial_each_old(max_age_s, pull_each_unused, &(struct partials){ fn, arg });
}

bool pull_drop_partial(const char *digest)
{
	return partial_drop(NULL, digest);
}

struct pull *pull_start(const char *ref, const struct registry_auth *auth, pull_done *done, void *arg)
{
	struct arena *a = arena_new();
	const char *key = pull_key(ref, auth, a);
	struct pull *p = new_zero(struct pull);

	if (!jobs.next)
		list_init(&jobs);
	p->job = job_find(key);
	if (!p->job) {
		p->job = pull_job_start(key, ref, auth);
		p->job->begun_ns = loop_mono_ns();
		list_append(&jobs, &p->job->link);
	}
	p->done = done;
	p->arg = arg;
	list_append(&p->job->waiters, &p->link);
	arena_free(a);
	return p;
}

struct pull *pull_start_local(const struct pull_local *local, pull_done *done, void *arg)
{
	struct pull *p = new_zero(struct pull);

	if (!jobs.next)
		list_init(&jobs);
	p->job = pull_job_start_local(local);
	list_append(&jobs, &p->job->link);
	p->done = done;
	p->arg = arg;
	list_append(&p->job->waiters, &p->link);
	return p;
}

/* An import is no pull. */
static void pull_count(const struct pull_job *j, const char *result)
{
	if (j->local)
		return;
	metric_add(METRIC_pulls_total, result, 1);
	if (strcmp(result, "ok") == 0)
		metric_observe_ns(METRIC_pull_seconds, NULL, loop_mono_ns() - j->begun_ns);
}

void pull_cancel(struct pull *p)
{
	struct pull_job *j = p->job;

	list_drop(&p->link);
	free(p);
	if (!list_empty(&j->waiters) || j->ended)
		return;
	pull_count(j, err_name(ERR_CANCELLED));
	pull_job_free(j);
}

/* The job leaves the list before the first `done` runs, so that a pull of the same reference that a `done` starts gets
 * a new job. A `done` may also cancel other waiters, so each turn of the loop takes the first that is left. */
void pull_job_ended(struct pull_job *j, const struct err *e, const char *id)
{
	j->ended = true;
	pull_count(j, e ? err_name(e->code) : "ok");
	list_drop(&j->link);
	while (!list_empty(&j->waiters)) {
		struct pull *p = container_of(list_first(&j->waiters), struct pull, link);
		pull_done *done = p->done;
		void *arg = p->arg;

		list_drop(&p->link);
		free(p);
		done(arg, e, id);
	}
	pull_job_free(j);
}

bool pull_busy(void)
{
	return jobs.next && !list_empty(&jobs);
}

void pull_each(void (*fn)(void *arg, const struct pull_progress *p), void *arg)
{
	struct pull_progress p;

	if (!jobs.next)
		return;
	list_each(it, &jobs) {
		pull_job_progress(container_of(it, struct pull_job, link), &p);
		fn(arg, &p);
	}
}
