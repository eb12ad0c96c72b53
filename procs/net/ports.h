/* ports.h - hostPorts by nftables: what reaches a port of the node is sent on to a pod.
 *
 * Table inet crisp; one map for each family, and one for hostPorts with a hostIP:
 *
 *   map port4    { type inet_proto . inet_service : ipv4_addr . inet_service;
 *                  elements = { tcp . 80 comment "SANDBOX" : 10.1.0.7 . 8080 } }
 *   map port4-ip { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service }
 *   chain ports           { dnat ip to ip daddr . meta l4proto . th dport map @port4-ip
 *                           dnat ip to meta l4proto . th dport map @port4 }         and the same for IPv6
 *   chain ports-in, -out  { type nat hook prerouting, output priority dstnat; fib daddr type local jump ports }
 *
 * and for each subnet with such pods, unless portmap's `snat` is off, a chain and a set of the same name: packets from
 * the subnet, the pod itself or the node's loopback that were sent on to a pod get the node's address, so that their
 * answers come back by the node:
 *
 *   chain snat-H { type nat hook postrouting priority srcnat;
 *                  ip saddr SUBNET ct status dnat ip daddr @snat-H masquerade
 *                  ip saddr 127.0.0.1 ip daddr @snat-H masquerade }
 *
 * As with masquerading, an element's comment is the sandbox, and only that sandbox removes it. (ARCHITECTURE S55)
 * Source: the portmap plugin 1.9.1. */
#ifndef PROCS_NET_PORTS_H
#define PROCS_NET_PORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "procs/net/nft.h"
#include "procs/net_plan.h"
#include "reactor/json.h"

struct host_port {
	uint8_t protocol; /* IPPROTO_TCP, _UDP, _SCTP */
	uint16_t host, inside;
	struct net_ip on; /* family 0: all addresses of the node */
};
enum { HOST_PORTS_MAX = 1024 };

/* portMappings of CNI's capability arguments, as crispd writes them. *out: malloc'd; 0 of them is no fault.
 * INVALID_ARGUMENT: one that cannot be made. */
int ports_read(struct host_port **out, size_t *n, const json_t *caps, struct err *e);

/* The same of their text ("": none), if the plan has portmap in its chain. */
int ports_of(struct host_port **out, size_t *n, const struct net_plan *plan, const char *caps, struct err *e);

/* 1: all of them lead to this sandbox, by chains that have their rules; 0: not; -1: error. */
int ports_there(const struct nft_pod *pod, const struct host_port *ports, size_t n, bool snat, struct err *e);

/* Those of `ports` that the family of the pod's address can serve lead to the pod when this returns. snat: see
 * above. */
int ports_open(const struct nft_pod *pod, const struct host_port *ports, size_t n, bool snat, struct err *e);

/* For a pod that lives, after the rules were lost: everything is written again. */
int ports_again(const struct nft_pod *pod, const struct host_port *ports, size_t n, bool snat, struct err *e);

/* Has this kernel all that masquerading and hostPorts need? Nothing is changed. An error names what the kernel said. */
int ports_able(struct err *e);

/* None of them leads to this sandbox any more. */
int ports_close(const struct nft_pod *pod, const struct host_port *ports, size_t n, bool snat, struct err *e);

#endif
