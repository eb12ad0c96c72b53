/* log_pump.c - see log_pump.h. */
#include "tests/fakes/log_pump.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "procs/log_pump.h"
#include "reactor/loop.h"
#include "reactor/list.h"
#include "reactor/own.h"

struct log_pump {
	int ends[2];
	struct timer timer;
	void (*drained)(void *arg);
	void *arg;
};

int fake_pumps, fake_pump_drain_ms;
size_t fake_pump_left;
bool fake_pump_refuses, fake_pump_reopened = true;
int fake_pump_undone;
static struct log_pump *last;
static struct log_reader *readers;

int log_pumps_open(struct err *e)
{
	(void)e;
	return 0;
}

struct log_pump *log_pump_open(const char *id, const char *dir, const char *log_path, int log_fd, struct err *e)
{
	struct log_pump *p;

	(void)dir;
	(void)log_fd;
	if (fake_pump_refuses) {
		err_set(e, ERR_INTERNAL, "open log %s of %.4s: no space", log_path, id);
		return NULL;
	}
	p = new_zero(struct log_pump);
	if (pipe2(p->ends, O_CLOEXEC) < 0)
		abort();
	fake_pumps++;
	return last = p;
}

int fake_pump_fifo(void)
{
	return last->ends[0];
}

int log_pump_writer(struct log_pump *p, bool is_stderr, struct err *e)
{
	(void)is_stderr;
	(void)e;
	return fcntl(p->ends[1], F_DUPFD_CLOEXEC, 3);
}

void log_pump_listen(struct log_pump *p, struct log_reader *r)
{
	(void)p;
	r->paused = false;
	r->next = readers;
	readers = r;
}

void log_pump_unlisten(struct log_pump *p, struct log_reader *r)
{
	(void)p;
	for (struct log_reader **at = &readers; *at; at = &(*at)->next)
		if (*at == r) {
			*at = r->next;
			return;
		}
}

void log_pump_pause(struct log_pump *p, struct log_reader *r, bool paused)
{
	(void)p;
	r->paused = paused;
}

void fake_pump_says(bool is_stderr, const void *bytes, size_t n)
{
	for (struct log_reader *r = readers, *next; r; r = next) {
		next = r->next;
		r->fn(r, is_stderr, bytes, n);
	}
}

int fake_pump_readers(bool paused)
{
	int n = 0;

	for (struct log_reader *r = readers; r; r = r->next)
		n += r->paused == paused;
	return n;
}

bool log_pump_reopened(struct log_pump *p)
{
	(void)p;
	return fake_pump_reopened;
}

void log_pump_reopen_undo(struct log_pump *p)
{
	(void)p;
	fake_pump_undone++;
}

int log_pump_reopen(struct log_pump *p, int log_fd, struct err *e)
{
	(void)p;
	(void)log_fd;
	(void)e;
	return 0;
}

static void on_drained(struct timer *t)
{
	struct log_pump *p = container_of(t, struct log_pump, timer);

	p->drained(p->arg);
}

void log_pump_drain(struct log_pump *p, void (*drained)(void *arg), void *arg)
{
	p->drained = drained;
	p->arg = arg;
	timer_set(&p->timer, fake_pump_drain_ms, on_drained);
}

size_t log_pump_refused(const struct log_pump *p)
{
	(void)p;
	return fake_pump_left;
}

static void on_late(struct timer *t)
{
	struct log_pump *p = container_of(t, struct log_pump, timer);

	if (fake_pump_left)
		timer_set(&p->timer, 1000, on_late);
	else
		p->drained(p->arg);
}

void log_pump_drain_late(struct log_pump *p, void (*drained)(void *arg), void *arg)
{
	p->drained = drained;
	p->arg = arg;
	timer_set(&p->timer, 0, on_late);
}

void log_pump_forget(const char *id)
{
	(void)id;
}

void log_pump_close(struct log_pump *p)
{
	timer_clear(&p->timer);
	close(p->ends[0]);
	close(p->ends[1]);
	free(p);
	last = NULL;
	readers = NULL;
	fake_pumps--;
}
