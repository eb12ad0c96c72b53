/* reap.c - see reap.h.
 *
 * libev reaps children in its own SIGCHLD handler. The signal is blocked, so that handler never runs, and every exit
 * comes through the one loop of waitid(2) here. A container can die before its pid file is read: the ring of strays
 * keeps its exit until then. (ARCHITECTURE K3) */
#include "procs/keeper/reap.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procs/pidstat.h"
#include "reactor/fault.h"
#include "reactor/loop.h"

enum { BUCKETS = 256, STRAYS = 512 };
enum { FORKED_NO_EXEC = 0x40 }; /* PF_FORKNOEXEC of the kernel's sched.h */

static struct link by_pid[BUCKETS]; /* of struct offspring.link */
static struct stray strays[STRAYS]; /* a ring: stray number n is at n % STRAYS */
static uint64_t strays_seen;
static unsigned strays_listeners;
static struct fd_watch watch;
static int signals = -1;

void offspring_add(struct offspring *o, pid_t pid, void (*ended)(struct offspring *o, int status, int64_t at_ns))
{
	o->pid = pid;
	o->ended = ended;
	list_append(&by_pid[(unsigned)pid % BUCKETS], &o->link);
}

void offspring_drop(struct offspring *o)
{
	if (list_linked(&o->link))
		list_drop(&o->link);
}

bool child_ran(pid_t pid)
{
	struct pidstat now;

	return !pidstat_read(pid, &now) || !(now.flags & FORKED_NO_EXEC);
}

static void hand_over(pid_t pid, int status, int64_t at_ns)
{
	list_each(it, &by_pid[(unsigned)pid % BUCKETS]) {
		struct offspring *o = container_of(it, struct offspring, link);

		if (o->pid != pid)
			continue;
		list_drop(&o->link);
		o->ended(o, status, at_ns);
		return;
	}
	if (strays_listeners)
		strays[strays_seen++ % STRAYS] = (struct stray){ pid, status, at_ns, !status || child_ran(pid) };
}

/* As waitpid(2) gives it. */
static int wait_status(const siginfo_t *child)
{
	if (child->si_code == CLD_EXITED)
		return W_EXITCODE(child->si_status, 0);
	return W_EXITCODE(0, child->si_status) | (child->si_code == CLD_DUMPED ? WCOREFLAG : 0);
}

static void on_sigchld(struct fd_watch *w, int events)
{
	struct signalfd_siginfo info;
	siginfo_t child;

	(void)w;
	(void)events;
	while (read(signals, &info, sizeof(info)) > 0)
		;
	/* Told first and reaped then: a keeper that is killed before the anchor knows of this exit leaves the child
	 * unreaped, and the anchor gets it. (ARCHITECTURE K21) */
	while (child.si_pid = 0, waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT) == 0 && child.si_pid) {
		hand_over(child.si_pid, wait_status(&child), loop_real_ns());
		EFFECT(waitpid(child.si_pid, NULL, 0));
	}
}

int reap_open(struct err *e)
{
	sigset_t set;

	for (int i = 0; i < BUCKETS; i++)
		list_init(&by_pid[i]);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return err_os(e, ERR_INTERNAL, "become a subreaper");
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0)
		return err_os(e, ERR_INTERNAL, "signalfd");
	fd_watch_set(&watch, signals, FD_READ, on_sigchld);
	return 0;
}

uint64_t strays_listen(void)
{
	strays_listeners++;
	return strays_seen;
}

void strays_unlisten(void)
{
	strays_listeners--;
}

const struct stray *strays_find(pid_t pid, uint64_t mark)
{
	for (uint64_t n = strays_seen; n > mark && strays_seen - n < STRAYS; n--)
		if (strays[(n - 1) % STRAYS].pid == pid)
			return &strays[(n - 1) % STRAYS];
	return NULL;
}
