/* kept.c - see kept.h.
 *
 *   child:     ALIVE ---reaped---> ENDED(status)
 *   foreign:   ALIVE ---foreign.h tells---> ENDED(status, or lost)
 *
 * Lost: see foreign.h. The anchor is told of each change before crispd is. (ARCHITECTURE K5, K21) */
#include "procs/keeper/kept.h"

#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "procs/keeper/anchor.h"
#include "procs/keeper/channel.h"
#include "procs/keeper/foreign.h"
#include "procs/keeper/proto.h"
#include "procs/keeper/reap.h"
#include "reactor/loop.h"
#include "reactor/map.h"
#include "reactor/own.h"

struct kept {
	struct offspring child; /* linked while it lives */
	struct foreign foreign; /* or that is watched */
	struct link link;       /* in `all` */
	pid_t pid;
	bool claimed; /* by a crispd of this keeper's life */
	bool ended;
	int status;
	int64_t at_ns;
	char id[];
};

static struct map by_id;
static struct link all = { &all, &all }; /* of struct kept.link */

static void kept_free(struct kept *k)
{
	map_drop(&by_id, k->id);
	list_drop(&k->link);
	offspring_drop(&k->child);
	foreign_drop(&k->foreign);
	free(k);
}

static struct kept *kept_new(const char *id, pid_t pid)
{
	struct kept *old = map_get(&by_id, id), *k;

	if (old)
		kept_free(old);
	k = own_must(calloc(1, sizeof(*k) + strlen(id) + 1));
	memcpy(k->id, id, strlen(id) + 1);
	k->pid = pid;
	k->foreign.pidfd = -1;
	map_put(&by_id, k->id, k);
	list_append(&all, &k->link);
	return k;
}

static void kept_tell(const struct kept *k, uint32_t type)
{
	auto_fd int opened = -1;
	struct buf b = { 0 };
	int pidfd = k->foreign.pidfd;

	put_str(&b, k->id);
	put_u32(&b, (uint32_t)k->pid);
	put_u32(&b, k->ended);
	put_u32(&b, (uint32_t)k->status);
	put_u64(&b, (uint64_t)k->at_ns);
	/* The pid of a child is not given to another process before the keeper reaps the child, so no pidfd of it is
	 * kept open. Of a process whose end the anchor is asked for, the pid may be another one's by now. */
	if (!k->ended && pidfd < 0 && !k->foreign.asked)
		pidfd = opened = (int)syscall(SYS_pidfd_open, k->pid, 0);
	channel_tell(type, 0, &b, &pidfd, !k->ended && pidfd >= 0);
	buf_free(&b);
}

static void kept_end(struct kept *k, int status, int64_t at_ns)
{
	offspring_drop(&k->child);
	foreign_drop(&k->foreign);
	k->ended = true;
	k->status = status;
	k->at_ns = at_ns;
	anchor_keep(k->id, k->pid, 0, -1, status, at_ns);
	kept_tell(k, KEEPER_EXITED);
}

static void on_kept_child_ended(struct offspring *o, int status, int64_t at_ns)
{
	kept_end(container_of(o, struct kept, child), status, at_ns);
}

void kept_child(const char *id, pid_t pid)
{
	struct kept *k = kept_new(id, pid);
	auto_fd int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	k->claimed = true;
	offspring_add(&k->child, pid, on_kept_child_ended);
	anchor_keep(id, pid, 0, pidfd, 0, 0);
	kept_tell(k, KEEPER_KEPT);
}

/* ---- foreign processes ---- */

static void on_kept_foreign_ended(struct foreign *f, int status, int64_t at_ns)
{
	kept_end(container_of(f, struct kept, foreign), status, at_ns);
}

void kept_foreign(const char *id, pid_t pid, int pidfd)
{
	struct kept *k = kept_new(id, pid);

	k->claimed = true;
	foreign_watch(&k->foreign, k->id, pid, pidfd, on_kept_foreign_ended);
	anchor_keep(id, pid, 0, pidfd, 0, 0);
	kept_tell(k, KEEPER_KEPT);
}

void kept_gone(const char *id, pid_t pid, uint64_t start_ticks)
{
	struct kept *k = kept_new(id, pid);

	k->claimed = true;
	foreign_watch(&k->foreign, k->id, pid, -1, on_kept_foreign_ended);
	kept_tell(k, KEEPER_KEPT);
	if (!anchor_find(id, pid, start_ticks))
		kept_end(k, STATUS_LOST, loop_real_ns());
}

/* ---- what the anchor knows ---- */

void kept_again(const struct anchor_message *m, int pidfd)
{
	struct kept *k = kept_new(m->name, m->pid);

	if (m->at_ns) {
		k->ended = true;
		k->status = m->status;
		k->at_ns = m->at_ns;
	} else { /* without a pidfd the anchor tells its end if it is the parent */
		foreign_watch(&k->foreign, k->id, k->pid, take_fd(&pidfd), on_kept_foreign_ended);
	}
	if (pidfd >= 0)
		close(pidfd);
}

/* ---- */

void kept_ended(const char *id, pid_t pid, int status, int64_t at_ns)
{
	struct kept *k = kept_new(id, pid);

	k->claimed = true;
	kept_tell(k, KEEPER_KEPT);
	kept_end(k, status, at_ns);
}

bool kept_knows(const char *id, pid_t pid, bool *alive)
{
	const struct kept *k = map_get(&by_id, id);

	if (!k || k->pid != pid)
		return false;
	*alive = !k->ended;
	return true;
}

bool kept_alive(const char *id)
{
	const struct kept *k = map_get(&by_id, id);

	return k && !k->ended;
}

bool kept_any(void)
{
	return !list_empty(&all);
}

void kept_forget(const char *id)
{
	struct kept *k = map_get(&by_id, id);

	if (!k)
		return;
	anchor_forget(id);
	kept_free(k);
}

void kept_forget_unclaimed(void)
{
	list_each(it, &all) {
		struct kept *k = container_of(it, struct kept, link);

		if (!k->claimed)
			kept_forget(k->id);
	}
}

void kept_claimed(const char *id)
{
	struct kept *k = map_get(&by_id, id);

	if (k)
		k->claimed = true;
}

/* True: the keeper knows that process already, by its anchor, and perhaps better than crispd does. */
static bool kept_claim(const char *id, pid_t pid, bool ended)
{
	struct kept *k = map_get(&by_id, id);

	if (!k || k->pid != pid || (ended && !k->ended))
		return false;
	k->claimed = true;
	if (k->ended && !ended)
		kept_tell(k, KEEPER_EXITED);
	return true;
}

void kept_from_crispd(struct imsg *m)
{
	struct get g = get_from(m);
	const char *id = get_str(&g);
	pid_t pid = (pid_t)get_u32(&g);
	bool ended = get_u32(&g);
	int status = (int)get_u32(&g);
	int64_t at_ns = (int64_t)get_u64(&g);

	if (g.bad || !id || kept_claim(id, pid, ended))
		return;
	if (ended)
		kept_ended(id, pid, status, at_ns);
	else if (m->nfds == 1)
		kept_foreign(id, pid, take_fd(&m->fds[0]));
	else
		kept_ended(id, pid, STATUS_LOST, loop_real_ns());
}

void kept_tell_again(const char *id)
{
	const struct kept *k = map_get(&by_id, id);

	if (k)
		kept_tell(k, KEEPER_KEPT);
}

void kept_tell_all(void)
{
	list_each(it, &all) {
		struct kept *k = container_of(it, struct kept, link);

		k->claimed = true;
		kept_tell(k, KEEPER_KEPT);
	}
}
