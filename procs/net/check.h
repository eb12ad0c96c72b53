/* check.h - CNI's CHECK of the native network, on request of `crisp check`: is what an ADD made still there? */
#ifndef PROCS_NET_CHECK_H
#define PROCS_NET_CHECK_H

#include <stdbool.h>

#include "procs/net/findings.h"

struct check_pod { /* borrowed strings */
	const char *id, *netns_path, *conf, *caps;
	const char *result;	/* of the ADD */
	const char *const *ips; /* NULL-terminated */
	const char *cache;	/* of libcni: "/var/lib/cni" */
};

/* Looks at the addresses' files, the bridge, both ends of the veth, routes, forwarding, rules and the cache file.
 * repair: what is outside of the pod is made again; what the pod itself has changed inside is its own affair, and only
 * told. Does not wait: a lock that another program holds leaves an address unreserved, which is told. */
void check_pod(const struct check_pod *pod, bool repair, struct findings *out);

/* The node, beside what its pods need: rules and devices of crisp's that no sandbox has. `known` are the ids of all
 * sandboxes of this instance, sorted; what other instances made is left alone, which their cache files tell. repair:
 * rules are taken away, and the table inet crisp too when nothing is in it. A device is only told: it goes with its
 * network namespace, which somebody holds. */
struct check_node {
	const char *cache, *owner;
	const char *const *known;
	size_t n;
};
void check_node(const struct check_node *node, bool repair, struct findings *out);

#endif
