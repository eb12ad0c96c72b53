/* ns_request.h - a KEEPER_NS_MAKE, read and checked. */
#ifndef PROCS_KEEPER_NS_REQUEST_H
#define PROCS_KEEPER_NS_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "reactor/err.h"
#include "reactor/imsg.h"

struct ns_make { /* strings inside the message */
	const char *id, *path, *hostname; /* path, hostname: may be NULL */
	uint32_t bits;        /* of enum keeper_ns */
	const char **sysctls; /* owned; key, value, key, value, ... */
	const char *uid_map, *gid_map; /* NULL without KEEPER_NS_USER */
};

/* INVALID_ARGUMENT when it is malformed, or names a sysctl that would not stay inside the namespaces made. To be freed
 * either way. */
int ns_request_get(struct ns_make *r, const struct imsg *m, struct err *e);
void ns_request_free(struct ns_make *r);

void ns_sysctl_path(char *out, size_t size, const char *key); /* "net.ipv4.x": "/proc/sys/net/ipv4/x" */

#endif
