/* lease.h - addresses in the files of CNI's IPAM plugin host-local, so that the plugin and crisp serve one network at
 * once: DIR/ADDRESS has "<container id>\r\n<interface>", DIR/last_reserved_ip.N the last address of range set N, and
 * whoever reads or writes them holds flock(2) on DIR/lock. (ARCHITECTURE S52)
 * Source: plugins/ipam/host-local/backend of the reference plugins 1.9.1; those of Debian 12 (1.1.1) agree. */
#ifndef PROCS_NET_LEASE_H
#define PROCS_NET_LEASE_H

#include <stdbool.h>

#include "procs/net_plan.h"

struct lease {
	struct net_prefix address; /* with the length of its subnet */
	struct net_ip gateway;
};

struct lease_dir { /* both -1: not held */
	int dir, lock;
};

/* 1: held; 0: another holds the lock now, try again later; -1: error. The directory is made where it is missing. */
int lease_lock(struct lease_dir *dir, const char *path, struct err *e);
void lease_unlock(struct lease_dir *dir);

/* Reserves one address of each range set for the interface; out has room for plan->nsets. After an error nothing is
 * reserved. RESOURCE_EXHAUSTED: a range set is full; the text has its range and the network. */
int lease_take(const struct lease_dir *dir, const struct net_plan *plan, const char *id, const char *ifname,
	       struct lease *out, struct err *e);

/* The addresses that are reserved for this interface, at most max, by reading every file. -1: the directory could not
 * be read. A missing directory has none. */
int lease_find(const char *path, const char *id, const char *ifname, struct net_ip *out, unsigned max, struct err *e);

/* Frees ip if the file says that it is this interface's; where it is another's or free, nothing is done. */
int lease_give(const struct lease_dir *dir, const struct net_ip *ip, const char *id, const char *ifname, struct err *e);

/* Whose is the address? LEASE_MINE: of this interface. LEASE_UNREAD: the disk does not tell now. */
enum lease_state { LEASE_FREE, LEASE_MINE, LEASE_OTHERS, LEASE_UNREAD };
enum lease_state lease_look(const char *path, const struct net_ip *ip, const char *id, const char *ifname);

/* Reserves this one, if nobody has it. */
int lease_again(const struct lease_dir *dir, const struct net_ip *ip, const char *id, const char *ifname,
		struct err *e);

/* Does the content of an address file name this interface? Files of host-local before 0.9 have the id alone. */
bool lease_is_of(const char *text, size_t len, const char *id, const char *ifname);

#endif
