/* netlink.h - netlink messages: written into a batch, sent in one call, each one acknowledged; answers are read.
 *
 * Used for rtnetlink and for nfnetlink. The kernel handles a request inside of sendmsg(2), so an answer is there when
 * the call returns. What a batch cannot hold is an error when it is sent. Source: Documentation/userspace-api/netlink
 * of the kernel. */
#ifndef PROCS_NET_NETLINK_H
#define PROCS_NET_NETLINK_H

#include <linux/netlink.h>
#include <sys/socket.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reactor/err.h"

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

enum { NL_BATCH_MAX = 64 * 1024 };

struct nl_batch {
	size_t len, message; /* bytes used; where the last message begins */
	unsigned acks;	     /* messages that the kernel will acknowledge */
	bool full;	     /* something did not fit */
	uint8_t at[NL_BATCH_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
};

int nl_open(int protocol, struct err *e); /* an fd, owned by the caller; answers later than 10 s are errors */

void nl_begin(struct nl_batch *batch); /* empties it */

/* Begins a message: NLM_F_REQUEST and `flags`. head: the family's own head, len bytes. */
void nl_message(struct nl_batch *batch, unsigned type, unsigned flags, const void *head, size_t len);
void nl_put(struct nl_batch *batch, unsigned type, const void *data, size_t len); /* an attribute */
void nl_put_u8(struct nl_batch *batch, unsigned type, uint8_t value);
void nl_put_u32(struct nl_batch *batch, unsigned type, uint32_t value);
void nl_put_be32(struct nl_batch *batch, unsigned type, uint32_t value);
void nl_put_str(struct nl_batch *batch, unsigned type, const char *text); /* with its NUL */
size_t nl_nest(struct nl_batch *batch, unsigned type);
void nl_nest_end(struct nl_batch *batch, size_t nest); /* nest: of nl_nest() */
void *nl_reserve(struct nl_batch *batch, size_t len); /* zeroed bytes, for a head inside of an attribute; NULL: full */

/* The first fault of a batch. */
struct nl_fault {
	int error;	/* errno; 0: none */
	unsigned nth;	/* the message, from 0, as acknowledged */
	char text[128]; /* what the kernel said of it; "" mostly */
};

/* Sends the batch and takes one acknowledgement for each message that has NLM_F_ACK. 0, or -1: fault. Messages behind
 * a bad one are handled all the same by rtnetlink; a transaction of nftables is all or nothing. */
int nl_talk(int fd, const struct nl_batch *batch, struct nl_fault *fault);

/* Sends one request, and calls fn for each answer until the end of a dump (NLM_F_DUMP) or the acknowledgement
 * (NLM_F_ACK). The same result. */
typedef void nl_answer(void *arg, unsigned type, const void *body, size_t len);
int nl_ask(int fd, const struct nl_batch *batch, nl_answer *fn, void *arg, struct nl_fault *fault);

/* For an err: "Device or resource busy (what the kernel said)". Static. */
const char *nl_fault_text(const struct nl_fault *fault);

/* Attributes of a message: at[type] of the highest known type `max`; those that are absent are NULL. */
struct nl_attr {
	const void *data;
	size_t len;
};
void nl_attrs(struct nl_attr *at, unsigned max, const void *from, size_t len);
uint32_t nl_attr_u32(const struct nl_attr *attr); /* 0 when it is too short or absent */
/* A text with its NUL inside of the attribute; "" else. */
const char *nl_attr_str(const struct nl_attr *attr);

#endif
