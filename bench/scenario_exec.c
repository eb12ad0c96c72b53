/* scenario_exec.c - many ExecSync calls, as by probes: one at a time, then --width at once.
 *
 * A twin takes its turns one at a time. With --beside the OCI runtime's `exec` is measured too, in the pods of the
 * first endpoint: no server can be faster than this. */
#include <string.h>

#include "api.pb-c.h"
#include "bench/cri_call.h"
#include "bench/direct.h"
#include "bench/pods.h"
#include "bench/scenarios.h"
#include "reactor/loop.h"

enum { WORDS_MAX = 32, EXEC_TIMEOUT_S = 30 };

struct storm {
	struct bench *bench;
	struct pods *pods;
	struct endpoint *as; /* the endpoint in the samples */
	const char *program[WORDS_MAX]; /* with arguments; empty: the command is run by ExecSync */
	size_t program_words;
	const char *mode;
	char *word[WORDS_MAX];
	size_t words;
	const char *word_of_twin;
	size_t begun, all, open;
	long round;
	bool counts; /* samples are written; false while warming up */
};

struct shot {
	struct storm *storm;
	struct arena *arena;
};

static void storm_shoot(struct storm *s);

static void storm_shot_over(struct shot *shot, const struct err *e, int64_t took_ns)
{
	struct storm *s = shot->storm;

	if (e) {
		bench_fail(s->bench, s->as, s->mode, e);
	} else if (s->counts) {
		json_t *line = bench_sample(s->bench, s->as, s->mode, s->round);

		bench_put_ns(line, "exec", took_ns);
		bench_write(s->bench, line);
	}
	arena_free(shot->arena);
	s->open--;
	storm_shoot(s);
}

static void on_storm_exec(void *arg, const struct err *e, const void *response, int64_t took_ns)
{
	const Runtime__V1__ExecSyncResponse *r = response;
	struct shot *shot = arg;
	struct err bad;

	if (!e && r->exit_code) {
		err_set(&bad, ERR_INTERNAL, "%s: exit code %d", shot->storm->bench->command, r->exit_code);
		e = &bad;
	}
	storm_shot_over(shot, e, took_ns);
}

static void on_storm_program(void *arg, const struct err *e, int64_t took_ns)
{
	storm_shot_over(arg, e, took_ns);
}

static void on_storm_twin(void *arg, const struct err *e, json_t *answer)
{
	struct shot *shot = arg;
	struct storm *s = shot->storm;

	if (e) {
		bench_fail(s->bench, s->as, s->mode, e);
	} else if (s->counts && json_object_get(answer, "exec")) {
		json_t *line = bench_sample(s->bench, s->as, s->mode, s->round);

		json_object_update(line, answer);
		bench_write(s->bench, line);
	}
	arena_free(shot->arena);
	s->open--;
	storm_shoot(s);
}

static void storm_exec_sync(struct shot *shot, const char *container)
{
	static const struct cri_method method = { "/runtime.v1.RuntimeService/ExecSync",
						  &runtime__v1__exec_sync_response__descriptor };
	Runtime__V1__ExecSyncRequest r = RUNTIME__V1__EXEC_SYNC_REQUEST__INIT;
	struct storm *s = shot->storm;

	r.container_id = (char *)container;
	r.cmd = s->word;
	r.n_cmd = s->words;
	r.timeout = EXEC_TIMEOUT_S;
	cri_call(s->as->client, &method, &r, shot->arena, on_storm_exec, shot);
}

static void storm_run_program(struct shot *shot, const char *container)
{
	const char *argv[2 * WORDS_MAX + 2] = { 0 };
	struct storm *s = shot->storm;

	memcpy(argv, s->program, s->program_words * sizeof(*argv));
	argv[s->program_words] = container;
	memcpy(argv + s->program_words + 1, s->word, s->words * sizeof(*argv));
	direct_start(argv, on_storm_program, shot);
}

static void storm_shoot(struct storm *s)
{
	struct arena *a;
	struct shot *shot;
	const char *container;

	if (s->begun == s->all || bench_stopping()) {
		if (!s->open)
			bench_wake();
		return;
	}
	a = arena_new();
	shot = arena_zalloc(a, sizeof(*shot));
	*shot = (struct shot){ s, a };
	s->open++;
	if (s->as->twin) {
		s->begun++;
		return twin_ask(s->as->twin, s->word_of_twin, on_storm_twin, shot);
	}
	container = pod_container(s->pods->pod[s->begun++ % s->pods->n]);
	if (s->program_words)
		storm_run_program(shot, container);
	else
		storm_exec_sync(shot, container);
}

static void storm_fire(struct storm *s, const char *mode, long round, size_t all, size_t width)
{
	s->mode = mode;
	s->round = round;
	s->counts = round > 0;
	s->begun = s->open = 0;
	s->all = all;
	for (size_t i = 0; i < width && i < all && !bench_stopping(); i++)
		storm_shoot(s);
	if (s->open)
		bench_wait();
}

static size_t split(struct arena *a, const char *text, char **word)
{
	char *save = NULL;
	size_t n = 0;

	for (char *w = strtok_r(arena_strdup(a, text), " ", &save); w && n < WORDS_MAX; w = strtok_r(NULL, " ", &save))
		word[n++] = w;
	return n;
}

/* NAME=PROGRAM ARGUMENT..., checked by bench_main.c. */
static void beside(struct bench *b, struct storm *s, struct endpoint *as, const struct storm *first)
{
	const char *equals = strchr(b->beside, '=');

	*s = *first;
	as->name = arena_strndup(b->arena, b->beside, (size_t)(equals - b->beside));
	s->as = as;
	s->program_words = split(b->arena, equals + 1, (char **)s->program);
}

/* A twin has one container, which its words "up" and "down" make and remove. */
static void twin_storm(struct storm *s, const char *word)
{
	s->word_of_twin = word;
	storm_fire(s, word, 0, 1, 1);
	s->word_of_twin = "exec";
}

static void storm_ready(struct bench *b, struct storm *s, struct endpoint *ep, struct pods *pods)
{
	s->bench = b;
	s->as = ep;
	s->pods = pods;
	s->words = split(b->arena, b->command, s->word);
	if (ep->twin)
		twin_storm(s, "up");
	else
		pods_up(pods, b, ep, "pods", (size_t)b->n, (size_t)b->n);
}

/* The pods of all endpoints are up at the same time, so that the endpoints can take turns in each round. */
void scenario_exec(struct bench *b)
{
	struct pods pods[ENDPOINTS_MAX] = { 0 };
	struct storm storm[ENDPOINTS_MAX + 1] = { 0 };
	struct endpoint as = { 0 };
	const char *wide = arena_printf(b->arena, "x%ld", b->width);
	size_t storms = b->endpoints;

	for (size_t i = 0; i < b->endpoints && !bench_stopping(); i++)
		storm_ready(b, &storm[i], &b->endpoint[i], &pods[i]);
	if (b->beside)
		beside(b, &storm[storms++], &as, &storm[0]);
	for (size_t i = 0; i < storms && !bench_stopping(); i++)
		storm_fire(&storm[i], "warm", 0, 3, 1);
	for (long round = 1; round <= b->rounds; round++) {
		for (size_t k = 0; k < storms && !bench_stopping(); k++) {
			struct storm *s = &storm[(k + (size_t)round) % storms];

			bench_progress(b, (size_t)(round - 1) * storms + k, (size_t)b->rounds * storms, s->as->name);
			storm_fire(s, "x1", round, (size_t)b->count, 1);
			if (!s->as->twin)
				storm_fire(s, wide, round, (size_t)b->count, (size_t)b->width);
			bench_rest(b);
		}
	}
	for (size_t i = 0; i < b->endpoints; i++) {
		if (b->endpoint[i].twin) {
			if (!bench_stopping())
				twin_storm(&storm[i], "down");
			continue;
		}
		pods_down(&pods[i], (size_t)b->n);
		pods_free(&pods[i]);
	}
}
