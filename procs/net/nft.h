/* nft.h - masquerading by nftables: a set of addresses for each subnet of a network.
 *
 * Table inet crisp; for each network and subnet a chain and a set of the same name, masq-<hash>:
 *
 *   chain masq-H { type nat hook postrouting priority srcnat;
 *                  ip saddr @masq-H ip daddr != SUBNET ip daddr != 224.0.0.0/4 masquerade }
 *   set masq-H   { type ipv4_addr; comment "NETWORK SUBNET"; elements = { 10.1.0.7 comment "SANDBOX" } }
 *
 * A pod is one element, so that a packet meets one rule a subnet however many pods there are. The comment of an element
 * says whose it is: only its own sandbox removes it. The chain is written again, as a whole, whenever the set is not
 * there. (ARCHITECTURE S53)
 * Source: the rule is that of `ipMasq` of the bridge plugin 1.9.1. */
#ifndef PROCS_NET_NFT_H
#define PROCS_NET_NFT_H

#include <stdbool.h>

#include "procs/net/nft_put.h"

struct nft_pod {
	const char *network;
	struct net_prefix address; /* with the length of its subnet */
	const char *id;		   /* of the sandbox */
};

/* The pod's address is masqueraded when this returns. An element that an earlier owner of the address left is taken
 * over: the address is reserved for this pod. */
int nft_masquerade(const struct nft_pod *pod, struct err *e);

/* For a pod that lives: as nft_masquerade(), but an element that is there is left as it is. whole: the chain is written
 * again too, since somebody may have emptied it. */
int nft_masquerade_again(const struct nft_pod *pod, bool whole, struct err *e);

/* No element of this sandbox has the address any more. */
int nft_unmasquerade(const struct nft_pod *pod, struct err *e);

/* 1: the pod's address is masqueraded, in its name, by a chain that has its rule; 0: not; -1: error. */
int nft_masquerades(const struct nft_pod *pod, struct err *e);

/* For tests: the messages, and the name of the chain and the set. */
void nft_name(char out[NFT_NAME_MAX], const struct nft_pod *pod);
void nft_put_chain(struct nl_batch *batch, const struct nft_pod *pod);
void nft_put_element(struct nl_batch *batch, const struct nft_pod *pod, unsigned flags);

#endif
