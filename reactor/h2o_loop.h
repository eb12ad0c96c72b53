/* h2o_loop.h - libh2o's event loop as a guest of ours: it never sleeps by itself and costs nothing while idle.
 *
 * For http_server.c and what upgrades its connections; nobody else includes this or <h2o.h>. */
#ifndef REACTOR_H2O_LOOP_H
#define REACTOR_H2O_LOOP_H

#define H2O_USE_LIBUV 0
#include <h2o.h>

#include "reactor/err.h"

/* The one nested loop, made at the first call. NULL with INTERNAL when there is no fd left for it. */
h2o_evloop_t *h2o_loop_get(struct err *e);

/* Brings h2o's clock up to date. To be called before h2o is touched from a callback of ours: h2o stamps timeouts with
 * the time of its last turn, which may be hours ago, and they would fire at once. */
void h2o_loop_enter(void);

#endif
