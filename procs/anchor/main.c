/* main.c - crisp-anchor: the parent of the keeper, and the process that remains when a keeper dies. See procs/anchor.h.
 *
 *   IDLE ---START---> RUNS ---keeper killed by a signal---> PAUSE ---100 ms, or SIGNAL to end---> RUNS
 *                      | |---keeper exits---> IDLE, ENDED told
 *                      | +---keeper is killed while it is to end---> RUNS: another one, which is told to end (3 times)
 *                      +---START of another program or other arguments: SIGTERM---> (ended) RUNS with the new request
 *   IDLE, nothing kept or held, no front about to ask---> the process ends
 *   IDLE ---SIGTERM---> the process ends, whatever it keeps: the machine goes down, or an operator says so
 *
 * Waits on: SIGCHLD and SIGTERM (a signalfd; all signals are blocked), the keeper's channel, the front, the listener,
 * and the pause. Nothing blocks: to a front or a keeper that does not read, what is to be told waits as one bit or one
 * mark an entry.
 * What the keeper has sent is read before a child is reaped, so that the anchor knows each process by its id.
 * Usage: crisp-anchor STATE, by crisp-keeper only. Exit: 0; 1 the state directory has another anchor, or the anchor
 * cannot work here. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "procs/anchor.h"
#include "procs/anchor/birth.h"
#include "procs/anchor/table.h"
#include "procs/pidstat.h"
#include "reactor/clock.h"
#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/no_core.h"
#include "reactor/own.h"
#include "reactor/pid_lock.h"

/* Fds from LOW_FDS on are the anchor's; those below are the numbers that a keeper is born with. */
enum { PAUSE_MS = 100, ENDS_MAX = 3, LOW_FDS = 10, UNTOLD_MAX = 64 };

struct request {
	int fds[4]; /* struct anchor_start, stdin, stdout, stderr; fds[0] -1: there is none */
	char name[ANCHOR_NAME_SIZE];
};

static struct {
	pid_t pid;   /* 0: no keeper runs */
	int channel; /* -1: none */
	int state;   /* enum anchor_state */
	bool pause, ending, hup;
	int ends;         /* keepers that were told to end and were killed */
	int64_t start_ms; /* of the pause's end */
	int ended;        /* wait status of the last keeper */
} keeper = { .channel = -1 };

static struct {
	int fd, asking; /* the front; a connection that has not sent START yet. -1: none */
	bool tell_keeper, tell_state, tell_ended;
} front = { -1, -1, false, false, false };

static struct request now = { .fds = { -1, -1, -1, -1 } }, next = { .fds = { -1, -1, -1, -1 } };
static int signals = -1, listener = -1;
static char state_dir[PATH_MAX];

static void drop(int *fd)
{
	if (*fd >= 0)
		close(take_fd(fd));
}

/* ---- requests ---- */

static void request_drop(struct request *r)
{
	for (int i = 0; i < 4; i++)
		drop(&r->fds[i]);
}

static void log_to(int fd)
{
	dup2(fd, STDERR_FILENO);
}

/* Terminals and pipes of a front must not stay open because a keeper ran once. */
static void requests_over(void)
{
	request_drop(&now);
	request_drop(&next);
	log_to(STDIN_FILENO);
}

static void request_take(struct request *r, const struct anchor_message *m, int fds[ANCHOR_FDS_MAX])
{
	request_drop(r);
	for (int i = 0; i < 4; i++)
		r->fds[i] = take_fd(&fds[i]);
	memcpy(r->name, m->name, sizeof(r->name));
}

/* ---- the keeper ---- */

/* -1: errno. */
static pid_t keeper_fork(int theirs)
{
	pid_t pid;

	if (fault_fails("main", "keeper_fork", "fork", "before"))
		return -1;
	pid = fork();
	if (pid == 0) {
		setsid();
		birth(now.fds[0], &now.fds[1], theirs);
	}
	fault_at("main", "keeper_fork", "fork", "after");
	return pid;
}

static void keeper_start(void)
{
	int ends[2];
	pid_t pid;

	keeper.pause = false;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0) {
		pid = keeper_fork(ends[1]);
		close(ends[1]);
		if (pid > 0) {
			keeper.pid = pid;
			keeper.channel = ends[0];
			keeper.state = ANCHOR_BEGINS;
			front.tell_keeper = true;
			if (keeper.hup)
				EFFECT(kill(pid, SIGHUP)); /* it is blocked until the keeper has a handler */
			keeper.hup = false;
			return;
		}
		close(ends[0]);
	}
	log_error("fork error=%s", log_quote(strerror(errno)));
	keeper.pause = true;
	keeper.start_ms = clock_mono_ms() + PAUSE_MS;
}

static void keeper_over(int status)
{
	keeper.ended = status;
	front.tell_ended = true;
	keeper.ending = keeper.pause = keeper.hup = false;
	keeper.ends = 0;
	requests_over();
}

/* A crispd that outlived its keeper is ended by the next one only. */
static void keeper_start_to_end(void)
{
	keeper.ends++;
	keeper_start();
	if (keeper.pid)
		EFFECT(kill(keeper.pid, SIGTERM)); /* it is blocked until the keeper has a handler */
}

static void keeper_ended(int status)
{
	log_line(WIFSIGNALED(status) && !keeper.ending ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO,
		 "keeper end pid=%d %s=%d", keeper.pid, WIFSIGNALED(status) ? "signal" : "status",
		 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	keeper.pid = 0;
	drop(&keeper.channel);
	if (next.fds[0] >= 0) {
		request_drop(&now);
		now = next;
		next.fds[0] = next.fds[1] = next.fds[2] = next.fds[3] = -1;
		keeper.ending = false;
		return keeper_start();
	}
	if (WIFEXITED(status) || keeper.ends == ENDS_MAX)
		return keeper_over(status);
	if (keeper.ending)
		return keeper_start_to_end();
	keeper.pause = true;
	keeper.start_ms = clock_mono_ms() + PAUSE_MS;
}

static void keeper_signal(int sig)
{
	if (sig != SIGHUP && sig != SIGTERM && sig != SIGINT)
		return;
	if (sig != SIGHUP) {
		keeper.ending = true;
		request_drop(&next);
	}
	if (keeper.pid)
		EFFECT(kill(keeper.pid, sig));
	else if (sig == SIGHUP)
		keeper.hup = keeper.pause;
	else if (keeper.pause)
		keeper_start_to_end();
	else
		keeper_over(0);
}

/* ---- what is told to the keeper: each message waits until it is sent ---- */

/* While the keeper does not read, the ids of the first exits wait here. It asks for the others itself, because it sees
 * each end by a pidfd. The places of fds wait here too; without one the keeper's own number is used. */
static struct anchor_message untold[UNTOLD_MAX];
static unsigned nuntold;

static void keeper_flush(void)
{
	unsigned sent = 0;

	while (sent < nuntold && keeper.channel >= 0 && anchor_send(keeper.channel, &untold[sent], NULL, 0) == 0)
		sent++;
	if (keeper.channel < 0 || (sent < nuntold && errno != EAGAIN))
		sent = nuntold;
	nuntold -= sent;
	memmove(untold, untold + sent, nuntold * sizeof(untold[0]));
}

static void keeper_tell(const struct anchor_message *m)
{
	if (nuntold == UNTOLD_MAX)
		keeper_flush();
	if (keeper.channel >= 0 && nuntold < UNTOLD_MAX)
		untold[nuntold++] = *m;
}

/* ---- what the keeper tells ---- */

static void not_kept(const struct anchor_message *m)
{
	log_error("anchor name=%s error=\"out of fds or memory\" effect=\"it is lost when the keeper dies\"",
		  log_quote(m->name));
}

static void on_keeper_where(const struct anchor_message *m)
{
	struct anchor_message answer = *m;

	answer.type = ANCHOR_PLACE;
	answer.number = table_where(m->name);
	if (answer.number >= 0)
		keeper_tell(&answer);
}

static void on_keeper_message(const struct anchor_message *m, int fds[ANCHOR_FDS_MAX], size_t nfds)
{
	struct anchor_message answer = { .type = ANCHOR_KEEP };

	switch (m->type) {
	case ANCHOR_HOLD:
		if (nfds == 0 || !table_hold(m->name, take_fd(&fds[0])))
			not_kept(m);
		return;
	case ANCHOR_RELEASE: return table_release(m->name);
	case ANCHOR_KEEP:
		if (!table_keep(m, nfds ? take_fd(&fds[0]) : -1))
			not_kept(m);
		return;
	case ANCHOR_FORGET: return table_forget(m->name);
	case ANCHOR_FIND: return table_find(m->name, m->pid, m->start_ticks);
	case ANCHOR_ASK:
		if (!table_ask(m->name, &answer))
			memcpy(answer.name, m->name, sizeof(answer.name));
		return keeper_tell(&answer);
	case ANCHOR_WHERE: return on_keeper_where(m);
	case ANCHOR_STATE:
		keeper.state = m->status;
		front.tell_state = true;
		return;
	default: return;
	}
}

static void keeper_read(void)
{
	struct anchor_message m;
	int fds[ANCHOR_FDS_MAX], rc = 0;
	size_t nfds;

	while (keeper.channel >= 0 && (rc = anchor_receive(keeper.channel, &m, fds, &nfds)) > 0) {
		fault_at("work", anchor_type_name(m.type), "before");
		on_keeper_message(&m, fds, nfds);
		fault_at("work", anchor_type_name(m.type), "after");
		for (size_t i = 0; i < nfds; i++)
			drop(&fds[i]);
	}
	if (rc < 0)
		drop(&keeper.channel); /* the keeper is dead: SIGCHLD tells how */
}

/* ---- children ---- */

static void reap(void)
{
	struct anchor_message m;
	struct pidstat stat;
	siginfo_t info;
	uint64_t ticks;
	int status;

	keeper_read();
	for (;;) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
			return;
		if (info.si_pid == keeper.pid) {
			keeper_read(); /* its last messages */
			if (EFFECT(waitpid(info.si_pid, &status, 0)) == info.si_pid)
				keeper_ended(status);
			continue;
		}
		/* Read before the reap: then the pid is still of that process. */
		ticks = pidstat_read(info.si_pid, &stat) ? (uint64_t)stat.start_ticks : 0;
		if (EFFECT(waitpid(info.si_pid, &status, 0)) == info.si_pid &&
		    table_ended(info.si_pid, ticks, status, clock_ns(CLOCK_REALTIME), &m))
			keeper_tell(&m);
	}
}

/* ---- the front ---- */

static void front_attach(int fd)
{
	drop(&front.fd); /* an earlier front is dead: its lock was free for this one */
	front.fd = fd;
	front.tell_ended = false;
	front.tell_keeper = front.tell_state = keeper.pid != 0;
}

static void front_start(const struct anchor_message *m, int fds[ANCHOR_FDS_MAX])
{
	bool same = strcmp(m->name, now.name) == 0;

	if (keeper.pid && same && !keeper.ending)
		return; /* the keeper runs on under the new front */
	if (keeper.pid) {
		request_take(&next, m, fds);
		keeper.ending = true;
		EFFECT(kill(keeper.pid, SIGTERM));
		log_info("keeper pid=%d is replaced", keeper.pid);
		return;
	}
	request_take(&now, m, fds);
	log_to(now.fds[3]);
	keeper_start();
}

/* False: it is gone. */
static bool front_read(int *fd)
{
	struct anchor_message m;
	int fds[ANCHOR_FDS_MAX], rc = 0;
	size_t nfds;

	while (*fd >= 0 && (rc = anchor_receive(*fd, &m, fds, &nfds)) > 0) {
		fault_at("work", anchor_type_name(m.type), "before");
		if (m.type == ANCHOR_START && nfds == 4) {
			if (fd == &front.asking)
				front_attach(take_fd(fd));
			front_start(&m, fds);
		} else if (m.type == ANCHOR_SIGNAL && fd == &front.fd) {
			keeper_signal(m.status);
		}
		fault_at("work", anchor_type_name(m.type), "after");
		for (size_t i = 0; i < nfds; i++)
			drop(&fds[i]);
	}
	return *fd < 0 || rc == 0;
}

static bool front_send(uint32_t type, pid_t pid, int status)
{
	struct anchor_message m = { .type = type, .pid = pid, .status = status };
	auto_fd int pidfd = pid ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

	if (anchor_send(front.fd, &m, &pidfd, pidfd >= 0) == 0)
		return true;
	if (errno != EAGAIN)
		drop(&front.fd);
	return false;
}

static void front_flush(void)
{
	if (front.fd >= 0 && front.tell_keeper && keeper.pid)
		front.tell_keeper = !front_send(ANCHOR_KEEPER, keeper.pid, 0);
	if (front.fd >= 0 && front.tell_state && !front.tell_keeper)
		front.tell_state = !front_send(ANCHOR_STATE, 0, keeper.state);
	if (front.fd >= 0 && front.tell_ended)
		front.tell_ended = !front_send(ANCHOR_ENDED, 0, keeper.ended);
}

/* The newest connection is read; an older one that never asked is closed. */
static void front_accept(void)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 || peer.uid != geteuid()) {
			close(fd);
			continue;
		}
		drop(&front.asking);
		front.asking = fd;
	}
}

/* ---- the loop ---- */

static bool has_work(void)
{
	return keeper.pid || keeper.pause || front.asking >= 0 || (front.fd >= 0 && front.tell_ended) ||
	       !table_is_empty();
}

/* True: SIGTERM came, and no keeper is to be kept. */
static bool read_signals(void)
{
	struct signalfd_siginfo info[8];
	bool term = false;
	ssize_t n;

	while ((n = read(signals, info, sizeof(info))) > 0)
		for (size_t i = 0; i < (size_t)n / sizeof(info[0]); i++)
			term |= info[i].ssi_signo == SIGTERM;
	return term && !keeper.pid && !keeper.pause;
}

/* False: the process ends. */
static bool turn(void)
{
	int64_t left_ms = keeper.start_ms - clock_mono_ms();
	bool untold_front = front.tell_keeper || front.tell_state || front.tell_ended;
	struct pollfd fds[] = {
		{ signals, POLLIN, 0 },
		{ listener, POLLIN, 0 },
		{ keeper.channel, (short)(POLLIN | (nuntold ? POLLOUT : 0)), 0 },
		{ front.fd, (short)(POLLIN | (untold_front ? POLLOUT : 0)), 0 },
		{ front.asking, POLLIN, 0 },
	};

	if (poll(fds, 5, keeper.pause ? (int)(left_ms > 0 ? left_ms : 0) : -1) < 0 && errno != EINTR)
		return false;
	if (fds[0].revents && read_signals())
		return false;
	if (fds[0].revents)
		reap();
	else if (fds[2].revents)
		keeper_read();
	if (fds[1].revents)
		front_accept();
	if (fds[3].revents && !front_read(&front.fd))
		drop(&front.fd);
	if (fds[4].revents && !front_read(&front.asking))
		drop(&front.asking);
	if (keeper.pause && clock_mono_ms() >= keeper.start_ms)
		keeper_start();
	keeper_flush();
	front_flush();
	return true;
}

/* ---- start ---- */

static int anchor_lock(void)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/" ANCHOR_LOCK, state_dir);
	return pid_lock(path) < 0 ? -1 : 0; /* it stays open as long as the process lives */
}

static int anchor_listen(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int n = snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/" ANCHOR_SOCKET, state_dir);

	if (n >= (int)sizeof(sa.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	EFFECT(unlink(sa.sun_path)); /* left by an earlier anchor: this one has the lock */
	umask(0177);
	if (listener < 0 || EFFECT(bind(listener, (struct sockaddr *)&sa, sizeof(sa))) < 0)
		return -1;
	return listen(listener, 4);
}

static void lower_oom(void)
{
	static const char *const values[] = { "-1000", "-999" };
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	for (size_t i = 0; fd >= 0 && i < 2; i++)
		if (write(fd, values[i], strlen(values[i])) > 0)
			break;
	drop(&fd);
}

/* The numbers that a keeper is born with are taken, so that no fd which is held ever gets one of them. What the program
 * that started the front had open, and did not mean for the anchor, is closed. */
static int anchor_fds(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup3(ANCHOR_FRONT_FD, LOW_FDS, O_CLOEXEC) < 0 || fcntl(LOW_FDS, F_SETFL, O_NONBLOCK) < 0)
		return -1;
	front.asking = LOW_FDS;
	for (int i = 0; i < LOW_FDS; i++)
		if (i != STDERR_FILENO && i != null && dup3(null, i, O_CLOEXEC) < 0)
			return -1;
	return close_range(LOW_FDS + 1, ~0u, 0);
}

static int anchor_open(void)
{
	struct rlimit nofile;
	struct err faults;
	sigset_t set;

	no_core(NULL);
	setsid();
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (chdir("/") < 0 || anchor_fds() < 0 || fault_open("anchor", &faults) < 0)
		return -1;
	if (getrlimit(RLIMIT_NOFILE, &nofile) == 0) {
		nofile.rlim_cur = nofile.rlim_max;
		setrlimit(RLIMIT_NOFILE, &nofile);
	}
	lower_oom();
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return signals < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || anchor_lock() < 0 || anchor_listen() < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	log_open("anchor", LOG_LEVEL_INFO);
	log_format_inherit();
	if (argc != 2 || argv[1][0] != '/' || strlen(argv[1]) >= sizeof(state_dir)) {
		dprintf(STDERR_FILENO, "crisp-anchor is started by crisp-keeper(8)\n");
		return 1;
	}
	memcpy(state_dir, argv[1], strlen(argv[1]) + 1);
	if (anchor_open() < 0) {
		log_error("anchor state=%s error=%s", log_quote(state_dir), log_quote(strerror(errno)));
		return 1;
	}
	do {
		while (has_work())
			if (!turn())
				return 0;
		front_accept(); /* a front that connected in the last moment is served */
	} while (has_work());
	return 0;
}
