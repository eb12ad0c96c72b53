/* front.c - see front.h.
 *
 *   SEEK ---an anchor listens, or was started: START is sent---> SERVED ---ENDED---> exit as the keeper did
 *    |  ^                                                         |    |
 *    |  +----------the anchor is gone, and the keeper too---------+    |
 *    |                                     the anchor is gone, the keeper lives ---> ALONE
 *    +---no anchor, and a keeper lives without one---> ALONE ---it ended---> SEEK, or exit after SIGTERM, when it has
 *                                                                             left no crispd
 *
 * ALONE: the anchor of a running keeper was killed. A signal to end that it may not have passed on is sent again. The
 * keeper and its containers run on, and a new anchor comes with the next keeper, because a process cannot be given
 * another parent.
 * A front that is killed leaves anchor and keeper as they are; the next front is told of the keeper that runs.
 * SIGHUP after an upgrade: the new crispd tries the configuration as in a reload, and if it is good, this process
 * executes the new file of its program and has the keeper replaced. (ARCHITECTURE R108)
 * Waits on: signals (a signalfd), the anchor, or the keeper's pidfd (ALONE); with a watchdog also the answers of the
 * keeper's loop and the time for the next question (knock.h). (ARCHITECTURE K22) */
#include "procs/keeper/front.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procs/keeper.h"
#include "procs/keeper/fallback.h"
#include "procs/keeper/knock.h"
#include "procs/keeper/notify.h"
#include "procs/keeper/state.h"
#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/own.h"
#include "reactor/places.h"

enum { SEEK_TRIES = 100, SEEK_TURN_MS = 100, EXIT_NO_KEEPER = 1 };

static struct {
	const struct front_config *cfg;
	int signals;
	int anchor; /* connection; -1: none */
	int keeper; /* pidfd of the last keeper; -1: none was told */
	bool ending; /* SIGTERM or SIGINT came */
	pid_t check; /* a child that tries the configuration for an upgrade; 0: none */
	int over;    /* exit status; -1: not yet */
	int tries;   /* of SEEK since the last keeper */
} front = { .anchor = -1, .keeper = -1, .over = -1 };

/* ---- what the keeper is to be born with ---- */

void front_limits(struct anchor_start *s)
{
	auto_fd int fd = open("/proc/self/oom_score_adj", O_RDONLY | O_CLOEXEC);
	char text[16] = "";
	struct rlimit limit;

	for (int i = 0; i < ANCHOR_LIMITS; i++)
		if (getrlimit((__rlimit_resource_t)i, &limit) == 0) {
			s->limits[i][0] = limit.rlim_cur;
			s->limits[i][1] = limit.rlim_max;
		}
	if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0)
		s->oom_score_adj = atoi(text);
	s->umask = umask(0);
	umask((mode_t)s->umask);
}

/* Variables that are meant for this process alone. */
static bool front_keeps_to_itself(const char *variable)
{
	static const char *const names[] = { "NOTIFY_SOCKET=", "WATCHDOG_", "LISTEN_", ANCHOR_ENV "=" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strncmp(variable, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static uint64_t hash_text(uint64_t hash, const char *text) /* FNV-1a, with the zero byte */
{
	do
		hash = (hash ^ (unsigned char)*text) * 0x100000001b3;
	while (*text++);
	return hash;
}

/* One program with the same arguments has one name; a file that an upgrade put in its place has another. */
static void front_name(char name[ANCHOR_NAME_SIZE])
{
	uint64_t hash = hash_text(0xcbf29ce484222325, front.cfg->program);
	struct stat st = { 0 };
	char text[80];

	stat(front.cfg->program, &st);
	snprintf(text, sizeof(text), "%llu:%llu:%lld.%09ld", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino, (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
	hash = hash_text(hash, text);
	for (const char *const *a = front.cfg->argv; *a; a++)
		hash = hash_text(hash, *a);
	snprintf(name, ANCHOR_NAME_SIZE, "%016llx", (unsigned long long)hash);
}

static void write_text(FILE *f, const char *text)
{
	fwrite(text, 1, strlen(text) + 1, f);
}

/* The fd of a file with struct anchor_start and its strings; -1: errno. */
static int front_request(void)
{
	struct anchor_start s = front.cfg->start;
	auto_fd int fd = memfd_create("crisp-keeper-start", MFD_CLOEXEC);
	auto_file FILE *f = fd < 0 ? NULL : fdopen(fcntl(fd, F_DUPFD_CLOEXEC, 3), "we");
	char cwd[PATH_MAX];

	if (!f)
		return -1;
	while (front.cfg->argv[s.argc])
		s.argc++;
	for (char **v = environ; *v; v++)
		s.envc += !front_keeps_to_itself(*v);
	fwrite(&s, sizeof(s), 1, f);
	write_text(f, front.cfg->program);
	write_text(f, getcwd(cwd, sizeof(cwd)) ? cwd : "/");
	for (uint32_t i = 0; i < s.argc; i++)
		write_text(f, front.cfg->argv[i]);
	for (char **v = environ; *v; v++)
		if (!front_keeps_to_itself(*v))
			write_text(f, *v);
	return fflush(f) == 0 && !ferror(f) ? take_fd(&fd) : -1;
}

static int front_start(void)
{
	struct anchor_message m = { .type = ANCHOR_START };
	auto_fd int request = front_request();
	int fds[] = { request, STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO };

	front_name(m.name);
	return request < 0 ? -1 : anchor_send(front.anchor, &m, fds, 4);
}

/* ---- SEEK ---- */

static int front_connect(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	auto_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int n = snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/" ANCHOR_SOCKET, front.cfg->state);

	if (fd < 0 || n >= (int)sizeof(sa.sun_path) || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -1;
	return take_fd(&fd);
}

/* The anchor's end of the connection is its fd 3. Its other fds are this process's stdio: it logs to stderr until a
 * keeper has ended. */
static int front_spawn_anchor(void)
{
	const char *argv[] = { front.cfg->anchor, front.cfg->state, NULL };
	sigset_t none;
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -1;
	pid = fault_fails("front", "front_spawn_anchor", "fork", "before") ? -1 : fork();
	if (pid == 0) {
		if (ends[1] != ANCHOR_FRONT_FD ? dup2(ends[1], ANCHOR_FRONT_FD) < 0
					       : fcntl(ANCHOR_FRONT_FD, F_SETFD, 0) < 0)
			_exit(EXIT_NO_KEEPER);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execv(argv[0], (char *const *)argv);
		log_error("execute path=%s error=%s", log_quote(argv[0]), log_quote(strerror(errno)));
		_exit(EXIT_NO_KEEPER);
	}
	fault_at("front", "front_spawn_anchor", "fork", "after");
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return -1;
	}
	return ends[0];
}

/* False: the attempt failed. */
static bool front_seek(void)
{
	pid_t owner;

	front.anchor = front_connect();
	if (front.anchor < 0) {
		front.keeper = state_owner(front.cfg->state, STATE_KEEPER_LOCK, &owner);
		if (front.keeper >= 0) {
			log_error("keeper pid=%d runs without an anchor effect=\"exits and output are lost if both "
				  "daemons die now; restart crisp-keeper\"", owner);
			notify("READY=1"); /* it serves, or it will: nobody can tell this process when */
			return true;
		}
		front.anchor = front_spawn_anchor();
	}
	if (front.anchor >= 0 && front_start() == 0)
		return true;
	if (front.anchor >= 0)
		close(take_fd(&front.anchor));
	return false;
}

/* ---- events ---- */

/* A keeper that cannot work because another one has the state directory: that one was being born when its anchor was
 * killed. */
static void front_note_end(int status)
{
	pid_t owner;

	front.over = WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_NO_KEEPER;
	if (front.over != EXIT_NO_KEEPER)
		return;
	front.keeper = state_owner(front.cfg->state, STATE_KEEPER_LOCK, &owner);
	if (front.keeper < 0)
		return;
	front.over = -1;
	if (front.ending)
		EFFECT(syscall(SYS_pidfd_send_signal, front.keeper, SIGTERM, NULL, 0));
}

static void on_front_message(const struct anchor_message *m, int fds[ANCHOR_FDS_MAX], size_t nfds)
{
	switch (m->type) {
	case ANCHOR_KEEPER:
		if (front.keeper >= 0)
			close(take_fd(&front.keeper));
		front.keeper = nfds ? take_fd(&fds[0]) : -1;
		front.tries = 0;
		return;
	case ANCHOR_STATE:
		if (m->status == ANCHOR_READY)
			notify("READY=1");
		else if (m->status == ANCHOR_STOPPING && front.ending) /* else the next keeper follows */
			notify("STOPPING=1");
		return;
	case ANCHOR_ENDED: return front_note_end(m->status);
	default: return;
	}
}

static bool keeper_lives(void)
{
	return front.keeper >= 0 && poll(&(struct pollfd){ front.keeper, POLLIN, 0 }, 1, 0) == 0;
}

static void front_read_anchor(void)
{
	struct anchor_message m;
	int fds[ANCHOR_FDS_MAX], rc;
	size_t nfds;

	while ((rc = anchor_receive(front.anchor, &m, fds, &nfds)) > 0) {
		fault_at("work", anchor_type_name(m.type), "before");
		on_front_message(&m, fds, nfds);
		fault_at("work", anchor_type_name(m.type), "after");
		for (size_t i = 0; i < nfds; i++)
			if (fds[i] >= 0)
				close(fds[i]);
	}
	if (rc == 0 || front.over >= 0)
		return;
	close(take_fd(&front.anchor));
	if (keeper_lives() && front.ending)
		EFFECT(syscall(SYS_pidfd_send_signal, front.keeper, SIGTERM, NULL, 0));
	if (keeper_lives())
		log_error("anchor_gone effect=\"the keeper runs on; exits and output are lost if both daemons die now; "
			  "restart crisp-keeper\"");
}

static void front_pass(int sig)
{
	front.ending |= sig != SIGHUP;
	if (front.anchor >= 0)
		anchor_send(front.anchor, &(struct anchor_message){ .type = ANCHOR_SIGNAL, .status = sig }, NULL, 0);
	else if (front.keeper >= 0)
		EFFECT(syscall(SYS_pidfd_send_signal, front.keeper, sig, NULL, 0));
}

/* ---- an upgrade ---- */

/* As this process was started, with the limits that it had then. */
static void front_execute(void)
{
	log_info("upgrade path=%s", log_quote(front.cfg->program));
	for (int i = 0; i < ANCHOR_LIMITS; i++)
		setrlimit((__rlimit_resource_t)i, &(struct rlimit){ front.cfg->start.limits[i][0],
								    front.cfg->start.limits[i][1] });
	execv(front.cfg->program, (char *const *)front.cfg->argv);
	log_error("execute path=%s error=%s", log_quote(front.cfg->program), log_quote(strerror(errno)));
}

/* A crispd that has never been READY left no copy of its configuration: then there is nothing to lose. */
static void front_upgrade(void)
{
	char running[PATH_MAX];
	const char *argv[] = { front.cfg->crispd, "--check", "--config", front.cfg->config, "--running", running,
			       NULL };

	if (!fallback_is_there(front.cfg->state, front.cfg->config)) {
		front_execute();
		return front_pass(SIGHUP);
	}
	snprintf(running, sizeof(running), "%s/" READY_CONFIG, front.cfg->state);
	if (front.check)
		kill(front.check, SIGKILL);
	front.check = fork();
	if (front.check == 0) {
		front_signals(SIG_UNBLOCK);
		execv(argv[0], (char *const *)argv);
		_exit(EXIT_NO_KEEPER);
	}
	if (front.check < 0)
		front.check = 0;
}

/* If the file is bad, the crispd that serves finds that too, and says so in Status. */
static void front_reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != front.check)
			continue;
		front.check = 0;
		if (front.ending)
			continue;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			front_execute();
		log_error("upgrade_refused effect=\"what runs serves on, and a reload is tried\"");
		front_pass(SIGHUP);
	}
}

static void front_read_signals(void)
{
	struct signalfd_siginfo info;

	while (read(front.signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			front_reap();
		else if (info.ssi_signo == SIGHUP && !front.ending && state_is_old_program())
			front_upgrade();
		else
			front_pass((int)info.ssi_signo);
	}
}

/* Keeper and anchor were killed during a stop: only another keeper ends the crispd that they left. */
static bool front_leaves_crispd(void)
{
	pid_t owner;
	auto_fd int fd = state_owner(front.cfg->state, "crispd.lock", &owner);

	return fd >= 0;
}

/* Its anchor starts the next one, to which crispd connects. */
static void front_kill_keeper(void)
{
	if (front.ending || !keeper_lives())
		return;
	log_error("keeper_killed why=watchdog");
	EFFECT(syscall(SYS_pidfd_send_signal, front.keeper, SIGKILL, NULL, 0));
}

static void front_wait(int timeout_ms)
{
	struct pollfd fds[] = {
		{ front.signals, POLLIN, 0 },
		{ front.anchor, POLLIN, 0 },
		{ front.anchor < 0 ? front.keeper : -1, POLLIN, 0 },
		{ knock_fd(), POLLIN, 0 },
	};
	int knock_ms = knock_timeout_ms();

	poll(fds, 4, timeout_ms >= 0 && (knock_ms < 0 || timeout_ms < knock_ms) ? timeout_ms : knock_ms);
	front_read_signals();
	if (knock_turn())
		front_kill_keeper();
	if (front.anchor >= 0 && fds[1].revents)
		front_read_anchor();
}

static sigset_t front_set(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	return set;
}

void front_signals(int how)
{
	sigset_t set = front_set();

	sigprocmask(how, &set, NULL);
}

int front_run(const struct front_config *cfg)
{
	sigset_t set = front_set();

	front.cfg = cfg;
	knock_open(cfg->state);
	front.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	while (front.over < 0) {
		if (front.anchor >= 0 || keeper_lives()) {
			front_wait(-1);
			continue;
		}
		if (front.keeper >= 0)
			close(take_fd(&front.keeper));
		if (front.ending && !front_leaves_crispd())
			return 0;
		if (front.tries++ == SEEK_TRIES) {
			log_error("no anchor can be started or reached error=%s", log_quote(strerror(errno)));
			return EXIT_NO_KEEPER;
		}
		if (front.tries > 1)
			front_wait(SEEK_TURN_MS);
		if (front_seek() && front.ending)
			front_pass(SIGTERM);
	}
	return front.over;
}
