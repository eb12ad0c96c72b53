/* work.c - see work.h. Waits on: one timer, each second while something is under way. */
#include "reactor/work.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/metric.h"
#include "reactor/own.h"

enum { INNER_DEPTH = 8, INNER_THREADS = 64 };

static struct link all = { &all, &all }; /* of struct work.link */
static struct timer tick;
static void (*on_slow)(const struct work *w); /* NULL: nobody asks */
static void (*on_end)(const struct work *w);

void work_on_slow(void (*fn)(const struct work *w))
{
	on_slow = fn;
}

void work_on_end(void (*fn)(const struct work *w))
{
	on_end = fn;
}

int64_t work_age_ms(const struct work *w)
{
	return (loop_mono_ns() - w->begun_ns) / 1000000;
}

/* The first line of a small file of /proc. */
static bool proc_line(const char *path, char *line, int size)
{
	auto_file FILE *f = fopen(path, "re");

	if (!f || !fgets(line, size, f))
		return false;
	line[strcspn(line, "\n")] = '\0';
	return true;
}

/* Any of its threads may have forked. Only so many are asked: a program that was made to have thousands would hold the
 * loop. */
static pid_t first_child(pid_t pid)
{
	char path[300], line[64];
	struct dirent *thread;
	pid_t child = 0;
	int left = INNER_THREADS;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	auto_dir DIR *d = opendir(path);
	while (d && !child && left-- > 0 && (thread = readdir(d))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/children", (int)pid, thread->d_name);
		if (thread->d_name[0] != '.' && proc_line(path, line, sizeof(line)))
			child = (pid_t)strtol(line, NULL, 10);
	}
	return child;
}

pid_t work_inner(pid_t pid, char name[WORK_NAME])
{
	char path[64], line[64];
	pid_t inner = 0;

	for (int depth = 0; depth < INNER_DEPTH && (pid = first_child(pid)) > 0; depth++)
		inner = pid;
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)inner);
	if (!inner || !proc_line(path, line, sizeof(line)))
		return 0;
	snprintf(name, WORK_NAME, "%.15s", line);
	return inner;
}

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

static void work_program(const struct work *w, bool inside, char *out, size_t size)
{
	char name[WORK_NAME];
	pid_t inner = inside && w->pid > 0 ? work_inner(w->pid, name) : 0;
	int n = 0;

	*out = '\0';
	if (*or_empty(w->program))
		n = snprintf(out, size, " program=%s", log_quote(w->program));
	if (w->pid > 0 && n < (int)size)
		n += snprintf(out + n, size - (size_t)n, " pid=%d", (int)w->pid);
	if (inner && n < (int)size)
		snprintf(out + n, size - (size_t)n, " inner=%s inner_pid=%d", log_quote(name), (int)inner);
}

static void work_tell(struct work *w, const char *event, const char *what)
{
	char program[700], stage[80] = "";

	work_program(w, !w->told, program, sizeof(program));
	if (*or_empty(w->stage))
		snprintf(stage, sizeof(stage), " stage=%s", w->stage);
	log_line(w->patient ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "%s kind=%s%s %s=%lld%s%s", event, w->kind, stage, what,
		 (long long)work_age_ms(w), or_empty(w->about), program);
}

static void work_ask(struct work *w)
{
	w->asked = true;
	if (w->ask)
		w->ask(w);
}

static void on_work_tick(struct timer *t)
{
	bool more = false;

	list_each(it, &all) {
		struct work *w = container_of(it, struct work, link);
		int64_t age_ms = work_age_ms(w);

		if (age_ms >= WORK_SLOW_MS && !w->told) {
			work_ask(w);
			work_tell(w, "slow", "age_ms");
			if (on_slow)
				on_slow(w);
			w->told = true;
		} else if (age_ms >= WORK_ASK_MS && !w->asked) {
			work_ask(w);
		}
		more |= !w->told;
	}
	if (more)
		timer_set(t, WORK_ASK_MS, on_work_tick);
}

void work_begin(struct work *w)
{
	w->begun_ns = loop_mono_ns();
	w->asked = w->told = false;
	list_append(&all, &w->link);
	if (!timer_is_set(&tick))
		timer_set(&tick, WORK_ASK_MS, on_work_tick);
}

void work_end(struct work *w)
{
	if (!list_linked(&w->link))
		return;
	if (w->told)
		work_tell(w, "slow_ended", "took_ms");
	list_drop(&w->link);
	if (list_empty(&all))
		timer_clear(&tick);
	if (on_end)
		on_end(w);
}

void work_step(const char *stage, const char *about, int64_t *since_ns)
{
	struct work w = { .kind = "step", .stage = stage, .about = about, .begun_ns = *since_ns };

	metric_stage(stage, since_ns);
	if (on_end)
		on_end(&w);
}

const struct work *work_find(bool (*fits)(const void *arg, const struct work *w), const void *arg)
{
	for (struct link *at = all.prev; at != &all; at = at->prev) {
		const struct work *w = container_of(at, struct work, link);

		if (fits(arg, w))
			return w;
	}
	return NULL;
}

void work_each(void (*fn)(void *arg, struct work *w), void *arg)
{
	list_each(it, &all) {
		struct work *w = container_of(it, struct work, link);

		work_ask(w);
		fn(arg, w);
	}
}
