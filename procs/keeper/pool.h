/* pool.h - a few network namespaces that are made before a pod needs one: lo is up in them, the sysctls that nearly
 * every pod gets are set, and they have no name.
 *
 * They exist as fds of the keeper alone, so that the kernel removes them when the keeper ends, in whatever way. Each
 * one is given away once. (ARCHITECTURE S58) */
#ifndef PROCS_KEEPER_POOL_H
#define PROCS_KEEPER_POOL_H

#include <stdbool.h>

#include "reactor/imsg.h"

enum { POOL_MAX = 256 };

void pool_resize(const struct imsg *message); /* KEEPER_NS_POOL: what is there is thrown away, and made again */

/* An fd of a prepared namespace, which the caller owns from now on; -1: there is none that can have these sysctls (as
 * in struct ns_make). *set: it has them already. */
int pool_take(const char *const *sysctls, bool *set);

/* Namespaces are made or dropped for pods just now: the pool waits with its own work. */
void pool_wait(void);

#endif
