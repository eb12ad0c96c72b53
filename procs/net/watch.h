/* watch.h - tells when somebody else removes something from the nftables table inet crisp: `nft flush ruleset` of a
 * firewall that is loaded again takes the tables of all programs. */
#ifndef PROCS_NET_WATCH_H
#define PROCS_NET_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `lost` runs on the loop, at most once a second. A kernel without nf_tables is watched in vain. */
void watch_open(void (*lost)(void));

/* Does this packet of the multicast group of nftables tell of such a removal? own: the port of our own socket. */
bool watch_is_loss(const void *packet, size_t len, uint32_t own);

#endif
