/* scenario_exec.c - a storm of ExecSync, as probes make it: one at a time, then --width at once. */
#include <string.h>

#include "api.pb-c.h"
#include "bench/cri_call.h"
#include "bench/pods.h"
#include "bench/scenarios.h"
#include "reactor/loop.h"

enum { WORDS_MAX = 32, EXEC_TIMEOUT_S = 30 };

struct storm {
	struct bench *bench;
	struct pods *pods;
	const char *mode;
	char *word[WORDS_MAX];
	size_t words;
	size_t begun, all, open;
	long round;
	bool counts; /* samples are written */
};

struct shot {
	struct storm *storm;
	struct arena *arena;
};

static void shoot(struct storm *s);

static void on_exec(void *arg, const struct err *e, const void *response, int64_t took_ns)
{
	struct shot *shot = arg;
	struct storm *s = shot->storm;
	const Runtime__V1__ExecSyncResponse *r = response;
	struct err bad;

	if (!e && r->exit_code) {
		err_set(&bad, ERR_INTERNAL, "%s: exit code %d", s->bench->command, r->exit_code);
		e = &bad;
	}
	if (e) {
		bench_fail(s->bench, s->pods->ep, s->mode, e);
	} else if (s->counts) {
		json_t *line = bench_sample(s->bench, s->pods->ep, s->mode, s->round);

		bench_put_ns(line, "exec", took_ns);
		bench_write(s->bench, line);
	}
	arena_free(shot->arena);
	s->open--;
	shoot(s);
}

static void shoot(struct storm *s)
{
	static const struct cri_method method = { "/runtime.v1.RuntimeService/ExecSync",
						  &runtime__v1__exec_sync_response__descriptor };
	Runtime__V1__ExecSyncRequest r = RUNTIME__V1__EXEC_SYNC_REQUEST__INIT;
	struct arena *a;
	struct shot *shot;

	if (s->begun == s->all || bench_stopping()) {
		if (!s->open)
			bench_wake();
		return;
	}
	a = arena_new();
	shot = arena_zalloc(a, sizeof(*shot));
	*shot = (struct shot){ s, a };
	r.container_id = (char *)pod_container(s->pods->pod[s->begun++ % s->pods->n]);
	r.cmd = s->word;
	r.n_cmd = s->words;
	r.timeout = EXEC_TIMEOUT_S;
	s->open++;
	cri_call(s->pods->ep->client, &method, &r, a, on_exec, shot);
}

static void fire(struct storm *s, const char *mode, long round, size_t all, size_t width)
{
	s->mode = mode;
	s->round = round;
	s->counts = round > 0;
	s->begun = s->open = 0;
	s->all = all;
	for (size_t i = 0; i < width && i < all && !bench_stopping(); i++)
		shoot(s);
	if (s->open)
		bench_wait();
}

static void split(struct storm *s, char *text)
{
	char *save = NULL;

	for (char *w = strtok_r(text, " ", &save); w && s->words < WORDS_MAX; w = strtok_r(NULL, " ", &save))
		s->word[s->words++] = w;
}

/* The pods of all endpoints are up at the same time, so that rounds can be taken in turns. */
void scenario_exec(struct bench *b)
{
	struct pods pods[ENDPOINTS_MAX] = { 0 };
	struct storm storm[ENDPOINTS_MAX] = { 0 };
	const char *wide = arena_printf(b->arena, "x%ld", b->width);
	char *words = arena_strdup(b->arena, b->command);

	split(&storm[0], words);
	for (size_t i = 0; i < b->endpoints && !bench_stopping(); i++) {
		pods_up(&pods[i], b, &b->endpoint[i], "pods", (size_t)b->n, (size_t)b->n);
		storm[i] = storm[0];
		storm[i].bench = b;
		storm[i].pods = &pods[i];
		if (!bench_stopping())
			fire(&storm[i], "warm", 0, 3, 1);
	}
	for (long round = 1; round <= b->rounds; round++) {
		for (size_t k = 0; k < b->endpoints && !bench_stopping(); k++) {
			size_t i = (k + (size_t)round) % b->endpoints;

			bench_progress(b, (size_t)(round - 1) * b->endpoints + k, (size_t)b->rounds * b->endpoints,
				       b->endpoint[i].name);
			fire(&storm[i], "x1", round, (size_t)b->count, 1);
			fire(&storm[i], wide, round, (size_t)b->count, (size_t)b->width);
			bench_rest(b);
		}
	}
	for (size_t i = 0; i < b->endpoints; i++) {
		pods_down(&pods[i], (size_t)b->n);
		pods_free(&pods[i]);
	}
}
