/* foreign.c - see foreign.h.
 *
 *   ALIVE ---pidfd readable, not reaped: its status is read---> ended
 *    |  |  |  |  +---hidden: looked at again each 100 ms---^
 *    |  |  |  +---reaped: by PIDFD_GET_INFO, from Linux 6.15---> ended
 *    |  |  +---reaped, older kernel: ASKED ---answer of the anchor---> ended, status known or lost
 *    |  +---told by the anchor---> ended
 *    +---parent ended, reparented to the keeper, ended---> ended
 *
 * Lost: it was reaped before the keeper looked, on a kernel before 6.15, by a parent that is not the anchor.
 * (ARCHITECTURE K5) */
#include "procs/keeper/foreign.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procs/keeper/anchor.h"
#include "procs/pidstat.h"
#include "reactor/own.h"

enum { LOOK_AGAIN_MS = 100 };

/* As in linux/pidfd.h of 6.15. The headers of Debian 12 are older. */
struct pidfd_info_6_15 {
	uint64_t mask, cgroupid;
	uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
	int32_t exit_code;
};
#define PIDFD_GET_INFO_6_15 _IOWR(0xff, 11, struct pidfd_info_6_15)
#define PIDFD_INFO_EXIT_6_15 (1ull << 3)

static struct link all = { &all, &all }; /* of struct foreign.link */

void foreign_drop(struct foreign *f)
{
	offspring_drop(&f->child);
	fd_watch_clear(&f->watch);
	timer_clear(&f->timer);
	if (!list_linked(&f->link))
		return;
	list_drop(&f->link);
	f->asked = false;
	if (f->pidfd >= 0)
		close(take_fd(&f->pidfd));
}

static void foreign_end(struct foreign *f, int status, int64_t at_ns)
{
	foreign_drop(f);
	f->ended(f, status, at_ns);
}

static bool foreign_is_child(const struct foreign *f)
{
	siginfo_t info;

	return waitid(P_PID, (id_t)f->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static bool foreign_is_reaped(const struct foreign *f)
{
	return syscall(SYS_pidfd_send_signal, f->pidfd, 0, NULL, 0) < 0 && errno == ESRCH;
}

static void on_foreign_look(struct timer *t)
{
	struct foreign *f = container_of(t, struct foreign, timer);
	struct pidfd_info_6_15 info = { .mask = PIDFD_INFO_EXIT_6_15 };
	int status;

	if (foreign_is_child(f)) /* SIGCHLD follows, and reap.c ends it */
		return;
	/* By its pid: the signal says afterwards that it is still the same process. */
	if (pidstat_exit(f->pid, &status) == PIDSTAT_KNOWN && !foreign_is_reaped(f))
		return foreign_end(f, status, loop_real_ns());
	if (!foreign_is_reaped(f)) {
		timer_set(&f->timer, LOOK_AGAIN_MS, on_foreign_look);
		return;
	}
	if (ioctl(f->pidfd, PIDFD_GET_INFO_6_15, &info) == 0 && info.mask & PIDFD_INFO_EXIT_6_15)
		return foreign_end(f, info.exit_code, loop_real_ns());
	f->asked = anchor_ask(f->id);
	if (!f->asked)
		foreign_end(f, STATUS_LOST, loop_real_ns());
}

static void on_foreign_pidfd(struct fd_watch *w, int events)
{
	struct foreign *f = container_of(w, struct foreign, watch);

	(void)events;
	fd_watch_clear(w); /* a pidfd stays readable after the exit: the watch would fire in each turn */
	on_foreign_look(&f->timer);
}

static void on_foreign_reaped(struct offspring *o, int status, int64_t at_ns)
{
	foreign_end(container_of(o, struct foreign, child), status, at_ns);
}

void foreign_watch(struct foreign *f, const char *id, pid_t pid, int pidfd,
		   void (*ended)(struct foreign *f, int status, int64_t at_ns))
{
	f->id = id;
	f->pid = pid;
	f->pidfd = pidfd;
	f->asked = pidfd < 0;
	f->ended = ended;
	list_append(&all, &f->link);
	if (pidfd < 0)
		return;
	fd_watch_set(&f->watch, pidfd, FD_READ, on_foreign_pidfd);
	offspring_add(&f->child, pid, on_foreign_reaped);
}

void foreign_from_anchor(const struct anchor_message *m)
{
	list_each(it, &all) {
		struct foreign *f = container_of(it, struct foreign, link);

		if (strcmp(f->id, m->name) != 0)
			continue;
		if (m->at_ns && f->pid == m->pid)
			foreign_end(f, m->status, m->at_ns);
		else if (!m->at_ns && f->asked)
			foreign_end(f, STATUS_LOST, loop_real_ns());
		return;
	}
}

/* An answer that will not come. The callback may drop others, so each turn begins at the first one. */
void foreign_anchor_gone(void)
{
	for (bool more = true; more;) {
		more = false;
		list_each(it, &all) {
			struct foreign *f = container_of(it, struct foreign, link);

			if (!f->asked)
				continue;
			more = true;
			foreign_end(f, STATUS_LOST, loop_real_ns());
			break;
		}
	}
}
