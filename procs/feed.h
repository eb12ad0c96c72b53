/* feed.h - a buffer in front of a pipe, a terminal or a socket whose reader may be slow.
 *
 * Bytes that cannot be written yet wait here without a limit: the caller counts what is not `taken` and stops giving in
 * time. When the reader is gone all bytes are taken and dropped. */
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

void feed_init(struct feed *feed, void (*taken)(struct feed *feed, size_t n), void (*ended)(struct feed *feed));
void feed_open(struct feed *feed, int fd); /* waiting bytes are written from the next turn on */
void feed_write(struct feed *feed, const void *bytes, size_t len); /* ignored after feed_end() */
void feed_end(struct feed *feed);
void feed_drop(struct feed *feed); /* the reader is gone: waiting bytes, and all later ones, are taken and dropped */
void feed_close(struct feed *feed); /* no callback follows; fd stays the caller's */

#endif
