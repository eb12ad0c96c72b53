/* ns.h - makes user, net, ipc and uts namespaces for crispd in a child, pins the network namespace, and holds all by
 * name. */
#ifndef PROCS_KEEPER_NS_H
#define PROCS_KEEPER_NS_H

#include <stdint.h>

#include "reactor/imsg.h"

void ns_make(struct imsg *message);       /* KEEPER_NS_MAKE */
void ns_cancel_all(void);                 /* crispd is dead: what is being made is undone */
void ns_drop(const struct imsg *message); /* KEEPER_NS_DROP */

#endif
