/* scenario_restart.c - kill -9 of a server that has pods, and the time until it serves again. The server's supervisor
 * starts it again: a keeper, systemd, or a loop in a script.
 *
 * "answers": Version is answered. "serves": all containers are listed as running. Both times begin at the kill. */
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>

#include "api.pb-c.h"
#include "bench/census.h"
#include "bench/cri_call.h"
#include "bench/pods.h"
#include "bench/scenarios.h"
#include "reactor/loop.h"
#include "reactor/own.h"

enum { AGAIN_MS = 2, PATIENCE_S = 60 };

static bool answers(struct endpoint *ep)
{
	static const struct cri_method method = { "/runtime.v1.RuntimeService/Version",
						  &runtime__v1__version_response__descriptor };
	Runtime__V1__VersionRequest r = RUNTIME__V1__VERSION_REQUEST__INIT;
	struct arena *a = arena_new();
	struct err e;
	bool yes = cri_ask(ep->client, &method, &r, a, NULL, &e) != NULL;

	arena_free(a);
	return yes;
}

static bool serves(struct endpoint *ep, size_t containers)
{
	static const struct cri_method method = { "/runtime.v1.RuntimeService/ListContainers",
						  &runtime__v1__list_containers_response__descriptor };
	Runtime__V1__ContainerStateValue running = RUNTIME__V1__CONTAINER_STATE_VALUE__INIT;
	Runtime__V1__ContainerFilter filter = RUNTIME__V1__CONTAINER_FILTER__INIT;
	Runtime__V1__ListContainersRequest r = RUNTIME__V1__LIST_CONTAINERS_REQUEST__INIT;
	const Runtime__V1__ListContainersResponse *list;
	struct arena *a = arena_new();
	struct err e;
	bool yes;

	running.state = RUNTIME__V1__CONTAINER_STATE__CONTAINER_RUNNING;
	filter.state = &running;
	r.filter = &filter;
	list = cri_ask(ep->client, &method, &r, a, NULL, &e);
	yes = list && list->n_containers >= containers;
	arena_free(a);
	return yes;
}

static int kill_server(struct endpoint *ep, struct err *e)
{
	auto_fd int pidfd = -1;
	pid_t server;

	if (census_server(ep->address, &server, e) < 0)
		return -1;
	pidfd = (int)syscall(SYS_pidfd_open, server, 0);
	if (pidfd < 0 || syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) < 0)
		return err_os(e, ERR_INTERNAL, "kill %d", (int)server);
	return 0;
}

static void one_restart(struct bench *b, struct pods *pods, const char *mode, long round)
{
	int64_t begin_ns = loop_mono_ns(), answered_ns = 0;
	struct err e;

	if (kill_server(pods->ep, &e) < 0)
		return bench_fail(b, pods->ep, mode, &e);
	while (!bench_stopping()) {
		if (!answered_ns && answers(pods->ep))
			answered_ns = loop_mono_ns();
		if (answered_ns && serves(pods->ep, pods->n))
			break;
		if (loop_mono_ns() - begin_ns > PATIENCE_S * 1000000000LL) {
			err_set(&e, ERR_DEADLINE_EXCEEDED, "not back with %zu containers %d s after kill -9", pods->n,
				PATIENCE_S);
			return bench_fail(b, pods->ep, mode, &e);
		}
		bench_sleep(AGAIN_MS);
	}
	if (!bench_stopping()) {
		json_t *line = bench_sample(b, pods->ep, mode, round);

		bench_put_ns(line, "answers", answered_ns - begin_ns);
		bench_put_ns(line, "serves", loop_mono_ns() - begin_ns);
		bench_write(b, line);
	}
}

void scenario_restart(struct bench *b)
{
	const char *mode = arena_printf(b->arena, "%ld pods", b->n);
	struct pods pods;

	for (size_t i = 0; i < b->endpoints && !bench_stopping(); i++) {
		pods_up(&pods, b, &b->endpoint[i], mode, (size_t)b->n, (size_t)b->width);
		for (long round = 1; round <= b->rounds && !bench_stopping(); round++) {
			bench_progress(b, (size_t)round, (size_t)b->rounds, b->endpoint[i].name);
			one_restart(b, &pods, mode, round);
			bench_sleep(1000);
		}
		pods_down(&pods, (size_t)b->width);
		pods_free(&pods);
	}
}
