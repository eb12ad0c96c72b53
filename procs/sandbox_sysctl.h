/* sandbox_sysctl.h - the kernel parameters of a sandbox: which of them belong to its namespaces, and which can only be
 * set after the network is up. The first of "." and "/" in a name is its separator; the other character is then part of
 * a component (sysctl(8)). */
#ifndef PROCS_SANDBOX_SYSCTL_H
#define PROCS_SANDBOX_SYSCTL_H

#include "procs/cri_config.h"
#include "reactor/err.h"

/* INVALID_ARGUMENT: a name that is not valid, or a parameter that would change the node. */
int sandbox_sysctls_check(const struct sandbox_config *config, struct err *e);

/* Containerd's defaults for a pod with its own network, ports below 1024 and ping for every user: key, value, ...,
 * NULL. The range of groups is that of a pod without a user namespace. */
extern const char *const sandbox_sysctl_defaults[];

/* The parameters that are set when the namespaces are made: those of the request, and for a pod with its own network
 * the defaults. The array is in the arena, its strings are
 * borrowed. */
struct pairs sandbox_sysctls(const struct sandbox_config *config, struct arena *arena);

/* Sets the parameters of interfaces that the network brought (net.ipv4.conf.eth0.*). For this the calling thread enters
 * the sandbox's network namespace: for microseconds, or as long as the kernel waits for its rtnl lock ("forwarding").
 * INVALID_ARGUMENT: the kernel refused a value; INTERNAL: the namespace is gone. (ARCHITECTURE S5) */
int sandbox_sysctls_late(const struct sandbox_config *config, const char *netns_path, struct err *e);

#endif
