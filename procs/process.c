/* process.c - see process.h.
 *
 *   ASKED ---STARTED, FAILED---> done          (no keeper to ask: done in the next turn)
 *    |   ^
 *    |   +---the next keeper is asked---+
 *    +---the keeper died, keep_id---> AWAY         the keeper died, no keep_id: done
 *
 * Waits on: the keeper's answer; the next keeper (AWAY). */
#include "procs/process.h"

#include <stdlib.h>

#include "procs/plan.h"
#include "reactor/child.h"
#include "reactor/fault.h"
#include "reactor/list.h"
#include "reactor/log.h"
#include "reactor/loop.h"
#include "reactor/own.h"

struct process {
	struct link link; /* in `processes` */
	uint64_t tag;
	struct timer timer; /* set: it has failed already */
	bool kept;          /* it has a keep_id: the next keeper tells what became of it */
	process_done *done;
	void *arg;
	struct err err;
};

static struct link processes = { &processes, &processes };
static uint64_t last_tag;
static const char *zygote; /* NULL: no native handler */
static bool named;         /* this keeper was told of the zygote: one that was just connected to was not */

static void process_free(struct process *p)
{
	list_drop(&p->link);
	timer_clear(&p->timer);
	free(p);
}

static void process_end(struct process *p, const struct err *e, pid_t pid, int *pidfd)
{
	process_done *done = p->done;
	void *arg = p->arg;
	struct err why = e ? *e : (struct err){ 0 };

	process_free(p);
	done(arg, e ? &why : NULL, pid, pidfd);
}

static void on_process_failed(struct timer *t)
{
	struct process *p = container_of(t, struct process, timer);
	int none = -1;

	process_end(p, &p->err, -1, &none);
}

void process_told(struct imsg *m)
{
	struct get g = get_from(m);
	uint32_t first = get_u32(&g);
	const char *text = m->type == PROCESS_FAILED ? get_str(&g) : NULL;
	int none = -1, *pidfd = m->nfds == 1 ? &m->fds[0] : &none;
	struct err e;

	list_each(it, &processes) {
		struct process *p = container_of(it, struct process, link);

		if (p->tag != m->tag || timer_is_set(&p->timer))
			continue;
		if (m->type == PROCESS_STARTED && !g.bad)
			return process_end(p, NULL, (pid_t)first, pidfd);
		err_set(&e, text ? (enum err_code)first : ERR_INTERNAL, "%s", text ? text : "a malformed answer");
		return process_end(p, &e, -1, pidfd);
	}
}

void process_gone(void)
{
	named = false;
	list_each(it, &processes) {
		struct process *p = container_of(it, struct process, link);

		if (timer_is_set(&p->timer) || p->kept)
			continue;
		err_set(&p->err, ERR_UNAVAILABLE, "the keeper died meanwhile");
		timer_set(&p->timer, 0, on_process_failed);
	}
}

void process_again(void)
{
	struct imsg_chan *chan = child_host_chan();
	struct err e;

	list_each(it, &processes) {
		const struct process *p = container_of(it, struct process, link);

		if (!chan || !p->kept || timer_is_set(&p->timer))
			continue;
		fault_at("send", "PROCESS_AGAIN", "before");
		if (imsg_send(chan, PROCESS_AGAIN, p->tag, NULL, NULL, 0, &e) < 0)
			log_warn("process_again error=%s", log_quote(e.msg)); /* that keeper has died too */
		fault_at("send", "PROCESS_AGAIN", "after");
	}
}

void process_here(void)
{
	struct imsg_chan *chan = child_host_chan();
	struct buf b = { 0 };
	struct err e;

	if (!chan || !zygote)
		return;
	put_str(&b, zygote);
	fault_at("send", "PROCESS_ZYGOTE", "before");
	named = imsg_send(chan, PROCESS_ZYGOTE, 0, &b, NULL, 0, &e) == 0;
	fault_at("send", "PROCESS_ZYGOTE", "after");
	if (!named)
		log_warn("zygote error=%s", log_quote(e.msg));
	buf_free(&b);
}

void process_zygote(const char *path)
{
	zygote = path;
	process_here();
}

static int process_ask(const struct process *p, const struct process_spec *s, struct err *e)
{
	const int all[ZYGOTE_FDS] = {
		[ZYGOTE_BIRTH] = -1, [ZYGOTE_PLAN] = s->plan, [ZYGOTE_GROUP] = s->group, [ZYGOTE_PIDFD] = s->pidfd,
		[ZYGOTE_CONSOLE] = s->console, [ZYGOTE_IN] = s->in, [ZYGOTE_OUT] = s->out, [ZYGOTE_ERR] = s->err,
		[ZYGOTE_WORDS] = s->words,
	};
	struct imsg_chan *chan = child_host_chan();
	struct buf b = { 0 };
	int fds[ZYGOTE_FDS], n = 0, r;
	uint32_t bits = 0;

	if (!chan || !named)
		return err_set(e, ERR_UNAVAILABLE, "the keeper is away");
	for (int i = 0; i < ZYGOTE_FDS; i++)
		if (all[i] >= 0) {
			fds[n++] = all[i];
			bits |= 1u << i;
		}
	put_str(&b, s->keep_id);
	put_u32(&b, bits);
	put_u32(&b, s->new_pid);
	fault_at("send", "PROCESS_MAKE", "before");
	r = imsg_send(chan, PROCESS_MAKE, p->tag, &b, fds, n, e);
	fault_at("send", "PROCESS_MAKE", "after");
	buf_free(&b);
	return r;
}

struct process *process_start(const struct process_spec *s, process_done *done, void *arg)
{
	struct process *p = new_zero(struct process);

	p->tag = ++last_tag;
	p->kept = s->keep_id != NULL;
	p->done = done;
	p->arg = arg;
	list_append(&processes, &p->link);
	if (process_ask(p, s, &p->err) < 0)
		timer_set(&p->timer, 0, on_process_failed);
	return p;
}

void process_cancel(struct process *p)
{
	struct imsg_chan *chan = child_host_chan();
	struct err e;

	if (chan && !timer_is_set(&p->timer) && imsg_send(chan, PROCESS_KILL, p->tag, NULL, NULL, 0, &e) < 0)
		log_warn("process_kill error=%s", log_quote(e.msg));
	process_free(p);
}
