/* h2o_loop.h - libh2o's event loop nested in loop.h's: it never sleeps by itself and costs nothing while idle.
 *
 * Only http_h2o.c and its test include this header; no other file includes <h2o.h>. */
#ifndef REACTOR_H2O_LOOP_H
#define REACTOR_H2O_LOOP_H

#define H2O_USE_LIBUV 0
#include <h2o.h>

#include "reactor/err.h"

/* The one nested loop, made at the first call and kept. NULL with INTERNAL: there is no fd left for it. */
h2o_evloop_t *h2o_loop_get(struct err *e);

/* Brings h2o's clock up to date. To be called before a callback of loop.h calls h2o: h2o counts timeouts from the time
 * of its own last turn, which may be hours ago, so that they would fire at once. (ARCHITECTURE X1) */
void h2o_loop_enter(void);

#endif
