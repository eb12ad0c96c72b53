/* ns_request.h - reads and checks a message KEEPER_NS_MAKE. */
#ifndef PROCS_KEEPER_NS_REQUEST_H
#define PROCS_KEEPER_NS_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "reactor/err.h"
#include "reactor/imsg.h"

enum { NS_PATH_MAX = 250 };

struct ns_make { /* the strings lie in the message */
	const char *id, *path, *hostname; /* path, hostname: may be NULL */
	uint32_t bits;        /* of enum keeper_ns */
	const char **sysctls; /* owned; key, value, key, value, ... */
	const char *uid_map, *gid_map; /* NULL without KEEPER_NS_USER */
};

/* INVALID_ARGUMENT: the message is malformed, or names a sysctl that does not belong to one of the new namespaces. The
 * request is to be freed in either case. */
int ns_request_get(struct ns_make *request, const struct imsg *message, struct err *e);
void ns_request_free(struct ns_make *request);

/* INVALID_ARGUMENT: one has no value, or belongs to none of the namespaces in `bits`. */
int ns_sysctls_check(const char *const *sysctls, uint32_t bits, struct err *e);
void ns_sysctl_path(char *out, size_t size, const char *key); /* "net.ipv4.x": "/proc/sys/net/ipv4/x" */

#endif
