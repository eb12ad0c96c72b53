/* child.c - see child.h.
 *
 *   SENT ---exited---> DRAIN ---both pipes at end of file, or 200 ms---> DONE
 *     |                  |
 *     +---timeout---> KILLED ---exited---> DRAIN      KILLED ---5 s---> DONE
 *     +---started (kept), failed, keeper gone---> DONE
 *   SENT, KILLED ---keeper gone, and the child may outlive it: `away` until the next keeper is asked---> SENT, KILLED
 *
 * Waits on: the keeper's answer (SENT, KILLED), the pipes, one timer (all states). A DONE child lives until `done` has
 * returned. */
#include "reactor/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reactor/buf.h"
#include "reactor/child_proto.h"
#include "reactor/fault.h"
#include "reactor/imsg.h"
#include "reactor/list.h"
#include "reactor/loop.h"
#include "reactor/own.h"
#include "reactor/sm.h"
#include "reactor/work.h"

enum { DRAIN_MS = 200, KILL_PATIENCE_MS = 5000, PIPE_TURN = 64 * 1024 };

enum child_state { SENT, KILLED, DRAIN, DONE };

static const struct sm_state child_states[] = {
	[SENT]   = { "SENT",   TO(KILLED) | TO(DRAIN) | TO(DONE) },
	[KILLED] = { "KILLED", TO(DRAIN) | TO(DONE) },
	[DRAIN]  = { "DRAIN",  TO(DONE) },
	[DONE]   = { "DONE",   0 },
};

struct output {
	int fd; /* -1: no pipe, or end of file */
	struct fd_watch watch;
	struct buf got;
	size_t max;
	bool cut;
	struct child *child;
};

struct child {
	struct link link; /* in host.children */
	struct sm sm;
	uint64_t tag;
	const char *path; /* owned copy of argv[0] */
	char *stage, *about; /* owned */
	struct work work;
	bool asked;          /* for its pid */
	struct output out, err;
	struct timer timer;
	int64_t timeout_ms;
	bool outlives; /* the keeper */
	bool away;     /* its keeper has died, and no other one was asked */
	child_done *done;
	void *arg;
	struct child_result result;
	bool failed;
	struct err why; /* meaningful when failed */
};

static struct {
	struct imsg_chan *chan;
	void (*other)(void *arg, struct imsg *m);
	void (*gone)(void *arg);
	void *arg;
	struct link children; /* of struct child.link */
	uint64_t last_tag;
	bool tells_pids;
} host = { .children = { &host.children, &host.children } };

/* ---- the end of a child ---- */

static void child_output_close(struct output *o)
{
	fd_watch_clear(&o->watch);
	if (o->fd >= 0)
		close(o->fd);
	o->fd = -1;
}

static void child_free(struct child *c)
{
	list_drop(&c->link);
	work_end(&c->work);
	timer_clear(&c->timer);
	child_output_close(&c->out);
	child_output_close(&c->err);
	buf_free(&c->out.got);
	buf_free(&c->err.got);
	if (c->result.pidfd >= 0)
		close(c->result.pidfd);
	free((char *)c->path);
	free(c->stage);
	free(c->about);
	free(c);
}

/* What a program says when it does as it should is nobody's. */
static void child_work_end(struct child *c)
{
	const struct child_result *r = &c->result;

	c->work.fault = c->failed ? c->why.msg : r->status ? child_status_text(r->status) : NULL;
	if (c->work.fault) {
		c->work.words = r->err;
		c->work.words_len = r->err_len;
	}
	work_end(&c->work);
}

static void child_report(struct child *c)
{
	struct child_result *r = &c->result;

	sm_move(&c->sm, DONE);
	timer_clear(&c->timer);
	child_output_close(&c->out);
	child_output_close(&c->err);
	r->out = buf_str(&c->out.got);
	r->out_len = c->out.got.len;
	r->out_cut = c->out.cut;
	r->err = buf_str(&c->err.got);
	r->err_len = c->err.got.len;
	r->err_cut = c->err.cut;
	child_work_end(c);
	c->done(c->arg, c->failed ? &c->why : NULL, r);
	child_free(c);
}

/* As read(2); what is more than o->max is thrown away. */
static ssize_t child_output_read(struct output *o)
{
	static char dropped[PIPE_TURN];
	size_t left = o->max - o->got.len;
	ssize_t n;

	if (left)
		return buf_read(&o->got, o->fd, left < PIPE_TURN ? left : PIPE_TURN);
	n = read(o->fd, dropped, sizeof(dropped));
	o->cut |= n > 0;
	return n;
}

/* All that the child wrote is in the pipe since its exit, though this daemon may have had no CPU since: the timer runs
 * before a watch that is due in the same turn. What others still write is not waited for. (ARCHITECTURE K52) */
static void child_output_rest(struct output *o)
{
	for (int pieces = 0; pieces < 2 && o->fd >= 0 && child_output_read(o) > 0; pieces++)
		;
}

static void on_child_report(struct timer *t)
{
	struct child *c = container_of(t, struct child, timer);

	child_output_rest(&c->out);
	child_output_rest(&c->err);
	child_report(c);
}

static void child_drain(struct child *c)
{
	sm_move(&c->sm, DRAIN);
	if (c->out.fd < 0 && c->err.fd < 0)
		return child_report(c);
	timer_set(&c->timer, DRAIN_MS, on_child_report);
}

static void child_send_kill(const struct child *c)
{
	struct err e;

	/* When the message cannot be sent, the keeper is dead: on_host_gone() ends the child. */
	if (!host.chan)
		return;
	fault_at("send", "KILL", "before");
	(void)imsg_send(host.chan, CHILD_KILL, c->tag, NULL, NULL, 0, &e);
	fault_at("send", "KILL", "after");
}

static void on_child_timeout(struct timer *t)
{
	struct child *c = container_of(t, struct child, timer);

	c->failed = true;
	err_set(&c->why, ERR_DEADLINE_EXCEEDED, "%s did not end within %lld ms", c->path, (long long)c->timeout_ms);
	sm_move(&c->sm, KILLED);
	child_send_kill(c);
	timer_set(&c->timer, KILL_PATIENCE_MS, on_child_report);
}

/* ---- its output ---- */

static void on_child_output(struct fd_watch *w, int events)
{
	struct output *o = container_of(w, struct output, watch);
	struct child *c = o->child;
	ssize_t n = child_output_read(o);

	(void)events;
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	child_output_close(o);
	if (c->sm.now == DRAIN && c->out.fd < 0 && c->err.fd < 0)
		child_report(c);
}

/* A pipe whose writing end is returned for the child; -1 with c->why set. */
static int child_output_open(struct child *c, struct output *o, size_t max)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_os(&c->why, ERR_INTERNAL, "pipe for the output of %s", c->path);
	/* The reading end only: the child expects its end to block. */
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	o->fd = ends[0];
	o->max = max;
	fd_watch_set(&o->watch, o->fd, FD_READ, on_child_output);
	return ends[1];
}

static int child_stdin_open(struct child *c, const void *data, size_t len)
{
	auto_fd int fd = memfd_create("stdin", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t at = 0;

	if (fd < 0)
		return err_os(&c->why, ERR_INTERNAL, "memfd for the input of %s", c->path);
	while (at < len) {
		ssize_t n = write(fd, (const char *)data + at, len - at);

		if (n < 0)
			return err_os(&c->why, ERR_INTERNAL, "write the input of %s", c->path);
		at += (size_t)n;
	}
	lseek(fd, 0, SEEK_SET);
	fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
	return take_fd(&fd);
}

/* ---- the request ---- */

struct parcel {
	int fds[IMSG_FDS_MAX], theirs[IMSG_FDS_MAX];
	int n;
	int made[3]; /* made here for the child's fds 0 to 2; closed after the send; -1: none */
};

static int parcel_add(struct child *c, struct parcel *p, int ours, int theirs)
{
	if (p->n == IMSG_FDS_MAX)
		return err_set(&c->why, ERR_INTERNAL, "%s needs more than %d fds", c->path, IMSG_FDS_MAX);
	p->fds[p->n] = ours;
	p->theirs[p->n++] = theirs;
	return 0;
}

static int parcel_pack(struct child *c, const struct child_spec *s, struct parcel *p)
{
	for (size_t i = 0; i < s->nfds; i++)
		if (parcel_add(c, p, s->fds[i].ours, s->fds[i].theirs) < 0)
			return -1;
	if (s->stdin_data) {
		p->made[0] = child_stdin_open(c, s->stdin_data, s->stdin_len);
		if (p->made[0] < 0 || parcel_add(c, p, p->made[0], 0) < 0)
			return -1;
	}
	if (s->stdout_max) {
		p->made[1] = child_output_open(c, &c->out, s->stdout_max);
		if (p->made[1] < 0 || parcel_add(c, p, p->made[1], 1) < 0)
			return -1;
	}
	if (s->stderr_max) {
		p->made[2] = child_output_open(c, &c->err, s->stderr_max);
		if (p->made[2] < 0 || parcel_add(c, p, p->made[2], 2) < 0)
			return -1;
	}
	return 0;
}

static int child_send_request(struct child *c, const struct child_spec *s, struct parcel *p, struct buf *body)
{
	int rc;
	uint32_t nfds;

	if (!host.chan)
		return err_set(&c->why, ERR_UNAVAILABLE, "start %s: the keeper is away", c->path);
	if (parcel_pack(c, s, p) < 0)
		return -1;
	nfds = (uint32_t)p->n;
	if (s->join_cgroup_fd > 0 && parcel_add(c, p, s->join_cgroup_fd, -1) < 0)
		return -1;
	for (size_t i = 0; i < s->nenter; i++)
		if (parcel_add(c, p, s->enter[i], -1) < 0)
			return -1;
	child_request_put(body, s, p->theirs, nfds);
	fault_at("send", "SPAWN", "before");
	rc = imsg_send(host.chan, CHILD_SPAWN, c->tag, body, p->fds, p->n, &c->why);
	fault_at("send", "SPAWN", "after");
	if (rc == 0)
		return 0;
	if (c->why.code == ERR_INVALID_ARGUMENT) /* too large for the channel */
		c->why.code = ERR_INTERNAL;
	return err_wrap(&c->why, "start %s", c->path);
}

static void child_ask_pid(struct child *c)
{
	struct err e;

	if (c->asked || !host.chan || !host.tells_pids || (c->sm.now != SENT && c->sm.now != KILLED) || c->failed)
		return;
	c->asked = true;
	fault_at("send", "WHO", "before");
	/* When it cannot be sent, the keeper is dead: on_host_gone() follows. */
	(void)imsg_send(host.chan, CHILD_WHO, c->tag, NULL, NULL, 0, &e);
	fault_at("send", "WHO", "after");
}

static void on_child_work(struct work *w)
{
	child_ask_pid(container_of(w, struct child, work));
}

pid_t child_pid(struct child *c)
{
	child_ask_pid(c);
	return c->work.pid;
}

static void child_work_begin(struct child *c, const struct child_spec *s)
{
	if (!s->stage)
		return;
	c->stage = own_must(strdup(s->stage));
	c->about = own_must(strdup(s->about ? s->about : ""));
	c->work = (struct work){ .kind = "program", .stage = c->stage, .about = c->about, .program = c->path,
				 .patient = s->patient, .ask = on_child_work };
	work_begin(&c->work);
}

struct child *child_start(const struct child_spec *s, child_done *done, void *arg)
{
	struct child *c = new_zero(struct child);
	struct parcel p = { .made = { -1, -1, -1 } };
	struct buf body = { 0 };

	c->sm = (struct sm){ child_states, "child", "", SENT };
	c->tag = ++host.last_tag;
	c->path = own_must(strdup(s->argv[0]));
	c->out = c->err = (struct output){ .fd = -1, .child = c };
	c->timeout_ms = s->timeout_ms;
	c->outlives = s->finish || s->keep_id;
	c->done = done;
	c->arg = arg;
	c->result.pidfd = -1;
	list_append(&host.children, &c->link);
	child_work_begin(c, s);
	c->failed = child_send_request(c, s, &p, &body) < 0;
	for (int i = 0; i < 3; i++)
		if (p.made[i] >= 0)
			close(p.made[i]);
	buf_free(&body);
	if (c->failed)
		timer_set(&c->timer, 0, on_child_report);
	else if (s->timeout_ms > 0)
		timer_set(&c->timer, s->timeout_ms, on_child_timeout);
	return c;
}

void child_cancel(struct child *c)
{
	if (c->sm.now == SENT && !c->failed)
		child_send_kill(c);
	c->work.fault = "given up";
	child_free(c);
}

/* ---- the answers ---- */

static struct child *child_find(uint64_t tag)
{
	list_each(it, &host.children) {
		struct child *c = container_of(it, struct child, link);

		if (c->tag == tag)
			return c;
	}
	return NULL;
}

static void child_take_pidfd(struct child *c, struct imsg *m)
{
	if (m->nfds != 1)
		return;
	c->result.pidfd = take_fd(&m->fds[0]);
}

static void on_child_answer(struct child *c, struct imsg *m)
{
	struct get g = get_from(m);
	uint32_t first = get_u32(&g);

	switch (m->type) {
	case CHILD_PID:
		c->work.pid = (pid_t)first;
		return;
	case CHILD_STARTED:
		c->result.pid = (pid_t)first;
		child_take_pidfd(c, m);
		return child_report(c);
	case CHILD_EXITED:
		c->result.status = (int)first;
		c->result.pid = (pid_t)get_u32(&g);
		child_take_pidfd(c, m);
		return child_drain(c);
	case CHILD_FAILED: {
		const char *text = get_str(&g);

		if (!c->failed)
			err_set(&c->why, (enum err_code)first, "start %s: %s", c->path,
				text ? text : "no reason given");
		c->failed = true;
		return child_report(c);
	}
	default:
		return;
	}
}

static void on_host_message(void *arg, struct imsg *m)
{
	(void)arg;
	if (m->type >= CHILD_MESSAGES_END) {
		host.other(host.arg, m);
		return;
	}
	/* NULL: the child was cancelled, and its answer is dropped. */
	struct child *c = child_find(m->tag);

	if (c && (c->sm.now == SENT || c->sm.now == KILLED))
		on_child_answer(c, m);
}

static void host_close(void)
{
	if (!host.chan)
		return;
	imsg_close(take_ptr(&host.chan));
	list_each(it, &host.children) {
		struct child *c = container_of(it, struct child, link);

		if (c->sm.now != SENT && c->sm.now != KILLED)
			continue;
		if (c->outlives && (!c->failed || c->sm.now == KILLED)) {
			c->away = c->result.keeper_died = true;
			continue;
		}
		if (!c->failed)
			err_set(&c->why, ERR_UNAVAILABLE, "%s: the keeper died while it ran", c->path);
		c->failed = true;
		timer_set(&c->timer, 0, on_child_report);
	}
}

static void on_host_gone(void *arg)
{
	(void)arg;
	host_close();
	host.gone(host.arg);
}

void child_host_open(int fd, void (*other)(void *arg, struct imsg *m), void (*gone)(void *arg), void *arg)
{
	host_close();
	host.other = other;
	host.gone = gone;
	host.arg = arg;
	host.tells_pids = false;
	host.chan = imsg_open(fd, on_host_message, on_host_gone, NULL);
}

void child_host_tells_pids(bool tells)
{
	host.tells_pids = tells;
}

void child_host_again(void)
{
	struct err e;

	list_each(it, &host.children) {
		struct child *c = container_of(it, struct child, link);

		if (!host.chan || !c->away || (c->sm.now != SENT && c->sm.now != KILLED))
			continue;
		c->away = c->asked = false;
		fault_at("send", "AGAIN", "before");
		/* When it cannot be sent, this keeper is dead too: on_host_gone() follows. */
		(void)imsg_send(host.chan, CHILD_AGAIN, c->tag, NULL, NULL, 0, &e);
		fault_at("send", "AGAIN", "after");
		if (c->sm.now == KILLED)
			child_send_kill(c);
	}
}

struct imsg_chan *child_host_chan(void)
{
	return host.chan;
}

const char *child_status_text(int status)
{
	static char text[64];

	if (WIFSIGNALED(status))
		snprintf(text, sizeof(text), "killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(text, sizeof(text), "exit status %d", WEXITSTATUS(status));
	return text;
}
