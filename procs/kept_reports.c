/* kept_reports.c - the kept processes of keeper.h, as the keeper has last told of each, and who waits for an end. */
#include "procs/kept_reports.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "procs/keeper.h"
#include "reactor/loop.h"
#include "reactor/map.h"
#include "reactor/own.h"

struct kept_entry {
	struct link link;
	struct kept_report kept;
	char id[];
};

static struct map by_id;
static struct link kept = { &kept, &kept }, watches = { &watches, &watches }; /* of struct kept_entry, exit_watch */
static const struct reports_hooks *hooks;
static struct timer tell; /* set while a watch may have to be told of an exit */

static void kept_free(struct kept_entry *k)
{
	map_drop(&by_id, k->id);
	list_drop(&k->link);
	if (k->kept.pidfd >= 0)
		close(k->kept.pidfd);
	free(k);
}

static struct kept_entry *kept_put(const char *id)
{
	struct kept_entry *k = map_get(&by_id, id);

	if (k) {
		if (k->kept.pidfd >= 0)
			close(k->kept.pidfd);
	} else {
		k = own_must(calloc(1, sizeof(*k) + strlen(id) + 1));
		memcpy(k->id, id, strlen(id) + 1);
		map_put(&by_id, k->id, k);
		list_append(&kept, &k->link);
	}
	k->kept = (struct kept_report){ .id = k->id, .pidfd = -1 };
	return k;
}

/* One exit in each turn of the loop, because the callback may set and clear other watches. */
static void on_keeper_tell(struct timer *t)
{
	list_each(it, &watches) {
		struct exit_watch *w = container_of(it, struct exit_watch, link);
		const struct kept_entry *k = map_get(&by_id, w->id);
		struct exit_record r;

		if (!k || !k->kept.ended)
			continue;
		r = k->kept.exit;
		list_drop(&w->link);
		timer_set(t, 0, on_keeper_tell);
		w->fn(w, &r);
		return;
	}
}

void keeper_watch_exit(struct exit_watch *w, const char *id,
		       void (*fn)(struct exit_watch *w, const struct exit_record *r))
{
	const struct kept_entry *k = map_get(&by_id, id);

	keeper_unwatch_exit(w);
	snprintf(w->id, sizeof(w->id), "%s", id);
	w->fn = fn;
	list_append(&watches, &w->link);
	if (k && k->kept.ended)
		timer_set(&tell, 0, on_keeper_tell);
}

void keeper_unwatch_exit(struct exit_watch *w)
{
	if (list_linked(&w->link))
		list_drop(&w->link);
}

void keeper_ask_forget(const char *id)
{
	struct kept_entry *k = map_get(&by_id, id);

	if (!k)
		return;
	hooks->forget(k->id);
	kept_free(k);
}

const struct kept_report *keeper_report(const char *id)
{
	const struct kept_entry *k = map_get(&by_id, id);

	return k ? &k->kept : NULL;
}

void keeper_each_report(void (*fn)(void *arg, const struct kept_report *k), void *arg)
{
	list_each(it, &kept)
		fn(arg, &container_of(it, struct kept_entry, link)->kept);
}

void reports_take(struct imsg *m, bool exited)
{
	struct get g = get_from(m);
	const char *id = get_str(&g);
	pid_t pid = (pid_t)get_u32(&g);
	bool ended = get_u32(&g);
	int status = (int)get_u32(&g);
	int64_t at_ns = (int64_t)get_u64(&g);
	struct kept_entry *k;

	if (g.bad || !id)
		return;
	k = exited ? map_get(&by_id, id) : kept_put(id);
	if (!k)
		return; /* forgotten meanwhile */
	k->kept.pid = pid;
	k->kept.ended = ended;
	if (m->nfds == 1)
		k->kept.pidfd = take_fd(&m->fds[0]);
	if (!ended)
		return;
	if (k->kept.pidfd >= 0)
		close(take_fd(&k->kept.pidfd));
	k->kept.exit = (struct exit_record){ k->id, pid, status, at_ns };
	timer_set(&tell, 0, on_keeper_tell);
}

void keeper_ask_keep(const char *id, pid_t pid, int pidfd)
{
	struct kept_entry *k = kept_put(id);

	k->kept.pid = pid;
	/* There may be no descriptor for a copy, and a process without a pidfd is taken for one that has ended. */
	k->kept.pidfd = pidfd;
	hooks->tell(&k->kept);
	k->kept.pidfd = fcntl(pidfd, F_DUPFD_CLOEXEC, 3);
}

void reports_hand_over(void)
{
	list_each(it, &kept)
		hooks->tell(&container_of(it, struct kept_entry, link)->kept);
}

void reports_listen(const struct reports_hooks *to)
{
	hooks = to;
}
