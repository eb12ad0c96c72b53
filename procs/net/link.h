/* link.h - devices by rtnetlink: the bridge, the veth pair of a pod, its addresses and routes.
 *
 * fd is a netlink socket of nl_open(NETLINK_ROUTE); it speaks to the network namespace in which it was opened. */
#ifndef PROCS_NET_LINK_H
#define PROCS_NET_LINK_H

#include <linux/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "procs/net/lease.h"
#include "procs/net_plan.h"
#include "reactor/err.h"

enum { LINK_ALIAS_MAX = 96, MAC_TEXT = 18, BRIDGE_PORTS_MAX = 1023 };
#define LINK_ALIAS "crisp " /* and the id of the sandbox: the alias of the host's end of its veth */

struct link_info {
	int index; /* 0: there is no such device */
	char name[IFNAMSIZ], kind[16], alias[LINK_ALIAS_MAX];
	uint8_t mac[6];
	bool up;	     /* set up by somebody */
	bool running;	     /* operstate UP: packets pass */
	uint32_t peer_index; /* of a veth; in the other namespace */
	uint32_t master;     /* index of the bridge of which it is a port; 0: none */
};

/* By name. 0 also when there is none: index 0. */
int link_get(int fd, const char *name, struct link_info *out, struct err *e);

/* Calls fn for each device; fn may not talk to the kernel. */
int link_each(int fd, void (*fn)(void *arg, const struct link_info *device), void *arg, struct err *e);

/* 1: the device has this address, or a route to it; 0: not; -1: error. */
int link_has_address(int fd, const struct link_info *device, const struct net_prefix *address, struct err *e);
int link_has_route(int fd, const struct link_info *device, const struct net_prefix *to, struct err *e);

/* The host's end of a veth is up, and a port of the bridge of that index (0: of none) when this returns. */
int link_host_again(int fd, const struct link_info *device, int bridge_index, struct err *e);

void mac_random(uint8_t out[6]);
const char *mac_text(const uint8_t mac[6], char out[MAC_TEXT]);

/* The bridge of the plan is there, up, and has the gateways of these leases where the plan says so. *out: as it is
 * then. FAILED_PRECONDITION: a device of that name is no bridge, or the bridge has another address. */
int link_bridge(int fd, const struct net_plan *plan, const struct lease *leases, size_t n, struct link_info *out,
		struct err *e);

struct link_veth {
	const char *host, *inside; /* names of the two ends */
	int netns;		   /* borrowed: the namespace of the inner end */
	int bridge_index;	   /* 0: none */
	uint8_t host_mac[6], inside_mac[6];
	const char *alias; /* of the host's end */
	uint32_t mtu;
	bool hairpin;
};

/* ALREADY_EXISTS: the host has a device of that name. RESOURCE_EXHAUSTED: a bridge takes no more than 1023 ports. */
int link_veth_make(int fd, const struct link_veth *veth, struct err *e);

/* In the pod's namespace: addresses, up, routes. With NET_PTP everything, its own subnet too, goes by the gateway. */
int link_inside(int fd, const char *ifname, const struct net_plan *plan, const struct lease *leases, size_t n,
		struct err *e);

/* Tells the neighbours on the network which MAC the device's addresses have now, by a gratuitous ARP and a neighbour
 * advertisement: the kernel sends them when a MAC is set, also the one that it has. For a device that
 * inside_prepare() and link_inside() made, when packets pass. (ARCHITECTURE S63) */
int link_announce(int fd, const char *ifname, const uint8_t mac[6], struct err *e);

/* NET_PTP: the host's end gets the gateways as its addresses, and the node a route to each of the pod's. */
int link_point(int fd, const char *host, const struct lease *leases, size_t n, struct err *e);

/* 1: all IPv6 addresses of the device may be used; 0: some are tentative; -1: one is in use by another node. */
int link_settled(int fd, const char *ifname, struct err *e);

/* The host's end of a pod's veth goes down if it has this alias; nothing is done where there is none. */
int link_down(int fd, const char *host, const char *alias, struct err *e);

#endif
