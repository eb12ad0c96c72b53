/* zygote.c - see zygote.h.
 *
 *   the zygote:  NONE ---asked for---> RUNS ---ended, or another is asked for---> NONE
 *   a birth:     ASKED ---BORN: its pid---> BORN ---EXECUTES---> LEFT ---end of file---> kept, STARTED is told
 *                  |                          |                    |
 *                  +--------FAILED, or end of file too early-------+---> FAILED is told
 *
 * The process tells of itself, and the kernel adds its pid (SCM_CREDENTIALS), so a dead zygote takes no process with it
 * into oblivion. A process that was asked for and never born has no zygote any more: UNAVAILABLE, and the container can
 * be started again. A process that ended before its birth was read is found among the strays.
 * Waits on: the birth sockets, the reaper (the zygote's end). (ARCHITECTURE N2, N3) */
#include "procs/keeper/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procs/keeper/anchor.h"
#include "procs/keeper/channel.h"
#include "procs/keeper/kept.h"
#include "procs/keeper/proto.h"
#include "procs/keeper/reap.h"
#include "procs/keeper/spawn.h"
#include "procs/keeper/underway.h"
#include "procs/plan.h"
#include "procs/process.h"
#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* Linux 6.3 */
#endif

enum { ZYGOTE_SOCKET = 3, ZYGOTE_PROGRAM = 4 };

static struct {
	char *path; /* owned; NULL: none was named */
	int fd;     /* -1: it does not run */
	int failure; /* of its birth: the pipe of spawn() */
	struct offspring child;
} zygote = { .fd = -1, .failure = -1 };

struct birth {
	struct link link; /* in `births` */
	uint64_t tag;     /* 0: the crispd that asked is dead */
	char *keep_id;    /* owned; NULL: the process ends by itself, and its end is success */
	int fd; /* -1: of an earlier keeper, which had not handed it to the anchor yet */
	struct fd_watch watch;
	pid_t pid; /* 0: not born */
	uint32_t borns; /* how often it has told of itself */
	uint64_t strays_mark;
	bool executes;
	bool again, claimed; /* of an earlier keeper; by crispd, or no crispd can claim it any more */
	bool followed;       /* of an earlier keeper: its socket is read */
	int slot; /* in which it is written down; -1: none */
	char failure[BIRTH_PACKET_MAX]; /* "": it has told of none */
};

static struct link births = { &births, &births };

/* ---- the zygote ---- */

static void zygote_drop(void)
{
	offspring_drop(&zygote.child);
	if (zygote.fd >= 0)
		close(take_fd(&zygote.fd));
	if (zygote.failure >= 0)
		close(take_fd(&zygote.failure));
}

static void on_zygote_ended(struct offspring *o, int status, int64_t at_ns)
{
	char text[BIRTH_TEXT_MAX + 1];
	ssize_t n = read(zygote.failure, text, BIRTH_TEXT_MAX);

	(void)at_ns;
	text[n > 0 ? n : 0] = '\0';
	log_warn("zygote end pid=%d status=%s error=%s", o->pid, log_quote(child_status_text(status)), log_quote(text));
	zygote_drop();
}

/* A sealed copy: a container that gets hold of /proc/N/exe of a process that is on its way can change nothing on the
 * disk (CVE-2019-5736). A kernel before 6.3 does not know MFD_EXEC, and lets every memfd be executed. */
static int zygote_copy(const char *path, struct err *e)
{
	auto_fd int from = open(path, O_RDONLY | O_CLOEXEC), to = -1;
	const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	struct stat st;

	if (from < 0 || fstat(from, &st) < 0)
		return err_os(e, ERR_INTERNAL, "open %s", path);
	to = memfd_create("crisp-zygote", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	if (to < 0 && errno == EINVAL)
		to = memfd_create("crisp-zygote", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (to < 0)
		return err_os(e, ERR_INTERNAL,
			      "make an executable memfd (with the sysctl vm.memfd_noexec=2 no native handler works)");
	while (st.st_size > 0) {
		ssize_t n = sendfile(to, from, NULL, (size_t)st.st_size);

		if (n <= 0)
			return err_os(e, ERR_INTERNAL, "copy %s", path);
		st.st_size -= n;
	}
	return fcntl(to, F_ADD_SEALS, seals) < 0 ? err_os(e, ERR_INTERNAL, "seal the copy of %s", path) : take_fd(&to);
}

static int zygote_start(struct err *e)
{
	static const char *argv[] = { "/proc/self/fd/4", NULL };
	const char *env[] = { fault_variable(), NULL };
	auto_fd int program = -1, theirs = -1;
	int ends[2];
	struct child_request r = { .argv = argv, .envp = env, .cwd = "/", .cgroup_fd = -1, .nfds = 3,
				   .theirs = { ZYGOTE_SOCKET, ZYGOTE_PROGRAM, STDERR_FILENO } };
	pid_t pid;

	if (!zygote.path)
		return err_set(e, ERR_INTERNAL, "no zygote was named");
	program = zygote_copy(zygote.path, e);
	if (program < 0)
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_os(e, ERR_RESOURCE_EXHAUSTED, "socketpair");
	zygote.fd = ends[0];
	theirs = ends[1];
	r.fds = (const int[]){ theirs, program, STDERR_FILENO };
	pid = spawn(&r, false, &zygote.failure, e);
	if (pid < 0) {
		zygote_drop();
		return -1;
	}
	offspring_add(&zygote.child, pid, on_zygote_ended);
	log_info("zygote start pid=%d path=%s", pid, log_quote(zygote.path));
	return 0;
}

/* The former one ends when it has read the end of file. The processes that it made are the keeper's children. */
void zygote_use(struct imsg *m)
{
	struct get g = get_from(m);
	const char *path = get_str(&g);
	struct err e;

	if (!path)
		return;
	zygote_drop();
	free(zygote.path);
	zygote.path = own_must(strdup(path));
	if (zygote_start(&e) < 0)
		log_error("zygote start error=%s", log_quote(e.msg));
}

/* ---- a birth ---- */

/* By which the anchor has the socket. */
static const char *birth_name(char name[32], int slot)
{
	snprintf(name, 32, BIRTH_PREFIX "%d", slot);
	return name;
}

static void birth_free(struct birth *b)
{
	char name[32];

	list_drop(&b->link);
	fd_watch_clear(&b->watch);
	if (b->slot >= 0)
		anchor_release(birth_name(name, b->slot));
	underway_drop(b->slot);
	if (b->fd >= 0)
		close(b->fd);
	if (!b->again)
		strays_unlisten();
	free(b->keep_id);
	free(b);
}

/* What has become of a process that was about to run its program, once its socket is closed. */
enum birth_fate { BIRTH_RUNS, BIRTH_RAN, BIRTH_NEVER_RAN, BIRTH_GONE };

static enum birth_fate birth_fate(const struct birth *b, const struct stray **end)
{
	siginfo_t info;

	*end = NULL;
	/* A process on its way out closes its fds before it is to be waited for. */
	if (waitid(P_PID, (id_t)b->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0)
		return child_ran(b->pid) ? BIRTH_RUNS : BIRTH_NEVER_RAN;
	*end = strays_find(b->pid, b->strays_mark);
	return !*end ? BIRTH_GONE : (*end)->ran ? BIRTH_RAN : BIRTH_NEVER_RAN;
}

/* Of an earlier keeper: a child of the anchor, which has reaped it if it is gone. Then it has run its program if that
 * keeper had read that it was about to; else it was killed on its way by its death signal. False: it never ran its
 * program. (ARCHITECTURE K44) */
static bool birth_keep_again(const struct birth *b, bool *alive)
{
	const struct underway *u = underway_at(b->slot);
	auto_fd int pidfd = -1;

	if (kept_knows(b->keep_id, b->pid, alive)) {
		kept_tell_again(b->keep_id);
		return true;
	}
	pidfd = u ? underway_open_pid(u) : -1;
	*alive = pidfd >= 0;
	if (!u || !(*alive ? child_ran(b->pid) : b->executes))
		return false;
	if (*alive)
		kept_foreign(b->keep_id, b->pid, take_fd(&pidfd));
	else
		kept_gone(b->keep_id, b->pid, underway_ticks(u));
	return true;
}

static void birth_tell_started(const struct birth *b, bool alive)
{
	auto_fd int pidfd = alive ? (int)syscall(SYS_pidfd_open, b->pid, 0) : -1;
	struct buf body = { 0 };

	put_u32(&body, (uint32_t)b->pid);
	channel_tell(PROCESS_STARTED, b->tag, &body, &pidfd, pidfd >= 0);
	buf_free(&body);
}

static void birth_tell_failed(const struct birth *b, enum err_code code, const char *words)
{
	channel_tell_code(PROCESS_FAILED, b->tag, code, words);
}

/* execve(2) was the next call. A profile that does not allow it kills the process, or makes it fail and then allows it
 * to tell nothing. (ARCHITECTURE N9) */
static void birth_end_executing(const struct birth *b)
{
	const struct stray *end;

	switch (birth_fate(b, &end)) {
	case BIRTH_RUNS:
		kept_child(b->keep_id, b->pid);
		return birth_tell_started(b, true);
	case BIRTH_RAN:
		kept_ended(b->keep_id, b->pid, end->status, end->at_ns);
		return birth_tell_started(b, false);
	case BIRTH_NEVER_RAN:
		return birth_tell_failed(b, ERR_INTERNAL, PROCESS_SILENT_WORDS "its program ran, in the midst of "
					 "execve(2): its seccomp profile may not allow that call");
	case BIRTH_GONE:
		return birth_tell_failed(b, ERR_INTERNAL, "the process is gone");
	}
}

static void birth_end(struct birth *b)
{
	bool alive;

	if (*b->failure)
		birth_tell_failed(b, ERR_INTERNAL, b->failure);
	else if (!b->pid)
		birth_tell_failed(b, ERR_UNAVAILABLE, "crisp-zygote died before it made the process");
	else if (b->again && birth_keep_again(b, &alive))
		birth_tell_started(b, alive);
	else if (b->again)
		birth_tell_failed(b, ERR_UNAVAILABLE, "the keeper died before the process ran its program");
	else if (!b->executes)
		birth_tell_failed(b, ERR_INTERNAL, PROCESS_SILENT_WORDS "it ran its program: it was killed, or its "
				  "seccomp profile lets it neither go on nor say why");
	else if (b->keep_id)
		birth_end_executing(b);
	else
		birth_tell_started(b, false);
	birth_free(b);
}

/* From here on the process may outlive this keeper: it is written down, and the anchor has its socket. */
static void birth_go(const struct birth *b)
{
	const char go[2] = { BIRTH_GO, (char)b->borns };

	if (send(b->fd, go, sizeof(go), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		/* It is dead: the end of file follows. */
	}
}

static void birth_packet(struct birth *b, const char *packet, size_t n, pid_t from)
{
	if (packet[0] == BIRTH_BORN) {
		b->pid = from;
		b->borns++;
		underway_set_pid(b->slot, from);
		birth_go(b);
	} else if (packet[0] == BIRTH_EXECUTES) {
		b->executes = true;
		underway_set_bits(b->slot, UNDERWAY_EXECUTES);
	} else if (packet[0] == BIRTH_FAILED && !*b->failure) {
		snprintf(b->failure, sizeof(b->failure), "%.*s", (int)n - 1, packet + 1);
	}
}

static pid_t sender_of(struct msghdr *msg)
{
	struct ucred who = { 0 };

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS)
			memcpy(&who, CMSG_DATA(c), sizeof(who));
	return who.pid;
}

static void on_birth(struct fd_watch *w, int events)
{
	struct birth *b = container_of(w, struct birth, watch);
	char packet[BIRTH_PACKET_MAX];
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec iov = { packet, sizeof(packet) };

	(void)events;
	for (;;) {
		struct msghdr msg = {
			.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control),
		};
		ssize_t n = recvmsg(b->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

		/* The kernel says once that the process left GO unread; what the process had sent comes then.
		 * (ARCHITECTURE N23) */
		if (n < 0 && errno == ECONNRESET)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0)
			return birth_end(b);
		birth_packet(b, packet, (size_t)n, sender_of(&msg));
	}
}

static int birth_send(const struct zygote_request *r, const int *fds, int nfds, struct err *e)
{
	union imsg_control control;
	struct iovec iov = { (void *)r, sizeof(*r) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (zygote.fd < 0 && zygote_start(e) < 0)
		return -1;
	imsg_add_fds(&msg, &control, fds, nfds);
	if (sendmsg(zygote.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return 0;
	return err_os(e, errno == EAGAIN || errno == ETOOMANYREFS ? ERR_RESOURCE_EXHAUSTED : ERR_UNAVAILABLE,
		      "ask crisp-zygote");
}

static struct birth *birth_new(uint64_t tag, const char *keep_id, int fd, int slot)
{
	struct birth *b = new_zero(struct birth);

	b->tag = tag;
	b->fd = fd;
	b->slot = slot;
	b->keep_id = keep_id ? own_must(strdup(keep_id)) : NULL;
	list_append(&births, &b->link);
	return b;
}

static int birth_begin(const struct imsg *m, const char *keep_id, uint32_t bits, uint32_t new_pid, struct err *e)
{
	struct zygote_request r = { PLAN_VERSION, bits | 1u << ZYGOTE_BIRTH, new_pid, 0 };
	int fds[ZYGOTE_FDS], ends[2], on = 1, slot;
	auto_fd int theirs = -1;
	struct birth *b;
	char name[32];

	if (bits & 1u << ZYGOTE_BIRTH || bits >> ZYGOTE_FDS || __builtin_popcount(bits) != m->nfds)
		return err_set(e, ERR_INVALID_ARGUMENT, "malformed request for a process");
	if (keep_id && kept_alive(keep_id))
		return err_set(e, ERR_INTERNAL, "a process is kept as %s already", keep_id);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return err_os(e, ERR_RESOURCE_EXHAUSTED, "socketpair");
	theirs = ends[1];
	fds[0] = theirs;
	memcpy(fds + 1, m->fds, (size_t)m->nfds * sizeof(int));
	slot = keep_id ? underway_add(UNDERWAY_BIRTH, m->tag, 0, keep_id, NULL, 0, underway_now_ns()) : -1;
	if (slot >= 0)
		anchor_hold(birth_name(name, slot), ends[0]);
	b = birth_new(m->tag, keep_id, ends[0], slot);
	b->strays_mark = strays_listen();
	if (setsockopt(ends[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ||
	    birth_send(&r, fds, m->nfds + 1, e) < 0) {
		birth_free(b);
		return -1;
	}
	fd_watch_set(&b->watch, b->fd, FD_READ, on_birth);
	return 0;
}

void zygote_process(struct imsg *m)
{
	struct get g = get_from(m);
	const char *keep_id = get_str(&g);
	uint32_t bits = get_u32(&g), new_pid = get_u32(&g);
	struct err e;

	if (g.bad)
		err_set(&e, ERR_INVALID_ARGUMENT, "malformed request for a process");
	else if (birth_begin(m, keep_id, bits, new_pid, &e) == 0)
		return;
	channel_tell_code(PROCESS_FAILED, m->tag, e.code, e.msg);
}

/* The pid of one that is no child of this keeper may be another one's as soon as it is reaped. */
static void birth_kill(const struct birth *b)
{
	const struct underway *u = b->again ? underway_at(b->slot) : NULL;
	auto_fd int pidfd = u ? underway_open_pid(u) : -1;

	if (pidfd >= 0)
		EFFECT(syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0));
	else if (!b->again && b->pid > 0)
		EFFECT(kill(b->pid, SIGKILL));
}

void zygote_kill(uint64_t tag)
{
	list_each(it, &births)
		if (container_of(it, struct birth, link)->tag == tag)
			birth_kill(container_of(it, struct birth, link));
}

/* ---- those of an earlier keeper ---- */

static struct birth *birth_again(int slot, const struct underway *u, int fd)
{
	struct birth *b = birth_new(u->tag, u->keep_id, fd, slot);

	b->again = true;
	b->pid = u->pid;
	b->borns = u->borns;
	b->executes = u->bits & UNDERWAY_EXECUTES;
	return b;
}

void birth_held_again(const char *name, int fd)
{
	int slot = atoi(name + strlen(BIRTH_PREFIX));
	const struct underway *u = underway_at(slot);

	if (u && u->kind == UNDERWAY_BIRTH) {
		birth_again(slot, u, fd);
	} else {
		anchor_release(name);
		close(fd);
	}
}

static void birth_left(int slot, const struct underway *u)
{
	if (u->kind != UNDERWAY_BIRTH)
		return;
	list_each(it, &births)
		if (container_of(it, struct birth, link)->slot == slot)
			return;
	birth_again(slot, u, -1);
}

void births_again(void)
{
	underway_each(birth_left);
}

/* The process that waits for it is told to go on: the earlier keeper may have died before it did that. */
static void birth_settle(struct birth *b)
{
	if (!b->again || !b->claimed || b->followed)
		return;
	b->followed = true;
	log_info("birth of an earlier keeper pid=%d executes=%d", b->pid, b->executes);
	if (b->fd < 0)
		return birth_end(b);
	if (b->pid)
		birth_go(b);
	fd_watch_set(&b->watch, b->fd, FD_READ, on_birth);
}

void birth_claim(uint64_t tag)
{
	list_each(it, &births) {
		struct birth *b = container_of(it, struct birth, link);

		if (!b->again || b->tag != tag)
			continue;
		b->claimed = true;
		kept_claimed(b->keep_id);
		return;
	}
	channel_tell_code(PROCESS_FAILED, tag, ERR_UNAVAILABLE, "the keeper died before it asked for the process");
}

void births_claimed(void)
{
	list_each(it, &births) {
		struct birth *b = container_of(it, struct birth, link);
		bool alive;

		if (b->again && !b->claimed) { /* crispd was told of it, or has cancelled it */
			if (!kept_knows(b->keep_id, b->pid, &alive))
				birth_kill(b);
			birth_free(b);
		} else {
			birth_settle(b);
		}
	}
}

/* ---- a crispd that died ---- */

void births_orphan(void)
{
	list_each(it, &births) {
		struct birth *b = container_of(it, struct birth, link);

		b->tag = 0;
		b->claimed = true;
		underway_set_tag(b->slot, 0);
		birth_settle(b);
	}
}

bool births_any_orphan(void)
{
	list_each(it, &births)
		if (container_of(it, struct birth, link)->tag == 0)
			return true;
	return false;
}

void births_kill_orphans(void)
{
	list_each(it, &births)
		if (container_of(it, struct birth, link)->tag == 0)
			birth_kill(container_of(it, struct birth, link));
}
