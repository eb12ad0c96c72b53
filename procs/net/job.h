/* job.h - one request of crispd: a pod's network is made (ADD), taken down (DEL), or the rules of one that
 * lives are made again (SYNC). */
#ifndef PROCS_NET_JOB_H
#define PROCS_NET_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "procs/net/proto.h"
#include "reactor/err.h"
#include "reactor/fields.h"

struct job_request { /* strings borrowed for the call */
	enum net_message verb; /* NET_ADD, NET_DEL or NET_SYNC */
	uint64_t tag;
	const char *id;		/* of the sandbox */
	const char *netns_path; /* "": only what is kept outside of the namespace */
	const char *conf;	/* the conflist; DEL: "": of the sandbox's cache file */
	const char *args;	/* ADD: CNI_ARGS, for the cache */
	const char *caps;	/* capability arguments: hostPorts */
	const char *result;	/* DEL: of the ADD; "": none */
	const char *const *ips; /* SYNC: the pod's addresses, NULL-terminated */
};

struct job_answer { /* borrowed for the call */
	const char *result; /* ADD: JSON; else "" */
	struct strings ips; /* ADD: without prefix length, IPv4 first */
};

/* e is NULL after a success. left: a DEL is still due. Errors of ADD:
 *   UNIMPLEMENTED        the conflist is none of the native network's
 *   RESOURCE_EXHAUSTED   no address is left, or the bridge is full
 *   FAILED_PRECONDITION  a bridge with another address, a device that is no bridge, no namespace, forwarding or IPv6
 *                        off
 *   DEADLINE_EXCEEDED    another program held the lock of the addresses; or packets did not pass in time
 *   INTERNAL             all else
 * and of DEL: NOT_FOUND  conf is "", and there is no cache file of this instance for the sandbox */
typedef void job_done(void *arg, uint64_t tag, const struct err *e, bool left, const struct job_answer *answer);

/* cache: the directory of libcni, "/var/lib/cni"; owner: `root` of this instance. Copied. */
void jobs_open(const char *cache, const char *owner, job_done *done, void *arg);

/* `done` runs exactly once, perhaps inside of this call. Jobs of one directory of addresses run in the order of their
 * start. */
void job_start(const struct job_request *request);

/* Somebody removed rules: the next SYNC of each subnet writes its chain again. */
void jobs_rules_lost(void);

#endif
