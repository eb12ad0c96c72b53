/* ahead.c - see ahead.h. A ring: the thread fills slots[filled % SLOTS], the reader has slots[taken % SLOTS]. */
#include "images/unpack/ahead.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "reactor/own.h"

enum { SLOTS = 4, STACK_BYTES = 256 << 10 };

struct slot {
	uint8_t *bytes;
	ssize_t n;
};

struct ahead {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int (*seal)(struct err *e);
	ahead_fill *fill;
	void *arg;
	size_t room;
	struct slot slots[SLOTS];
	/* Under the lock. */
	uint64_t filled, taken; /* slots, since the start */
	bool sealed, stop;
	struct err seal_err;    /* code ERR_OK: it is sealed */
	struct err err;         /* of the slot with n -1 */
	/* Of the reader. */
	bool has_slot;          /* slots[taken % SLOTS] is being read */
};

static void ahead_tell(struct ahead *a)
{
	pthread_cond_broadcast(&a->changed);
	pthread_mutex_unlock(&a->lock);
}

/* NULL: the reader wants no more. */
static struct slot *ahead_free_slot(struct ahead *a)
{
	struct slot *s;

	pthread_mutex_lock(&a->lock);
	while (!a->stop && a->filled - a->taken == SLOTS)
		pthread_cond_wait(&a->changed, &a->lock);
	s = a->stop ? NULL : &a->slots[a->filled % SLOTS];
	pthread_mutex_unlock(&a->lock);
	return s;
}

static void *ahead_main(void *arg)
{
	struct ahead *a = arg;
	struct err e = { 0 };
	struct slot *s;
	ssize_t n = a->seal(&e) < 0 ? -1 : 1;

	pthread_mutex_lock(&a->lock);
	a->sealed = true;
	a->seal_err = e;
	ahead_tell(a);
	while (n > 0 && (s = ahead_free_slot(a))) {
		n = a->fill(a->arg, s->bytes, a->room, &e);
		pthread_mutex_lock(&a->lock);
		s->n = n;
		a->err = e;
		a->filled++;
		ahead_tell(a);
	}
	return NULL;
}

static void ahead_free(struct ahead *a)
{
	for (int i = 0; i < SLOTS; i++)
		free(a->slots[i].bytes);
	pthread_mutex_destroy(&a->lock);
	pthread_cond_destroy(&a->changed);
	free(a);
}

static int ahead_begin(struct ahead *a, struct err *e)
{
	pthread_attr_t attr;
	int error;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	error = pthread_create(&a->thread, &attr, ahead_main, a);
	pthread_attr_destroy(&attr);
	if (error)
		return err_set(e, ERR_INTERNAL, "start a thread: error %d", error);
	pthread_mutex_lock(&a->lock);
	while (!a->sealed)
		pthread_cond_wait(&a->changed, &a->lock);
	pthread_mutex_unlock(&a->lock);
	if (a->seal_err.code == ERR_OK)
		return 0;
	*e = a->seal_err;
	pthread_join(a->thread, NULL);
	return -1;
}

struct ahead *ahead_start(size_t buffer_bytes, int (*seal)(struct err *e), ahead_fill *fill, void *arg, struct err *e)
{
	struct ahead *a = new_zero(struct ahead);

	a->seal = seal;
	a->fill = fill;
	a->arg = arg;
	a->room = buffer_bytes;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->changed, NULL);
	for (int i = 0; i < SLOTS; i++)
		a->slots[i].bytes = own_must(malloc(buffer_bytes));
	if (ahead_begin(a, e) == 0)
		return a;
	ahead_free(a);
	return NULL;
}

ssize_t ahead_next(struct ahead *a, const uint8_t **p, struct err *e)
{
	const struct slot *s;
	ssize_t n;

	pthread_mutex_lock(&a->lock);
	if (a->has_slot) {
		a->taken++;
		pthread_cond_broadcast(&a->changed);
	}
	while (a->filled == a->taken)
		pthread_cond_wait(&a->changed, &a->lock);
	s = &a->slots[a->taken % SLOTS];
	n = s->n;
	a->has_slot = n > 0; /* the last slot stays: each later call gets it again */
	if (n < 0)
		*e = a->err;
	*p = s->bytes;
	pthread_mutex_unlock(&a->lock);
	return n;
}

void ahead_stop(struct ahead *a)
{
	pthread_mutex_lock(&a->lock);
	a->stop = true;
	ahead_tell(a);
	pthread_join(a->thread, NULL);
	ahead_free(a);
}
