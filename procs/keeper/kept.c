/* kept.c - see kept.h.
 *
 *   child:          ALIVE ---reaped---> ENDED(status)
 *   foreign:        ALIVE ---pidfd readable---> asked ---exit status---> ENDED(status)
 *   (of a keeper that died, or the         |      |  ^
 *   parent is about to end)                | not reaped +--+ every 10 ms, 1 s at most, then ENDED(-1)
 *                                          +---parent ended, reparented to the keeper---> reaped ---> ENDED(status)
 *
 * A process that is not the parent learns an exit status only by PIDFD_GET_INFO (Linux 6.15), and only after the parent
 * has reaped. An older kernel answers ENOTTY, or without PIDFD_INFO_EXIT: the status is lost then. (ARCHITECTURE K5) */
#include "procs/keeper/kept.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procs/keeper/channel.h"
#include "procs/keeper/proto.h"
#include "procs/keeper/reap.h"
#include "reactor/loop.h"
#include "reactor/map.h"
#include "reactor/own.h"

enum { ASK_AGAIN_MS = 10, ASK_TIMES = 100, STATUS_LOST = -1 };

/* As in linux/pidfd.h of 6.15. The headers of Debian 12 are older. */
struct pidfd_info_6_15 {
	uint64_t mask, cgroupid;
	uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
	int32_t exit_code;
};
#define PIDFD_GET_INFO_6_15 _IOWR(0xff, 11, struct pidfd_info_6_15)
#define PIDFD_INFO_EXIT_6_15 (1ull << 3)

struct kept {
	struct offspring child; /* linked while it lives */
	struct link link;       /* in `all` */
	pid_t pid;
	int pidfd; /* of a foreign process while it lives; else -1 */
	struct fd_watch watch;
	struct timer timer;
	int asked;
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
	fd_watch_clear(&k->watch);
	timer_clear(&k->timer);
	if (k->pidfd >= 0)
		close(k->pidfd);
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
	k->pidfd = -1;
	map_put(&by_id, k->id, k);
	list_append(&all, &k->link);
	return k;
}

static void kept_tell(const struct kept *k, uint32_t type)
{
	auto_fd int opened = -1;
	struct buf b = { 0 };
	int pidfd = k->pidfd;

	put_str(&b, k->id);
	put_u32(&b, (uint32_t)k->pid);
	put_u32(&b, k->ended);
	put_u32(&b, (uint32_t)k->status);
	put_u64(&b, (uint64_t)k->at_ns);
	/* The pid of a child is not given to another process before the keeper reaps the child, so no pidfd of it is
	 * kept open. */
	if (!k->ended && pidfd < 0)
		pidfd = opened = (int)syscall(SYS_pidfd_open, k->pid, 0);
	channel_tell(type, 0, &b, &pidfd, !k->ended && pidfd >= 0);
	buf_free(&b);
}

static void kept_end(struct kept *k, int status, int64_t at_ns)
{
	fd_watch_clear(&k->watch);
	timer_clear(&k->timer);
	offspring_drop(&k->child);
	if (k->pidfd >= 0)
		close(take_fd(&k->pidfd));
	k->ended = true;
	k->status = status;
	k->at_ns = at_ns;
	kept_tell(k, KEEPER_EXITED);
}

static void on_kept_child_ended(struct offspring *o, int status, int64_t at_ns)
{
	kept_end(container_of(o, struct kept, child), status, at_ns);
}

void kept_child(const char *id, pid_t pid)
{
	struct kept *k = kept_new(id, pid);

	offspring_add(&k->child, pid, on_kept_child_ended);
	kept_tell(k, KEEPER_KEPT);
}

/* A foreign process whose parent ends first is reparented to the keeper, the subreaper. */
static bool kept_is_child(const struct kept *k)
{
	siginfo_t info;

	return waitid(P_PID, (id_t)k->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static bool kept_is_reaped(const struct kept *k)
{
	return syscall(SYS_pidfd_send_signal, k->pidfd, 0, NULL, 0) < 0 && errno == ESRCH;
}

static void on_kept_ask(struct timer *t)
{
	struct kept *k = container_of(t, struct kept, timer);
	struct pidfd_info_6_15 info = { .mask = PIDFD_INFO_EXIT_6_15 };

	if (kept_is_child(k)) /* SIGCHLD follows, and reap.c ends it */
		return;
	if (ioctl(k->pidfd, PIDFD_GET_INFO_6_15, &info) == 0 && info.mask & PIDFD_INFO_EXIT_6_15)
		return kept_end(k, info.exit_code, loop_real_ns());
	if (kept_is_reaped(k) || ++k->asked == ASK_TIMES)
		return kept_end(k, STATUS_LOST, loop_real_ns());
	timer_set(&k->timer, ASK_AGAIN_MS, on_kept_ask);
}

static void on_kept_pidfd(struct fd_watch *w, int events)
{
	struct kept *k = container_of(w, struct kept, watch);

	(void)events;
	fd_watch_clear(w); /* a pidfd stays readable after the exit: the watch would fire in each turn */
	on_kept_ask(&k->timer);
}

void kept_foreign(const char *id, pid_t pid, int pidfd)
{
	struct kept *k = kept_new(id, pid);

	k->pidfd = pidfd;
	fd_watch_set(&k->watch, pidfd, FD_READ, on_kept_pidfd);
	offspring_add(&k->child, pid, on_kept_child_ended);
	kept_tell(k, KEEPER_KEPT);
}

void kept_ended(const char *id, pid_t pid, int status, int64_t at_ns)
{
	struct kept *k = kept_new(id, pid);

	kept_tell(k, KEEPER_KEPT);
	kept_end(k, status, at_ns);
}

bool kept_alive(const char *id)
{
	const struct kept *k = map_get(&by_id, id);

	return k && !k->ended;
}

void kept_forget(const char *id)
{
	struct kept *k = map_get(&by_id, id);

	if (k)
		kept_free(k);
}

void kept_from_survivor(struct imsg *m)
{
	struct get g = get_from(m);
	const char *id = get_str(&g);
	pid_t pid = (pid_t)get_u32(&g);
	bool ended = get_u32(&g);
	int status = (int)get_u32(&g);
	int64_t at_ns = (int64_t)get_u64(&g);

	if (g.bad || !id)
		return;
	if (ended)
		kept_ended(id, pid, status, at_ns);
	else if (m->nfds == 1)
		kept_foreign(id, pid, take_fd(&m->fds[0]));
	else
		kept_ended(id, pid, STATUS_LOST, loop_real_ns());
}

void kept_tell_all(void)
{
	list_each(it, &all)
		kept_tell(container_of(it, struct kept, link), KEEPER_KEPT);
}
