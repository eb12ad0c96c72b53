/* task.c - see shim.h. One record a task. It is there before anything of the task is, and until the shim has forgotten
 * the task and, where it was the last one, was told to end. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "procs/shim/shim.h"
#include "reactor/log.h"
#include "reactor/own.h"
#include "reactor/record.h"

enum { RECORD_VERSION = 1 };

static struct link tasks = { &tasks, &tasks }; /* of struct shim_task.link */

static const struct field task_fields[] = {
	F_STR(struct shim_task, bundle),   F_STR(struct shim_task, sandbox),
	F_STR(struct shim_task, address),  F_I32(struct shim_task, version),
	F_I32(struct shim_task, shim_pid), F_I64(struct shim_task, shim_start_ticks),
	F_BOOL(struct shim_task, ended),   F_I32(struct shim_task, status),
	F_I32(struct shim_task, sent),     F_I32(struct shim_task, pid),
	F_BOOL(struct shim_task, api),     F_END,
};

struct shim_task *shim_task_new(const struct shim_handler *h, const char *id, const char *bundle, const char *sandbox)
{
	struct arena *a = arena_new();
	struct shim_task *t = arena_zalloc(a, sizeof(*t));

	fields_zero(task_fields, t);
	t->arena = a;
	t->handler = h;
	t->id = arena_strdup(a, id);
	t->bundle = arena_strdup(a, bundle);
	t->sandbox = arena_strdup(a, sandbox);
	list_append(&tasks, &t->link);
	return t;
}

static void task_free(struct shim_task *t)
{
	list_drop(&t->link);
	arena_free(t->arena);
}

static int on_task_record(void *arg, const char *name, struct record *r, struct err *e)
{
	struct shim_task *t = shim_task_new(arg, name, "", "");

	if (record_fields(r, task_fields, t, t->arena, e) == 0)
		return 0;
	task_free(t);
	return -1;
}

int shim_tasks_open(const struct shim_handler *h, struct err *e)
{
	return record_each(h->tasks, RECORD_VERSION, on_task_record, NULL, (void *)h, e);
}

void shim_tasks_close(void)
{
	list_each(it, &tasks)
		task_free(container_of(it, struct shim_task, link));
}

struct shim_task *shim_task_find(const struct shim_handler *h, const char *id)
{
	list_each(it, &tasks) {
		struct shim_task *t = container_of(it, struct shim_task, link);

		if (t->handler == h && strcmp(t->id, id) == 0)
			return t;
	}
	return NULL;
}

void shim_tasks_each(const struct shim_handler *h, void (*fn)(const struct shim_task *t))
{
	list_each(it, &tasks)
		if (container_of(it, struct shim_task, link)->handler == h)
			fn(container_of(it, struct shim_task, link));
}

void shim_task_set_address(struct shim_task *t, const char *address, int version)
{
	t->address = arena_strdup(t->arena, address);
	t->version = version;
}

int shim_task_save(const struct shim_task *t, struct err *e)
{
	return record_write_fields(t->handler->tasks, t->id, RECORD_VERSION, task_fields, t, NULL, e);
}

void shim_task_forget(struct shim_task *t)
{
	shim_log_settle(t);
	record_remove(t->handler->tasks, t->id);
	task_free(t);
}

struct shim_task *shim_task_beside(const struct shim_task *t)
{
	list_each(it, &tasks) {
		struct shim_task *other = container_of(it, struct shim_task, link);

		if (other != t && other->handler == t->handler && *other->address && *t->sandbox &&
		    strcmp(other->sandbox, t->sandbox) == 0 && !shim_is_dead(other))
			return other;
	}
	return NULL;
}

bool shim_task_is_last(const struct shim_task *t)
{
	list_each(it, &tasks) {
		const struct shim_task *other = container_of(it, struct shim_task, link);

		if (other != t && strcmp(other->address, t->address) == 0)
			return false;
	}
	return true;
}

bool shim_task_is_shared(const struct shim_task *t)
{
	list_each(it, &tasks) {
		const struct shim_task *other = container_of(it, struct shim_task, link);

		if (strcmp(other->address, t->address) == 0 && strcmp(other->sandbox, t->sandbox) != 0)
			return true;
	}
	return false;
}

bool shim_process_is_taken(const struct shim_task *t, int32_t pid, int64_t start_ticks)
{
	list_each(it, &tasks) {
		const struct shim_task *other = container_of(it, struct shim_task, link);

		if (other->shim_pid == pid && other->shim_start_ticks == start_ticks &&
		    strcmp(other->address, t->address) != 0)
			return true;
	}
	return false;
}
