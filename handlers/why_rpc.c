/* why_rpc.c - `crisp why`: Why of the service crisp.v1.Node. Waits on nothing.
 *
 * The word of the request names a pod, by what lives or else by what is recorded (why.h). All that is told has that
 * pod's name in it; a pull that names no pod is told when an image of the pod has its name. */
#include <stdlib.h>
#include <string.h>

#include "crisp.pb-c.h"
#include "handlers/about.h"
#include "handlers/convert.h"
#include "handlers/services.h"
#include "images/ref.h"
#include "procs/container.h"
#include "procs/sandbox.h"
#include "reactor/flight.h"
#include "reactor/log.h"
#include "reactor/log_field.h"
#include "reactor/loop.h"
#include "reactor/map.h"
#include "reactor/utf8.h"
#include "reactor/work.h"

/* NEEDLE: characters of the word that a line of its pod has in any case; ids are shown with so many. */
enum { STEPS_MAX = 500, WAITS_MAX = 100, IMAGES_MAX = 100, NEEDLE = ID_SHOWN };

struct why {
	struct arena *arena;
	const char *word;
	char needle[NEEDLE + 1];
	/* The pods that it may name, as NAMESPACE/NAME: by their name, or by the start of an id. */
	const char *named, *begins;
	bool several_named, several_begin;
	const char *pod;       /* that one */
	const char *pod_field; /* as all its lines have it */
	struct map images;     /* its names of images */
	size_t lines, skip;    /* that are of the pod; of which the oldest are left out */
	Crisp__V1__WhyResponse out;
};

/* ---- a field ---- */

/* A program may write any bytes; a message has UTF-8. */
static char *why_utf8(char *text, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t n = utf8_char(text + i, len - i);

		if (!n || !text[i])
			text[i] = '?';
		i += n ? n : 1;
	}
	return text;
}

static char *why_value(const struct why *y, const struct log_field *f)
{
	char text[FLIGHT_LINE + 1];
	size_t n = log_field_text(f, text, sizeof(text));

	return why_utf8(arena_memdup(y->arena, text, n + 1), n);
}

static char *why_field(const struct why *y, const char *line, const char *key)
{
	struct log_field f;

	return log_field_find(line, key, &f) ? why_value(y, &f) : (char *)"";
}

/* ---- which pod? ---- */

static bool why_is_pod(const struct why *y, const char *pod)
{
	const char *slash = strchr(pod, '/');

	return strcmp(pod, y->word) == 0 || (slash && strcmp(slash + 1, y->word) == 0);
}

/* id: the whole one, or its first digits. */
static bool why_is_id(const struct why *y, const char *id)
{
	size_t n = strlen(y->word), known = strlen(id);

	return known && strncmp(id, y->word, n < known ? n : known) == 0;
}

static void why_note(const char **first, bool *several, const char *pod)
{
	if (*first && strcmp(*first, pod) != 0)
		*several = true;
	else
		*first = pod;
}

static void why_consider(struct why *y, const char *pod, const char *id)
{
	if (why_is_pod(y, pod))
		why_note(&y->named, &y->several_named, pod);
	else if (why_is_id(y, id))
		why_note(&y->begins, &y->several_begin, pod);
}

/* As lines of the log have it (about.c). */
static const char *why_pod_of(struct arena *a, const struct sandbox *s)
{
	return arena_printf(a, "%.150s/%.150s", s->config.namespace_, s->config.name);
}

static const char *why_pod_field(struct arena *a, const char *pod)
{
	return arena_printf(a, " pod=%s", log_quote(pod));
}

static void on_why_sandbox(void *arg, struct sandbox *s)
{
	struct why *y = arg;

	why_consider(y, why_pod_of(y->arena, s), s->id);
}

static void on_why_container(void *arg, struct container *c)
{
	struct why *y = arg;

	if (why_is_id(y, c->id))
		why_consider(y, why_pod_of(y->arena, c->sandbox), c->id);
}

static void on_why_name(void *arg, int64_t at_ns, const char *line)
{
	struct why *y = arg;
	const char *pod;

	(void)at_ns;
	if (!strstr(line, y->needle) || (y->pod_field && strstr(line, y->pod_field)))
		return;
	pod = why_field(y, line, "pod");
	if (!*pod)
		return;
	why_consider(y, pod, why_field(y, line, "sandbox"));
	why_consider(y, pod, why_field(y, line, "container"));
	/* Its other lines say nothing new: most lines may be of one pod. */
	if (y->named || y->begins)
		y->pod_field = why_pod_field(y->arena, y->named ? y->named : y->begins);
}

/* A name in quotes may have escapes: then every line is looked at. */
static void why_set_needle(struct why *y)
{
	const char *slash = strrchr(y->word, '/'), *at = slash ? slash + 1 : y->word;
	size_t n = strlen(at) < NEEDLE ? strlen(at) : NEEDLE;

	for (size_t i = 0; i < n; i++)
		if (at[i] <= ' ' || at[i] > '~' || at[i] == '"' || at[i] == '\\')
			n = 0;
	memcpy(y->needle, at, n);
	y->needle[n] = '\0';
}

static int why_find(struct why *y, struct err *e)
{
	sandbox_each(on_why_sandbox, y);
	sandbox_each_hidden(on_why_sandbox, y);
	container_each(on_why_container, y);
	if (!y->named) {
		why_set_needle(y);
		flight_each(on_why_name, y);
	}
	y->pod = y->named ? y->named : y->begins;
	if (!y->pod)
		return err_set(e, ERR_NOT_FOUND, "nothing is known of a pod %.200s: it is not here, and nothing "
			       "that was done for it is recorded", y->word);
	if (y->named ? y->several_named : y->several_begin)
		return err_set(e, ERR_INVALID_ARGUMENT, "%.200s is more than one pod, such as %.300s: name its "
			       "namespace or more digits", y->word, y->pod);
	y->pod_field = why_pod_field(y->arena, y->pod);
	return 0;
}

/* ---- what is there ---- */

/* Room for one more behind n. */
static void *why_room(struct arena *a, void *at, size_t n)
{
	void **more;

	if (n & (n - 1)) /* 0, 1, 2, 4, ...: it is full */
		return at;
	more = arena_zalloc(a, (n ? 2 * n : 1) * sizeof(*more));
	if (n)
		memcpy(more, at, n * sizeof(*more));
	return more;
}

static Crisp__V1__WhyObject *why_object(struct why *y, size_t *n, Crisp__V1__WhyObject ***all)
{
	Crisp__V1__WhyObject *o = NEW_MESSAGE(y->arena, Crisp__V1__WhyObject, crisp__v1__why_object__init);

	*all = why_room(y->arena, *all, *n);
	(*all)[(*n)++] = o;
	return o;
}

static void why_add_image(struct why *y, const char *name)
{
	if (*name && y->images.used < IMAGES_MAX)
		map_put(&y->images, name, y);
}

static void on_why_container_there(void *arg, struct container *c)
{
	static const char *const states[] = { "created", "running", "exited", "unknown" };
	struct why *y = arg;
	Crisp__V1__WhyObject *o;

	if (strcmp(why_pod_of(y->arena, c->sandbox), y->pod) != 0)
		return;
	o = why_object(y, &y->out.n_containers, &y->out.containers);
	o->id = c->id;
	o->name = (char *)c->config.name;
	o->state = (char *)((unsigned)c->state < 4 ? states[c->state] : "?");
	o->sandbox = c->sandbox->id;
	o->image = (char *)ref_shown(c->image.name, y->arena);
	o->reason = (char *)c->reason;
	o->message = (char *)c->message;
	o->exit_code = c->exit_code;
	o->created_at = c->created_at_ns;
	o->finished_at = c->finished_at_ns;
	why_add_image(y, o->image);
}

static void on_why_sandbox_there(void *arg, struct sandbox *s)
{
	struct why *y = arg;
	Crisp__V1__WhyObject *o;

	if (strcmp(why_pod_of(y->arena, s), y->pod) != 0)
		return;
	o = why_object(y, &y->out.n_sandboxes, &y->out.sandboxes);
	o->id = s->id;
	o->name = (char *)y->pod;
	o->state = (char *)(s->hidden ? "making" : s->state == SANDBOX_READY ? "ready" : "not ready");
	o->created_at = s->created_at_ns;
}

/* ---- what was done ---- */

/* A pull for no pod: users pull by hand. */
static bool why_is_pull(const struct why *y, const char *line)
{
	return !strstr(line, " pod=") && map_get(&y->images, why_field(y, line, "image"));
}

static bool why_is_of_pod(const struct why *y, const char *line)
{
	static const char pull[] = "kind=rpc stage=PullImage ";

	/* In quotes a quote has a backslash in front, so that no text can have the field in it. */
	return strstr(line, y->pod_field) || (strncmp(line, pull, sizeof(pull) - 1) == 0 && why_is_pull(y, line));
}

static void on_why_image(void *arg, int64_t at_ns, const char *line)
{
	struct why *y = arg;

	(void)at_ns;
	if (strstr(line, " image=") && strstr(line, y->pod_field))
		why_add_image(y, why_field(y, line, "image"));
}

static void on_why_line(void *arg, int64_t at_ns, const char *line)
{
	struct why *y = arg;

	(void)at_ns;
	y->lines += why_is_of_pod(y, line);
}

/* The members that have the names of a line's fields. */
static Crisp__V1__WhyStep *why_step(const struct why *y, const char *line)
{
	Crisp__V1__WhyStep *s = NEW_MESSAGE(y->arena, Crisp__V1__WhyStep, crisp__v1__why_step__init);
	const struct { const char *key; char **member; } members[] = {
		{ "kind", &s->kind },           { "stage", &s->stage },         { "program", &s->program },
		{ "code", &s->code },           { "fault", &s->fault },         { "words", &s->words },
		{ "sandbox", &s->sandbox },     { "container", &s->container }, { "image", &s->image },
		{ "container_name", &s->container_name },
	};
	struct log_field f;

	while (log_field_next(&line, &f)) {
		for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++)
			if (log_field_is(&f, members[i].key))
				*members[i].member = why_value(y, &f);
		if (log_field_is(&f, "took_us"))
			s->took_ns = strtoll(why_value(y, &f), NULL, 10) * 1000;
	}
	return s;
}

static void on_why_step(void *arg, int64_t at_ns, const char *line)
{
	struct why *y = arg;
	Crisp__V1__WhyStep *s;

	if (!why_is_of_pod(y, line))
		return;
	if (y->skip) {
		y->skip--;
		return;
	}
	s = why_step(y, line);
	s->begun_at = at_ns;
	y->out.steps[y->out.n_steps++] = s;
}

/* A call before its stages, which end before it. */
static int why_by_begin(const void *a, const void *b)
{
	const Crisp__V1__WhyStep *const *x = a, *const *y = b;

	return ((*x)->begun_at > (*y)->begun_at) - ((*x)->begun_at < (*y)->begun_at);
}

static void why_steps(struct why *y)
{
	flight_each(on_why_image, y);
	flight_each(on_why_line, y);
	y->skip = y->lines > STEPS_MAX ? y->lines - STEPS_MAX : 0;
	y->out.left_out = (uint32_t)y->skip;
	y->out.steps = arena_zalloc(y->arena, (y->lines - y->skip + 1) * sizeof(*y->out.steps));
	flight_each(on_why_step, y);
	qsort(y->out.steps, y->out.n_steps, sizeof(*y->out.steps), why_by_begin);
}

/* ---- what is under way ---- */

static void on_why_work(void *arg, struct work *w)
{
	struct why *y = arg;
	const char *about = w->about ? about_named(w->about, y->arena) : "";
	bool call = strcmp(w->kind, "rpc") == 0, ours = strstr(about, y->pod_field) || (call && why_is_pull(y, about));
	char inner[WORK_NAME];
	Crisp__V1__WhyStep *s;

	if (!ours || y->out.n_waits == WAITS_MAX)
		return;
	s = why_step(y, about);
	s->kind = (char *)w->kind;
	s->stage = call ? why_field(y, about, "method") : (char *)(w->stage ? w->stage : "");
	s->now = (char *)(call && w->stage ? w->stage : "");
	s->program = (char *)(w->program ? w->program : "");
	s->took_ns = work_age_ms(w) * 1000000;
	s->begun_at = loop_real_ns() - s->took_ns;
	s->pid = w->pid;
	if (w->pid > 0 && work_age_ms(w) >= WORK_ASK_MS && (s->inner_pid = work_inner(w->pid, inner)) != 0)
		s->inner = why_utf8(arena_strdup(y->arena, inner), strlen(inner));
	y->out.waits = why_room(y->arena, y->out.waits, y->out.n_waits);
	y->out.waits[y->out.n_waits++] = s;
}

void rpc_why(struct rpc *r, const void *request)
{
	const Crisp__V1__WhyRequest *in = request;
	struct why y = { .arena = rpc_arena(r), .word = in->pod, .out = CRISP__V1__WHY_RESPONSE__INIT };
	struct err e;

	if (!*y.word) {
		err_set(&e, ERR_INVALID_ARGUMENT, "no pod is named");
		return rpc_fail(r, &e);
	}
	if (why_find(&y, &e) < 0)
		return rpc_fail(r, &e);
	y.out.pod = (char *)y.pod;
	sandbox_each(on_why_sandbox_there, &y);
	sandbox_each_hidden(on_why_sandbox_there, &y);
	container_each(on_why_container_there, &y);
	why_steps(&y);
	work_each(on_why_work, &y);
	map_free(&y.images);
	rpc_reply(r, &y.out);
}
