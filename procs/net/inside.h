/* inside.h - the network namespace of a pod, and the settings below /proc/sys/net of it and of the node. */
#ifndef PROCS_NET_INSIDE_H
#define PROCS_NET_INSIDE_H

#include <stdbool.h>

#include "reactor/err.h"

/* An fd of the network namespace that is pinned at path. FAILED_PRECONDITION: there is none, or it is the node's. */
int inside_open(const char *path, struct err *e);

/* Enters the namespace, sets what the plugins set for a device before it comes up, opens a netlink socket there, and
 * comes back. The socket is the caller's. ipv6: the device gets an IPv6 address. */
int inside_prepare(int netns, const char *ifname, bool ipv6, struct err *e);

/* A netlink socket in the namespace, nothing else: the caller's. */
int inside_socket(int netns, struct err *e);

/* Does the node forward packets of this family? */
bool node_forwards(int family);

/* The node forwards packets of this family from now on. FAILED_PRECONDITION: that could not be set. */
int node_forward(int family, struct err *e);

/* Packets from 127.0.0.1 may leave the node by this device. */
int node_route_localnet(const char *device, struct err *e);

/* The node takes no router's advertisements on this device. */
void node_ignore_routers(const char *device);

#endif
