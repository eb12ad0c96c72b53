/* lookup_memo.c - see lookup_memo.h.
 *
 *   idle ---asked about what only a child can tell, AGAIN_MS after the last time---> asking ---answer or error---> idle
 *
 * Waits on: lookup.h (asking). */
#include "reactor/lookup_memo.h"

#include <stdlib.h>
#include <string.h>

#include "reactor/loop.h"
#include "reactor/own.h"

enum { AGAIN_MS = 5000 };

struct lookup_memo {
	char *path;
	struct lookup *asking; /* NULL: idle */
	int64_t asked_ns;      /* when a child was last asked; 0: never */
	struct looked fact;
	struct err fault; /* code OK: fact is the answer */
	void (*changed)(void *arg);
	void *arg;
};

struct lookup_memo *lookup_memo_new(const char *path, void (*changed)(void *arg), void *arg)
{
	struct lookup_memo *m = new_zero(struct lookup_memo);

	m->path = own_must(strdup(path));
	m->changed = changed;
	m->arg = arg;
	err_set(&m->fault, ERR_UNAVAILABLE, "look up %s: its file system has not answered so far", path);
	return m;
}

void lookup_memo_free(struct lookup_memo *m)
{
	if (!m)
		return;
	lookup_free(m->asking);
	free(m->path);
	free(m);
}

/* True: the answer is another one than before. */
static bool memo_take(struct lookup_memo *m, const struct looked *f)
{
	struct looked was = m->fact;
	bool other = m->fault.code != ERR_OK || was.error != f->error || was.mode != f->mode || was.ino != f->ino ||
		     was.dev != f->dev || was.size_bytes != f->size_bytes || was.mtime_ns != f->mtime_ns;

	m->fact = *f;
	m->fact.real = "";
	m->fact.fd = -1;
	m->fault.code = ERR_OK;
	return other;
}

static void on_memo_looked(void *arg, const struct err *e)
{
	struct lookup_memo *m = arg;
	struct lookup *l = take_ptr(&m->asking);
	bool other;
	struct err ignored;

	if (e) {
		other = m->fault.code != e->code || strcmp(m->fault.msg, e->msg) != 0;
		m->fault = *e;
		if (e->code == ERR_UNAVAILABLE)
			m->asked_ns = 0; /* no child could be run: the next question tries again */
	} else {
		other = memo_take(m, lookup_get(l, LOOKUP_NODE, m->path, &ignored));
	}
	lookup_free(l);
	if (other && m->changed)
		m->changed(m->arg);
}

/* The owner is the path: paths that hang do not take the children of others. */
const struct looked *lookup_memo_get(struct lookup_memo *m, struct err *e)
{
	struct lookup *l = lookup_new(m->path);
	const struct looked *f = lookup_get(l, LOOKUP_NODE, m->path, e);
	int64_t now_ns = loop_mono_ns();

	if (f) {
		memo_take(m, f);
	} else if (!m->asking && (!m->asked_ns || now_ns - m->asked_ns >= AGAIN_MS * INT64_C(1000000))) {
		m->asked_ns = now_ns;
		m->asking = l;
		lookup_start(take_ptr(&l), on_memo_looked, m);
	}
	lookup_free(l);
	if (m->fault.code == ERR_OK)
		return &m->fact;
	*e = m->fault;
	return NULL;
}
