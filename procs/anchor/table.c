/* table.c - see table.h. */
#include "procs/anchor/table.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reactor/list.h"

enum { BUCKETS = 512, ENTRIES_MAX = 256 * 1024, STRAYS = 1024 };

struct entry {
	struct link link;   /* in by_name */
	struct link by_pid; /* of a process that has not ended */
	bool process;
	int fd; /* of a process: its pidfd; -1: none */
	int32_t pid, status;
	uint64_t start_ticks;
	int64_t at_ns; /* 0: a process that has not ended, or no process */
	char name[];
};

struct stray {
	pid_t pid;
	int status;
	uint64_t start_ticks;
	int64_t at_ns;
};

static struct link by_name[BUCKETS], by_pid[BUCKETS];
static unsigned entries;
static struct stray strays[STRAYS]; /* a ring: number n is at n % STRAYS */
static uint64_t strays_seen;

static struct link *bucket(struct link *table, unsigned hash)
{
	struct link *head = &table[hash % BUCKETS];

	if (!list_linked(head))
		list_init(head);
	return head;
}

static struct link *bucket_of(bool process, const char *name)
{
	unsigned hash = process;

	for (; *name; name++)
		hash = hash * 31 + (unsigned char)*name;
	return bucket(by_name, hash);
}

static struct entry *entry_find(bool process, const char *name)
{
	list_each(it, bucket_of(process, name)) {
		struct entry *e = container_of(it, struct entry, link);

		if (e->process == process && strcmp(e->name, name) == 0)
			return e;
	}
	return NULL;
}

static void entry_close(struct entry *e)
{
	if (e->fd >= 0)
		close(e->fd);
	e->fd = -1;
}

static void entry_free(struct entry *e)
{
	if (!e)
		return;
	list_drop(&e->link);
	if (list_linked(&e->by_pid))
		list_drop(&e->by_pid);
	entry_close(e);
	free(e);
	entries--;
}

/* Takes fd. */
static struct entry *entry_new(bool process, const char *name, int fd)
{
	size_t size = strlen(name) + 1;
	struct entry *e = NULL;

	entry_free(entry_find(process, name));
	if (entries < ENTRIES_MAX && size > 1)
		e = calloc(1, sizeof(*e) + size);
	if (!e) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	memcpy(e->name, name, size);
	e->process = process;
	e->fd = fd;
	list_append(bucket_of(process, name), &e->link);
	entries++;
	return e;
}

static void entry_end(struct entry *e, int status, int64_t at_ns)
{
	if (list_linked(&e->by_pid))
		list_drop(&e->by_pid);
	entry_close(e);
	e->status = status;
	e->at_ns = at_ns;
}

static void entry_tell(const struct entry *e, struct anchor_message *out)
{
	memset(out, 0, sizeof(*out));
	out->type = e->process ? ANCHOR_KEEP : ANCHOR_HOLD;
	out->pid = e->pid;
	out->status = e->status;
	out->start_ticks = e->start_ticks;
	out->at_ns = e->at_ns;
	memcpy(out->name, e->name, strlen(e->name));
}

bool table_hold(const char *name, int fd)
{
	const struct entry *e = entry_find(false, name);

	/* A runtime may be about to open the path that has the number. (ARCHITECTURE K45) */
	if (!e || dup3(fd, e->fd, O_CLOEXEC) < 0)
		return entry_new(false, name, fd) != NULL;
	close(fd);
	return true;
}

int table_where(const char *name)
{
	const struct entry *e = entry_find(false, name);

	return e ? e->fd : -1;
}

void table_release(const char *name)
{
	entry_free(entry_find(false, name));
}

void table_forget(const char *id)
{
	entry_free(entry_find(true, id));
}

/* A keeper may tell of a process that the anchor has reaped as a stray already. */
static const struct stray *stray_find(int32_t pid, uint64_t start_ticks)
{
	for (uint64_t n = strays_seen; n > 0 && strays_seen - n < STRAYS; n--) {
		const struct stray *s = &strays[(n - 1) % STRAYS];

		if (s->pid == pid && s->start_ticks == start_ticks && start_ticks)
			return s;
	}
	return NULL;
}

bool table_keep(const struct anchor_message *m, int fd)
{
	const struct stray *stray;
	struct entry *e = entry_find(true, m->name);

	if (e && e->at_ns && !m->at_ns && e->pid == m->pid && e->start_ticks == m->start_ticks) {
		if (fd >= 0)
			close(fd);
		return true; /* the anchor has seen its end, and the keeper has not read of it yet */
	}
	e = entry_new(true, m->name, fd);
	if (!e)
		return false;
	e->pid = m->pid;
	e->start_ticks = m->start_ticks;
	stray = m->at_ns ? NULL : stray_find(m->pid, m->start_ticks);
	if (m->at_ns)
		entry_end(e, m->status, m->at_ns);
	else if (stray)
		entry_end(e, stray->status, stray->at_ns);
	else
		list_append(bucket(by_pid, (unsigned)m->pid), &e->by_pid);
	return true;
}

void table_find(const char *id, pid_t pid, uint64_t start_ticks)
{
	for (uint64_t n = strays_seen; n > 0 && strays_seen - n < STRAYS; n--) {
		const struct stray *s = &strays[(n - 1) % STRAYS];
		struct entry *e;

		if (s->pid != pid)
			continue;
		e = s->start_ticks >= start_ticks ? entry_new(true, id, -1) : NULL;
		if (!e)
			return;
		e->pid = pid;
		e->start_ticks = s->start_ticks;
		entry_end(e, s->status, s->at_ns);
		return;
	}
}

bool table_ask(const char *id, struct anchor_message *out)
{
	const struct entry *e = entry_find(true, id);

	if (e)
		entry_tell(e, out);
	return e != NULL;
}

bool table_ended(pid_t pid, uint64_t start_ticks, int status, int64_t at_ns, struct anchor_message *out)
{
	list_each(it, bucket(by_pid, (unsigned)pid)) {
		struct entry *e = container_of(it, struct entry, by_pid);

		if (e->pid != pid || (e->start_ticks && start_ticks && e->start_ticks != start_ticks))
			continue;
		entry_end(e, status, at_ns);
		entry_tell(e, out);
		return true;
	}
	strays[strays_seen++ % STRAYS] = (struct stray){ pid, status, start_ticks, at_ns };
	return false;
}

bool table_is_empty(void)
{
	return entries == 0;
}

/* ---- in the child that becomes the keeper ---- */

static int record_write(int to, struct anchor_message *m, int fd)
{
	m->number = fd;
	if (fd >= 0 && fcntl(fd, F_SETFD, 0) < 0)
		return -1;
	return write(to, m, sizeof(*m)) == sizeof(*m) ? 0 : -1;
}

int table_hand_over(int to)
{
	struct anchor_message m;

	for (int i = 0; i < BUCKETS; i++)
		list_each(it, bucket(by_name, (unsigned)i)) {
			const struct entry *e = container_of(it, struct entry, link);

			entry_tell(e, &m);
			if (record_write(to, &m, e->fd) < 0)
				return -1;
		}
	return 0;
}
