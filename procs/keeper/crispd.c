/* crispd.c - see crispd.h.
 *
 *   FIND ---lock free---> PAUSE ---back-off over: started---> RUN ---ended---> PAUSE
 *     |---survivor connects---> RUN                             +---exit 64 or 78---> OVER: the keeper ends with it
 *     +---10 s without it: killed (the lock becomes free)
 *   FIND, RUN, PAUSE ---SIGTERM---> END ---ended, or killed after 5 s---> OVER
 *
 * A lock tells whether a crispd lives: the keeper flocks <state>/crispd.lock before it starts crispd and passes the
 * locked file with WELCOME. So the lock is free exactly when no crispd lives, whichever keeper started it.
 * Waits on: the channel, the reaper (RUN), and one timer. A survivor is a crispd that an earlier keeper started: this
 * keeper is not its parent and waits on its pidfd instead. */
#include "procs/keeper/crispd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procs/keeper/channel.h"
#include "procs/keeper/hold.h"
#include "procs/keeper/job.h"
#include "procs/keeper/kept.h"
#include "procs/keeper/notify.h"
#include "procs/keeper/ns.h"
#include "procs/keeper/proto.h"
#include "procs/keeper/reap.h"
#include "procs/keeper/spawn.h"
#include "reactor/imsg.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum {
	FIND_TURN_MS = 20, FIND_PATIENCE_MS = 10000,
	BACKOFF_FIRST_MS = 100, BACKOFF_MAX_MS = 5000, LIFE_THAT_COUNTS_MS = 10000,
	ORPHANS_TURN_MS = 10, ORPHANS_PATIENCE_MS = 5000,
	END_PATIENCE_MS = 5000,
};

enum crispd_state { FIND, RUN, PAUSE, END, OVER };

static const struct sm_state crispd_states[] = {
	[FIND]  = { "FIND",  TO(RUN) | TO(PAUSE) | TO(END) },
	[RUN]   = { "RUN",   TO(PAUSE) | TO(END) | TO(OVER) },
	[PAUSE] = { "PAUSE", TO(RUN) | TO(PAUSE) | TO(END) },
	[END]   = { "END",   TO(OVER) },
	[OVER]  = { "OVER",  0 },
};

static struct {
	const struct crispd_config *cfg;
	struct sm sm;
	struct offspring child;  /* not of a survivor */
	int birth_fd;            /* brings the reason why it could not be executed; -1: none */
	int status;              /* as of waitpid(2), once it ended */
	int pidfd;               /* of a survivor; -1: none */
	struct fd_watch pidfd_watch;
	bool alive, survivor;
	int lock;                /* until it is passed to crispd; else -1 */
	int listener;
	struct fd_watch listener_watch;
	struct timer timer;      /* of the state */
	struct timer welcome;    /* set while WELCOME waits for children of the previous crispd */
	int64_t since_ns;        /* when the state (FIND) or the life (RUN) began */
	int64_t asked_ns;        /* when HELLO came */
	int backoff_ms;
	int verdict;
	struct signal_watch term, intr, hup;
} crispd = { .sm = { crispd_states, "crispd", "", FIND }, .birth_fd = -1, .pidfd = -1, .lock = -1, .listener = -1 };

int crispd_verdict(void)
{
	return crispd.verdict;
}

static int64_t ms_since(int64_t ns)
{
	return (loop_mono_ns() - ns) / 1000000;
}

/* ---- the life of crispd ---- */

static void crispd_signal(int sig)
{
	if (!crispd.alive)
		return;
	if (crispd.survivor)
		syscall(SYS_pidfd_send_signal, crispd.pidfd, sig, NULL, 0);
	else
		kill(crispd.child.pid, sig);
}

static void crispd_over(int verdict)
{
	sm_move(&crispd.sm, OVER);
	timer_clear(&crispd.timer);
	crispd.verdict = verdict;
	loop_stop();
}

static void on_crispd_start(struct timer *t);

/* crispd is dead, and all its messages are read. */
static void crispd_ended(void)
{
	int status = crispd.status;
	int64_t lived_ms = ms_since(crispd.since_ns);
	const char *how;

	channel_unwelcome();
	timer_clear(&crispd.welcome);
	if (crispd.lock >= 0)
		close(take_fd(&crispd.lock)); /* crispd died before its HELLO */
	jobs_orphan();
	ns_cancel_all();
	if (crispd.sm.now == END)
		return crispd_over(0);
	how = crispd.survivor ? "unknown" : child_status_text(status);
	if (!crispd.survivor && WIFEXITED(status) && WEXITSTATUS(status) == 0) /* a reload, or crispd was stopped */
		log_info("crispd end status=%s lived_ms=%lld", log_quote(how), (long long)lived_ms);
	else
		log_warn("crispd end status=%s lived_ms=%lld", log_quote(how), (long long)lived_ms);
	if (!crispd.survivor && WIFEXITED(status) &&
	    (WEXITSTATUS(status) == EXIT_CONFIG || WEXITSTATUS(status) == EXIT_USAGE))
		return crispd_over(WEXITSTATUS(status));
	if (lived_ms >= LIFE_THAT_COUNTS_MS)
		crispd.backoff_ms = 0;
	sm_move(&crispd.sm, PAUSE);
	timer_set(&crispd.timer, crispd.backoff_ms, on_crispd_start);
	crispd.backoff_ms = crispd.backoff_ms ? crispd.backoff_ms * 2 : BACKOFF_FIRST_MS;
	if (crispd.backoff_ms > BACKOFF_MAX_MS)
		crispd.backoff_ms = BACKOFF_MAX_MS;
}

static void on_crispd_ended(struct offspring *o, int status, int64_t at_ns)
{
	char text[BIRTH_TEXT_MAX + 1];
	ssize_t n = read(crispd.birth_fd, text, BIRTH_TEXT_MAX);

	(void)o;
	(void)at_ns;
	if (n > 0) {
		text[n] = '\0';
		log_error("crispd path=%s error=%s", log_quote(crispd.cfg->path), log_quote(text));
	}
	close(take_fd(&crispd.birth_fd));
	crispd.alive = false;
	crispd.status = status;
	if (!channel_is_open())
		crispd_ended();
}

static void on_survivor_ended(struct fd_watch *w, int events)
{
	(void)events;
	fd_watch_clear(w);
	close(take_fd(&crispd.pidfd));
	crispd.alive = false;
	if (!channel_is_open())
		crispd_ended();
}

static void on_channel_gone(void *arg)
{
	(void)arg;
	channel_close();
	if (!crispd.alive)
		return crispd_ended();
	/* A crispd without a channel is of no use, and it cannot make a new channel. The next crispd gets one. */
	crispd_signal(SIGKILL);
}

/* ---- the messages of crispd ---- */

static void tell_held(const char *name, int fd)
{
	struct buf b = { 0 };

	put_str(&b, name);
	put_u32(&b, (uint32_t)fd);
	channel_tell(KEEPER_HELD, 0, &b, &fd, 1);
	buf_free(&b);
}

static void crispd_welcome(void)
{
	struct buf b = { 0 };

	channel_welcome();
	put_u32(&b, KEEPER_VERSION);
	put_u32(&b, (uint32_t)getpid());
	put_str(&b, crispd.cfg->state);
	channel_tell(KEEPER_WELCOME, 0, &b, &crispd.lock, crispd.lock >= 0);
	buf_free(&b);
	if (crispd.lock >= 0)
		close(take_fd(&crispd.lock));
	if (crispd.survivor)
		return;
	hold_each(tell_held);
	kept_tell_all();
	channel_tell(KEEPER_END, 0, NULL, NULL, 0);
}

/* An OCI runtime that the previous crispd had started may still bring a process to be kept. WELCOME waits for it: sent
 * earlier, it would not name that process. */
static void on_crispd_welcome(struct timer *t)
{
	if (jobs_any_orphan() && ms_since(crispd.asked_ns) < ORPHANS_PATIENCE_MS) {
		timer_set(t, ORPHANS_TURN_MS, on_crispd_welcome);
		return;
	}
	jobs_kill_orphans();
	crispd_welcome();
}

static void on_crispd_hello(struct imsg *m)
{
	struct get g = get_from(m);
	uint32_t version = get_u32(&g), kind = get_u32(&g);

	if (g.bad || channel_is_welcomed())
		return;
	if (version != KEEPER_VERSION || (kind == HELLO_SURVIVOR) != crispd.survivor) {
		log_error("hello version=%u kind=%u crispd is restarted", version, kind);
		crispd_signal(SIGKILL);
		return;
	}
	crispd.asked_ns = loop_mono_ns();
	on_crispd_welcome(&crispd.welcome);
}

static void on_crispd_hold(struct imsg *m)
{
	struct get g = get_from(m);
	const char *name = get_str(&g);
	struct buf b = { 0 };

	if (!name)
		return;
	put_u32(&b, m->nfds == 1 ? (uint32_t)m->fds[0] : KEEPER_NOT_HELD);
	if (m->nfds == 1)
		hold(name, take_fd(&m->fds[0]));
	channel_tell(KEEPER_HELD_AT, m->tag, &b, NULL, 0);
	buf_free(&b);
}

static void with_name(const struct imsg *m, void (*fn)(const char *name))
{
	struct get g = get_from(m);
	const char *name = get_str(&g);

	if (name)
		fn(name);
}

static void on_crispd_ready(void)
{
	log_info("ready pid=%d", crispd.survivor ? -1 : crispd.child.pid);
	notify("READY=1");
}

static void on_crispd_unknown(const struct imsg *m)
{
	log_warn("message type=%u unknown", m->type);
	channel_tell_code(CHILD_FAILED, m->tag, ERR_UNIMPLEMENTED, "unknown message");
}

static void on_crispd_message(void *arg, struct imsg *m)
{
	(void)arg;
	/* Of a dead crispd's last messages, those that hand over or release something are still carried out, and those
	 * that want something made are not. */
	bool wants = crispd.alive && channel_is_welcomed();

	switch (m->type) {
	case KEEPER_HELLO: return on_crispd_hello(m);
	case KEEPER_READY: return on_crispd_ready();
	case KEEPER_HOLD: return on_crispd_hold(m);
	case KEEPER_RELEASE: return with_name(m, hold_release);
	case KEEPER_RELEASE_ALL: return with_name(m, hold_release_all);
	case KEEPER_FORGET: return with_name(m, kept_forget);
	case KEEPER_KEPT: return kept_from_survivor(m);
	case KEEPER_END: return channel_tell(KEEPER_END, 0, NULL, NULL, 0);
	case CHILD_SPAWN: return wants ? job_spawn(m) : (void)0;
	case CHILD_KILL: return job_kill(m->tag);
	case KEEPER_NS_MAKE: return wants ? ns_make(m) : (void)0;
	case KEEPER_NS_DROP: return ns_drop(m);
	default: return on_crispd_unknown(m);
	}
}

/* ---- a new crispd ---- */

static const char *state_path(const char *name)
{
	static char path[sizeof(((struct sockaddr_un *)0)->sun_path)];

	snprintf(path, sizeof(path), "%s/%s", crispd.cfg->state, name);
	return path;
}

/* The keeper's environment without the variables that are meant for the keeper, and with the number of the channel. */
static const char **crispd_env(void)
{
	static char channel[] = KEEPER_FD_ENV "=3";
	size_t n = 0, kept = 0;
	const char **env;

	while (environ[n])
		n++;
	env = own_must(calloc(n + 2, sizeof(*env)));
	for (size_t i = 0; i < n; i++)
		if (strncmp(environ[i], KEEPER_FD_ENV "=", strlen(KEEPER_FD_ENV) + 1) != 0 &&
		    strncmp(environ[i], "NOTIFY_SOCKET=", 14) != 0)
			env[kept++] = environ[i];
	env[kept] = channel;
	return env;
}

static pid_t crispd_execute(int channel, int *birth_fd, struct err *e)
{
	const char *argv[] = { crispd.cfg->path, crispd.cfg->config ? "--config" : NULL, crispd.cfg->config, NULL };
	auto_free const char **env = crispd_env();
	int fds[] = { channel, STDOUT_FILENO, STDERR_FILENO };
	struct child_request r = {
		.argv = argv, .envp = env, .cwd = "/", .cgroup_fd = -1,
		.nfds = 3, .fds = fds, .theirs = { 3, STDOUT_FILENO, STDERR_FILENO },
	};

	return spawn(&r, true, birth_fd, e);
}

static void write_pid(int fd, pid_t pid)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d\n", pid);

	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)n, 0) != n)
		log_warn("crispd.lock error=%s", log_quote(strerror(errno)));
}

static int crispd_begin(struct err *e)
{
	auto_fd int theirs = -1;
	int ends[2];
	pid_t pid;

	crispd.lock = open(state_path("crispd.lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (crispd.lock < 0 || flock(crispd.lock, LOCK_EX | LOCK_NB) < 0)
		return err_os(e, ERR_INTERNAL, "lock %s", state_path("crispd.lock"));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_os(e, ERR_INTERNAL, "socketpair");
	theirs = ends[1];
	channel_open(ends[0], on_crispd_message, on_channel_gone);
	pid = crispd_execute(theirs, &crispd.birth_fd, e);
	if (pid < 0)
		return -1;
	write_pid(crispd.lock, pid);
	offspring_add(&crispd.child, pid, on_crispd_ended);
	crispd.alive = true;
	crispd.survivor = false;
	crispd.since_ns = loop_mono_ns();
	log_info("crispd start pid=%d path=%s", pid, log_quote(crispd.cfg->path));
	return 0;
}

static void on_crispd_start(struct timer *t)
{
	struct err e;

	if (crispd_begin(&e) == 0) {
		sm_move(&crispd.sm, RUN);
		return;
	}
	log_error("crispd start error=%s", log_quote(e.msg));
	channel_close();
	if (crispd.lock >= 0)
		close(take_fd(&crispd.lock));
	sm_move(&crispd.sm, PAUSE);
	timer_set(t, BACKOFF_MAX_MS, on_crispd_start);
}

/* ---- a crispd that outlived its keeper ---- */

static bool lock_is_free(pid_t *owner)
{
	auto_fd int fd = open(state_path("crispd.lock"), O_RDWR | O_CLOEXEC);
	char text[16] = "";

	*owner = 0;
	if (fd < 0)
		return true;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return true;
	if (pread(fd, text, sizeof(text) - 1, 0) > 0)
		*owner = (pid_t)strtol(text, NULL, 10);
	return false;
}

static void on_crispd_find(struct timer *t)
{
	pid_t owner;

	if (lock_is_free(&owner)) {
		sm_move(&crispd.sm, PAUSE);
		return on_crispd_start(t);
	}
	if (ms_since(crispd.since_ns) > FIND_PATIENCE_MS && owner > 1) {
		log_error("crispd pid=%d holds its lock and does not connect: killed", owner);
		kill(owner, SIGKILL);
		crispd.since_ns = loop_mono_ns();
	}
	timer_set(t, FIND_TURN_MS, on_crispd_find);
}

static void on_survivor_connection(struct fd_watch *w, int events)
{
	auto_fd int fd = accept4(w->ev.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred peer;
	socklen_t len = sizeof(peer);

	(void)events;
	if (fd < 0 || crispd.sm.now != FIND || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ||
	    peer.uid != geteuid())
		return;
	crispd.pidfd = (int)syscall(SYS_pidfd_open, peer.pid, 0);
	if (crispd.pidfd < 0)
		return;
	timer_clear(&crispd.timer);
	sm_move(&crispd.sm, RUN);
	crispd.alive = crispd.survivor = true;
	crispd.since_ns = loop_mono_ns();
	fd_watch_set(&crispd.pidfd_watch, crispd.pidfd, FD_READ, on_survivor_ended);
	channel_open(take_fd(&fd), on_crispd_message, on_channel_gone);
	log_info("crispd survived pid=%d", peer.pid);
	notify("READY=1");
}

static int listen_for_survivors(struct err *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	size_t len = strlen(crispd.cfg->state) + 1 + strlen(KEEPER_SOCKET);

	if (len >= sizeof(sa.sun_path))
		return err_set(e, ERR_INVALID_ARGUMENT, "state directory %s: its name is too long for a socket in it",
			       crispd.cfg->state);
	memcpy(sa.sun_path, state_path(KEEPER_SOCKET), len + 1);
	crispd.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	unlink(sa.sun_path); /* left by an earlier keeper: this one holds the lock of the directory */
	if (crispd.listener < 0 || bind(crispd.listener, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    chmod(sa.sun_path, 0600) < 0 || listen(crispd.listener, 8) < 0)
		return err_os(e, ERR_INTERNAL, "listen on %s", sa.sun_path);
	fd_watch_set(&crispd.listener_watch, crispd.listener, FD_READ, on_survivor_connection);
	return 0;
}

/* ---- the end ---- */

static void on_crispd_end_late(struct timer *t)
{
	crispd_signal(SIGKILL);
	timer_set(t, END_PATIENCE_MS, on_crispd_end_late);
}

static void on_keeper_term(struct signal_watch *w)
{
	(void)w;
	if (crispd.sm.now == END || crispd.sm.now == OVER)
		return;
	log_info("end crispd=%s", log_quote(crispd.alive ? "SIGTERM is sent" : "does not run"));
	notify("STOPPING=1");
	sm_move(&crispd.sm, END);
	if (!crispd.alive && !channel_is_open())
		return crispd_over(0);
	crispd_signal(SIGTERM);
	timer_set(&crispd.timer, END_PATIENCE_MS, on_crispd_end_late);
}

static void on_keeper_hup(struct signal_watch *w)
{
	(void)w;
	crispd_signal(SIGHUP);
}

int crispd_open(const struct crispd_config *cfg, struct err *e)
{
	crispd.cfg = cfg;
	crispd.since_ns = loop_mono_ns();
	if (listen_for_survivors(e) < 0)
		return -1;
	signal_watch_set(&crispd.term, SIGTERM, on_keeper_term);
	signal_watch_set(&crispd.intr, SIGINT, on_keeper_term);
	signal_watch_set(&crispd.hup, SIGHUP, on_keeper_hup);
	timer_set(&crispd.timer, 0, on_crispd_find);
	return 0;
}
