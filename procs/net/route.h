/* route.h - the messages that add routes to a batch of rtnetlink; link.c sends them. index: of the device. */
#ifndef PROCS_NET_ROUTE_H
#define PROCS_NET_ROUTE_H

#include "procs/net/lease.h"
#include "procs/net/netlink.h"
#include "procs/net_plan.h"

/* The routes of the plan, each by its own gateway or the one of the lease of its family, and the default routes. */
void route_put_plan(struct nl_batch *batch, int index, const struct net_plan *plan, const struct lease *leases,
		    size_t n);

/* NET_PTP, in the pod: the gateway on the device, and the subnet behind the gateway. */
void route_put_point(struct nl_batch *batch, int index, const struct lease *lease);

/* NET_PTP, on the node: the pod's address on the host's end of its veth. */
void route_put_pod(struct nl_batch *batch, int index, const struct net_ip *pod);

#endif
