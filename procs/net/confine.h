/* confine.h - crisp-net gives up what it does not need, before the first request. */
#ifndef PROCS_NET_CONFINE_H
#define PROCS_NET_CONFINE_H

#include "reactor/err.h"

/* Left are CAP_NET_ADMIN (netlink, settings), CAP_SYS_ADMIN (setns(2), a procfs) and CAP_DAC_OVERRIDE (files of
 * host-local that another user owns); no program can be executed, no process made, traced or entered, and no module,
 * BPF program or kernel loaded: EPERM. INTERNAL: the kernel refused. (ARCHITECTURE S61) */
int confine(struct err *e);

#endif
