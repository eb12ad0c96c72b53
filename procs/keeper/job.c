/* job.c - see job.h.
 *
 *   BORN ---reaped---> gone: FAILED if the birth pipe has a text, else EXITED (with a pidfile: after that pid is kept)
 *     +---end of file on the birth pipe (kept, no pidfile)---> gone: STARTED, and kept.c watches the process
 *   AGAIN, of an earlier keeper ---claimed by crispd, and ended---> gone: as above
 *     +---crispd is dead, or does not claim it---> an orphan, which is as gone with its end
 *
 * Waits on: the reaper; for a kept child also on the birth pipe, so that STARTED means that execve(2) succeeded; the
 * end of a process that is no child of this keeper (AGAIN). (ARCHITECTURE K42) */
#include "procs/keeper/job.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "procs/keeper/anchor.h"
#include "procs/keeper/channel.h"
#include "procs/keeper/foreign.h"
#include "procs/keeper/kept.h"
#include "procs/keeper/proto.h"
#include "procs/keeper/reap.h"
#include "procs/keeper/spawn.h"
#include "procs/keeper/underway.h"
#include "reactor/fault.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

struct job {
	struct link link; /* in `all` */
	struct offspring child;
	uint64_t tag; /* of the request; 0: the crispd that sent it is dead */
	int birth_fd; /* -1: of an earlier keeper */
	struct fd_watch birth_watch;
	char *keep_id, *pidfile; /* owned; NULL when not asked for */
	uint64_t strays_mark;
	bool finish; /* may outlive the crispd that asked for it */
	int slot;    /* in which it is written down; -1: none, and it dies with this keeper */
	/* of one of an earlier keeper: */
	struct foreign foreign;
	char id[24]; /* by which the anchor knows it */
	struct underway left;
	bool again, claimed, ended; /* claimed: by the crispd that asked for it, or no crispd can claim it any more */
	int status;
	int64_t at_ns;
};

static struct link all = { &all, &all }; /* of struct job.link */
static const char before_start[] = "the keeper died before it was started";

static void job_free(struct job *j)
{
	list_drop(&j->link);
	offspring_drop(&j->child);
	fd_watch_clear(&j->birth_watch);
	if (j->birth_fd >= 0)
		close(j->birth_fd);
	if (j->again) {
		foreign_drop(&j->foreign);
		anchor_forget(j->id);
	} else if (j->pidfile) {
		strays_unlisten();
	}
	underway_drop(j->slot);
	free(j->keep_id);
	free(j->pidfile);
	free(j);
}

static void job_tell_pid(uint32_t type, uint64_t tag, int status, pid_t pid, bool with_pidfd)
{
	auto_fd int pidfd = with_pidfd ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	struct buf b = { 0 };

	if (type == CHILD_EXITED)
		put_u32(&b, (uint32_t)status);
	put_u32(&b, (uint32_t)pid);
	channel_tell(type, tag, &b, &pidfd, pidfd >= 0);
	buf_free(&b);
}

/* The number in a pid file. Anything but a small regular file with one number in it is refused. */
static pid_t job_read_pidfile(const char *path, struct err *e)
{
	auto_fd int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char text[24], *end;
	struct stat st;
	ssize_t n;
	long pid;

	if (fd < 0)
		return err_os(e, ERR_INTERNAL, "exited with 0, but its pidfile %s cannot be opened", path);
	n = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? read(fd, text, sizeof(text) - 1) : 0;
	text[n > 0 ? n : 0] = '\0';
	errno = 0;
	pid = strtol(text, &end, 10);
	if (end == text || errno || pid <= 1 || pid > INT32_MAX || strspn(end, "\n ") != strlen(end))
		return err_set(e, ERR_INTERNAL, "exited with 0, but its pidfile %s holds no pid", path);
	return (pid_t)pid;
}

/* The container's process is a child of the anchor, or it was. The earlier keeper may have kept it already. */
static bool job_keep_again(const struct job *j, pid_t pid)
{
	struct underway process = { .pid = pid, .begun_ns = j->left.begun_ns, .born_ns = underway_now_ns() };
	bool alive;
	int pidfd;

	if (kept_knows(j->keep_id, pid, &alive)) {
		kept_tell_again(j->keep_id); /* crispd has not heard of it, nor of its end */
		return alive;
	}
	pidfd = underway_open_pid(&process);
	if (pidfd >= 0)
		kept_foreign(j->keep_id, pid, pidfd);
	else
		kept_gone(j->keep_id, pid, underway_ticks(&process));
	return pidfd >= 0;
}

/* The runtime exited with 0, so its container's process was reparented to the keeper, which is the subreaper. That
 * process is a child that is not reaped yet; or it was reaped since the runtime started (a stray). Otherwise the pid
 * belongs to a process of another parent, which is watched by its pidfd. */
static int job_keep_from_pidfile(const struct job *j, pid_t *pid, bool *alive, struct err *e)
{
	const struct stray *stray;
	siginfo_t info;
	int pidfd;

	*alive = false;
	*pid = job_read_pidfile(j->pidfile, e);
	if (*pid < 0)
		return -1;
	if (j->again) {
		*alive = job_keep_again(j, *pid);
		return 0;
	}
	if (waitid(P_PID, (id_t)*pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0) {
		kept_child(j->keep_id, *pid);
		*alive = true;
		return 0;
	}
	stray = strays_find(*pid, j->strays_mark);
	if (stray) {
		kept_ended(j->keep_id, *pid, stray->status, stray->at_ns);
		return 0;
	}
	pidfd = (int)syscall(SYS_pidfd_open, *pid, 0);
	if (pidfd < 0)
		return err_os(e, ERR_INTERNAL, "process %d of pidfile %s", *pid, j->pidfile);
	kept_foreign(j->keep_id, *pid, pidfd);
	*alive = true;
	return 0;
}

static bool job_birth_failed(struct job *j, char text[BIRTH_TEXT_MAX + 1])
{
	ssize_t n = read(j->birth_fd, text, BIRTH_TEXT_MAX);

	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* Its keeper died before it was let go, or before it saw that: it ended at the gate, or by its death signal.
 * (ARCHITECTURE K81) */
static bool job_never_ran(const struct job *j)
{
	return j->again && !underway_went(j->slot);
}

/* crispd is told before the slot is free: what it was told already, it does not ask the next keeper for. */
static void job_finish(struct job *j, pid_t pid, int status, int64_t at_ns)
{
	char text[BIRTH_TEXT_MAX + 1];
	bool alive = false;
	struct err e;

	if (!j->again && job_birth_failed(j, text)) {
		channel_tell_code(CHILD_FAILED, j->tag, ERR_INTERNAL, text);
	} else if (job_never_ran(j)) {
		channel_tell_code(CHILD_FAILED, j->tag, ERR_UNAVAILABLE, before_start);
	} else if (status == STATUS_LOST) {
		channel_tell_code(CHILD_FAILED, j->tag, ERR_INTERNAL,
				  "keeper and anchor had died, and nothing tells how it ended");
	} else if (j->again && j->keep_id && !j->pidfile) {
		channel_tell_code(CHILD_FAILED, j->tag, ERR_UNAVAILABLE, "it ended while there was no keeper");
	} else if (j->pidfile && status == 0) {
		if (job_keep_from_pidfile(j, &pid, &alive, &e) < 0)
			channel_tell_code(CHILD_FAILED, j->tag, e.code, e.msg);
		else
			job_tell_pid(CHILD_EXITED, j->tag, status, pid, alive);
	} else if (j->keep_id && !j->pidfile) {
		kept_ended(j->keep_id, pid, status, at_ns);
		job_tell_pid(CHILD_STARTED, j->tag, status, pid, false);
	} else {
		job_tell_pid(CHILD_EXITED, j->tag, status, pid, false);
	}
	job_free(j);
}

static void on_job_ended(struct offspring *o, int status, int64_t at_ns)
{
	job_finish(container_of(o, struct job, child), o->pid, status, at_ns);
}

static void on_job_birth(struct fd_watch *w, int events)
{
	struct job *j = container_of(w, struct job, birth_watch);
	pid_t pid = j->child.pid;
	int n = 0;

	(void)events;
	fd_watch_clear(w);
	/* The pipe has the text of a failure: the child is about to exit, and on_job_ended() reads the text. */
	if (ioctl(j->birth_fd, FIONREAD, &n) == 0 && n > 0)
		return;
	offspring_drop(&j->child);
	kept_child(j->keep_id, pid);
	job_tell_pid(CHILD_STARTED, j->tag, 0, pid, true);
	job_free(j);
}

static void job_new(const struct child_request *r, uint64_t tag, pid_t pid, int birth_fd, int slot)
{
	struct job *j = new_zero(struct job);

	j->tag = tag;
	j->birth_fd = birth_fd;
	j->keep_id = r->keep_id ? own_must(strdup(r->keep_id)) : NULL;
	j->pidfile = r->pidfile ? own_must(strdup(r->pidfile)) : NULL;
	j->finish = r->finish || r->pidfile;
	j->slot = slot;
	if (j->pidfile)
		j->strays_mark = strays_listen();
	offspring_add(&j->child, pid, on_job_ended);
	if (j->keep_id && !j->pidfile)
		fd_watch_set(&j->birth_watch, birth_fd, FD_READ, on_job_birth);
	list_append(&all, &j->link);
}

/* What may finish, or is kept, outlives the keeper, once it is written down; a kept process itself does always, because
 * it is one that stays. */
static pid_t job_launch(const struct child_request *r, uint64_t tag, int *birth_fd, int *slot, struct err *e)
{
	int64_t begun_ns = underway_now_ns();
	bool finish = r->finish || r->pidfile;
	int gate;
	pid_t pid;

	*slot = -1;
	if (!finish && !r->keep_id)
		return spawn(r, false, birth_fd, e);
	pid = spawn_waiting(r, &gate, birth_fd, e);
	if (pid < 0)
		return -1;
	*slot = underway_add(UNDERWAY_JOB, tag, finish ? UNDERWAY_FINISH : 0, r->keep_id, r->pidfile, pid, begun_ns);
	fault_at("job", "job_launch", "spawn_go", "before");
	spawn_go(gate, *slot >= 0 || !finish, *slot);
	fault_at("job", "job_launch", "spawn_go", "after");
	return pid;
}

void job_spawn(struct imsg *m)
{
	struct child_request r;
	struct err e;
	int birth_fd, slot;
	pid_t pid = -1;

	if (child_request_get(&r, m, &e) < 0)
		return channel_tell_code(CHILD_FAILED, m->tag, e.code, e.msg);
	if (r.keep_id && kept_alive(r.keep_id))
		err_set(&e, ERR_INTERNAL, "a process is kept as %s already", r.keep_id);
	else
		pid = job_launch(&r, m->tag, &birth_fd, &slot, &e);
	if (pid < 0)
		channel_tell_code(CHILD_FAILED, m->tag, e.code, e.msg);
	else
		job_new(&r, m->tag, pid, birth_fd, slot);
	child_request_free(&r);
}

/* The pid of a process that is no child of this keeper may be another one's as soon as it is reaped. */
static void job_end(const struct job *j)
{
	if (!j->again)
		spawn_kill_group(j->child.pid);
	else if (j->foreign.pidfd >= 0 && syscall(SYS_pidfd_send_signal, j->foreign.pidfd, 0, NULL, 0) == 0)
		spawn_kill_group(j->foreign.pid);
}

void job_kill(uint64_t tag)
{
	list_each(it, &all) {
		struct job *j = container_of(it, struct job, link);

		if (j->tag == tag)
			job_end(j);
	}
}

void job_who(uint64_t tag)
{
	list_each(it, &all) {
		const struct job *j = container_of(it, struct job, link);

		if (j->tag == tag)
			return job_tell_pid(CHILD_PID, tag, 0, j->again ? j->left.pid : j->child.pid, false);
	}
}

/* ---- those of an earlier keeper ---- */

/* A kept process without a pidfile: the earlier keeper had kept it, and had not told crispd perhaps. */
static bool job_was_kept(const struct job *j, bool *alive)
{
	return j->again && j->keep_id && !j->pidfile && kept_knows(j->keep_id, j->left.pid, alive);
}

/* Nothing more to wait for? A kept process without a pidfile is crispd's from now on, as it runs. */
static void job_settle(struct job *j)
{
	pid_t pid = j->left.pid;
	bool alive = true;
	int pidfd;

	if (!j->again || !j->claimed)
		return;
	if (!job_was_kept(j, &alive)) {
		if (j->ended)
			return job_finish(j, pid, j->status, j->at_ns);
		if (j->tag == 0 || !j->keep_id || j->pidfile)
			return;
		pidfd = take_fd(&j->foreign.pidfd);
		foreign_drop(&j->foreign);
		kept_foreign(j->keep_id, pid, pidfd);
	} else if (j->tag) {
		kept_tell_again(j->keep_id);
	}
	job_tell_pid(CHILD_STARTED, j->tag, 0, pid, alive);
	job_free(j);
}

static void on_job_again_ended(struct foreign *f, int status, int64_t at_ns)
{
	struct job *j = container_of(f, struct job, foreign);

	j->ended = true;
	j->status = status;
	j->at_ns = at_ns;
	job_settle(j);
}

static void job_left(int slot, const struct underway *u)
{
	struct job *j;
	int pidfd;

	if (u->kind != UNDERWAY_JOB)
		return;
	j = new_zero(struct job);
	j->again = true;
	j->left = *u;
	j->slot = slot;
	j->tag = u->tag;
	j->birth_fd = -1;
	j->finish = u->bits & UNDERWAY_FINISH;
	j->keep_id = *u->keep_id ? own_must(strdup(u->keep_id)) : NULL;
	j->pidfile = *u->pidfile ? own_must(strdup(u->pidfile)) : NULL;
	snprintf(j->id, sizeof(j->id), JOB_PREFIX "%d", slot);
	list_append(&all, &j->link);
	pidfd = underway_open_pid(u);
	log_info("job of an earlier keeper pid=%d alive=%d", u->pid, pidfd >= 0);
	foreign_watch(&j->foreign, j->id, u->pid, pidfd, on_job_again_ended);
	if (pidfd >= 0)
		anchor_keep(j->id, u->pid, 0, pidfd, 0, 0);
	else if (!anchor_find(j->id, u->pid, underway_ticks(u)))
		foreign_anchor_gone();
}

void jobs_again(void)
{
	underway_each(job_left);
}

void job_claim(uint64_t tag)
{
	list_each(it, &all) {
		struct job *j = container_of(it, struct job, link);

		if (!j->again || j->tag != tag)
			continue;
		j->claimed = true;
		if (j->keep_id)
			kept_claimed(j->keep_id);
		return;
	}
	channel_tell_code(CHILD_FAILED, tag, ERR_UNAVAILABLE, before_start);
}

void jobs_claimed(void)
{
	list_each(it, &all) {
		struct job *j = container_of(it, struct job, link);

		bool alive;

		if (!j->again)
			continue;
		if (!j->claimed) { /* crispd was told of its end, or has cancelled it */
			j->claimed = true;
			j->tag = 0;
			if (!job_was_kept(j, &alive)) {
				free(take_ptr(&j->keep_id));
				free(take_ptr(&j->pidfile));
				job_end(j);
			}
		}
		job_settle(j);
	}
}

/* ---- a crispd that died ---- */

void jobs_orphan(void)
{
	list_each(it, &all) {
		struct job *j = container_of(it, struct job, link);

		bool alive;

		j->tag = 0;
		j->claimed = true;
		underway_set_tag(j->slot, 0);
		if (!j->finish && !job_was_kept(j, &alive))
			job_end(j);
		job_settle(j);
	}
}

bool jobs_any_orphan(void)
{
	list_each(it, &all)
		if (container_of(it, struct job, link)->tag == 0)
			return true;
	return false;
}

void jobs_kill_orphans(void)
{
	list_each(it, &all) {
		struct job *j = container_of(it, struct job, link);

		if (j->tag == 0)
			job_end(j);
	}
}
