/* net_ip.h - IP addresses and prefixes as bytes: reading, printing and counting.
 *
 * The texts are those of Go's net.IP, since they are names of files that CNI's host-local shares with crisp (RFC 5952).
 * An IPv4 address inside of an IPv6 one (::ffff:1.2.3.4) and addresses in ::/96 are refused: the two languages print
 * these differently. */
#ifndef PROCS_NET_IP_H
#define PROCS_NET_IP_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct net_ip {
	int family;	   /* AF_INET, AF_INET6; 0: none */
	uint8_t bytes[16]; /* in network order; the bytes behind the address are 0 */
};

struct net_prefix {
	struct net_ip ip; /* with its host bits, if it is the address of an interface */
	unsigned len;	  /* bits */
};

enum { NET_IP_TEXT = INET6_ADDRSTRLEN, NET_PREFIX_TEXT = INET6_ADDRSTRLEN + 4 };

/* -1: no such text. */
int net_ip_parse(struct net_ip *out, const char *text);
int net_prefix_parse(struct net_prefix *out, const char *text); /* "10.1.0.0/16" */

const char *net_ip_text(const struct net_ip *ip, char out[NET_IP_TEXT]);
const char *net_prefix_text(const struct net_prefix *prefix, char out[NET_PREFIX_TEXT]);

unsigned net_ip_size(int family); /* bytes of an address */
unsigned net_ip_bits(int family); /* bits of an address */

/* <0, 0, >0; addresses of different families are never equal. */
int net_ip_cmp(const struct net_ip *x, const struct net_ip *y);
void net_ip_next(struct net_ip *ip); /* the next address; the highest one is followed by the lowest one */
struct net_ip net_ip_network(const struct net_prefix *prefix); /* host bits 0 */
struct net_ip net_ip_last(const struct net_prefix *prefix);    /* host bits 1 */
void net_ip_mask(int family, unsigned len, uint8_t out[16]);   /* len one bits */
bool net_prefix_has(const struct net_prefix *prefix, const struct net_ip *ip);

#endif
