/* reap.c - see reap.h.
 *
 * libev reaps children in its own SIGCHLD handler. The signal is blocked, so that handler never runs, and every exit
 * comes through the one loop of waitpid(2) here. A container can die before its pid file is read: the ring of strays
 * keeps its exit until then. (ARCHITECTURE K3) */
#include "procs/keeper/reap.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reactor/loop.h"

enum { BUCKETS = 256, STRAYS = 512 };

struct stray {
	pid_t pid;
	int status;
	int64_t at_ns;
};

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
		strays[strays_seen++ % STRAYS] = (struct stray){ pid, status, at_ns };
}

static void on_sigchld(struct fd_watch *w, int events)
{
	struct signalfd_siginfo info;
	pid_t pid;
	int status;

	(void)w;
	(void)events;
	while (read(signals, &info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		hand_over(pid, status, loop_real_ns());
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

bool strays_find(pid_t pid, uint64_t mark, int *status, int64_t *at_ns)
{
	for (uint64_t n = strays_seen; n > mark && strays_seen - n < STRAYS; n--) {
		const struct stray *s = &strays[(n - 1) % STRAYS];

		if (s->pid != pid)
			continue;
		*status = s->status;
		*at_ns = s->at_ns;
		return true;
	}
	return false;
}
