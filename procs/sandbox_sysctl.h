/* sandbox_sysctl.h - the kernel parameters of a sandbox: which belong to it, and those that can only be set after the
 * network is up. A name is separated by "." or "/", whichever comes first in it; the other one is then part of a name
 * (sysctl(8)). */
#ifndef PROCS_SANDBOX_SYSCTL_H
#define PROCS_SANDBOX_SYSCTL_H

#include "procs/cri_config.h"
#include "reactor/err.h"

/* INVALID_ARGUMENT: no valid name, or one that would change the node. */
int sandbox_sysctls_check(const struct sandbox_config *c, struct err *e);

/* Those to be set with the namespaces: what was asked for, and containerd's defaults for a network of its own: ports
 * below 1024 and ping for every user. Array in the arena, strings borrowed. */
struct pairs sandbox_sysctls(const struct sandbox_config *c, struct arena *a);

/* Sets those of interfaces that came with the network (net.ipv4.conf.eth0.*). The calling thread is in the sandbox's
 * network namespace meanwhile: microseconds, but that the kernel takes its rtnl lock for "forwarding".
 * INVALID_ARGUMENT: the kernel refused one; INTERNAL: the namespace is gone. */
int sandbox_sysctls_late(const struct sandbox_config *c, const char *netns_path, struct err *e);

#endif
