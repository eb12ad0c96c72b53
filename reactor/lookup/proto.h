/* proto.h - between crispd and crisp-lookup.
 *
 * crisp-lookup reads from standard input, for each path: one byte, the kind ('0' + enum lookup_kind), the path, a NUL.
 * It writes to the SOCK_SEQPACKET socket LOOKUP_SOCKET one packet for each path, in order: struct lookup_fact up to the
 * NUL of `real`, with the fd, if there is one. */
#ifndef REACTOR_LOOKUP_PROTO_H
#define REACTOR_LOOKUP_PROTO_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

enum { LOOKUP_SOCKET = 3 };

struct lookup_fact {
	uint32_t version; /* LOOKUP_VERSION: a package may be replaced while crispd runs */
	uint32_t nth;	  /* path */
	int32_t error;	  /* errno */
	uint32_t mode, uid, gid;
	uint32_t local; /* struct looked */
	uint64_t rdev, mount_id, dev, ino, size_bytes;
	int64_t mtime_ns;
	char real[PATH_MAX];
};

enum { LOOKUP_VERSION = 2, LOOKUP_FACT_MIN = offsetof(struct lookup_fact, real) + 1 };

#endif
