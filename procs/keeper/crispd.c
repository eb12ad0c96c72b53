/* crispd.c - see crispd.h.
 *
 *   FIND ---lock free---> PAUSE ---back-off over: started---> RUN ---ended---> PAUSE
 *     |---survivor connects---> RUN                             +---exit 64 or 78, none was ever READY---> OVER
 *     +---10 s without it: killed (the lock becomes free)
 *   FIND, RUN, PAUSE ---SIGTERM---> END ---ended, or killed after 5 s---> OVER
 *   RUN ---not READY in time, and an earlier configuration was---> killed, then PAUSE with that one (fallback.h)
 *   OVER ---no child is left that may finish, or it was killed after 5 s---> the keeper ends
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
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procs/keeper/anchor.h"
#include "procs/keeper/channel.h"
#include "procs/keeper/execute.h"
#include "procs/keeper/fallback.h"
#include "procs/keeper/hold.h"
#include "procs/keeper/job.h"
#include "procs/keeper/kept.h"
#include "procs/keeper/names.h"
#include "procs/keeper/ns.h"
#include "procs/keeper/pool.h"
#include "procs/keeper/proto.h"
#include "procs/keeper/reap.h"
#include "procs/keeper/spawn.h"
#include "procs/keeper/state.h"
#include "procs/keeper/watch.h"
#include "procs/keeper/zygote.h"
#include "procs/process.h"
#include "reactor/fault.h"
#include "reactor/imsg.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/sm.h"

enum {
	FIND_TURN_MS = 20, FIND_PATIENCE_MS = 10000,
	DEATHS_WITHOUT_PAUSE = 3, PAUSE_FIRST_MS = 100, PAUSE_MAX_MS = 5000, SERVICE_MS = 10000,
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
	pid_t pid;
	int birth_fd;            /* brings the reason why it could not be executed; -1: none */
	int why_fd;              /* brings the reason why it could not get READY; -1: none */
	bool ready, late;        /* of this life: READY came; it did not come in time */
	bool ever_ready;
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
	int64_t over_ns;         /* when the state OVER began */
	int deaths;              /* in quick succession */
	uint32_t earlier;        /* crispds that this keeper has had before this one */
	int verdict;
	struct signal_watch term, intr, hup;
} crispd = { .sm = { crispd_states, "crispd", "", FIND }, .birth_fd = -1, .why_fd = -1, .pidfd = -1, .lock = -1,
	     .listener = -1 };

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
		EFFECT(syscall(SYS_pidfd_send_signal, crispd.pidfd, sig, NULL, 0));
	else
		EFFECT(kill(crispd.child.pid, sig));
}

/* Children that may finish have ORPHANS_PATIENCE_MS for it, so that a stop leaves nothing half made. A child that
 * outlives SIGKILL is left to the anchor. */
static void on_crispd_over(struct timer *t)
{
	int64_t waited_ms = ms_since(crispd.over_ns);

	if ((jobs_any_orphan() || births_any_orphan()) && waited_ms < 2 * ORPHANS_PATIENCE_MS) {
		if (waited_ms >= ORPHANS_PATIENCE_MS) {
			jobs_kill_orphans();
			births_kill_orphans();
		}
		timer_set(t, ORPHANS_TURN_MS, on_crispd_over);
		return;
	}
	if (!kept_any() && !hold_any("sandbox/") && !hold_any("container/"))
		hold_release_all(""); /* the pipe of the logs: without a pod it is of no use, and the anchor can end */
	loop_stop();
}

static void crispd_over(int verdict)
{
	sm_move(&crispd.sm, OVER);
	crispd.verdict = verdict;
	crispd.over_ns = loop_mono_ns();
	jobs_orphan();
	births_orphan();
	on_crispd_over(&crispd.timer);
}

static void on_crispd_start(struct timer *t);

/* Only a crash loop is slowed down: three deaths in a row cost no time. Each ten seconds of a life take one death off,
 * so that a minute of service makes most loops forgotten. (ARCHITECTURE H61) */
static int crispd_pause_ms(int64_t lived_ms)
{
	int64_t forgotten = lived_ms / SERVICE_MS;
	int pause_ms = 0;

	crispd.deaths = forgotten < crispd.deaths ? crispd.deaths - (int)forgotten + 1 : 1;
	for (int i = DEATHS_WITHOUT_PAUSE; i < crispd.deaths; i++)
		pause_ms = pause_ms ? pause_ms * 2 : PAUSE_FIRST_MS;
	if (pause_ms <= PAUSE_MAX_MS)
		return pause_ms;
	crispd.deaths--;
	return PAUSE_MAX_MS;
}

/* Once a configuration was good, a bad one is tried again and again beside it: the keeper ends over the first one
 * only. (ARCHITECTURE R75) */
static bool crispd_is_hopeless(void)
{
	int code = crispd.survivor || !WIFEXITED(crispd.status) ? 0 : WEXITSTATUS(crispd.status);

	return (code == EXIT_CONFIG || code == EXIT_USAGE) && !crispd.ever_ready &&
	       !fallback_is_there(crispd.cfg->state, crispd.cfg->config);
}

static void crispd_choose(void)
{
	char why[FALLBACK_WHY_MAX] = "";
	ssize_t n = crispd.why_fd < 0 ? 0 : read(crispd.why_fd, why, sizeof(why) - 1);
	struct crispd_life life = { crispd.ready, crispd.late, crispd.status, crispd.deaths, why };

	why[n > 0 ? n : 0] = '\0';
	if (crispd.why_fd >= 0)
		close(take_fd(&crispd.why_fd));
	if (!crispd.survivor)
		fallback_choose(crispd.cfg->state, crispd.cfg->config, &life);
}

/* crispd is dead, and all its messages are read. */
static void crispd_ended(void)
{
	int status = crispd.status;
	int64_t lived_ms = ms_since(crispd.since_ns);
	const char *how;
	int pause_ms;

	channel_unwelcome();
	watch_end();
	timer_clear(&crispd.welcome);
	if (crispd.lock >= 0)
		close(take_fd(&crispd.lock)); /* crispd died before its HELLO */
	jobs_orphan();
	births_orphan();
	ns_cancel_all();
	if (crispd.sm.now == END)
		return crispd_over(0);
	how = crispd.survivor ? "unknown" : child_status_text(status);
	if (!crispd.survivor && WIFEXITED(status) && WEXITSTATUS(status) == 0) /* a reload, or crispd was stopped */
		log_info("crispd end status=%s lived_ms=%lld", log_quote(how), (long long)lived_ms);
	else
		log_warn("crispd end status=%s lived_ms=%lld", log_quote(how), (long long)lived_ms);
	if (crispd_is_hopeless())
		return crispd_over(WEXITSTATUS(status));
	crispd.earlier++;
	pause_ms = crispd_pause_ms(lived_ms);
	crispd_choose();
	if (pause_ms)
		log_warn("crispd pause_ms=%d deaths=%d", pause_ms, crispd.deaths);
	sm_move(&crispd.sm, PAUSE);
	timer_set(&crispd.timer, pause_ms, on_crispd_start);
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

static void crispd_welcome(void)
{
	struct buf b = { 0 };

	channel_welcome();
	put_u32(&b, KEEPER_VERSION);
	put_str(&b, crispd.cfg->state);
	put_u32(&b, KEEPER_TELLS_PIDS);
	put_u32(&b, crispd.earlier);
	channel_tell(KEEPER_WELCOME, 0, &b, &crispd.lock, crispd.lock >= 0);
	buf_free(&b);
	if (crispd.lock >= 0)
		close(take_fd(&crispd.lock));
	if (!crispd.survivor) {
		hold_tell_all();
		kept_tell_all();
		channel_tell(KEEPER_END, 0, NULL, NULL, 0);
	}
	watch_begin(crispd.pid, crispd_signal);
	if (crispd.ready)
		watch_ready();
}

/* An OCI runtime that the previous crispd had started may still bring a process to be kept. WELCOME waits for it: sent
 * earlier, it would not name that process. */
static void on_crispd_welcome(struct timer *t)
{
	if ((jobs_any_orphan() || births_any_orphan()) && ms_since(crispd.asked_ns) < ORPHANS_PATIENCE_MS) {
		timer_set(t, ORPHANS_TURN_MS, on_crispd_welcome);
		return;
	}
	jobs_kill_orphans();
	births_kill_orphans();
	crispd_welcome();
}

/* crispd was upgraded, and this program too: it is of the version before. Its anchor starts the new one. */
static void crispd_leave_to_next(void)
{
	log_warn("keeper pid=%d is of another version than crispd: the next keeper takes over", getpid());
	EFFECT(kill(getpid(), SIGKILL));
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
		if (state_is_old_program())
			crispd_leave_to_next();
		return;
	}
	log_format_follow(get_u32(&g)); /* 0: an older crispd sends none, and writes text */
	crispd.asked_ns = loop_mono_ns();
	on_crispd_welcome(&crispd.welcome);
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
	log_info("ready pid=%d", crispd.pid);
	crispd.ready = crispd.ever_ready = true;
	watch_ready();
	if (crispd.sm.now == RUN)
		timer_clear(&crispd.timer);
	anchor_tell_state(ANCHOR_READY);
}

/* crispd has named all that it knows of. What else the anchor kept was released or forgotten while no keeper was there
 * to pass it on. */
static void on_survivor_end(void)
{
	if (crispd.survivor) {
		hold_release_unclaimed();
		kept_forget_unclaimed();
	}
	channel_tell(KEEPER_END, 0, NULL, NULL, 0);
	if (crispd.survivor) {
		jobs_claimed();
		births_claimed();
	}
}

static void on_crispd_unknown(const struct imsg *m)
{
	log_warn("message type=%u unknown", m->type);
	channel_tell_code(CHILD_FAILED, m->tag, ERR_UNIMPLEMENTED, "unknown message");
}

static void crispd_work(struct imsg *m)
{
	/* Of a dead crispd's last messages, those that hand over or release something are still carried out, and those
	 * that want something made are not. */
	bool wants = crispd.alive && channel_is_welcomed();

	switch (m->type) {
	case KEEPER_HELLO: return on_crispd_hello(m);
	case KEEPER_READY: return on_crispd_ready();
	case KEEPER_WATCHDOG: return watch_limit(m);
	case KEEPER_TURNS: return watch_answered();
	case KEEPER_HOLD: return hold_from_crispd(m);
	case KEEPER_RELEASE: return with_name(m, hold_release);
	case KEEPER_RELEASE_ALL: return with_name(m, hold_release_all);
	case KEEPER_FORGET: return with_name(m, kept_forget);
	case KEEPER_KEPT: return kept_from_crispd(m);
	case KEEPER_END: return on_survivor_end();
	case CHILD_SPAWN: return wants ? job_spawn(m) : (void)0;
	case CHILD_KILL: return job_kill(m->tag);
	case CHILD_AGAIN: return job_claim(m->tag);
	case CHILD_WHO: return job_who(m->tag);
	case KEEPER_NS_MAKE: return wants ? ns_make(m) : (void)0;
	case KEEPER_NS_DROP: return ns_drop(m);
	case KEEPER_NS_POOL: return wants ? pool_resize(m) : (void)0;
	case PROCESS_ZYGOTE: return wants ? zygote_use(m) : (void)0;
	case PROCESS_MAKE: return wants ? zygote_process(m) : (void)0;
	case PROCESS_KILL: return zygote_kill(m->tag);
	case PROCESS_AGAIN: return birth_claim(m->tag);
	default: return on_crispd_unknown(m);
	}
}

static void on_crispd_message(void *arg, struct imsg *m)
{
	const char *name = keeper_message_name(m->type);

	(void)arg;
	fault_at("work", name, "before");
	crispd_work(m);
	fault_at("work", name, "after");
}

/* ---- a new crispd ---- */

/* Its process may hang, or wait for what this configuration names. */
static void on_crispd_late(struct timer *t)
{
	(void)t;
	if (!fallback_is_there(crispd.cfg->state, crispd.cfg->config))
		return; /* it may still get there, and nothing else is known to be better */
	log_error("crispd pid=%d is not ready after %lld ms: killed", crispd.pid, (long long)crispd.cfg->ready_ms);
	crispd.late = true;
	crispd_signal(SIGKILL);
}

static int crispd_begin(struct err *e)
{
	auto_fd int theirs = -1, why = -1;
	int ends[2];
	pid_t pid;

	crispd.lock = state_lock_crispd(crispd.cfg->state);
	if (crispd.lock < 0)
		return err_os(e, ERR_INTERNAL, "lock %s/" STATE_CRISPD_LOCK, crispd.cfg->state);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_os(e, ERR_INTERNAL, "socketpair");
	theirs = ends[1];
	channel_open(ends[0], on_crispd_message, on_channel_gone);
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_os(e, ERR_INTERNAL, "pipe");
	crispd.why_fd = ends[0];
	why = ends[1];
	pid = crispd_execute(crispd.cfg, theirs, why, &crispd.birth_fd, e);
	if (pid < 0)
		return -1;
	state_write_pid(crispd.lock, pid);
	offspring_add(&crispd.child, pid, on_crispd_ended);
	crispd.pid = pid;
	crispd.alive = true;
	crispd.survivor = crispd.ready = crispd.late = false;
	crispd.since_ns = loop_mono_ns();
	log_info("crispd start pid=%d path=%s", pid, log_quote(crispd.cfg->path));
	return 0;
}

static void on_crispd_start(struct timer *t)
{
	struct err e;

	/* No crispd lives that could ask for what an earlier keeper left. */
	jobs_orphan();
	births_orphan();
	if (crispd_begin(&e) == 0) {
		sm_move(&crispd.sm, RUN);
		if (!fallback_path())
			timer_set(t, crispd.cfg->ready_ms, on_crispd_late);
		return;
	}
	log_error("crispd start error=%s", log_quote(e.msg));
	channel_close();
	if (crispd.lock >= 0)
		close(take_fd(&crispd.lock));
	if (crispd.why_fd >= 0)
		close(take_fd(&crispd.why_fd));
	sm_move(&crispd.sm, PAUSE);
	timer_set(t, PAUSE_MAX_MS, on_crispd_start);
}

/* ---- a crispd that outlived its keeper ---- */

static void on_crispd_find(struct timer *t)
{
	pid_t owner;

	if (state_crispd_is_gone(crispd.cfg->state, &owner)) {
		sm_move(&crispd.sm, PAUSE);
		return on_crispd_start(t);
	}
	if (ms_since(crispd.since_ns) > FIND_PATIENCE_MS && owner > 1) {
		log_error("crispd pid=%d holds its lock and does not connect: killed", owner);
		EFFECT(kill(owner, SIGKILL));
		crispd.since_ns = loop_mono_ns();
	}
	timer_set(t, FIND_TURN_MS, on_crispd_find);
}

/* Another process that connects only wants to see the connection closed: the front (knock.h). */
static void on_survivor_connection(struct fd_watch *w, int events)
{
	auto_fd int fd = accept4(w->ev.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred peer;
	socklen_t len = sizeof(peer);
	pid_t owner;

	(void)events;
	if (fd < 0 || crispd.sm.now != FIND || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ||
	    peer.uid != geteuid() || state_crispd_is_gone(crispd.cfg->state, &owner) || peer.pid != owner)
		return;
	crispd.pidfd = (int)syscall(SYS_pidfd_open, peer.pid, 0);
	if (crispd.pidfd < 0)
		return;
	timer_clear(&crispd.timer);
	sm_move(&crispd.sm, RUN);
	crispd.alive = crispd.survivor = crispd.ready = crispd.ever_ready = true;
	crispd.late = false;
	crispd.pid = peer.pid;
	crispd.since_ns = loop_mono_ns();
	fd_watch_set(&crispd.pidfd_watch, crispd.pidfd, FD_READ, on_survivor_ended);
	channel_open(take_fd(&fd), on_crispd_message, on_channel_gone);
	log_info("crispd survived pid=%d", peer.pid);
	anchor_tell_state(ANCHOR_READY);
}

/* ---- the end ---- */

static void on_crispd_end_late(struct timer *t)
{
	crispd_signal(SIGKILL);
	timer_set(t, END_PATIENCE_MS, on_crispd_end_late);
}

/* A crispd that outlived its keeper and has not connected yet must not stay behind. */
static void on_find_end(struct timer *t)
{
	pid_t owner;

	if (state_crispd_is_gone(crispd.cfg->state, &owner))
		return crispd_over(0);
	if (owner > 1)
		EFFECT(kill(owner, ms_since(crispd.since_ns) > END_PATIENCE_MS ? SIGKILL : SIGTERM));
	timer_set(t, FIND_TURN_MS, on_find_end);
}

static void on_keeper_term(struct signal_watch *w)
{
	bool find = crispd.sm.now == FIND;

	(void)w;
	if (crispd.sm.now == END || crispd.sm.now == OVER)
		return;
	log_info("end crispd=%s", log_quote(crispd.alive ? "SIGTERM is sent" : "does not run"));
	anchor_tell_state(ANCHOR_STOPPING);
	sm_move(&crispd.sm, END);
	crispd.since_ns = loop_mono_ns();
	if (find)
		return on_find_end(&crispd.timer);
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

/* The anchor has blocked them, so that none came before its handler was there. */
static void unblock_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int crispd_open(const struct crispd_config *cfg, struct err *e)
{
	crispd.cfg = cfg;
	crispd.since_ns = loop_mono_ns();
	crispd.listener = state_listen(cfg->state, KEEPER_SOCKET, e);
	if (crispd.listener < 0)
		return -1;
	fd_watch_set(&crispd.listener_watch, crispd.listener, FD_READ, on_survivor_connection);
	signal_watch_set(&crispd.term, SIGTERM, on_keeper_term);
	signal_watch_set(&crispd.intr, SIGINT, on_keeper_term);
	signal_watch_set(&crispd.hup, SIGHUP, on_keeper_hup);
	unblock_signals();
	timer_set(&crispd.timer, 0, on_crispd_find);
	return 0;
}
