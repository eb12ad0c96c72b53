/* nft_put.h - messages of nftables into a batch: what masquerading (nft.h) and hostPorts (ports.h) have in common.
 * Everything is in the table inet crisp. Source: linux/netfilter/nf_tables.h. */
#ifndef PROCS_NET_NFT_PUT_H
#define PROCS_NET_NFT_PUT_H

#include <linux/netfilter/nf_tables.h>
#include <stdbool.h>

#include "procs/net/netlink.h"
#include "procs/net_ip.h"
#include "reactor/err.h"

#define NFT_TABLE "crisp"
enum { NFT_NAME_MAX = 32, NFT_COMMENT_MAX = 120 };

/* A set (data 0) or a map. Types are numbers that only the command nft reads. */
struct nft_set {
	const char *name, *comment;
	uint32_t key_type, key_len, data_type, data_len; /* bytes */
};
enum { NFT_IPADDR = 7, NFT_IP6ADDR = 8, NFT_PROTO = 12, NFT_PORT = 13 };
#define NFT_PAIR(x, y) ((uint32_t)(x) << 6 | (uint32_t)(y))

/* One element; data NULL: of a set. */
struct nft_element {
	const char *set;
	const void *key, *data;
	size_t key_len, data_len;
	const char *comment;
};

void put_table(struct nl_batch *batch);
void put_set(struct nl_batch *batch, const struct nft_set *set);
/* Base chains of type nat; priority -100 is dstnat, 100 is srcnat. hook -1: a chain to jump to. */
void put_chain(struct nl_batch *batch, const char *name, int hook, int priority);
void put_flush(struct nl_batch *batch, const char *chain); /* all rules of it */
size_t put_rule(struct nl_batch *batch, const char *chain); /* then expressions */
void put_rule_end(struct nl_batch *batch, size_t rule);
/* flags: NLM_F_EXCL: an element that is there is an error. */
void put_element_new(struct nl_batch *batch, const struct nft_element *element, unsigned flags);

/* Expressions. reg: a register, NFT_REG_1 or NFT_REG32_nn. */
void expr_family(struct nl_batch *batch, int family);
void expr_address(struct nl_batch *batch, int family, bool source, unsigned reg);
void expr_in(struct nl_batch *batch, const struct net_prefix *prefix, bool source, bool is);
void expr_is_ip(struct nl_batch *batch, const struct net_ip *ip, bool source);
void expr_protocol(struct nl_batch *batch, unsigned reg);
void expr_port(struct nl_batch *batch, unsigned reg); /* of the destination */
void expr_to_this_node(struct nl_batch *batch);
void expr_dnatted(struct nl_batch *batch);
void expr_in_set(struct nl_batch *batch, const char *set);
void expr_lookup(struct nl_batch *batch, const char *map); /* key and value from NFT_REG_1 on */
void expr_dnat(struct nl_batch *batch, int family); /* to the address and port in NFT_REG_1 and behind it */
void expr_jump(struct nl_batch *batch, const char *chain);
void expr_masquerade(struct nl_batch *batch);

/* A transaction: begin, put_*(), commit. */
void nft_begin(struct nl_batch *batch);
int nft_commit(struct nl_batch *batch, struct nl_fault *fault);

/* The element is there and has this comment when this returns; another owner's one is replaced. 0, or -1: fault;
 * ENOENT: the set is not there. */
int nft_element_take(struct nl_batch *batch, const struct nft_element *element, struct nl_fault *fault);
/* Removes the element if it has this comment. What is not there is gone. */
int nft_element_drop(struct nl_batch *batch, const struct nft_element *element, struct nl_fault *fault);

/* 1: the element is there with this comment; 0: not, or another's; -1: fault. */
int nft_element_there(struct nl_batch *batch, const struct nft_element *element, struct nl_fault *fault);
/* 1: the chain is there and has a rule; 0: not; -1: fault. */
int nft_chain_has_rules(struct nl_batch *batch, const char *chain, struct nl_fault *fault);

/* Calls fn for each element of each set and map of the table, with a comment; what it gets is borrowed. fn may not talk
 * to the kernel. key: as in nft_element. 0, or -1: fault. */
typedef void nft_seen(void *arg, const struct nft_element *element);
int nft_each_element(struct nl_batch *batch, nft_seen *fn, void *arg, struct nl_fault *fault);
int nft_table_remove(struct nl_batch *batch, struct nl_fault *fault); /* with all that is in it */

uint32_t nft_port(void); /* of the socket of all transactions: the kernel's events name it; 0: none yet */

int nft_fail(struct err *e, const char *what, const char *network, const struct nl_fault *fault);

/* "PREFIX-<hash of network and subnet>", a name for a chain or set of this subnet. */
void nft_subnet_name(char out[NFT_NAME_MAX], const char *prefix, const char *network, const struct net_prefix *address);

/* The comment of a set element, of its NFTA_SET_ELEM_USERDATA; false: it has none that fits. */
bool nft_comment(const void *userdata, size_t len, char out[NFT_COMMENT_MAX]);

#endif
