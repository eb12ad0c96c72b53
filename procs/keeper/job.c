/* job.c - see job.h.
 *
 *   BORN ---reaped---> gone: FAILED if the birth pipe has a text, else EXITED (with a pidfile: after that pid is kept)
 *     +---end of file on the birth pipe (kept, no pidfile)---> gone: STARTED, and kept.c watches the process
 *
 * Waits on: the reaper; for a kept child also on the birth pipe, so that STARTED means that execve(2) succeeded. */
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

#include "procs/keeper/channel.h"
#include "procs/keeper/kept.h"
#include "procs/keeper/proto.h"
#include "procs/keeper/reap.h"
#include "procs/keeper/spawn.h"
#include "reactor/loop.h"
#include "reactor/own.h"

struct job {
	struct link link; /* in `all` */
	struct offspring child;
	uint64_t tag; /* of the request; 0: the crispd that sent it is dead */
	int birth_fd;
	struct fd_watch birth_watch;
	char *keep_id, *pidfile; /* owned; NULL when not asked for */
	uint64_t strays_mark;
	bool finish; /* may outlive the crispd that asked for it */
};

static struct link all = { &all, &all }; /* of struct job.link */

static void job_free(struct job *j)
{
	list_drop(&j->link);
	offspring_drop(&j->child);
	fd_watch_clear(&j->birth_watch);
	close(j->birth_fd);
	if (j->pidfile)
		strays_unlisten();
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

/* The runtime exited with 0, so its container's process was reparented to the keeper, which is the subreaper. That
 * process is a child that is not reaped yet; or it was reaped since the runtime started (a stray). Otherwise the pid
 * belongs to a process of another parent, which is watched by its pidfd. */
static int job_keep_from_pidfile(const struct job *j, pid_t *pid, bool *alive, struct err *e)
{
	siginfo_t info;
	int64_t at_ns;
	int status, pidfd;

	*alive = false;
	*pid = job_read_pidfile(j->pidfile, e);
	if (*pid < 0)
		return -1;
	if (waitid(P_PID, (id_t)*pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0) {
		kept_child(j->keep_id, *pid);
		*alive = true;
		return 0;
	}
	if (strays_find(*pid, j->strays_mark, &status, &at_ns)) {
		kept_ended(j->keep_id, *pid, status, at_ns);
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

static void on_job_ended(struct offspring *o, int status, int64_t at_ns)
{
	struct job *j = container_of(o, struct job, child);
	char text[BIRTH_TEXT_MAX + 1];
	pid_t pid = o->pid;
	bool alive = false;
	struct err e;

	if (job_birth_failed(j, text)) {
		channel_tell_code(CHILD_FAILED, j->tag, ERR_INTERNAL, text);
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

static void job_new(const struct child_request *r, uint64_t tag, pid_t pid, int birth_fd)
{
	struct job *j = new_zero(struct job);

	j->tag = tag;
	j->birth_fd = birth_fd;
	j->keep_id = r->keep_id ? own_must(strdup(r->keep_id)) : NULL;
	j->pidfile = r->pidfile ? own_must(strdup(r->pidfile)) : NULL;
	j->finish = r->finish || r->pidfile;
	if (j->pidfile)
		j->strays_mark = strays_listen();
	offspring_add(&j->child, pid, on_job_ended);
	if (j->keep_id && !j->pidfile)
		fd_watch_set(&j->birth_watch, birth_fd, FD_READ, on_job_birth);
	list_append(&all, &j->link);
}

void job_spawn(struct imsg *m)
{
	struct child_request r;
	struct err e;
	int birth_fd;
	pid_t pid = -1;

	if (child_request_get(&r, m, &e) < 0)
		return channel_tell_code(CHILD_FAILED, m->tag, e.code, e.msg);
	if (r.keep_id && kept_alive(r.keep_id))
		err_set(&e, ERR_INTERNAL, "a process is kept as %s already", r.keep_id);
	else
		pid = spawn(&r, false, &birth_fd, &e);
	if (pid < 0)
		channel_tell_code(CHILD_FAILED, m->tag, e.code, e.msg);
	else
		job_new(&r, m->tag, pid, birth_fd);
	child_request_free(&r);
}

void job_kill(uint64_t tag)
{
	list_each(it, &all) {
		struct job *j = container_of(it, struct job, link);

		if (j->tag == tag)
			spawn_kill_group(j->child.pid);
	}
}

void jobs_orphan(void)
{
	list_each(it, &all) {
		struct job *j = container_of(it, struct job, link);

		j->tag = 0;
		if (!j->finish)
			spawn_kill_group(j->child.pid);
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
			spawn_kill_group(j->child.pid);
	}
}
