/* keeper.c - see keeper.h. */
#include "tests/fakes/keeper.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procs/keeper.h"
#include "procs/process.h"
#include "reactor/arena.h"
#include "reactor/loop.h"

enum { SLOTS = 64 };

struct slot {
	char name[128];
	int fd;
	unsigned serial; /* of the hold */
};

static struct slot held[SLOTS], at_keeper[SLOTS]; /* crispd's copies; what the keeper has */
static unsigned last_serial;

static struct {
	char id[72];
	struct kept_report kept;
	bool used, told;
} keeping[SLOTS];

static struct link watchers = { &watchers, &watchers };
static struct timer timer;
int fake_holds, fake_forgets;
unsigned fake_deaths;
bool fake_no_fds, fake_away;

void keeper_open(int fd, const struct keeper_events *events)
{
	(void)fd;
	(void)events;
}

unsigned keeper_deaths(void)
{
	return fake_deaths;
}

bool keeper_here(void)
{
	return true;
}

static void slots_drop(struct slot *table, const char *prefix, size_t n)
{
	for (int i = 0; i < SLOTS; i++)
		if (table[i].name[0] && strncmp(table[i].name, prefix, n) == 0) {
			close(table[i].fd);
			table[i].name[0] = '\0';
			fake_holds -= table == held;
		}
}

static void slots_put(struct slot *table, const char *name, int fd, unsigned serial)
{
	struct slot *s = table;

	slots_drop(table, name, strlen(name) + 1);
	while (s < table + SLOTS && s->name[0])
		s++;
	assert(s < table + SLOTS);
	snprintf(s->name, sizeof(s->name), "%s", name);
	s->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	s->serial = serial;
	fake_holds += table == held;
}

static const struct slot *slots_find(const struct slot *table, const char *name)
{
	for (int i = 0; i < SLOTS; i++)
		if (table[i].name[0] && strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

static void slots_copy(struct slot *to, const struct slot *from)
{
	slots_drop(to, "", 0);
	for (int i = 0; i < SLOTS; i++)
		if (from[i].name[0])
			slots_put(to, from[i].name, from[i].fd, from[i].serial);
}

void fake_keeper_reads(void)
{
	slots_copy(at_keeper, held);
}

void fake_both_die(void)
{
	slots_copy(held, at_keeper);
}

int keeper_ask_hold(const char *name, int fd, struct err *e)
{
	if (fake_no_fds)
		return err_set(e, ERR_RESOURCE_EXHAUSTED, "hold %s: too many open files", name);
	slots_put(held, name, fd, ++last_serial);
	if (!fake_away)
		fake_keeper_reads();
	return 0;
}

int keeper_ask_hold_path(const char *name, int fd, struct err *e)
{
	return keeper_ask_hold(name, fd, e);
}

void keeper_ask_release(const char *name)
{
	slots_drop(held, name, strlen(name) + 1);
	if (!fake_away)
		fake_keeper_reads();
}

void keeper_ask_release_all(const char *prefix)
{
	slots_drop(held, prefix, strlen(prefix));
	if (!fake_away)
		fake_keeper_reads();
}

int keeper_copy(const char *name)
{
	const struct slot *s = slots_find(held, name);

	return s ? s->fd : -1;
}

bool keeper_has(const char *name)
{
	const struct slot *mine = slots_find(held, name), *its = slots_find(at_keeper, name);

	return mine && its && mine->serial == its->serial;
}

void keeper_each_copy(const char *prefix, void (*fn)(void *arg, const char *name, int fd), void *arg)
{
	for (int i = 0; i < SLOTS; i++)
		if (held[i].name[0] && strncmp(held[i].name, prefix, strlen(prefix)) == 0)
			fn(arg, held[i].name, held[i].fd);
}

const char *keeper_path(struct arena *a, const char *name)
{
	int fd = keeper_copy(name);

	return fd < 0 ? NULL : arena_printf(a, "/proc/self/fd/%d", fd);
}

static int slot_of(const char *id)
{
	for (int i = 0; i < SLOTS; i++)
		if (keeping[i].used && strcmp(keeping[i].id, id) == 0)
			return i;
	return -1;
}

static void on_tell(struct timer *t)
{
	(void)t;
	list_each(it, &watchers) {
		struct exit_watch *w = container_of(it, struct exit_watch, link);
		int i = slot_of(w->id);

		if (i < 0 || !keeping[i].kept.ended)
			continue;
		list_drop(&w->link);
		w->fn(w, &keeping[i].kept.exit);
		timer_set(&timer, 0, on_tell); /* the list may have changed */
		return;
	}
}

void keeper_watch_exit(struct exit_watch *w, const char *id,
		       void (*fn)(struct exit_watch *w, const struct exit_record *r))
{
	snprintf(w->id, sizeof(w->id), "%s", id);
	w->fn = fn;
	list_append(&watchers, &w->link);
	timer_set(&timer, 0, on_tell);
}

void keeper_unwatch_exit(struct exit_watch *w)
{
	if (list_linked(&w->link))
		list_drop(&w->link);
}

void keeper_ask_forget(const char *id)
{
	int i = slot_of(id);

	fake_forgets++;
	if (i >= 0)
		keeping[i].used = false;
}

bool fake_forgotten(const char *id)
{
	return slot_of(id) < 0;
}

const struct kept_report *keeper_report(const char *id)
{
	int i = slot_of(id);

	return i < 0 ? NULL : &keeping[i].kept;
}

void keeper_each_report(void (*fn)(void *arg, const struct kept_report *k), void *arg)
{
	for (int i = 0; i < SLOTS; i++)
		if (keeping[i].used)
			fn(arg, &keeping[i].kept);
}

void fake_keep(const char *id, pid_t pid, int pidfd)
{
	for (int i = 0; i < SLOTS; i++)
		if (!keeping[i].used) {
			keeping[i].used = true;
			snprintf(keeping[i].id, sizeof(keeping[i].id), "%s", id);
			keeping[i].kept = (struct kept_report){ .id = keeping[i].id, .pid = pid, .pidfd = pidfd };
			return;
		}
	assert(!"too many kept");
}

void keeper_ask_keep(const char *id, pid_t pid, int pidfd)
{
	fake_keep(id, pid, fcntl(pidfd, F_DUPFD_CLOEXEC, 3));
}

void fake_exit(const char *id, int status)
{
	int i = slot_of(id);

	assert(i >= 0);
	keeping[i].kept.ended = true;
	keeping[i].kept.exit = (struct exit_record){ keeping[i].id, keeping[i].kept.pid, status, loop_real_ns() };
	timer_set(&timer, 0, on_tell);
}

void fake_keeper_reset(void)
{
	for (int i = 0; i < SLOTS; i++)
		keeping[i].used = false;
	keeper_ask_release_all("");
	fake_forgets = 0;
}

struct ns_op {
	char id[64];
	bool user;
	ns_done *done;
	void *arg;
};

static struct ns_op asked[4]; /* done NULL: free */

struct ns_op *keeper_namespaces(const struct ns_request *r, ns_done *done, void *arg)
{
	struct ns_op *op = asked;

	while (op->done)
		op++;
	assert(op < asked + 4);
	*op = (struct ns_op){ .user = r->uids, .done = done, .arg = arg };
	snprintf(op->id, sizeof(op->id), "%s", r->id);
	return op;
}

void fake_namespaces(enum err_code code)
{
	static const char *const kinds[] = { "net", "ipc", "uts", "user" };
	struct ns_op *op = asked, o;
	char name[128];
	struct err e;

	while (op < asked + 4 && !op->done)
		op++;
	assert(op < asked + 4);
	o = *op;
	op->done = NULL;
	for (int i = 0; i < (o.user ? 4 : 3) && code == ERR_OK; i++) {
		snprintf(name, sizeof(name), "sandbox/%s/%s", o.id, kinds[i]);
		assert(keeper_ask_hold(name, STDIN_FILENO, &e) == 0);
	}
	if (code != ERR_OK)
		err_set(&e, code, "no namespaces");
	o.done(o.arg, code == ERR_OK ? NULL : &e, false);
}

void keeper_namespaces_cancel(struct ns_op *op)
{
	op->done = NULL;
}

/* Without asynchrony: no user of this fake waits for it. */
void keeper_namespaces_drop(const char *id, const char *netns_path, ns_dropped *done, void *arg)
{
	char prefix[128];

	(void)netns_path;
	assert(!done && !arg);
	snprintf(prefix, sizeof(prefix), "sandbox/%s/", id);
	keeper_ask_release_all(prefix);
}

/* ---- processes of native handlers: tests that have any bring their own ---- */

struct process *process_start(const struct process_spec *spec, process_done *done, void *arg)
{
	(void)spec, (void)done, (void)arg;
	assert(!"no test starts natively");
	return NULL;
}

void process_cancel(struct process *p)
{
	(void)p;
}

void process_zygote(const char *path)
{
	(void)path;
}
