/* namespaces.h - what keeper.c tells namespaces.c, which is keeper_namespaces() of keeper.h. */
#ifndef PROCS_NAMESPACES_H
#define PROCS_NAMESPACES_H

#include "reactor/imsg.h"

void namespaces_on_done(const struct imsg *m); /* KEEPER_NS_DONE */
void namespaces_on_gone(void);                 /* the keeper died */
void namespaces_on_here(void);                 /* a keeper is there: what was to be dropped meanwhile is dropped */

#endif
