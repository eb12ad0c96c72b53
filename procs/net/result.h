/* result.h - the result of an ADD in the words of CNI, and libcni's cache file of it.
 *
 * The cache file is read by other runtimes and by libcni's GC when they take a node over. The member "crisp" in it says
 * which instance made the network, by its `root`. Specs: CNI 1.1.0 section 5; libcni/api.go of
 * github.com/containernetworking/cni. */
#ifndef PROCS_NET_RESULT_H
#define PROCS_NET_RESULT_H

#include "procs/net/lease.h"
#include "procs/net_plan.h"
#include "reactor/arena.h"
#include "reactor/err.h"
#include "reactor/fields.h"
#include "reactor/json.h"

/* The members of a result's dns: what host-local reads in the file of resolvConf. A new reference; NULL: e. path NULL:
 * an empty object. */
json_t *result_dns(const char *path, struct err *e);

struct result_made { /* what was made */
	const char *id, *ifname, *netns_path, *host;
	uint8_t bridge_mac[6], host_mac[6], inside_mac[6];
	const struct lease *leases;
	size_t n;
	json_t *dns; /* of result_dns() */
};

/* A new reference. */
json_t *result_json(const struct net_plan *plan, const struct result_made *made);
struct strings result_addresses(struct arena *arena, const struct result_made *made); /* IPv4 first */

/* What a DEL needs of a result. A text that is no result gives nothing. */
struct result_known {
	const char *host; /* name of the host's end; "": unknown */
	struct net_prefix addresses[NET_SETS_MAX];
	size_t n;
};
void result_read(struct result_known *out, struct arena *arena, const char *text);

struct result_cache { /* borrowed strings */
	const char *dir;	/* of libcni: "/var/lib/cni" */
	const char *owner;	/* `root` of this instance */
	const char *conf;	/* the text of the conflist */
	const char *args;	/* CNI_ARGS */
	const char *caps;	/* JSON of capability arguments */
};
int result_cache_write(const struct result_cache *cache, const struct net_plan *plan, const struct result_made *made,
		       const json_t *result, struct err *e);

/* What a DEL needs, of a cache file that this owner wrote; in the arena. False: it is another's, or no such file. */
struct result_cached {
	const char *id, *conf, *caps, *result;
};
bool result_cache_read(struct result_cached *out, struct arena *arena, const char *path, const char *owner);

/* The same, by the id of the sandbox, whatever the network is. */
bool result_cache_find(struct result_cached *out, struct arena *arena, const char *dir, const char *owner,
		       const char *id, const char *ifname);

void result_cache_remove(const char *dir, const char *network, const char *id, const char *ifname);

#endif
