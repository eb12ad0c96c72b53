/* why.c - see why.h. */
#include "handlers/why.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "handlers/about.h"
#include "procs/events.h"
#include "reactor/arena.h"
#include "reactor/flight.h"
#include "reactor/log.h"
#include "reactor/log_field.h"
#include "reactor/loop.h"
#include "reactor/metric.h"
#include "reactor/work.h"

/* Bytes: of a quoted text, which log_quote() must have room for; of all names. With these a line is cut only in the
 * words of a program. A queue that is left at once is no news. */
enum { QUOTED = 440, OBJECTS = 700, QUEUE_TOLD_NS = 1000000 };

static struct event_listener of_containers;

static bool why_is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

bool why_follows(const char *method)
{
	static const char *const followed[] = { "RunPodSandbox",	 "StopPodSandbox",  "RemovePodSandbox",
						"CreateContainer",	 "StartContainer",  "StopContainer",
						"RemoveContainer",	 "PullImage",	    "CheckpointContainer",
						NULL };

	return why_is_one_of(method, followed);
}

/* What probes and the kubelet's resource manager do every few seconds would take the place of all else. */
static bool why_is_routine(const struct work *w)
{
	static const char *const stages[] = { "runtime_exec", "runtime_update", "runtime_state", NULL };

	if (w->fault)
		return false;
	return why_is_one_of(w->stage, stages) ||
	       (strcmp(w->kind, "queue") == 0 && loop_mono_ns() - w->begun_ns < QUEUE_TOLD_NS);
}

/* The end of a text, quoted: a cause stands last. */
static const char *why_quote_end(const char *text, size_t len)
{
	char end[QUOTED + 4];
	size_t n = 0, quoted = 0;

	while (n < len) {
		unsigned char c = (unsigned char)text[len - n - 1];

		quoted += c == '"' || c == '\\' ? 2 : c < ' ' || c > '~' ? 4 : 1;
		if (quoted > QUOTED)
			break;
		n++;
	}
	snprintf(end, sizeof(end), "%s%.*s", n < len ? "..." : "", (int)n, text + len - n);
	return log_quote(end);
}

/* The fields that name objects, as they are. */
static void why_objects(const char *fields, bool image, char out[OBJECTS])
{
	static const char *const keys[] = { "sandbox", "pod", "container", "container_name" };
	struct log_field f;
	size_t n = 0;

	while (log_field_next(&fields, &f)) {
		size_t len = f.key ? (size_t)(fields - f.key) : 0;
		bool is = image && log_field_is(&f, "image");

		for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
			is = is || log_field_is(&f, keys[i]);
		if (!is || n + len + 2 > OBJECTS)
			continue;
		out[n++] = ' ';
		memcpy(out + n, f.key, len);
		n += len;
	}
	out[n] = '\0';
}

/* ---- a record ---- */

struct record_line {
	char text[FLIGHT_LINE + 1];
	size_t n;
};

static void __attribute__((format(printf, 2, 3))) why_add(struct record_line *l, const char *fmt, ...)
{
	size_t room = sizeof(l->text) - l->n;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(l->text + l->n, room, fmt, ap);
	va_end(ap);
	l->n += (size_t)n < room ? (size_t)n : room - 1;
}

static void why_begin(struct record_line *l, const char *kind, const char *stage, int64_t took_ns)
{
	l->n = 0;
	why_add(l, "kind=%s stage=%s took_us=%lld", kind, stage, (long long)took_ns / 1000);
}

/* ---- works ---- */

static void why_put_work(const struct work *w, const char *fault, size_t words_len)
{
	int64_t took_ns = loop_mono_ns() - w->begun_ns;
	struct arena *a = arena_new();
	char objects[OBJECTS];
	struct record_line l;
	struct log_field pod;

	why_objects(about_named(w->about, a), false, objects);
	arena_free(a);
	if (!log_field_find(objects, "pod", &pod))
		return;
	why_begin(&l, w->kind, w->stage, took_ns);
	if (w->program && *w->program)
		why_add(&l, " program=%s", log_quote(w->program));
	if (fault)
		why_add(&l, " fault=%s", why_quote_end(fault, strlen(fault)));
	why_add(&l, "%s", objects);
	if (words_len)
		why_add(&l, " words=%s", why_quote_end(w->words, words_len));
	flight_put(loop_real_ns() - took_ns, l.text);
}

static bool why_is_of_a_pod(const struct work *w)
{
	return w->stage && w->about && *w->about && strcmp(w->kind, "rpc") != 0;
}

static void on_why_end(const struct work *w)
{
	if (why_is_of_a_pod(w) && !why_is_routine(w))
		why_put_work(w, w->fault, w->words_len);
}

/* Its end may not be seen: a crash may come before. */
static void on_why_slow(const struct work *w)
{
	metric_add(METRIC_slow_total, w->kind, 1);
	if (why_is_of_a_pod(w) && !w->patient)
		why_put_work(w, "it has not ended yet", 0);
}

/* ---- containers ---- */

/* Its end is no work of crispd's. The kubelet removes the container soon, and with it the exit code. */
static void on_why_event(struct event_listener *l, const struct event *event)
{
	const struct container *c = event->container;
	struct work w = { .kind = "container", .stage = "ended", .begun_ns = loop_mono_ns() };
	char about[32], fault[100];

	(void)l;
	if (event->kind != EVENT_STOPPED || !c)
		return;
	snprintf(about, sizeof(about), " container=%.*s", ID_SHOWN, c->id);
	snprintf(fault, sizeof(fault), "exit code %d, %.60s", c->exit_code, c->reason);
	w.about = about;
	why_put_work(&w, c->exit_code || c->oom_killed ? fault : NULL, 0);
}

/* ---- calls ---- */

void why_rpc_ended(const char *method, const char *fields, int64_t took_ns, const struct err *e)
{
	char objects[OBJECTS];
	struct record_line l;

	why_objects(fields, true, objects);
	if (!*objects)
		return;
	why_begin(&l, "rpc", method, took_ns);
	if (e)
		why_add(&l, " code=%s fault=%s", err_name(e->code), why_quote_end(e->msg, strlen(e->msg)));
	why_add(&l, "%s", objects);
	flight_put(loop_real_ns() - took_ns, l.text);
}

void why_open(const char *path)
{
	struct err e;

	if (flight_open(path, &e) < 0)
		log_warn("flight_off effect=\"crisp why has no history\" error=%s", log_quote(e.msg));
	work_on_end(on_why_end);
	work_on_slow(on_why_slow);
	events_listen(&of_containers, on_why_event);
}

void why_close(void)
{
	events_unlisten(&of_containers);
	work_on_end(NULL);
	work_on_slow(NULL);
	flight_close();
}
