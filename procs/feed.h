/* feed.h - bytes on their way into a pipe, a terminal or a socket whose reader takes its time.
 *
 * What could not be written waits here; its giver counts it and stops in time. When the reader is gone all is taken and
 * dropped. */
#ifndef PROCS_FEED_H
#define PROCS_FEED_H

#include <stdbool.h>
#include <stddef.h>

#include "reactor/buf.h"
#include "reactor/loop.h"

struct feed { /* embedded */
	int fd; /* borrowed, non-blocking; -1: none yet */
	struct fd_watch watch;
	struct timer timer;
	struct buf waiting;
	bool ending, broken;
	void (*taken)(struct feed *f, size_t n); /* may run inside feed_write() */
	/* once after feed_end(), when nothing waits any more; never inside a call */
	void (*ended)(struct feed *f);
};

void feed_init(struct feed *f, void (*taken)(struct feed *f, size_t n), void (*ended)(struct feed *f));
void feed_open(struct feed *f, int fd); /* what waited is written from the next turn on */
void feed_write(struct feed *f, const void *p, size_t n); /* nothing after feed_end() */
void feed_end(struct feed *f);
void feed_drop(struct feed *f); /* nobody reads: what waits is taken now, and all that comes */
void feed_close(struct feed *f); /* no callback follows; fd stays the caller's */

#endif
