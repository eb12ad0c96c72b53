/* net_plan.h - what the native network makes of a CNI conflist: can crisp do it without a plugin, and what is to be
 * made.
 *
 * crispd asks whether a conflist fits; crisp-net (procs/net/), which makes the network, reads the same text by the same
 * function. A conflist fits when it has `bridge` or `ptp` with `host-local`, and beside these `loopback` and `portmap`
 * at most, and only keys that are in the lists of net_plan.c. Keys are compared exactly. (ARCHITECTURE S51)
 * Source: the reference plugins (github.com/containernetworking/plugins 1.9.1), whose behaviour is followed. */
#ifndef PROCS_NET_PLAN_H
#define PROCS_NET_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "procs/net_ip.h"
#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/json.h"

struct net_range { /* first and last may be given to pods, the gateway may not */
	struct net_prefix subnet; /* host bits 0 */
	struct net_ip first, last, gateway;
};

struct net_range_set { /* a pod gets one address of each set */
	struct net_range *at;
	size_t n;
};

struct net_route {
	struct net_prefix to;
	struct net_ip via; /* family 0: the gateway of the first address of that family */
	uint32_t priority;
};

enum net_kind { NET_BRIDGE, NET_PTP };
enum { NET_SETS_MAX = 8, NET_RANGES_MAX = 64, NET_ROUTES_MAX = 64, NET_CONF_MAX = 64 * 1024 };

struct net_plan { /* strings and arrays in the arena of net_plan_read() */
	const char *network;	 /* name of the conflist */
	const char *cni_version; /* "1.0.0" */
	enum net_kind kind;
	const char *bridge; /* NET_BRIDGE: name of the device */
	bool gateway;	    /* the bridge gets the gateway's address, and the node forwards */
	bool default_route, masquerade, hairpin, force_address;
	bool host_ports;     /* portmap is in the chain, and is told of hostPorts */
	bool host_port_snat; /* as portmap's `snat` */
	uint32_t mtu;	     /* 0: the kernel's */
	const char *leases;  /* the directory of host-local's files: dataDir/network */
	const char *resolv_conf; /* host-local's resolvConf; NULL: none */
	struct net_range_set *sets;
	size_t nsets;
	struct net_route *routes;
	size_t nroutes;
};

/* text: the normal form of a conflist (procs/cni/conf.h). UNIMPLEMENTED: a plugin or key that the native network does
 * not know, or a value that its plugin would refuse; the sentence names it. */
int net_plan_read(struct net_plan *plan, struct arena *arena, const char *text, struct err *e);

/* The range whose subnet has this address; NULL: none. */
const struct net_range *net_plan_range(const struct net_plan *plan, const struct net_ip *ip);

#endif
